import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import Q

BARRIERS = ("contractual", "technical", "monetary_loss", "procedural", "situational", "lost_benefits", "social")


class Migration(migrations.Migration):
    """Scores of the barriers become one array, so that a new barrier needs no column."""

    dependencies = [("loyalty", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="assessment",
            name="scores",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(null=True),
                default=list,
                help_text="Of the barriers, in registry order.",
                size=None,
            ),
        ),
        migrations.RunSQL(
            f"UPDATE loyalty_assessment SET scores = ARRAY[{', '.join(BARRIERS)}]::float8[]", migrations.RunSQL.noop
        ),
        *(migrations.RemoveField(model_name="assessment", name=name) for name in BARRIERS),
        migrations.RemoveConstraint(model_name="assessment", name="loyalty_assessment_interval_from_three"),
        migrations.AddConstraint(
            model_name="assessment",
            constraint=models.CheckConstraint(
                condition=Q(expected_interval__gt=0), name="loyalty_assessment_interval_above_zero"
            ),
        ),
        migrations.AddField(
            model_name="ruleset",
            name="note",
            field=models.CharField(
                blank=True, db_default="", help_text="Why, in the author's words.", max_length=200
            ),
        ),
    ]
