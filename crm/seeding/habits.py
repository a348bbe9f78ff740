"""The kinds of customers a shop has, and on which days each kind buys."""

from dataclasses import dataclass, field
from random import Random

from crm.seeding.clock import DAYS, SUNDAY, Clock


@dataclass(frozen=True)
class Habit:
    """A kind of customer.

    weight:  how many of 1,000 customers are of this kind
    cycle:   usual days between two purchases; 0 buys once or never
    start:   earliest and latest day of the first purchase, as shares of the history
    ending:  active, never (no purchase), once, advent, silent (stops `silence` days before the end), returned
             (stays away for about a year, comes back in the last days), drifting (may stop or pause any time)
    mood:    what such a customer thinks of the shop, 0 to 10; None is any
    traits:  what else there is to tell: survey, old_survey, complaint, advocate, contract, contact, company …
    """

    code: str
    weight: float
    cycle: float = 0
    start: tuple[float, float] = (0.0, 0.97)
    ending: str = "drifting"
    silence: tuple[int, int] = (0, 0)
    mood: float | None = None
    traits: frozenset[str] = field(default_factory=frozenset)


def _habit(code: str, weight: float, cycle: float = 0, traits: str = "", **more: object) -> Habit:
    return Habit(code, weight, cycle, traits=frozenset(traits.split()), **more)  # type: ignore[arg-type]


EARLY = (0.0, 0.45)
HABITS = (
    _habit("torn", 2, 40, "survey complaint contact plan", ending="active", start=EARLY, mood=6.4),
    _habit("ambassador", 7, 24, "survey advocate contact club", ending="active", start=EARLY, mood=9.3),
    _habit("fan", 14, 28, "survey contact", ending="active", start=EARLY, mood=8.9),
    _habit("captive", 4, 30, "survey contract company", ending="active", start=EARLY, mood=2.4),
    _habit("bonded_by_contract", 3, 30, "survey contract contact company", ending="active", start=EARLY, mood=8.8),
    _habit("out_of_habit", 8, 20, "survey", ending="active", start=EARLY, mood=3.4),
    _habit("disappointed_once", 12, 0, "survey", ending="once", start=(0.7, 0.97), mood=2.8),
    _habit("far_but_fond", 16, 0, "survey", ending="once", start=(0.75, 0.97), mood=9.0),
    _habit("halfway", 8, 38, "survey", ending="active", start=EARLY, mood=6.1),
    _habit("asked_long_ago", 8, 34, "old_survey", ending="active", start=EARLY, mood=8.0),
    _habit("complained", 5, 36, "closed_complaint survey", start=EARLY, mood=7.0),
    _habit("waiting", 3, 36, "answered_complaint", ending="active", start=EARLY, mood=5.0),
    _habit("overdue", 8, 22, ending="silent", silence=(62, 75), start=EARLY),
    _habit("at_risk", 8, 22, ending="silent", silence=(110, 130), start=EARLY),
    _habit("lapsed", 35, 30, ending="silent", silence=(420, 700), start=(0.0, 0.2)),
    _habit("returned", 5, 12, ending="returned", start=(0.0, 0.15)),
    _habit("weekly", 5, 7.5, "card"),
    _habit("monthly", 65, 31, "card"),
    _habit("quarterly", 210, 88),
    _habit("advent", 150, 0, ending="advent"),
    _habit("one_time", 220, 0, ending="once"),
    _habit("office", 10, 26, "company"),
    _habit("prospect", 90, 0, ending="never"),
    _habit("test_account", 3, 45, "test", start=EARLY),
    _habit("placeholder", 20, 0, "placeholder", ending="once"),
)
WEIGHTS = tuple(habit.weight for habit in HABITS)


def choose(rng: Random, number: int) -> Habit:
    """The habit of customer `number` (from 0): one of each kind first, so that the smallest shop shows them all."""
    return HABITS[number] if number < len(HABITS) else rng.choices(HABITS, WEIGHTS)[0]


def purchase_days(rng: Random, habit: Habit, clock: Clock) -> list[int]:
    """The days on which one customer of this habit buys, in order, each once."""
    low, high = habit.start
    first = int((low + (high - low) * rng.random() ** 0.8) * DAYS)
    if habit.ending == "never":
        return []
    if habit.ending == "once":
        return [first] if rng.random() < 0.93 else [first, min(DAYS - 1, first + 20 + int(rng.random() * 300))]
    if habit.ending == "advent":
        return _advent_days(rng, first, clock)
    if habit.ending == "silent":
        return _walk(rng, first, DAYS - rng.randint(*habit.silence), habit.cycle, clock)
    if habit.ending == "returned":
        pause = DAYS - rng.randint(1, 8)
        return [*_walk(rng, first, pause - 340 - int(rng.random() * 60), habit.cycle, clock), pause]
    days = _walk(rng, first, DAYS, habit.cycle, clock)
    if habit.ending == "active":
        latest = DAYS - 1 - int(rng.random() * min(habit.cycle, 20))
        return days if days[-1] >= latest else [*days, latest]
    return _drift(rng, days, clock)


def _walk(rng: Random, first: int, end: int, cycle: float, clock: Clock) -> list[int]:
    """Days from `first` to before `end`, a cycle apart on average, closer in season."""
    days, day, season = [first], float(first), clock.season
    while True:
        gap = cycle * (0.35 + 1.3 * rng.random()) / season[int(day)]
        day += max(1.0, gap)
        if day >= end:
            return days
        if int(day) > days[-1]:
            days.append(int(day))


def _drift(rng: Random, days: list[int], clock: Clock) -> list[int]:
    """Some stop for good after some purchase, some pause for many months and come back."""
    chance = rng.random()
    if len(days) < 3 or chance > 0.55:
        return days
    stop = 2 + int(rng.random() ** 2 * (len(days) - 2))
    if chance > 0.12:
        return days[:stop]
    pause = 150 + int(rng.random() * 250)
    return days[:stop] + [day for day in days[stop:] if day > days[stop - 1] + pause]


def _advent_days(rng: Random, first: int, clock: Clock) -> list[int]:
    """Some day between mid November and Christmas, most years; else the first day alone."""
    found = []
    for year in range(clock.dates[0].year, clock.dates[0].year + 4):
        window = [day for day in _advent_window(clock, year) if day >= first]
        if window and rng.random() < 0.8:
            found.append(window[int(rng.random() * len(window))])
    return sorted(found) or [first]


def _advent_window(clock: Clock, year: int) -> range:
    start = (clock.dates[0].replace(year=year, month=11, day=14) - clock.dates[0]).days
    return range(max(0, start), max(0, min(DAYS, start + 39)))


def open_day(day: int, clock: Clock) -> int:
    """The day itself, or the Saturday before if the shop is closed."""
    return day - 1 if clock.weekdays[day] == SUNDAY and day > 0 else day
