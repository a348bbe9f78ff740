"""Something that one of the staff has to do for a customer by a certain time."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Task(models.Model):
    """A task from its cause to its end. While an alert is open, its `Hold` lets advertising rest.

    `cause` names what it came from, such as interaction:17 or response:<uuid>; each cause makes one task. `detail` says
    why in codes, so that it can be worded in any language: {"felt": [[emotion, 0 to 10 or null]], "nev": −10 to +10 or
    null, "origin": who says so}. `text` is what staff wrote.
    """

    class Kind(models.TextChoices):
        ALERT = "alert", _("Get in touch")
        CALL_BACK = "call_back", _("Call back")
        BIRTHDAY = "birthday", _("Congratulate")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")

    class Outcome(models.TextChoices):
        SPOKE = "spoke", _("We spoke")
        WROTE = "wrote", _("We wrote")
        NOT_REACHED = "not_reached", _("Tried, not reached")
        NOT_NEEDED = "not_needed", _("Not needed any more")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="tasks")
    kind = models.CharField(max_length=10, choices=Kind)
    text = models.TextField(blank=True, db_default="")
    cause = models.CharField(max_length=60, blank=True, db_default="")
    detail = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    owner = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    due_at = models.DateTimeField()
    state = models.CharField(max_length=5, choices=State, db_default="open")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cause"], condition=~Q(cause=""), name="crm_task_once_a_cause"),
            models.CheckConstraint(
                condition=Q(state="done", closed_at__isnull=False) & ~Q(outcome="")
                | Q(state="open", closed_at=None, outcome=""),
                name="crm_task_done_has_time_and_outcome",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "due_at", "id"],
                include=["owner", "customer"],
                condition=Q(state="open"),
                name="crm_task_waiting",
            ),
            models.Index(fields=["customer", "-created_at"], name="crm_task_of_customer"),
            models.Index(fields=["-closed_at"], condition=Q(state="done"), name="crm_task_closed"),
        ]
