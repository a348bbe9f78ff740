"""Net Emotional Value of groups: by touchpoint and time, with intervals (`docs/scoring.md`).

Three measures that are never mixed in one figure: the full form, the short form (both −10 to +10) and tags (−100 to
+100). What the team estimates or the text suggests is a series of its own and counts in no headline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import sqrt
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalty import students_t

FULL, SHORT, TAGS = "full", "short", "tags"
KINDS: dict[str, str | Promise] = {FULL: _("full form"), SHORT: _("short form"), TAGS: _("tags of contacts")}
UNNAMED = "none"  # answers that name no touchpoint
LEAST, POOLED_BELOW, FIRM_FROM = 5, 10, 30
# Half the interval up to which a value is firm: a twentieth of the scale.
FIRM_HALF = {FULL: 1.0, SHORT: 1.0, TAGS: 10.0}
CORRECTED_ABOVE = 5  # groups compared at once
PRIOR, PRIOR_BOUNDS, REPEATED_FROM = Decimal(3), (Decimal(1), Decimal(10)), 30


@dataclass(frozen=True)
class Group:
    """Answers of one measure at one touchpoint in one period. Empty touchpoint or period: all of them.

    mean: over customers of each one's mean; spread: standard deviation of those, None for fewer than two; clusters:
    the four means of the survey in the order of `emotions.CLUSTERS`. own: said by the customers themselves.
    """

    kind: str
    own: bool
    touchpoint: str
    unit: str
    period: date | None
    customers: int
    responses: int
    mean: Decimal | None
    spread: float | None
    clusters: tuple[Decimal | None, ...] = ()
    asked: int | None = None
    half: float | None = None
    differs: bool | None = None

    @property
    def state(self) -> str:
        """too_few, provisional or firm."""
        if self.customers < LEAST:
            return "too_few"
        firm = self.customers >= FIRM_FROM and self.half is not None and self.half <= FIRM_HALF[self.kind]
        return "firm" if firm else "provisional"

    @property
    def value(self) -> Decimal | None:
        """The mean, or None for too few customers."""
        return None if self.state == "too_few" else self.mean

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, kept on the scale."""
        if self.value is None or self.half is None:
            return None
        end = 100.0 if self.kind == TAGS else 10.0
        return max(-end, float(self.value) - self.half), min(end, float(self.value) + self.half)

    @property
    def response_rate(self) -> float | None:
        """Responses of those who were asked; None as long as nobody stores whom was asked."""
        return self.responses / self.asked if self.asked else None


def pooled(groups: Iterable[Group]) -> float | None:
    """The standard deviation within groups, over all of them; None without two values anywhere."""
    known = [(one.customers, one.spread) for one in groups if one.spread is not None and one.customers > 1]
    freedom = sum(n - 1 for n, _spread in known)
    return sqrt(sum((n - 1) * spread**2 for n, spread in known) / freedom) if freedom else None


def judged(groups: Sequence[Group]) -> list[Group]:
    """Groups of one series with their interval; below ten customers from the spread of all groups together."""
    together = pooled(groups)
    found = []
    for one in groups:
        spread = together if one.customers < POOLED_BELOW else one.spread
        known = one.customers >= LEAST and spread is not None
        found.append(replace(one, half=students_t.half_width(one.customers, spread) if known else None))  # type: ignore[arg-type]
    return found


def compared(groups: Sequence[Group], rests: Mapping[str, tuple[int, float, float]]) -> list[Group]:
    """With whether each group differs from the rest: Welch's interval excludes 0, corrected above five groups.

    rests: (customers, mean, standard deviation) of all others, by touchpoint or period. Whoever has too few answers
    is not compared.
    """
    chances: dict[str, float] = {}
    for one in groups:
        rest = rests.get(_name(one))
        if one.value is None or one.spread is None or rest is None or rest[0] < LEAST:
            continue
        chance = students_t.welch(one.customers, float(one.mean or 0), one.spread, *rest)
        if chance is not None:
            chances[_name(one)] = chance
    if len(chances) > CORRECTED_ABOVE:
        sure = students_t.holm(chances)
    else:
        sure = {name for name, chance in chances.items() if chance < students_t.SURE}
    return [replace(one, differs=_name(one) in sure if _name(one) in chances else None) for one in groups]


def _name(group: Group) -> str:
    return group.period.isoformat() if group.period else group.touchpoint


def prior(customers: int, responses: int, squares: int, repeated: int, within: float, between: float) -> Decimal:
    """k: how many thought-of answers of the shop join a customer's own, 1 to 10 (one-way analysis of variance).

    squares: Σ n² of the customers' numbers of answers; repeated: customers with two or more; within, between: sums of
    squares. 3 while fewer than 30 customers answered twice.
    """
    if repeated < REPEATED_FROM or customers < 2 or responses <= customers:
        return PRIOR
    lowest, highest = PRIOR_BOUNDS
    inside = within / (responses - customers)
    size = (responses - squares / responses) / (customers - 1)
    across = (between / (customers - 1) - inside) / size
    if across <= 0:
        return highest
    return min(highest, max(lowest, Decimal(str(round(inside / across, 4)))))


def shrunk(n: int, own: Decimal, shop: Decimal, k: Decimal) -> Decimal:
    """A customer's value, pulled towards the shop's: (n·own + k·shop) / (n + k)."""
    return (n * own + k * shop) / (n + k)


def shop(stored: Mapping[str, Any], kind: str) -> tuple[Group, Decimal] | None:
    """The whole shop and k of one measure, from the stored figure `nev_shop`; None while nobody answered."""
    if kind not in stored:
        return None
    customers, responses, mean, spread, k = stored[kind]
    (found,) = judged([Group(kind, True, "", "", None, customers, responses, Decimal(mean), spread)])
    return found, Decimal(k)


@dataclass(frozen=True)
class Series:
    """The groups of one measure, read from the stored figure."""

    kind: str
    window: int
    groups: tuple[Group, ...]
    rests: Mapping[str, Mapping[str, tuple[int, float, float]]]

    @property
    def everybody(self) -> Group | None:
        """Everything the customers themselves said, in the whole window."""
        return next(iter(self.select(own=True)), None)

    def select(self, *, own: bool, unit: str = "", touchpoint: str | None = "", each: bool = False) -> list[Group]:
        """Groups of a series with their intervals: all touchpoints together, one, or `each` of them."""
        some = [one for one in self.groups if one.own == own and one.unit == unit]
        if each:
            some = [one for one in some if one.touchpoint]
        else:
            some = [one for one in some if one.touchpoint == touchpoint]
        return judged(some)

    def by_touchpoint(self) -> list[Group]:
        """The whole window by touchpoint, each compared with the rest."""
        return compared(self.select(own=True, each=True), self.rests.get("touchpoint", {}))

    def by_period(self, unit: str, touchpoint: str = "") -> list[Group]:
        """Months or quarters; of all touchpoints together also compared with the rest."""
        found = sorted(self.select(own=True, unit=unit, touchpoint=touchpoint), key=lambda one: one.period or date.min)
        return found if touchpoint else compared(found, self.rests.get(unit, {}))


def series(stored: Mapping[str, Any], kind: str) -> Series:
    """One measure of the stored figure `nev`. Raises KeyError for another kind."""
    if kind not in KINDS:
        raise KeyError(kind)
    rests: dict[str, dict[str, tuple[int, float, float]]] = {}
    for unit, rows in stored["rests"].items():
        rests[unit] = {part or UNNAMED: (n, mean, spread) for of, part, n, mean, spread in rows if of == kind}
    groups = tuple(_group(row) for row in stored["groups"] if row[0] == kind)
    return Series(kind, stored["window"], groups, rests)


def _group(row: Sequence[Any]) -> Group:
    kind, own, touchpoint, unit, period, customers, responses, mean, spread, clusters = row
    return Group(
        kind=kind,
        own=own,
        touchpoint=UNNAMED if touchpoint == "" else touchpoint or "",
        unit=unit,
        period=date.fromisoformat(period) if period else None,
        customers=customers,
        responses=responses,
        mean=None if mean is None else Decimal(mean),
        spread=spread,
        clusters=tuple(None if one is None else Decimal(one) for one in clusters),
    )
