"""What is to be sent, to whom and when: a recipe that stands, or one mailing of a marketer."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.template import TemplateVersion


class Campaign(models.Model):
    """A recipe put to use.

    A *standing* campaign is its recipe's one row: it sends whenever its occasion comes, while `switched_on`.
    Any other is sent once, at `send_at`, after somebody launched it; its life is `status`. A checked one is a draft
    without anything wrong; the next change makes it a draft again.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        CHECKED = "checked", _("checked")
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
    segment = models.ForeignKey(
        "campaigns.Segment",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="campaigns",
        verbose_name=_("segment"),
        help_text=_("Only customers in this segment as it stands at the launch; none chosen means everybody."),
    )
    audience_rule = models.JSONField(
        null=True, blank=True, help_text="The segment's rule as it stood at the launch, so that the audience can be explained."
    )
    hold_out = models.PositiveSmallIntegerField(
        _("control group"),
        db_default=0,
        default=0,
        help_text=_("Per cent of the recipients who get nothing, to measure what the mail does. 0 to 50."),
    )
    window_from = models.TimeField(
        _("send from"), null=True, blank=True, help_text=_("Mails go only from this hour on, in the shop's zone.")
    )
    window_until = models.TimeField(
        _("send until"), null=True, blank=True, help_text=_("Mails go only before this hour, in the shop's zone.")
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        verbose_name=_("weekdays"),
        default=list,
        blank=True,
        db_default=models.Value([], ArrayField(models.PositiveSmallIntegerField())),
        help_text=_("Mails go only on these days of the week, 1 (Monday) to 7; none chosen means every day."),
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
    checked_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    checked_at = models.DateTimeField(null=True, blank=True)
    checked_recipients = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many would have got it when it was checked."
    )
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
                condition=Q(status__in=["draft", "checked", "cancelled"])
                | Q(send_at__isnull=False, template_version__isnull=False, launched_at__isnull=False),
                name="campaigns_campaign_launched_is_whole",
            ),
            models.CheckConstraint(condition=Q(hold_out__lte=50), name="campaigns_campaign_hold_out_is_half_at_most"),
            models.CheckConstraint(
                condition=Q(window_from__isnull=True, window_until__isnull=True)
                | Q(window_from__lt=models.F("window_until")),
                name="campaigns_campaign_window_opens_before_it_ends",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__contained_by=[1, 2, 3, 4, 5, 6, 7]), name="campaigns_campaign_weekdays_exist"
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
