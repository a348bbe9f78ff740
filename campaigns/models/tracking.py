"""Clicks as totals, and what people who agreed to be measured did with their mails."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from campaigns.models.delivery import Delivery


class TrackingSwitch(models.Model):
    """Whether the merchant counts clicks at all: one row, off until somebody switches it on."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    counts = models.BooleanField(db_default=False, default=False)
    changed_at = models.DateTimeField(db_default=models.functions.Now())
    changed_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="campaigns_tracking_one_row")]


class Link(models.Model):
    """One link of one campaign, and where it leads. `code` stands in the address that recipients see.

    `position` is the block's place in the text, from 0. Nobody can make the product lead elsewhere than `target`.
    """

    code = models.CharField(max_length=16, unique=True)
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="links")
    position = models.PositiveSmallIntegerField()
    target = models.CharField(max_length=500)
    good_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "position", "target"], name="campaigns_link_once"),
            models.CheckConstraint(
                condition=Q(target__startswith="https://") | Q(target__startswith="http://"),
                name="campaigns_link_leads_to_the_web",
            ),
        ]


class LinkCount(models.Model):
    """How often a link was opened on a day in the shop's zone, by everybody together. `machine` is part of `clicks`."""

    link = models.ForeignKey(Link, models.CASCADE, related_name="counts")
    day = models.DateField()
    clicks = models.PositiveIntegerField(db_default=0)
    machine = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["link", "day"], name="campaigns_link_count_once"),
            models.CheckConstraint(condition=Q(machine__lte=models.F("clicks")), name="campaigns_link_count_machine"),
        ]


class MailUse(models.Model):
    """A mail was opened, or a link in it, by a person who agreed to be measured. Never edited, by trigger; erasable.

    `by_machine`: the request said so itself. What else speaks for a machine is worked out on reading
    (`campaigns.mail_use`).
    """

    class Kind(models.TextChoices):
        OPEN = "open", _("opened")
        CLICK = "click", _("clicked")

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="uses")
    kind = models.CharField(max_length=5, choices=Kind)
    link = models.ForeignKey(Link, models.CASCADE, null=True, blank=True, related_name="+", db_index=False)
    at = models.DateTimeField(db_default=models.functions.Now())
    by_machine = models.BooleanField(db_default=False, default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="open", link__isnull=True) | Q(kind="click", link__isnull=False),
                name="campaigns_mail_use_click_has_link",
            )
        ]
        indexes = [models.Index(fields=["at"], name="campaigns_mail_use_at")]
