"""What the facts say about each customer: everything a rule may ask."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


def money(help_text: str) -> models.DecimalField:
    """An amount in the shop's currency."""
    return models.DecimalField(max_digits=14, decimal_places=2, help_text=help_text)


def percent() -> models.FloatField:
    """0 to 100; empty means unknown."""
    return models.FloatField(null=True, blank=True)


class Metrics(models.Model):
    """One row a customer, written by `loyalty.metrics` from facts alone; safe to delete.

    An order is a day with at least one valid purchase. Parts of the attitude are 0 to 100 and empty where the
    customer never answered; `*_on` is the day of the latest answer. Windows end on the day of the judgement.
    """

    customer = models.OneToOneField("crm.Customer", models.CASCADE, primary_key=True, related_name="metrics")
    orders = models.PositiveIntegerField()
    order_days = ArrayField(models.DateField(), help_text="Days of the valid orders, oldest first.")
    first_order_on = models.DateField(null=True)
    previous_order_on = models.DateField(null=True, help_text="The order before the last.")
    last_order_on = models.DateField(null=True)
    value = money("Net of all valid orders less what returns met no purchase.")
    value_year = money("The same within 365 days.")
    purchases = models.PositiveIntegerField(help_text="Valid purchases; several may make one order day.")
    category_id = models.BigIntegerField(null=True, help_text="Category of most purchases; empty on a tie.")
    categories = models.PositiveIntegerField(help_text="Distinct categories bought.")
    place = models.CharField(max_length=60, blank=True, default="", help_text="Place of most orders.")
    place_orders = models.PositiveIntegerField(help_text="Orders there; one of two places counts at both.")

    satisfaction = percent()
    trust = percent()
    commitment = percent()
    nev = percent()
    involvement = percent()
    comparison = percent()
    nev_form = models.CharField(max_length=5, blank=True, default="", help_text="Form the NEV part comes from.")
    satisfaction_on = models.DateField(null=True)
    trust_on = models.DateField(null=True)
    commitment_on = models.DateField(null=True)
    nev_on = models.DateField(null=True)

    contact_id = models.BigIntegerField(null=True, help_text="Member of staff with the most well-rated contacts.")
    good_contacts = models.PositiveIntegerField(help_text="Contacts with that person rated 7 or more in 12 months.")
    takes_part = models.BooleanField(help_text="Member, or guest of an event in 12 months.")
    referred = ArrayField(models.BigIntegerField(), null=True, help_text="Customers whose first order they caused.")
    strong_acts = models.PositiveIntegerField(help_text="Strong advocacy acts in 365 days.")
    medium_acts = models.PositiveIntegerField(help_text="Medium advocacy acts in 365 days.")
    severe_complaints = models.PositiveIntegerField(help_text="Open complaints of high severity.")
    recorded = models.JSONField(null=True, help_text="Facts recorded by staff and valid: {signal: [value, day]}.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(orders=0, last_order_on=None) | Q(orders__gt=0, last_order_on__gte=F("first_order_on")),
                name="loyalty_metrics_days_iff_orders",
            ),
            models.CheckConstraint(
                condition=Q(orders__lt=2, previous_order_on=None) | Q(orders__gte=2, previous_order_on__isnull=False),
                name="loyalty_metrics_previous_iff_two",
            ),
        ]
