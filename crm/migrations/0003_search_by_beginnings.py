"""Names and addresses are found by their beginning, and sorted the same way, in whatever collation the server has."""

from django.db import migrations, models
from django.db.models import F, Func

TO_BYTES = 'ALTER TABLE crm_customer ALTER COLUMN sort_key TYPE text COLLATE "C"'
BACK = 'ALTER TABLE crm_customer ALTER COLUMN sort_key TYPE text COLLATE "default"'


class Migration(migrations.Migration):
    dependencies = [("crm", "0002_append_only_and_purposes")]
    operations = [
        migrations.RunSQL(
            TO_BYTES,
            BACK,
            state_operations=[
                migrations.AlterField(
                    model_name="customer",
                    name="sort_key",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=Func(
                            F("family_name"),
                            F("given_name"),
                            F("company_name"),
                            function="public.f_sort_key",
                            output_field=models.TextField(),
                        ),
                        output_field=models.TextField(db_collation="C"),
                    ),
                )
            ],
        ),
        migrations.RemoveIndex(model_name="contactpoint", name="crm_contact_point_lookup"),
        migrations.AddIndex(
            model_name="contactpoint",
            index=models.Index(
                fields=["kind", "normal"],
                opclasses=["varchar_ops", "varchar_pattern_ops"],
                name="crm_contact_point_lookup",
            ),
        ),
    ]
