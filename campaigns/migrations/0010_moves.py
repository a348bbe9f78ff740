"""Windows that are moved some thousands at a time, when a mailing was given another time."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0009_segment_counts")]

    operations = [
        migrations.CreateModel(
            name="Move",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by", models.DurationField()),
                ("slices", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "run",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="moves", to="campaigns.run"),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(slices__lt=4096), name="campaigns_move_is_not_done")
                ]
            },
        ),
    ]
