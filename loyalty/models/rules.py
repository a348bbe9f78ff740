"""What the merchant has settled, and what the shop's own history says."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class RuleSet(models.Model):
    """One version of the merchant's weights and thresholds. Never edited; the highest version is in force.

    `values` holds only what differs from the defaults of `loyalty.rules`. With no row the defaults are version 1.
    """

    version = models.PositiveIntegerField(primary_key=True)
    values = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True)
    note = models.CharField(max_length=200, blank=True, db_default="", help_text="Why, in the author's words.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(version__gte=1), name="loyalty_rule_set_from_one")]


class Calibration(models.Model):
    """The shop's purchase rhythm as the last full run found it: one row, rebuilt from facts.

    `cycles` maps a category's id to [gaps, mean days]; `days` is the base of everybody else. `pinned_on` is set while
    the stored judgements are those of a past day (`score --as-of DAY --store`).
    """

    class Kind(models.TextChoices):
        CATEGORY = "category", _("customers of the same category")
        SHOP = "shop", _("all customers")
        DEFAULT = "default", _("the preset value")

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    as_of = models.DateField()
    pinned_on = models.DateField(null=True, blank=True)
    customers = models.PositiveIntegerField(help_text="Customers judged.")
    gaps = models.PositiveIntegerField(help_text="Completed gaps of the last 24 months.")
    days = models.FloatField(help_text="Base cycle of the shop in days.")
    kind = models.CharField(max_length=10, choices=Kind)
    cycles = models.JSONField(default=dict)
    active = models.FloatField(help_text="Overdue ratio up to which a customer is active.")
    overdue = models.FloatField(help_text="Overdue ratio up to which a customer is overdue.")
    at_risk = models.FloatField(help_text="Overdue ratio up to which a customer is at risk.")
    self_calibrated = models.BooleanField(help_text="Thresholds come from the shop's own gaps.")
    knows = models.JSONField(default=dict, help_text="Kinds of fact that the installation has.")
    layout = models.IntegerField(help_text="Which registry of signals the stored points follow.")
    rules_version = models.PositiveIntegerField()
    computed_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="loyalty_calibration_one_row"),
            models.CheckConstraint(
                condition=Q(days__gt=0, active__gt=0, active__lt=models.F("overdue"), overdue__lt=models.F("at_risk")),
                name="loyalty_calibration_in_order",
            ),
        ]
