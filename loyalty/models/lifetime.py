"""What customers will probably buy: the fitted model of the shop, and its answer for each customer."""

from django.db import models
from django.db.models import Q


class LifetimeFit(models.Model):
    """One fit of the purchase model for one day (`loyalty.lifetime_value`); the latest is in force. Safe to delete.

    `hidden` are the reasons why nothing of it may be shown, `value_hidden` why no amounts may: each
    {"code": …, and the figures of its sentence}. Parameters are empty where nothing could be fitted.
    """

    as_of = models.DateField(unique=True)
    since = models.DateField(null=True, help_text="The shop's first order.")
    customers = models.PositiveIntegerField(help_text="Customers with an order.")
    repeaters = models.PositiveIntegerField(help_text="Of them, with at least two.")
    every = models.PositiveIntegerField(default=1, help_text="Parameters rest on every n-th customer.")
    parameters = models.JSONField(null=True, help_text="r, alpha (weeks), a, b.")
    spending = models.JSONField(null=True, help_text="p, q, gamma (shop's currency).")
    correlation = models.FloatField(null=True, help_text="Between how often and how much.")
    test_from = models.DateField(null=True, help_text="Last day the back-test knew.")
    test_customers = models.PositiveIntegerField(null=True)
    predicted = models.FloatField(null=True, help_text="Orders after that day, by the model.")
    actual = models.PositiveIntegerField(null=True, help_text="Orders after that day.")
    hidden = models.JSONField(default=list)
    value_hidden = models.JSONField(default=list)
    months = models.PositiveIntegerField(help_text="How far the expectations reach.")
    margin = models.FloatField()
    discount_rate = models.FloatField(help_text="A year.")
    rules_version = models.PositiveIntegerField()
    computed_at = models.DateTimeField(db_default=models.functions.Now())
    took_ms = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(parameters__isnull=False) | ~Q(hidden=[]), name="loyalty_lifetime_shown_needs_parameters"
            ),
        ]

    @property
    def shown(self) -> bool:
        return not self.hidden

    @property
    def value_shown(self) -> bool:
        return not self.hidden and not self.value_hidden

    @property
    def ratio(self) -> float | None:
        """Predicted / actual orders of the back-test; None without one, or if nobody bought."""
        return self.predicted / self.actual if self.predicted is not None and self.actual else None


class LifetimeValue(models.Model):
    """What the model in force expects of one customer in its next `months`. Safe to delete.

    `alive` is empty for whoever bought once: the model calls them all alive, which says nothing about them.
    """

    customer = models.OneToOneField("crm.Customer", models.CASCADE, primary_key=True, related_name="lifetime")
    orders = models.FloatField(help_text="Expected order days.")
    chance = models.FloatField(help_text="Probability of at least one, 0 to 1.")
    alive = models.FloatField(null=True, help_text="Probability of still being a customer, 0 to 1.")
    order_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, help_text="Expected net of an order.")
    value = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, help_text="Margin of the expected orders, discounted to the day."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(orders__gte=0, chance__range=(0, 1)) & (Q(alive=None) | Q(alive__range=(0, 1))),
                name="loyalty_lifetime_value_range",
            ),
        ]
