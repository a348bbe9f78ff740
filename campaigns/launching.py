"""The life of a mailing: draft, checked, scheduled, running, at times paused, then finished or cancelled."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import checks, freezing, moving, segments, wake
from campaigns.models import Campaign, Delivery, Run, TemplateVersion
from campaigns.recipe import Moment
from crm import display
from crm.models import Shop, User
from crm.privacy import audit

Status = Campaign.Status
WRITTEN = {Status.DRAFT, Status.CHECKED}
CLOCKS_DIFFER = timedelta(minutes=1)


class LaunchError(ValueError):
    """A campaign cannot be checked, launched, moved, paused or resumed; the text says what to do."""


@dataclass(frozen=True)
class Checked:
    """What a check found: everything wrong, in sentences, and who would get it if nothing is."""

    problems: list[str]
    audience: freezing.Audience | None


@transaction.atomic
def check(campaign_id: int, by: User | None = None) -> Checked:
    """Look for everything that keeps a draft from being launched. With nothing wrong it is checked, else a draft.

    Raises LaunchError once it is launched.
    """
    campaign = _locked(campaign_id, WRITTEN)
    draft = checks.Draft(campaign, Shop.current())
    found = checks.problems(draft)
    touched(campaign)
    if not found:
        campaign.status, campaign.checked_by, campaign.checked_at = Status.CHECKED, by, now()
        campaign.checked_recipients = draft.audience.recipients
    campaign.save(update_fields=["status", "checked_by", "checked_at", "checked_recipients"])
    return Checked(found, None if found else draft.audience)


def touched(campaign: Campaign) -> None:
    """Something about a draft changes, so what was checked no longer holds. Call it before saving the campaign."""
    campaign.status = Status.DRAFT
    campaign.checked_by = campaign.checked_at = campaign.checked_recipients = None


@transaction.atomic
def launch(campaign_id: int, expected_recipients: int, by: User | None = None) -> Run:
    """Freeze text and audience of a checked draft and schedule it. Sending starts by itself at `send_at`.

    `expected_recipients` is the number somebody typed in: mails, without the control group. Raises LaunchError if it
    is not the number who would get the mail now, if something became wrong since the check, or if it was not checked.
    """
    campaign = _locked(campaign_id, WRITTEN)
    draft = checks.Draft(campaign, Shop.current())
    if problems := checks.problems(draft):
        raise LaunchError(" ".join(problems))
    if campaign.status != Status.CHECKED:
        raise LaunchError(_("The draft was changed and not checked since. Check it, then launch it."))
    _compare(draft.audience.recipients, expected_recipients)
    assert campaign.template_version is not None
    TemplateVersion.objects.filter(pk=campaign.template_version.pk, frozen_at=None).update(frozen_at=now())
    run = Run.objects.create(campaign=campaign, frozen_at=now())
    campaign.status = Status.SCHEDULED
    campaign.launched_at, campaign.launched_by, campaign.expected_recipients = now(), by, expected_recipients
    campaign.audience_rule = segments.rule_of(campaign)
    campaign.save(update_fields=["status", "launched_at", "launched_by", "expected_recipients", "audience_rule"])
    freezing.freeze(draft.recipe, Moment(campaign, draft.shop), run.pk)
    wake.on_commit()
    return run


def _compare(found: int, expected: int) -> None:
    if found == expected:
        return
    raise LaunchError(
        ngettext(
            "%(found)s person would get this mail now, not %(expected)s. Check the audience and type in the number.",
            "%(found)s people would get this mail now, not %(expected)s. Check the audience and type in the number.",
            found,
        )
        % {"found": display.number(found), "expected": display.number(expected)}
    )


def reschedule(campaign_id: int, send_at: datetime, by: User | None = None) -> None:
    """Give a launched mailing that has not started another time. Its mails' window moves as a whole.

    The new time holds at once; of many mails the windows follow within minutes (`campaigns.moving`). Raises LaunchError
    if it has started, or if the time has passed: a slip of the finger must not start it at once.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, {Status.SCHEDULED, Status.PAUSED})
        assert campaign.send_at is not None
        if _has_begun(campaign):
            raise LaunchError(_("Some of its mails went already, so its time stays. Pause it, or cancel the rest."))
        if send_at <= now():
            raise LaunchError(_("This time has passed. Choose one that is ahead."))
        Campaign.objects.filter(pk=campaign.pk).update(send_at=send_at)
        moving.move(campaign, send_at - campaign.send_at)
        audit.record(by.pk if by else None, "rescheduled", "mailing", campaign.pk)
        wake.on_commit()
    moving.begin(campaign_id)


def _has_begun(campaign: Campaign) -> bool:
    """Whether a mail of it went. Before its time none can have, and the rows of a million need not be looked at."""
    assert campaign.send_at is not None
    if campaign.send_at > now() + CLOCKS_DIFFER:
        return False
    return Delivery.objects.filter(campaign=campaign, sending_at__isnull=False).exists()


def pause(campaign_id: int) -> None:
    """Stop a scheduled or running campaign; nothing passes the gate until it is resumed. Raises LaunchError."""
    with transaction.atomic():
        _set(_locked(campaign_id, {Status.SCHEDULED, Status.RUNNING}), Status.PAUSED)


def resume(campaign_id: int) -> None:
    """Let a paused campaign go on where it stopped. Raises LaunchError."""
    with transaction.atomic():
        _set(_locked(campaign_id, {Status.PAUSED}), Status.SCHEDULED)
        wake.on_commit()


def cancel(campaign_id: int) -> int:
    """End a campaign for good. What is on the wire still arrives. Returns how many mails were stopped."""
    with transaction.atomic():
        _set(_locked(campaign_id, WRITTEN | {Status.SCHEDULED, Status.RUNNING, Status.PAUSED}), Status.CANCELLED)
        return Delivery.objects.filter(campaign_id=campaign_id, state__in=["planned", "claimed"]).update(
            state=Delivery.State.SUPPRESSED, reason="cancelled", token=None, lease_until=None, settled_at=now()
        )


def switch(campaign_id: int, on: bool) -> None:
    """Switch a standing campaign on or off. Off, nothing new is planned and what is planned waits."""
    Campaign.objects.filter(pk=campaign_id, standing=True).update(switched_on=on)


def _locked(campaign_id: int, statuses: set[Campaign.Status]) -> Campaign:
    found = Campaign.objects.select_for_update(of=["self"]).select_related("template_version", "segment")
    campaign = found.get(pk=campaign_id)
    if campaign.standing or campaign.status not in statuses:
        raise LaunchError(
            _("“%(name)s” is %(status)s; this cannot be done with it now.")
            % {"name": campaign.name, "status": campaign.get_status_display()}
        )
    return campaign


def _set(campaign: Campaign, status: Campaign.Status) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(status=status)


ADVANCE = """
UPDATE campaigns_campaign SET status = 'running'
WHERE status = 'scheduled' AND NOT standing AND send_at <= now() AND NOT EXISTS (
  SELECT FROM campaigns_move JOIN campaigns_run run ON run.id = campaigns_move.run_id
  WHERE run.campaign_id = campaigns_campaign.id);
UPDATE campaigns_campaign campaign SET status = 'finished'
WHERE status = 'running' AND NOT standing AND NOT EXISTS (
  SELECT FROM campaigns_delivery open WHERE open.campaign_id = campaign.id
  AND open.state IN ('planned', 'claimed', 'sending'));
UPDATE campaigns_campaign campaign SET status = 'running'
WHERE status = 'finished' AND EXISTS (
  SELECT FROM campaigns_delivery again WHERE again.campaign_id = campaign.id AND again.state = 'planned')
"""


def advance_campaigns() -> None:
    """Start what is due and not being moved, and call finished what has no open mail. Both follow from the rows alone.

    A finished campaign runs again when an unknown mail turns out not to have been sent.
    """
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE)
