"""Who reported what about a mail, and which returned mails were read."""

import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_pace_and_rests"), ("crm", "0016_returned_mail")]

    operations = [
        migrations.AddField("receipt", "source", models.CharField(blank=True, db_default="", default="", max_length=30)),
        migrations.AddField("receipt", "code", models.CharField(blank=True, db_default="", default="", max_length=20)),
        migrations.AlterField("receipt", "status", models.CharField(choices=[("accepted", "accepted"), ("sent", "passed on"), ("deferred", "delayed"), ("delivered", "delivered"), ("bounced", "came back for good"), ("soft_bounced", "came back for now"), ("rejected", "not accepted"), ("failed", "failed at the mail provider"), ("spam_report", "reported as spam"), ("unsubscribed", "unsubscribed"), ("auto_reply", "answered by a machine")], max_length=20)),
        migrations.AddIndex("delivery", models.Index(condition=~Q(provider_id=""), fields=["provider_id"], name="campaigns_delivery_provider")),
        migrations.CreateModel(
            name="ReadMail",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=12)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"indexes": [models.Index(fields=["at"], name="campaigns_read_mail_at")]},
        ),
    ]
