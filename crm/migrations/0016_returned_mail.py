"""When mail to an address came back, and who silenced an address, or lifted that, and why."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("crm", "0015_pages_at_a_million")]

    operations = [
        migrations.AddField("contactpoint", "bounced_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("contactpoint", "rests_until", models.DateTimeField(blank=True, null=True)),
        migrations.AddIndex("contactpoint", models.Index(condition=Q(state="hard_bounced") | Q(state="soft_bounced"), fields=["bounced_at"], name="crm_contact_point_bounced")),
        migrations.AddField("suppression", "source", models.CharField(blank=True, db_default="", default="", max_length=30)),
        migrations.AddField("suppression", "note", models.CharField(blank=True, db_default="", default="", max_length=200)),
        migrations.AddField("suppression", "lift_note", models.CharField(blank=True, db_default="", default="", max_length=200)),
        migrations.AddField("suppression", "created_by", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
        migrations.AlterField("suppression", "reason", models.CharField(choices=[("objected", "objected to advertising"), ("hard_bounce", "undeliverable"), ("spam_report", "reported as spam"), ("erased", "erased on request"), ("manual", "stop list of the shop")], max_length=15)),
        migrations.AlterField("consentevent", "method", models.CharField(choices=[("web", "web form"), ("paper", "signed paper"), ("phone", "phone"), ("import", "import with evidence"), ("mail_link", "link in a mail"), ("staff", "recorded by staff"), ("api", "REST client"), ("mail", "mail from the person"), ("report", "report of a mail provider")], max_length=10)),
    ]
