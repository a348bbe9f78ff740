"""What customers say: answers, motivators, advocacy; and what staff know that no shop system does."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.contact import Touchpoint

SCALES_OF_THEIR_OWN = ["disconfirmation", "comparison", "wallet_share", "wallet_rank", "wallet_shops"]


class Answer(models.Model):
    """One answered item of one response. Answers of one sheet share `response`.

    Items: csat, trust, commitment, involvement, repurchase_intent, nps (0 to 10); disconfirmation, comparison
    (−3 to +3); nev_<emotion> (0 to 10, `form` full or short); wallet_share (percent of what the customer spends on
    such things), wallet_rank (our place among wallet_shops shops, 1 to 20). Definitions: `docs/scoring.md`.
    """

    class Origin(models.TextChoices):
        CUSTOMER_SELF = "customer_self", _("said by the customer")
        STAFF_ESTIMATE = "staff_estimate", _("estimated by staff")

    class Form(models.TextChoices):
        FULL = "full", _("full form")
        SHORT = "short", _("short form")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="answers")
    response = models.UUIDField()
    item = models.CharField(max_length=30)
    value = models.DecimalField(max_digits=4, decimal_places=1)
    form = models.CharField(max_length=5, choices=Form, blank=True, db_default="")
    origin = models.CharField(max_length=15, choices=Origin, db_default="customer_self")
    touchpoint = models.CharField(max_length=10, choices=Touchpoint, blank=True, db_default="")
    comment = models.TextField(blank=True, db_default="")
    purchase = models.ForeignKey("crm.Purchase", models.SET_NULL, null=True, blank=True)
    answered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["response", "item"], name="crm_answer_once"),
            models.CheckConstraint(
                condition=Q(item__in=["disconfirmation", "comparison"], value__range=(-3, 3))
                | Q(item="wallet_share", value__range=(0, 100))
                | Q(item__in=["wallet_rank", "wallet_shops"], value__range=(1, 20))
                | (~Q(item__in=SCALES_OF_THEIR_OWN) & Q(value__range=(0, 10))),
                name="crm_answer_value_range",
            ),
            models.CheckConstraint(
                condition=Q(item__startswith="nev_", form__in=["full", "short"])
                | (~Q(item__startswith="nev_") & Q(form="")),
                name="crm_answer_form_of_nev_only",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-answered_at"], name="crm_answer_of_customer"),
            # Who said what: each answers a customer list of the insights pages alone.
            models.Index(
                fields=["item", "customer", "-answered_at", "-id"],
                include=["value", "origin"],
                condition=Q(item__in=["csat", "nps", "ces", "disconfirmation"]),
                name="crm_answer_latest",
            ),
            models.Index(
                fields=["form", "customer", "response"],
                include=["item", "answered_at", "origin", "touchpoint"],
                condition=~Q(form=""),
                name="crm_answer_felt",
            ),
        ]


class MotivatorEvidence(models.Model):
    """How important a motivator is to a customer, and how well the shop helps (0 to 10; `docs/scoring.md`)."""

    class Origin(models.TextChoices):
        SELF_REPORT = "self_report", _("said by the customer")
        STAFF_NOTE = "staff_note", _("noted by staff")
        BEHAVIOUR_HYPOTHESIS = "behaviour_hypothesis", _("guessed from purchases")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="motivators")
    motivator = models.CharField(max_length=20)
    importance = models.PositiveSmallIntegerField()
    fulfilment = models.PositiveSmallIntegerField(null=True, blank=True)
    origin = models.CharField(max_length=20, choices=Origin)
    note = models.TextField(blank=True, db_default="")
    recorded_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(importance__range=(0, 10)) & (Q(fulfilment=None) | Q(fulfilment__range=(0, 10))),
                name="crm_motivator_evidence_range",
            )
        ]


class AdvocacyAct(models.Model):
    """Something a customer did for the shop. An intention to recommend (NPS) is none (`docs/scoring.md`)."""

    class Kind(models.TextChoices):
        REFERRED_ORDER = "referred_order", _("referred person placed a first order")
        OWN_REVIEW = "own_review", _("own review of at least 4 of 5, without incentive")
        TESTIMONIAL = "testimonial", _("testimonial with permission")
        DEFENCE = "defence", _("defended the shop in public")
        INCENTIVISED_REVIEW = "incentivised_review", _("labelled review with an incentive")
        SOCIAL_MENTION = "social_mention", _("mention on social media")
        REPORTED_RECOMMENDATION = "reported_recommendation", _("reports having recommended the shop")

    STRONG = ("referred_order", "own_review", "testimonial", "defence")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="advocacy_acts")
    kind = models.CharField(max_length=25, choices=Kind)
    referred = models.ForeignKey("crm.Customer", models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True, db_default="")
    recorded_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["customer", "-occurred_at"], name="crm_advocacy_act_of_customer")]


class BarrierFact(models.Model):
    """A signal of a switching barrier that no shop system knows, recorded by staff for one customer.

    `signal` names an entry of loyalty's barriers; `value` is in that signal's unit (months, a share 0 to 1,
    money, or 1 and 0 for yes and no). It counts from `recorded_at` until `expires_at`.
    """

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="barrier_facts")
    signal = models.CharField(max_length=40)
    value = models.DecimalField(max_digits=14, decimal_places=4)
    note = models.CharField(max_length=200, blank=True, db_default="")
    origin = models.CharField(max_length=80, blank=True, db_default="")
    recorded_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True)
    recorded_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=models.F("recorded_at")),
                name="crm_barrier_fact_expires_later",
            )
        ]
        indexes = [models.Index(fields=["customer", "signal", "-recorded_at"], name="crm_barrier_fact_of_customer")]
