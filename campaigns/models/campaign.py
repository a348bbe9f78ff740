"""What is to be sent, to whom and when: a recipe that stands, or one mailing of a marketer."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.template import TemplateVersion


class Campaign(models.Model):
    """A recipe put to use.

    A *standing* campaign is its recipe's one row: it sends whenever its occasion comes, while `switched_on`.
    Any other is sent once, at `send_at`, after somebody launched it; its life is `status`.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        SCHEDULED = "scheduled", _("scheduled")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    recipe = models.SlugField(max_length=30)
    name = models.CharField(_("name"), max_length=120)
    standing = models.BooleanField(db_default=False, default=False)
    switched_on = models.BooleanField(_("switched on"), db_default=False, default=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, db_default="draft", default="draft")
    stages = ArrayField(
        models.CharField(max_length=20),
        verbose_name=_("stages"),
        default=list,
        blank=True,
        db_default=models.Value([], ArrayField(models.CharField(max_length=20))),
        help_text=_("Only customers in these stages; none chosen means everybody."),
    )
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    template_version = models.ForeignKey(TemplateVersion, models.PROTECT, null=True, blank=True)
    options = models.JSONField(
        default=dict,
        blank=True,
        db_default=models.Value({}, models.JSONField()),
        help_text="The recipe's own settings, such as leap_day of birthday.",
    )
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="campaigns")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    launched_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    launched_at = models.DateTimeField(null=True, blank=True)
    expected_recipients = models.PositiveIntegerField(
        null=True, blank=True, help_text="The number somebody typed in to launch it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recipe"], condition=Q(standing=True), name="campaigns_campaign_standing_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "cancelled"])
                | Q(send_at__isnull=False, template_version__isnull=False, launched_at__isnull=False),
                name="campaigns_campaign_launched_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One sending of a campaign to an audience frozen by one statement. Its counts are derived from deliveries."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="runs")
    created_at = models.DateTimeField(db_default=models.functions.Now())
    frozen_at = models.DateTimeField(null=True, blank=True)


class JobRun(models.Model):
    """A job of a time slot is done by whoever writes its row first, so two schedulers do no harm."""

    job = models.CharField(max_length=40)
    slot = models.DateTimeField()
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="campaigns_job_run_once")]
