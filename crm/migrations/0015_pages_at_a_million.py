from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Indexes from which the list and Today are read without a look at the customers' rows."""

    dependencies = [
        ("crm", "0014_consent_per_address"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="task", name="crm_task_due"),
        migrations.AddIndex(
            model_name="complaint",
            index=models.Index(
                fields=["due_at", "id"],
                include=["owner", "customer"],
                condition=~Q(state="closed"),
                name="crm_complaint_due",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                fields=["sort_key", "id"], condition=Q(erased_at=None, merged_into=None), name="crm_customer_living"
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                fields=["kind", "due_at", "id"],
                include=["owner", "customer"],
                condition=Q(state="open"),
                name="crm_task_waiting",
            ),
        ),
    ]
