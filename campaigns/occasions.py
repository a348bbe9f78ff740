"""Occasions that come by themselves: something happened, or a day came. Each is planned once, however often it is asked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from random import uniform
from time import sleep
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.timezone import now

from campaigns import freezing, launching, moving, recipes
from campaigns.models import JobRun
from campaigns.recipe import Moment, Occasion, Query, Recipe
from crm import days
from crm.models import Event, Shop

EVENTS_AT_ONCE = 2_000
CALENDAR_EVERY = timedelta(minutes=10)
KEEP_JOB_RUNS = timedelta(days=30)
TRIES = 5
# PostgreSQL's words for it: a customer whose row is gone, a deadlock, a serialization failure.
DISTURBED = {"23503", "40P01", "40001"}

Answer = TypeVar("Answer")


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
                freezing.freeze(recipe, Moment(campaign, shop, event_ids=ids))
    everything = [pk for ids in taken.values() for pk in ids]
    Event.objects.filter(pk__in=everything).update(planned_at=now())
    return len(everything)


def plan_occasions(as_of: date) -> dict[str, int]:
    """Plan the calendar's occasions as they stand on a day in the shop's zone. Safe to repeat.

    Those of the day before and after are planned for customers whose window meets the shop's day, for days begin and
    end elsewhere at other hours. Returns the new rows of each recipe that is switched on, refused ones included.
    """
    shop = Shop.current()
    planned = {}
    for recipe in recipes.of_occasion(Occasion.CALENDAR):
        campaign = recipes.standing_campaign(recipe)
        if campaign.switched_on:
            elsewhere = _meeting(recipe, as_of, ZoneInfo(shop.time_zone))
            planned[recipe.code] = freezing.freeze(recipe, Moment(campaign, shop, day=as_of)) + sum(
                freezing.freeze(elsewhere, Moment(campaign, shop, day=as_of + timedelta(days=far))) for far in (-1, 1)
            )
    return planned


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day ends in a zone."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def _meeting(recipe: Recipe, day: date, zone: ZoneInfo) -> Recipe:
    """The recipe, asked only for those whose window meets a day in a zone."""

    def some(moment: Moment) -> Query:
        audience, parameters = recipe.audience(moment)
        return (
            f"SELECT * FROM ({audience}) asked WHERE not_before < %(audience_end)s AND not_after > %(audience_start)s",
            parameters | {"audience_start": end_of(day - timedelta(days=1), zone), "audience_end": end_of(day, zone)},
        )

    return replace(recipe, audience=some)


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


def plan_due() -> int:
    """Everything that planning has to do now. Returns how many events were taken."""
    _undisturbed(plan_calendar_if_due)
    _undisturbed(moving.move_due)
    _undisturbed(launching.advance_campaigns)
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
