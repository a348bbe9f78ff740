"""Who is meant: a rule that is asked anew each time, or a list that stays as it was given."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Segment(models.Model):
    """A named group of customers. `rule` is a JSON tree (`campaigns.segments`), empty for a list of members."""

    class Kind(models.TextChoices):
        RULE = "rule", _("rule")
        LIST = "list", _("list")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind, db_default="rule", default="rule")
    rule = models.JSONField(default=dict, blank=True, db_default=models.Value({}, models.JSONField()))
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    changed_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(db_default=models.functions.Now())
    archived_at = models.DateTimeField(null=True, blank=True)
    counted = models.PositiveIntegerField(null=True, blank=True, help_text="Customers it meant at `counted_at`.")
    counted_exactly = models.BooleanField(db_default=True, default=True, help_text="Counted and not estimated.")
    counted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.functions.Lower("name"), condition=Q(archived_at=None), name="campaigns_segment_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """A customer on a list."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="members", db_index=False)
    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="+")
    added_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "customer"], name="campaigns_segment_member_once")]
