"""Whether bond and lock-in told who bought again: once a year, on the shop's own customers."""

from django.db import models
from django.db.models import Q


class BondCheck(models.Model):
    """One check. Customers were judged as of `since`, and counted as having bought within `days` after it.

    `bond` and `lock_in` are the changes of the log odds of buying again for ten points more, with their standard errors;
    all four are empty where there were too few customers or no fit was reached. Old checks stay to be compared with.
    """

    as_of = models.DateField(primary_key=True)
    since = models.DateField()
    days = models.PositiveIntegerField(help_text="Two base cycles of the shop.")
    customers = models.PositiveIntegerField(help_text="With bond and lock-in known then.")
    bought = models.PositiveIntegerField(help_text="Of them, within the days.")
    bond = models.FloatField(null=True)
    bond_error = models.FloatField(null=True)
    lock_in = models.FloatField(null=True)
    lock_in_error = models.FloatField(null=True)
    rules_version = models.PositiveIntegerField()
    computed_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(bond=None, bond_error=None, lock_in=None, lock_in_error=None)
                | Q(bond__isnull=False, bond_error__gt=0, lock_in__isnull=False, lock_in_error__gt=0),
                name="loyalty_bond_check_all_or_none",
            ),
        ]
