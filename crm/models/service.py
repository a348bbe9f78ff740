"""Cases that somebody has to look after."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Complaint(models.Model):
    """A complaint from its opening to its end. While any is open, however slight, advertising is held (L15)."""

    class Severity(models.TextChoices):
        LOW = "low", _("low")
        MEDIUM = "medium", _("medium")
        HIGH = "high", _("high")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ANSWERED = "answered", _("answered")
        CLOSED = "closed", _("closed")

    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="complaints")
    text = models.TextField(_("what happened"))
    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    state = models.CharField(_("state"), max_length=10, choices=State, db_default="open")
    owner = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, verbose_name=_("owner"))
    purchase = models.ForeignKey("crm.Purchase", models.SET_NULL, null=True, blank=True)
    opened_at = models.DateTimeField(db_default=models.functions.Now())
    due_at = models.DateTimeField(_("answer due"))
    closed_at = models.DateTimeField(null=True, blank=True)
    resolution = models.TextField(_("what was done"), blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="closed", closed_at__isnull=False) | (~Q(state="closed") & Q(closed_at=None)),
                name="crm_complaint_closed_has_time",
            )
        ]
        indexes = [
            models.Index(fields=["customer"], condition=~Q(state="closed"), name="crm_complaint_open_of_customer"),
            models.Index(
                fields=["due_at", "id"],
                include=["owner", "customer"],
                condition=~Q(state="closed"),
                name="crm_complaint_due",
            ),
        ]

    def get_absolute_url(self) -> str:
        return reverse("complaint", args=[self.pk])

    @property
    def number(self) -> str:
        """The number staff say on the phone, such as R-17."""
        return f"R-{self.pk}"
