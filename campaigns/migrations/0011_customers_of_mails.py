"""No proof a row that its customer exists: planning and erasing take turns instead (`campaigns.freezing.alone`)."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0010_moves"), ("crm", "0019_whom_segments_mean")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="crm.customer",
            ),
        ),
    ]
