"""How fast mails may go, and what stops them: limits, warm-up, rests after trouble, and each campaign's pulse."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign


class Pace(models.Model):
    """So many mails an hour for the mail servers of some domains, or for all advertising ("*").

    `next_at`: when the next mail may go, kept exactly. `parked_until`: the last slot given to a mail that waits; slots
    only spread the waiting, so one that is not used holds nobody up (`campaigns.pacing.pull_forward`).
    """

    ALL = "*"

    name = models.CharField(max_length=80, primary_key=True, help_text="The first of its domains, or * for all mail.")
    domains = ArrayField(models.CharField(max_length=80), default=list, blank=True, verbose_name=_("domains"))
    per_hour = models.PositiveIntegerField(_("mails an hour"), validators=[MinValueValidator(1)])
    next_at = models.DateTimeField(db_default=models.functions.Now())
    parked_until = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(per_hour__gte=1), name="campaigns_pace_lets_mail_through")]


class WarmUp(models.Model):
    """A new sending address earns its name: advertising a day grows from a start by a factor to a ceiling.

    `used` counts every mail of `day` (the shop's) on this transport; transactional mail counts and is never held back.
    """

    transport = models.CharField(max_length=60, primary_key=True)
    started_on = models.DateField()
    per_day = models.PositiveIntegerField(
        _("on the first day"), default=50, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    growth = models.DecimalField(
        _("each day times"),
        max_digits=3,
        decimal_places=2,
        default=Decimal("1.5"),
        validators=[MinValueValidator(Decimal("1.05")), MaxValueValidator(Decimal(3))],
    )
    ceiling = models.PositiveIntegerField(
        _("up to a day"), default=10_000, validators=[MinValueValidator(1), MaxValueValidator(10_000_000)]
    )
    day = models.DateField(null=True, blank=True)
    used = models.PositiveIntegerField(db_default=0, default=0)
    started_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(per_day__gte=1, growth__gt=1, ceiling__gte=F("per_day")), name="campaigns_warmup_grows"
            )
        ]


class Circuit(models.Model):
    """Trouble with a mail server, or with the one domain that a mail server complains about; no row means none.

    closed: noted, mails still go · open: nothing goes until `rests_until` · half_open: one mail tries.
    `reply` is the code alone, such as "421 4.7.0": what a server writes may name a person.
    """

    class State(models.TextChoices):
        CLOSED = "closed", _("noted")
        OPEN = "open", _("rests")
        HALF_OPEN = "half_open", _("one mail tries")

    transport = models.CharField(max_length=60)
    domain = models.CharField(max_length=80, blank=True, db_default="", default="")
    state = models.CharField(max_length=9, choices=State, db_default="closed", default="closed")
    failures = models.PositiveIntegerField(db_default=0, default=0)
    rests_until = models.DateTimeField(db_default=models.functions.Now())
    since = models.DateTimeField(db_default=models.functions.Now())
    changed_at = models.DateTimeField(db_default=models.functions.Now())
    reply = models.CharField(max_length=40, blank=True, db_default="", default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transport", "domain"], name="campaigns_circuit_once")]


class Pulse(models.Model):
    """How a campaign's mails fare since it last began: `recent` is one character a mail, newest last, 1 for an error.

    `tripped_at` and `reason` say when and why the breaker stopped the campaign; a mail that goes well clears them.
    """

    class Reason(models.TextChoices):
        TEXT = "render_errors", _("the text could not be filled in")
        REFUSED = "refused", _("mail servers refuse the mails")

    campaign = models.OneToOneField(Campaign, models.CASCADE, primary_key=True, related_name="pulse")
    handled = models.PositiveIntegerField(db_default=0, default=0)
    unfilled = models.PositiveIntegerField(db_default=0, default=0, help_text="Of them, texts that could not be filled in.")
    recent = models.CharField(max_length=200, blank=True, db_default="", default="")
    tripped_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=15, choices=Reason, blank=True, db_default="", default="")
    errors = models.PositiveIntegerField(db_default=0, default=0, help_text="When it tripped: so many errors …")
    of = models.PositiveIntegerField(db_default=0, default=0, help_text="… of so many mails.")


class MailCheck(models.Model):
    """What is known of a sender domain's mail authentication, and when it was looked up (`campaigns.mail_auth`).

    `findings`: one dict a check, as `mail_auth.Finding`. `evidence`: what a received probe showed, without addresses.
    """

    domain = models.CharField(max_length=253, primary_key=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    findings = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    probe = models.UUIDField(null=True, blank=True)
    probe_sent_at = models.DateTimeField(null=True, blank=True)
    evidence = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    evidence_at = models.DateTimeField(null=True, blank=True)
