"""Public holidays of the shop's country or Land, for the calendar of mailings."""

from django.db import migrations, models

import crm.public_holidays


class Migration(migrations.Migration):
    dependencies = [("crm", "0016_returned_mail")]

    operations = [
        migrations.AddField("shop", "holiday_region", models.CharField(blank=True, db_default="DE", default="DE", help_text="Country, with its Land if you like: DE, DE-NI, AT, CH-ZH. Mailings on these days get a warning.", max_length=10, validators=[crm.public_holidays.validate_region], verbose_name="public holidays of")),
    ]
