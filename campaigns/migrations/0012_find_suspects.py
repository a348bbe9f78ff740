"""Rows whose sender died are found without looking at all that are planned."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0011_customers_of_mails")]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("attempts__gte", 1), ("state", "planned")),
                fields=["campaign", "priority", "not_before", "id"],
                name="campaigns_delivery_suspects",
            ),
        ),
    ]
