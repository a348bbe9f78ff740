"""The consent ledger can only grow, and the purposes that a new shop starts with."""

from django.db import migrations

APPEND_ONLY = """
CREATE TRIGGER crm_consentevent_append_only BEFORE UPDATE OR DELETE ON crm_consentevent
  FOR EACH ROW EXECUTE FUNCTION public.f_append_only();
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON crm_consentevent FROM app;
  END IF;
END $$;
"""
DROP = "DROP TRIGGER crm_consentevent_append_only ON crm_consentevent;"

PURPOSES = [
    ("newsletter", "Newsletter", "Newsletter"),
    ("birthday", "Geburtstag", "Birthday"),
    ("survey", "Umfrage", "Survey"),
    ("win_back", "Rückgewinnung", "Win-back"),
    ("referral", "Empfehlung", "Referral"),
    ("tracking", "Öffnungen und Klicks", "Opens and clicks"),
    ("profiling", "Persönliche Auswertung", "Personal profile"),
]


def add_purposes(apps, schema_editor):
    Purpose = apps.get_model("crm", "Purpose")
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=de, label_en=en, position=at) for at, (code, de, en) in enumerate(PURPOSES)],
        ignore_conflicts=True,
    )
    apps.get_model("crm", "Shop").objects.bulk_create([apps.get_model("crm", "Shop")(id=1)], ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("crm", "0001_initial")]
    operations = [
        migrations.RunSQL(APPEND_ONLY, DROP),
        migrations.RunPython(add_purposes, migrations.RunPython.noop),
    ]
