"""Where every customer stood at the end of each past month."""

from django.db import models
from django.db.models import Q


class MonthEnd(models.Model):
    """One past month end for which everybody was judged from the facts dated up to it; safe to delete.

    `place` is the month's position in the texts of `Standing`, from 0. `counts` are customers by the three characters
    of stage, status and bond; `scores` maps lock-in, bond and each barrier to buyers by class of score; `moves` maps a
    number of months to customers by the two characters of their stage before and now.
    """

    month = models.DateField(primary_key=True, help_text="The first day of the month.")
    place = models.PositiveSmallIntegerField(unique=True)
    customers = models.PositiveIntegerField(help_text="Customers known by then.")
    counts = models.JSONField(default=dict)
    scores = models.JSONField(default=dict)
    moves = models.JSONField(default=dict)
    purchases = models.PositiveBigIntegerField(help_text="Purchases dated up to it; more of them make it due again.")
    layout = models.IntegerField(help_text="Which characters mean what.")
    days = models.FloatField(help_text="Base cycle of the shop then, in days.")
    rules_version = models.PositiveIntegerField()
    judged_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(month__day=1), name="loyalty_month_begins_on_first")]


class Standing(models.Model):
    """A customer's stage, status, bond and classes of score at each month end: a character a month; '-' before they were
    known.

    Written by `loyalty.months`; safe to delete together with `MonthEnd`. What the characters mean: `months.MARKS`.
    """

    customer = models.OneToOneField("crm.Customer", models.CASCADE, primary_key=True, related_name="standing")
    stages = models.TextField()
    statuses = models.TextField()
    bonds = models.TextField()
    bond_scores = models.TextField(db_default="")
    lock_in_scores = models.TextField(db_default="")
