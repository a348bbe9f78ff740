"""From occasions to delivery rows: one statement each, safe to repeat, a reason for everyone left out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import uniform
from time import sleep
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import couponing, recipes, rendering, wake
from campaigns.models import Campaign, Delivery, JobRun, Run, TemplateVersion
from campaigns.recipe import Moment, Occasion, Query, Recipe
from crm import days, permission
from crm.models import Event, Shop, User

EVENTS_AT_ONCE = 2_000
CALENDAR_EVERY = timedelta(minutes=10)
KEEP_JOB_RUNS = timedelta(days=30)
TRIES = 5
# PostgreSQL's words for it: a customer whose row is gone, a deadlock, a serialization failure.
DISTURBED = {"23503", "40P01", "40001"}

Answer = TypeVar("Answer")

# A mailbox gets one mail about one cause: the first customer who may get it. Who is refused takes no mailbox's place.
JUDGED = """
WITH wanted AS ({audience}), verdict AS ({verdicts}), judged AS (
  SELECT verdict.*,
    row_number() OVER (PARTITION BY cause, address_hash, allowed ORDER BY customer_id, dedupe_key) AS place,
    cause <> '' AND EXISTS (
      SELECT FROM campaigns_delivery other WHERE other.recipe = %(recipe)s AND other.cause = verdict.cause
      AND other.cause <> '' AND other.email_hash = verdict.address_hash AND other.dedupe_key <> verdict.dedupe_key
    ) AS taken
  FROM verdict
), decided AS (
  SELECT *, CASE WHEN NOT allowed THEN code WHEN place > 1 OR taken THEN 'same_mailbox' ELSE '' END AS refusal
  FROM judged
)"""
INSERT = """
INSERT INTO campaigns_delivery (campaign_id, run_id, customer_id, event_id, template_version_id, recipe, message_class,
  purpose, dedupe_key, cause, email_hash, domain, state, reason, evidence, priority, not_before, not_after, settled_at)
SELECT %(campaign)s, %(run)s::bigint, customer_id, event_id, %(version)s, %(recipe)s, %(gate_class)s,
  %(gate_purpose)s, dedupe_key, cause, CASE WHEN refusal = '' THEN address_hash END,
  CASE WHEN refusal = '' THEN left(lower(split_part(address, '@', 2)), 80) ELSE '' END,
  CASE WHEN refusal = '' THEN 'planned' ELSE 'suppressed' END, refusal, evidence_id, %(priority)s,
  not_before, not_after, CASE WHEN refusal <> '' THEN now() END
FROM decided
ON CONFLICT DO NOTHING
"""


class LaunchError(ValueError):
    """A campaign cannot be launched, paused or resumed; the text says what to do."""


@dataclass(frozen=True)
class Audience:
    """Who would get a campaign: `recipients` mails to `matched` customers, the others refused for reasons."""

    matched: int
    recipients: int
    refused: dict[str, int]


def _question(recipe: Recipe, moment: Moment, run_id: int) -> Query:
    """The judged audience as a WITH clause, and all parameters of it and of INSERT."""
    audience, asked = recipe.audience(moment)
    # Time passes between planning and sending, so what time alone changes is left to the gate.
    verdicts = permission.verdicts("wanted", timely=False)
    parameters = permission.parameters(recipe.message_class, recipe.purpose, shop=moment.shop)
    own = {
        "campaign": moment.campaign.pk,
        "run": run_id or None,
        "version": moment.campaign.template_version_id,
        "recipe": recipe.code,
        "priority": recipe.priority,
        "audience_run": run_id,
    }
    return JUDGED.format(audience=audience, verdicts=verdicts), asked | parameters | own


def _plan(recipe: Recipe, moment: Moment, run_id: int = 0) -> int:
    """Insert the deliveries of a moment. Returns how many rows are new, refused ones included."""
    judged, parameters = _question(recipe, moment, run_id)
    with connection.cursor() as cursor:
        cursor.execute(judged + INSERT, parameters)
        return cursor.rowcount


def preview(campaign: Campaign) -> Audience:
    """Count who would get a scheduled campaign now, and why the others would not. Writes nothing."""
    recipe = recipes.everything()[campaign.recipe]
    judged, parameters = _question(recipe, Moment(campaign, Shop.current()), 0)
    with connection.cursor() as cursor:
        cursor.execute(judged + "SELECT refusal, count(*) FROM decided GROUP BY 1 ORDER BY 2 DESC", parameters)
        counts: dict[str, int] = dict(cursor.fetchall())
    return Audience(sum(counts.values()), counts.pop("", 0), counts)


# Events


@transaction.atomic
def plan_events(limit: int = EVENTS_AT_ONCE) -> int:
    """Turn what happened into deliveries. Taking an event and inserting its deliveries is one transaction.

    Returns how many events were taken. Two planners never take the same event.
    """
    waiting = Event.objects.select_for_update(skip_locked=True).filter(planned_at=None).order_by("id")[:limit]
    taken: dict[str, list[int]] = {}
    for pk, kind in waiting.values_list("pk", "kind"):
        taken.setdefault(kind, []).append(pk)
    if not taken:
        return 0
    shop = Shop.current()
    for kind, ids in taken.items():
        for recipe in recipes.of_event(kind):
            campaign = recipes.standing_campaign(recipe)
            if campaign.switched_on:
                _plan(recipe, Moment(campaign, shop, event_ids=ids))
    everything = [pk for ids in taken.values() for pk in ids]
    Event.objects.filter(pk__in=everything).update(planned_at=now())
    return len(everything)


# Calendar


def plan_occasions(as_of: date) -> dict[str, int]:
    """Plan the calendar's occasions as they stand on a day in the shop's zone. Safe to repeat.

    The following day's are planned for customers whose day begins before the shop's ends. Returns the new rows of each
    recipe that is switched on, refused ones included.
    """
    shop = Shop.current()
    planned = {}
    for recipe in recipes.of_occasion(Occasion.CALENDAR):
        campaign = recipes.standing_campaign(recipe)
        if campaign.switched_on:
            ahead = _beginning_before(recipe, end_of(as_of, ZoneInfo(shop.time_zone)))
            planned[recipe.code] = _plan(recipe, Moment(campaign, shop, day=as_of)) + _plan(
                ahead, Moment(campaign, shop, day=as_of + timedelta(days=1))
            )
    return planned


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day ends in a zone."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def _beginning_before(recipe: Recipe, end: datetime) -> Recipe:
    """The recipe, asked only for those whose window opens before an instant."""

    def early(moment: Moment) -> Query:
        audience, parameters = recipe.audience(moment)
        return f"SELECT * FROM ({audience}) ahead WHERE not_before < %(audience_end)s", parameters | {
            "audience_end": end
        }

    return Recipe(**{**recipe.__dict__, "audience": early})


def plan_calendar_if_due() -> None:
    """Plan today's occasions unless somebody did within the last ten minutes."""
    seconds = int(CALENDAR_EVERY.total_seconds())
    slot = datetime.fromtimestamp(int(now().timestamp()) // seconds * seconds, tz=now().tzinfo)
    with transaction.atomic():
        if not _first_of("calendar", slot):
            return
        plan_occasions(days.today())
        JobRun.objects.filter(slot__lt=slot - KEEP_JOB_RUNS).delete()


def _first_of(job: str, slot: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_jobrun (job, slot) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id", [job, slot]
        )
        return cursor.fetchone() is not None


# Mailings


@transaction.atomic
def launch(campaign_id: int, expected_recipients: int, by: User | None = None) -> Run:
    """Freeze text and audience of a draft and schedule it. Sending starts by itself at `send_at`.

    `expected_recipients` is the number somebody typed in. Raises LaunchError if it is not the number who would get
    the mail, if the text cannot be rendered, or if the campaign is no draft.
    """
    campaign = _locked(campaign_id, {Campaign.Status.DRAFT})
    if campaign.template_version is None or campaign.send_at is None:
        raise LaunchError(_("Text and time must be set before the launch."))
    recipe = recipes.everything()[campaign.recipe]
    wrong = couponing.problems(campaign, needed=recipe.brings == "always")
    if problems := rendering.problems(campaign.template_version) + wrong:
        raise LaunchError(" ".join(problems))
    found = preview(campaign).recipients
    if found != expected_recipients:
        raise LaunchError(
            ngettext(
                "%(found)s person would get this mail now, not %(expected)s. Check the audience and type in the number.",
                "%(found)s people would get this mail now, not %(expected)s. Check the audience and type in the number.",
                found,
            )
            % {"found": found, "expected": expected_recipients}
        )
    if not found:
        raise LaunchError(_("Nobody would get this mail. Choose other stages, or wait for permissions."))
    TemplateVersion.objects.filter(pk=campaign.template_version.pk, frozen_at=None).update(frozen_at=now())
    run = Run.objects.create(campaign=campaign, frozen_at=now())
    campaign.status = Campaign.Status.SCHEDULED
    campaign.launched_at, campaign.launched_by, campaign.expected_recipients = now(), by, expected_recipients
    campaign.save(update_fields=["status", "launched_at", "launched_by", "expected_recipients"])
    _plan(recipe, Moment(campaign, Shop.current()), run.pk)
    wake.on_commit()
    return run


def pause(campaign_id: int) -> None:
    """Stop a scheduled or running campaign; nothing passes the gate until it is resumed. Raises LaunchError."""
    with transaction.atomic():
        _set(_locked(campaign_id, {Campaign.Status.SCHEDULED, Campaign.Status.RUNNING}), Campaign.Status.PAUSED)


def resume(campaign_id: int) -> None:
    """Let a paused campaign go on where it stopped. Raises LaunchError."""
    with transaction.atomic():
        _set(_locked(campaign_id, {Campaign.Status.PAUSED}), Campaign.Status.SCHEDULED)
        wake.on_commit()


def cancel(campaign_id: int) -> int:
    """End a campaign for good. What is on the wire still arrives. Returns how many mails were stopped."""
    open_states = {Campaign.Status.DRAFT, Campaign.Status.SCHEDULED, Campaign.Status.RUNNING, Campaign.Status.PAUSED}
    with transaction.atomic():
        _set(_locked(campaign_id, open_states), Campaign.Status.CANCELLED)
        return Delivery.objects.filter(campaign_id=campaign_id, state__in=["planned", "claimed"]).update(
            state=Delivery.State.SUPPRESSED, reason="cancelled", token=None, lease_until=None, settled_at=now()
        )


def switch(campaign_id: int, on: bool) -> None:
    """Switch a standing campaign on or off. Off, nothing new is planned and what is planned waits."""
    Campaign.objects.filter(pk=campaign_id, standing=True).update(switched_on=on)


def _locked(campaign_id: int, statuses: set[Campaign.Status]) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign_id)
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
WHERE status = 'scheduled' AND NOT standing AND send_at <= now();
UPDATE campaigns_campaign campaign SET status = 'finished'
WHERE status = 'running' AND NOT standing AND NOT EXISTS (
  SELECT FROM campaigns_delivery open WHERE open.campaign_id = campaign.id
  AND open.state IN ('planned', 'claimed', 'sending'));
UPDATE campaigns_campaign campaign SET status = 'running'
WHERE status = 'finished' AND EXISTS (
  SELECT FROM campaigns_delivery again WHERE again.campaign_id = campaign.id AND again.state = 'planned')
"""


def advance_campaigns() -> None:
    """Start what is due, and call finished what has no open mail. Both follow from the rows alone.

    A finished campaign runs again when an unknown mail turns out not to have been sent.
    """
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE)


def plan_due() -> int:
    """Everything that planning has to do now. Returns how many events were taken."""
    _undisturbed(plan_calendar_if_due)
    _undisturbed(advance_campaigns)
    events = 0
    while taken := _undisturbed(plan_events):
        events += taken
    return events


def _undisturbed(step: Callable[[], Answer]) -> Answer:
    """Run a step once more where an erasure came between: its person is gone by then, or one of the two had to give way."""
    for tries_left in range(TRIES, -1, -1):
        try:
            return step()
        except (IntegrityError, OperationalError) as error:
            code = getattr(error.__cause__, "pgcode", None)
            if not tries_left or connection.in_atomic_block or code not in DISTURBED:
                raise
            sleep(uniform(0.01, 0.1))  # noqa: S311 - no secret
    raise AssertionError("unreachable")


def counts(run: Run) -> dict[str, Any]:
    """A run's deliveries by state; states without any are 0."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, count(*) FROM campaigns_delivery WHERE campaign_id = %s AND run_id = %s GROUP BY 1",
            [run.campaign_id, run.pk],
        )
        return dict.fromkeys(Delivery.State.values, 0) | dict(cursor.fetchall())


def reasons(run: Run) -> dict[str, int]:
    """A run's refused or failed deliveries by reason, the most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reason, count(*) FROM campaigns_delivery WHERE campaign_id = %s AND run_id = %s "
            "AND state IN ('suppressed', 'failed', 'quarantined') GROUP BY 1 ORDER BY 2 DESC, 1",
            [run.campaign_id, run.pk],
        )
        return dict(cursor.fetchall())
