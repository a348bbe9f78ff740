"""One row for each intended mail: the queue, the proof and the answer to "why did she not get it?"."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign, Run
from campaigns.models.template import TemplateVersion
from crm.models import MailLog


class Delivery(models.Model):
    """A mail that shall go, went, or was refused, with the reason (`docs/sending.md` has the state machine).

    `token` is the fence: whoever claimed the row changes it only while the token is still theirs. `cause` names what
    the mail is about, so that two records of one mailbox get one mail. `email_hash` is empty for rows refused at
    planning: they must not take a mailbox's place. `attempts` counts claims that were not given back in good order.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        CLAIMED = "claimed", _("claimed by a sender")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        UNKNOWN = "unknown", _("unclear whether sent")
        SUPPRESSED = "suppressed", _("not sent")
        FAILED = "failed", _("failed")
        QUARANTINED = "quarantined", _("set aside")

    class Tracking(models.TextChoices):
        """How clicks on its links are counted, settled at the gate (`campaigns.tracking`)."""

        NONE = "", _("not counted")
        TOTALS = "totals", _("counted for all recipients together")
        PERSON = "person", _("noted for the person, who agreed")

    id = models.UUIDField(primary_key=True, db_default=RandomUUID(), editable=False)
    # Every row of one planning names the same campaign, run and text; to have each row prove it halves the speed.
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    run = models.ForeignKey(
        Run, models.CASCADE, null=True, blank=True, related_name="deliveries", db_index=False, db_constraint=False
    )
    # Customers go while nothing is planned (`freezing.alone`), so none can be missing.
    customer = models.ForeignKey(
        "crm.Customer", models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    event = models.ForeignKey(
        "crm.Event", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    template_version = models.ForeignKey(
        TemplateVersion, models.PROTECT, db_index=False, related_name="+", db_constraint=False
    )
    recipe = models.SlugField(max_length=30, db_index=False)
    message_class = models.CharField(max_length=15, choices=MailLog.MessageClass)
    purpose = models.CharField(max_length=30)
    dedupe_key = models.CharField(max_length=200)
    cause = models.CharField(max_length=150, blank=True, db_default="")
    email_hash = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - '' would not be unique
    domain = models.CharField(
        max_length=80, blank=True, db_default="", default="", help_text="Of the address, for the pace of each mail server."
    )
    slot_at = models.DateTimeField(
        null=True, blank=True, help_text="When its turn comes, where its mail server is given only so many an hour."
    )
    state = models.CharField(max_length=12, choices=State, db_default="planned")
    reason = models.CharField(max_length=40, blank=True, db_default="")
    evidence = models.BigIntegerField(null=True, blank=True, help_text="The consent event that allowed the mail.")
    priority = models.PositiveSmallIntegerField(db_default=50, help_text="Smaller goes first.")
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    deferrals = models.PositiveSmallIntegerField(db_default=0)
    transport = models.CharField(max_length=60, blank=True, db_default="")
    message_id = models.CharField(max_length=200, blank=True, db_default="")
    tracking = models.CharField(max_length=6, choices=Tracking, blank=True, db_default="", default="")
    provider_id = models.CharField(max_length=200, blank=True, db_default="")
    smtp_reply = models.CharField(max_length=300, blank=True, db_default="")
    planned_at = models.DateTimeField(db_default=models.functions.Now())
    sending_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dedupe_key"], name="campaigns_delivery_once"),
            models.UniqueConstraint(
                fields=["run", "email_hash"],
                condition=Q(run__isnull=False, email_hash__isnull=False),
                name="campaigns_delivery_one_per_mailbox",
            ),
            models.UniqueConstraint(
                fields=["recipe", "cause", "email_hash"],
                condition=~Q(cause="") & Q(email_hash__isnull=False),
                name="campaigns_delivery_one_per_cause",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["claimed", "sending"]) | Q(token__isnull=False, lease_until__isnull=False),
                name="campaigns_delivery_claimed_has_token",
            ),
            models.CheckConstraint(
                condition=Q(not_after__gt=models.F("not_before")) | ~Q(state="planned"),
                name="campaigns_delivery_window",
            ),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "priority", "not_before", "id"],
                condition=Q(state="planned"),
                name="campaigns_delivery_due",
            ),
            # Hardly ever one: whose sender died. To look for them among all that are planned would cost more than to send.
            models.Index(
                fields=["campaign", "priority", "not_before", "id"],
                condition=Q(state="planned", attempts__gte=1),
                name="campaigns_delivery_suspects",
            ),
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=["claimed", "sending"]),
                name="campaigns_delivery_leased",
            ),
            models.Index(fields=["sending_at"], condition=Q(state="unknown"), name="campaigns_delivery_unknown"),
            models.Index(
                fields=["transport", "sending_at"], condition=Q(state="sent"), name="campaigns_delivery_sent_by"
            ),
            models.Index(fields=["customer", "-planned_at"], name="campaigns_delivery_of_customer"),
            models.Index(fields=["campaign", "state"], name="campaigns_delivery_counts"),
            # Some providers name a mail in their reports by their own number alone.
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="campaigns_delivery_provider"),
            models.Index(
                fields=["domain", "slot_at"],
                condition=Q(state="planned", slot_at__isnull=False),
                name="campaigns_delivery_parked",
            ),
        ]


class Receipt(models.Model):
    """What was reported about one mail: each kind of news once, with the last time it was told. It may come before we
    know the mail.

    `source` says who told it first: "receipts", "mailbox", a mail provider's or a transport's name. `code` is the
    server's status (RFC 3463, such as 5.1.1) or the provider's reason, never what the server said in words.
    """

    class Status(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        SENT = "sent", _("passed on")
        DEFERRED = "deferred", _("delayed")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("came back for good")
        SOFT_BOUNCED = "soft_bounced", _("came back for now")
        REJECTED = "rejected", _("not accepted")
        FAILED = "failed", _("failed at the mail provider")
        SPAM_REPORT = "spam_report", _("reported as spam")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        AUTO_REPLY = "auto_reply", _("answered by a machine")

    delivery_id = models.UUIDField()
    status = models.CharField(max_length=20, choices=Status)
    source = models.CharField(max_length=30, blank=True, db_default="", default="")
    code = models.CharField(max_length=20, blank=True, db_default="", default="")
    at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery_id", "status"], name="campaigns_receipt_once")]


class SenderHeartbeat(models.Model):
    """A process that sends says that it lives, by the database's clock."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()
    sent = models.BigIntegerField(db_default=0)
