from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("crm", "0019_whom_segments_mean")]

    operations = [
        migrations.AddIndex(
            "answer",
            models.Index(
                fields=["item", "customer", "-answered_at", "-id"],
                include=("value", "origin"),
                condition=models.Q(item__in=["csat", "nps", "ces", "disconfirmation"]),
                name="crm_answer_latest",
            ),
        ),
        migrations.AddIndex(
            "answer",
            models.Index(
                fields=["form", "customer", "response"],
                include=("item", "answered_at", "origin", "touchpoint"),
                condition=~models.Q(form=""),
                name="crm_answer_felt",
            ),
        ),
    ]
