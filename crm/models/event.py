"""What happened, who must be judged again, and what the mail gate reads."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Event(models.Model):
    """Something that happened live, written in its cause's transaction. Append-only but for `planned_at`.

    Kinds are nouns and past participles: purchase.created, stage.changed, consent.withdrawn.
    Campaigns takes events by `planned_at IS NULL … FOR UPDATE SKIP LOCKED`, never by a cursor over ids, because
    ids become visible out of order.
    """

    kind = models.CharField(max_length=40)
    customer = models.ForeignKey("crm.Customer", models.CASCADE, null=True, blank=True, related_name="events")
    purchase = models.ForeignKey("crm.Purchase", models.CASCADE, null=True, blank=True, related_name="+")
    detail = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=models.functions.Now())
    planned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(planned_at=None), name="crm_event_unplanned"),
            models.Index(fields=["customer", "-occurred_at"], name="crm_event_of_customer"),
        ]


class ChangedCustomer(models.Model):
    """A queue: this customer's facts changed and the judgement is due. One customer may stand in it many times."""

    customer_id = models.BigIntegerField()
    changed_at = models.DateTimeField(db_default=models.functions.Now())


class MailLog(models.Model):
    """A mail that passed the gate. Written by the sender in the gate's transaction; the frequency cap reads it."""

    class MessageClass(models.TextChoices):
        TRANSACTIONAL = "transactional", _("transactional")
        ADVERTISING = "advertising", _("advertising")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="mail_log")
    message_class = models.CharField(max_length=15, choices=MessageClass)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["customer", "-at"], name="crm_mail_log_of_customer")]


class Hold(models.Model):
    """Advertising to this customer rests, for a reason, until a time or until it is lifted."""

    class Reason(models.TextChoices):
        COMPLAINT = "complaint", _("open complaint")
        ALERT = "alert", _("alert after a bad experience")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="holds")
    reason = models.CharField(max_length=15, choices=Reason)
    complaint = models.OneToOneField("crm.Complaint", models.CASCADE, null=True, blank=True)
    task = models.OneToOneField("crm.Task", models.CASCADE, null=True, blank=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    until = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer"], condition=Q(lifted_at=None), name="crm_hold_of_customer")]


class Participation(models.Model):
    """A customer took part in something: an event of the shop, a contest, a membership (social barrier)."""

    class Kind(models.TextChoices):
        GATHERING = "gathering", _("invitation accepted")
        MEMBER = "member", _("member")
        CONTEST = "contest", _("contest")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="participations")
    kind = models.CharField(max_length=10, choices=Kind)
    title = models.CharField(max_length=120)
    occurred_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "-occurred_at"], name="crm_participation_of_customer")]
