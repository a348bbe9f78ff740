"""The judgement of each customer, and how it moved."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty import stages, status
from loyalty.barriers import place_of
from loyalty.models.metrics import percent
from loyalty.models.rules import Calibration


class Assessment(models.Model):
    """Where a customer stands. One row a customer, rebuilt from metrics and rules.

    What time alone changes is stored as days: `status` and `overdue_ratio` are computed from them when read.
    Scores are 0 to 100, rounded to hundredths; empty means unknown. `scores` are those of the barriers, in the order of
    `loyalty.barriers.BARRIERS`, and `points` the lines that made them, in that of `SIGNALS`: arrays, so that a new
    barrier needs no migration. `judged_at` is when the row last changed. `docs/scoring.md` has the definitions.
    """

    class LoyaltyType(models.TextChoices):
        TRUE = "true", _("true loyalty")
        SPURIOUS = "spurious", _("spurious loyalty")
        LATENT = "latent", _("latent loyalty")
        NONE = "none", _("no loyalty")
        DEVELOPING = "developing", _("developing")
        UNDETERMINED = "undetermined", _("cannot be told")

    class BondType(models.TextChoices):
        VOLUNTARY = "voluntary", _("voluntarily bound")
        VOLUNTARY_AND_LOCKED = "voluntary_and_locked", _("bound and locked in")
        CAPTIVE = "captive", _("captive")
        UNATTACHED = "unattached", _("unattached")

    customer = models.OneToOneField("crm.Customer", models.CASCADE, primary_key=True, related_name="assessment")
    raw_stage = models.CharField(max_length=12, choices=stages.choices, help_text="What facts and date say today.")
    stage = models.CharField(_("stage"), max_length=12, choices=stages.choices, help_text="Shown: falls only late.")
    stage_since = models.DateField(null=True)
    failing_since = models.DateField(null=True, help_text="Since when the rule of the shown stage fails.")

    orders = models.PositiveIntegerField()
    last_order_on = models.DateField(null=True)
    expected_interval = models.FloatField(help_text="Days until the next order is expected (E).")
    base_cycle = models.FloatField(help_text="Days between orders of comparable customers (C).")
    base_kind = models.CharField(max_length=10, choices=Calibration.Kind)
    reactivated_until = models.DateField(null=True)
    active_until = models.DateField(null=True)
    overdue_until = models.DateField(null=True)
    at_risk_until = models.DateField(null=True)
    contract_until = models.DateField(null=True, help_text="End of the contract that decides the status.")

    attitude = percent()
    relative_attitude = percent()
    attitude_compared = models.BooleanField(help_text="The customer compared the shop with others.")
    evidence = models.PositiveSmallIntegerField(help_text="Parts with an own answer within 365 days, 0 to 4.")

    scores = ArrayField(models.FloatField(null=True), default=list, help_text="Of the barriers, in registry order.")
    points = ArrayField(models.FloatField(null=True))
    lock_in = percent()
    bond = percent()
    voluntary_share = percent()
    bond_type = models.CharField(_("bond"), max_length=20, choices=BondType, blank=True, default="")
    loyalty_type = models.CharField(_("loyalty type"), max_length=12, choices=LoyaltyType)

    rules_version = models.PositiveIntegerField()
    judged_on = models.DateField(help_text="The day as of which the row last changed.")
    judged_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expected_interval__gt=0), name="loyalty_assessment_interval_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(bond_type="") | Q(bond__isnull=False, lock_in__isnull=False),
                name="loyalty_assessment_bond_type_needs_both",
            ),
            models.CheckConstraint(
                condition=(Q(lock_in=None) | Q(lock_in__range=(0, 100))) & (Q(bond=None) | Q(bond__range=(0, 100))),
                name="loyalty_assessment_scores_in_range",
            ),
        ]
        indexes = [
            models.Index(fields=["stage", "customer"], name="loyalty_assessment_by_stage"),
            models.Index(fields=["at_risk_until", "customer"], name="loyalty_assessment_by_lapse"),
            models.Index(fields=["bond_type", "customer"], condition=~Q(bond_type=""), name="loyalty_assessment_by_bond"),
            # The lock-in that counts as high is a rule; shops that set it lower than this read the whole table.
            models.Index(fields=["lock_in"], condition=Q(bond_type="", lock_in__gte=40), name="loyalty_assessment_held"),
        ]

    def score(self, barrier: str) -> float | None:
        """Score of a barrier by its code; None while unknown, and for one younger than the judgement.

        Raises KeyError for a barrier that does not exist.
        """
        at = place_of(barrier)
        return self.scores[at] if at < len(self.scores) else None

    @property
    def emotional(self) -> float | None:
        """The emotional barrier is the attitude (`docs/scoring.md`)."""
        return self.attitude

    def status_on(self, day: date) -> str:
        """active, overdue, at_risk, lapsed or reactivated on a day; '' without an order."""
        return status.status_of(self, day)

    def overdue_ratio_on(self, day: date) -> float | None:
        """Days since the last order / expected interval; None without an order."""
        return status.overdue_ratio(self, day)


class Transition(models.Model):
    """The shown stage changed. Append-only: history keeps the inputs and the rule version of its day."""

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="transitions")
    from_stage = models.CharField(max_length=12, choices=stages.choices)
    to_stage = models.CharField(max_length=12, choices=stages.choices)
    happened_on = models.DateField()
    inputs = models.JSONField(help_text="What the rules were asked with.")
    rules_version = models.PositiveIntegerField()
    recorded_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        indexes = [
            models.Index(fields=["customer", "-recorded_at"], name="loyalty_transition_of_customer"),
            models.Index(fields=["happened_on"], name="loyalty_transition_by_day"),
        ]
