"""Routine is counted in orders, as the rule has it, not in purchases."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0008_classes_of_scores_at_month_ends")]

    operations = [
        migrations.RenameField("metrics", "place_purchases", "place_orders"),
        migrations.AlterField(
            "metrics",
            "place_orders",
            models.PositiveIntegerField(help_text="Orders there; one of two places counts at both."),
        ),
        migrations.AlterField(
            "metrics",
            "place",
            models.CharField(blank=True, default="", help_text="Place of most orders.", max_length=60),
        ),
    ]
