"""All planned occasions of a month: mailings by their day in the shop's zone, what recipes will send, and the load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.functional import Promise

from campaigns import forecast, pacing, recipes, warnings
from campaigns.models import Campaign, Pace
from crm import days, public_holidays
from crm.models import Shop

Status = Campaign.Status
AHEAD = (Status.DRAFT, Status.CHECKED, Status.SCHEDULED, Status.PAUSED)


@dataclass(frozen=True)
class Entry:
    """An occasion of a day. `mails`: how many, None while unknown; `expected`: worked out ahead, not planned yet."""

    label: str | Promise
    url: str
    icon: str
    mails: int | None
    expected: bool = False
    at: datetime | None = None
    campaign: Campaign | None = None
    warnings: Sequence[str] = ()


@dataclass
class Day:
    """A day of the calendar. `load`: mails of all its occasions as far as known; `capacity`: how many may go."""

    day: date
    within: bool
    today: bool
    holiday: str = ""
    entries: list[Entry] = field(default_factory=list)
    capacity: int | None = None

    @property
    def load(self) -> int:
        return sum(entry.mails or 0 for entry in self.entries)

    @property
    def full(self) -> bool:
        return self.capacity is not None and self.load > self.capacity


@dataclass(frozen=True)
class Month:
    """Whole weeks from Monday on. `uncounted`: recipes whose mails could not be counted in time."""

    first: date
    weeks: list[list[Day]]
    uncounted: list[str | Promise]

    @property
    def days(self) -> list[Day]:
        return [day for week in self.weeks for day in week if day.within]


def month(first: date) -> Month:
    """The month that begins on `first`. A fixed number of queries, whatever is planned."""
    shop, today = Shop.current(), days.today()
    start = first - timedelta(days=first.weekday())
    after = (first + timedelta(days=31)).replace(day=1)
    end = after + timedelta(days=(7 - after.weekday()) % 7)
    feasts = public_holidays.between(shop.holiday_region, start, end)
    found = {
        day: Day(day, first <= day < after, day == today, feasts.get(day, ""))
        for day in (start + timedelta(days=n) for n in range((end - start).days))
    }
    _limits(found, today)
    uncounted = _recipes(found, shop, max(today, first), after - timedelta(days=1))
    _mailings(found, shop, start, end)
    ordered = list(found.values())
    return Month(first, [ordered[at : at + 7] for at in range(0, len(ordered), 7)], uncounted)


def _limits(found: Mapping[date, Day], today: date) -> None:
    """How many mails each coming day takes, as far as limits and warm-up are set. Two queries."""
    warm_up, overall = pacing.current_warm_up(), Pace.objects.filter(name=Pace.ALL).first()
    for day, one in found.items():
        most = [pacing.most_of_day(warm_up, day)] if warm_up else []
        most += [overall.per_hour * 24] if overall else []
        one.capacity = min(most) if most and day >= today else None


def _recipes(found: Mapping[date, Day], shop: Shop, first: date, last: date) -> list[str | Promise]:
    """What recipes will send from today on. Returns those that could not be counted."""
    everything, uncounted = recipes.everything(), []
    for code, numbers in forecast.expected(shop, first, last).items():
        recipe = everything[code]
        if numbers is None:
            uncounted.append(recipe.label)
            continue
        for day, n in numbers.items():
            if n and day in found:
                found[day].entries.append(
                    Entry(recipe.label, reverse("recipe", args=[recipe.code]), "refresh", n, expected=True)
                )
    return uncounted


def _mailings(found: Mapping[date, Day], shop: Shop, start: date, end: date) -> None:
    zone = ZoneInfo(shop.time_zone)
    span = (datetime.combine(start, time(), zone), datetime.combine(end, time(), zone))
    rows = Campaign.objects.filter(standing=False, send_at__gte=span[0], send_at__lt=span[1])
    planned = [row for row in rows.order_by("send_at", "pk") if row.launched_at or row.status != Status.CANCELLED]
    for row in planned:
        day = found[days.day_of(row.send_at, zone)]  # type: ignore[arg-type]
        day.entries.append(
            Entry(row.name, reverse("mailing", args=[row.pk]), "send", _number(row), at=row.send_at, campaign=row)
        )
    for day in found.values():
        day.entries = [_warned(entry, day, shop) for entry in day.entries]


def _number(row: Campaign) -> int | None:
    """Mails of a mailing as counted by the check while it is not launched; None of a cancelled one: some may have gone."""
    if row.status == Status.CANCELLED:
        return None
    return row.expected_recipients if row.launched_at else row.checked_recipients


def _warned(entry: Entry, day: Day, shop: Shop) -> Entry:
    if entry.campaign is None or entry.at is None or entry.campaign.status not in AHEAD:
        return entry
    outlook = warnings.Outlook(
        entry.campaign, shop, entry.at, recipients=entry.mails, load=day.load, capacity=day.capacity
    )
    told = [sentence for warning in warnings.BY_TIME for sentence in warning(outlook)]
    return Entry(**{**entry.__dict__, "warnings": told})
