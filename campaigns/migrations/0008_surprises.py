import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Budgets of surprises, and the gifts taken from them."""

    dependencies = [
        ("campaigns", "0007_reports"),
        ("crm", "0018_survey_invitations"),
    ]

    operations = [
        migrations.CreateModel(
            name="SurprisePeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("begun_on", models.DateField()),
                ("gifts_most", models.PositiveIntegerField(blank=True, null=True)),
                ("money_most", models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ("gifts", models.PositiveIntegerField(db_default=0, default=0)),
                ("money", models.DecimalField(db_default=0, decimal_places=2, default=0, max_digits=14)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="surprise_periods",
                        to="campaigns.campaign",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["campaign", "first_day"], name="campaigns_surprise_period_once"),
                    models.CheckConstraint(
                        condition=(Q(gifts_most=None) | Q(gifts__lte=F("gifts_most")))
                        & (Q(money_most=None) | Q(money__lte=F("money_most")))
                        & Q(money__gte=0),
                        name="campaigns_surprise_within_budget",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SurpriseGift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gift", models.CharField(max_length=40, verbose_name="gift")),
                ("words", models.CharField(max_length=32)),
                ("cost", models.DecimalField(decimal_places=2, max_digits=14)),
                ("taken_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("returned_at", models.DateTimeField(blank=True, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="surprises", to="crm.customer"
                    ),
                ),
                (
                    "delivery",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="surprise", to="campaigns.delivery"
                    ),
                ),
                (
                    "period",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="taken",
                        to="campaigns.surpriseperiod",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(returned_at=None),
                        fields=["customer", "gift"],
                        name="campaigns_surprise_gift_never_twice",
                    )
                ],
            },
        ),
    ]
