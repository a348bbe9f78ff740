"""A consent belongs to one address; what the sign-up form may ask; how many exports a day; sealed business letters."""

import django.db.models.deletion
from django.db import migrations, models

from crm import keyed

# What was declared so far belongs to the address beside it, else to the one on record.
BIND = f"""
WITH bound AS (
  SELECT event.id, coalesce(
    (SELECT lower(trace.address) FROM crm_consenttrace trace
     WHERE trace.event_id = event.id AND event.channel = 'email' AND trace.address LIKE '%%@%%'),
    (SELECT point.normal FROM crm_customer customer JOIN crm_contactpoint point ON point.customer_id = customer.id
     WHERE customer.person_key = event.person_key AND point.is_primary
       AND point.kind = CASE event.channel WHEN 'message' THEN 'phone' ELSE event.channel END)) AS normal
  FROM crm_consentevent event WHERE event.action IN ('given', 'confirmed', 'expired')
)
UPDATE crm_consentevent event SET address_hash = {keyed.address_hash_sql("bound.normal")}
FROM bound WHERE bound.id = event.id AND bound.normal IS NOT NULL
"""
HOLDS = """
UPDATE crm_consentstate state SET address = point.normal
FROM crm_contactpoint point
WHERE point.customer_id = state.customer_id AND point.is_primary AND state.state IN ('given', 'pending')
  AND point.kind = CASE state.channel WHEN 'message' THEN 'phone' ELSE state.channel END
"""


def bind(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT FROM crm_consentevent LIMIT 1")
        if not cursor.fetchall():
            return
        cursor.execute("ALTER TABLE crm_consentevent DISABLE TRIGGER USER")
        cursor.execute(BIND, keyed.hash_parameters())
        cursor.execute("ALTER TABLE crm_consentevent ENABLE TRIGGER USER")
        cursor.execute(HOLDS)


class Migration(migrations.Migration):
    dependencies = [("crm", "0013_calls")]

    operations = [
        migrations.AddField("consentevent", "address_hash", models.CharField(blank=True, db_default="", help_text="The one address it was given for, as keyed hash.", max_length=64)),
        migrations.AddField("consentstate", "address", models.CharField(blank=True, db_default="", max_length=254)),
        migrations.AlterField("consentstate", "state", models.CharField(choices=[("pending", "waiting for confirmation"), ("given", "given"), ("withdrawn", "withdrawn"), ("objected", "objected"), ("expired", "not confirmed in time"), ("moved", "given for another address")], max_length=10)),
        migrations.AddField("doubleoptin", "moves", models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="address_changes", to="crm.customer")),
        migrations.AddField("doubleoptin", "salutation", models.CharField(choices=[("ms", "Ms"), ("mr", "Mr"), ("neutral", "neutral"), ("none", "not given")], db_default="none", default="none", max_length=10)),
        migrations.AddField("doubleoptin", "given_name", models.CharField(blank=True, db_default="", default="", max_length=80)),
        migrations.AddField("doubleoptin", "family_name", models.CharField(blank=True, db_default="", default="", max_length=80)),
        migrations.AddField("doubleoptin", "ip", models.GenericIPAddressField(blank=True, null=True)),
        migrations.AddField("doubleoptin", "user_agent", models.CharField(blank=True, db_default="", default="", max_length=300)),
        migrations.AddField("shop", "sign_up_names", models.BooleanField(db_default=False, help_text="First and last name, both optional.", verbose_name="ask for the name when signing up")),
        migrations.AddField("shop", "sign_up_salutation", models.BooleanField(db_default=False, help_text="Ms, Mr, neutral or not given; optional, and never guessed.", verbose_name="ask for the form of address when signing up")),
        migrations.AddField("shop", "exports_per_day", models.PositiveSmallIntegerField(db_default=5, help_text="Downloads of personal data. 0 allows none.", verbose_name="exports of one member of staff in 24 hours")),
        migrations.AddField("sealedrecord", "kind", models.CharField(choices=[("invoices", "invoices"), ("letters", "business letters")], db_default="invoices", default="invoices", max_length=10)),
        migrations.RemoveConstraint("sealedrecord", "crm_sealed_record_once"),
        migrations.AddConstraint("sealedrecord", models.UniqueConstraint(fields=("erasure", "kind", "year"), name="crm_sealed_record_once")),
        migrations.RunPython(bind, migrations.RunPython.noop, elidable=True),
    ]  # fmt: skip
