"""Net Emotional Value of groups: by touchpoint and time, with intervals (`domain.md` 1, `docs/scoring.md`).

Three measures that are never mixed in one figure: the full form, the short form (both −10 to +10) and tags (−100 to
+100). What the team estimates or the text suggests is a series of its own and counts in no headline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import emotions
from crm.days import shop_zone
from loyalty import rules, scoring, students_t
from loyalty.figures import figure

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


# Set-based: every response of the window once, then means of customers, then means over customers


def _items(codes: Iterable[str]) -> str:
    return ", ".join(f"'nev_{code}'" for code in codes)


def _valid(form: str) -> str:
    asked = emotions.FORMS[form]
    return (
        f"form = '{form}' AND count(*) FILTER (WHERE item IN ({_items(asked.positive)})) >= {asked.least_positive}"
        f" AND count(*) FILTER (WHERE item IN ({_items(asked.negative)})) >= {asked.least_negative}"
    )


def _mean(codes: Iterable[str]) -> str:
    return f"avg(a.value) FILTER (WHERE a.item IN ({_items(codes)}))"


CLUSTER_MEANS = ", ".join(
    f"{_mean(one.code for one in emotions.EMOTIONS if one.cluster == cluster)} AS {cluster}"
    for cluster in emotions.CLUSTERS
)
DAY = "(min({at}) AT TIME ZONE %(zone)s)::date"
WITHIN = "({at} AT TIME ZONE %(zone)s)::date > %(since)s::date AND ({at} AT TIME ZONE %(zone)s)::date <= %(day)s::date"
PEOPLE = "c.merged_into_id IS NULL AND c.erased_at IS NULL AND NOT c.is_test"
SIGN = f"CASE WHEN e.emotion IN ({', '.join(repr(code) for code in emotions.POSITIVE)}) THEN 1 ELSE -1 END"
RESPONSES = f"""
  SELECT a.customer_id, a.form AS kind, a.origin = 'customer_self' AS own, max(a.touchpoint) AS touchpoint,
    {DAY.format(at="a.answered_at")} AS day, {_mean(emotions.POSITIVE)} - {_mean(emotions.NEGATIVE)} AS value,
    {CLUSTER_MEANS}
  FROM crm_answer a JOIN crm_customer c ON c.id = a.customer_id
  WHERE a.item LIKE 'nev\\_%%' AND {PEOPLE} AND {WITHIN.format(at="a.answered_at")}
  GROUP BY a.customer_id, a.response, a.form, a.origin
  HAVING {_valid(FULL)} OR {_valid(SHORT)}
  UNION ALL
  SELECT i.customer_id, '{TAGS}', e.origin = 'customer_self', i.touchpoint,
    {DAY.format(at="i.occurred_at")}, 100 * avg({SIGN}), NULL, NULL, NULL, NULL
  FROM crm_interactionemotion e JOIN crm_interaction i ON i.id = e.interaction_id
    JOIN crm_customer c ON c.id = i.customer_id
  WHERE {PEOPLE} AND {WITHIN.format(at="i.occurred_at")}
  GROUP BY i.customer_id, i.id, e.origin = 'customer_self', i.touchpoint"""
MEANS = ", ".join(f"avg({cluster}) AS {cluster}" for cluster in emotions.CLUSTERS)
ROUNDED = ", ".join(f"round(avg({cluster}), 8)" for cluster in emotions.CLUSTERS)
GROUPS = f"""
WITH responses AS MATERIALIZED ({RESPONSES}), timed AS (
  SELECT *, date_trunc('month', day)::date AS month, date_trunc('quarter', day)::date AS quarter FROM responses
), per_customer AS (
  SELECT kind, own, touchpoint, month, quarter, grouping(touchpoint) AS no_touchpoint, customer_id, count(*) AS n,
    avg(value) AS value, {MEANS}
  FROM timed GROUP BY kind, own, customer_id,
    GROUPING SETS ((touchpoint, month), (touchpoint, quarter), (touchpoint), (month), (quarter), ())
)
SELECT kind, own, CASE WHEN no_touchpoint = 1 THEN NULL ELSE touchpoint END, month, quarter, count(*), sum(n),
  round(avg(value), 8), stddev_samp(value)::float8, {ROUNDED}
FROM per_customer GROUP BY kind, own, touchpoint, month, quarter, no_touchpoint
ORDER BY 1, 2, 3, 4, 5"""
# Everybody's mean of what they answered elsewhere, for each place or month.
RESTS = f"""
WITH responses AS ({RESPONSES}), parts AS (
  SELECT kind, customer_id, {{part}} AS part, count(*) AS n, sum(value) AS total FROM responses WHERE own GROUP BY 1, 2, 3
), wholes AS (
  SELECT kind, customer_id, sum(n) AS n, sum(total) AS total FROM parts GROUP BY 1, 2
), others AS (
  SELECT p.kind, p.part, (w.total - coalesce(o.total, 0)) / (w.n - coalesce(o.n, 0)) AS value
  FROM (SELECT DISTINCT kind, part FROM parts) p JOIN wholes w USING (kind)
    LEFT JOIN parts o USING (kind, customer_id, part)
  WHERE w.n > coalesce(o.n, 0)
)
SELECT kind, part, count(*), avg(value)::float8, coalesce(stddev_samp(value), 0)::float8
FROM others GROUP BY kind, part"""
SHOP = f"""
WITH per_customer AS (
  SELECT kind, customer_id, count(*) AS n, avg(value) AS mean, coalesce(var_samp(value), 0)::float8 AS spread
  FROM ({RESPONSES}) responses WHERE own GROUP BY kind, customer_id
), shop AS (SELECT kind, sum(n * mean::float8) / sum(n) AS mean FROM per_customer GROUP BY kind)
SELECT kind, count(*), sum(n), round(avg(p.mean), 8), stddev_samp(p.mean)::float8, sum(n * n),
  count(*) FILTER (WHERE n > 1), sum((n - 1) * spread), sum(n * (p.mean::float8 - shop.mean) ^ 2)
FROM per_customer p JOIN shop USING (kind) GROUP BY kind"""


def window() -> dict[str, Any]:
    """The days that count, as the statements need them."""
    days, day = rules.current().nev_window_days, scoring.shown_day()
    return {"zone": str(shop_zone()), "day": day, "since": day - timedelta(days=days), "window": days}


@figure("nev_shop", live=False)
def shop_figures() -> dict[str, Any]:
    """The shop's mean and k of each measure: what a customer's value needs, and nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(SHOP, window())
        return {
            kind: [customers, int(responses), mean, spread, prior(customers, int(responses), int(squares), *sums)]
            for kind, customers, responses, mean, spread, squares, *sums in cursor.fetchall()
        }


def shop(stored: Mapping[str, Any], kind: str) -> tuple[Group, Decimal] | None:
    """The whole shop and k of one measure, from the stored figure `nev_shop`; None while nobody answered."""
    if kind not in stored:
        return None
    customers, responses, mean, spread, k = stored[kind]
    (found,) = judged([Group(kind, True, "", "", None, customers, responses, Decimal(mean), spread)])
    return found, Decimal(k)


@figure("nev", live=False)
def figures() -> dict[str, Any]:
    """All groups of the window and what they are compared with."""
    named = window()
    with connection.cursor() as cursor:
        cursor.execute(GROUPS, named)
        groups = [_row(row) for row in cursor.fetchall()]
        rests = {}
        for unit, part in (("touchpoint", "touchpoint"), ("month", "date_trunc('month', day)::date::text"),
                           ("quarter", "date_trunc('quarter', day)::date::text")):  # fmt: skip
            cursor.execute(RESTS.format(part=part), named)
            rests[unit] = [list(row) for row in cursor.fetchall()]
    return {"window": named["window"], "groups": groups, "rests": rests}


def _row(row: Sequence[Any]) -> list[Any]:
    kind, own, touchpoint, month, quarter, customers, responses, mean, spread, *clusters = row
    unit = "month" if month else "quarter" if quarter else ""
    return [kind, own, touchpoint, unit, month or quarter, customers, int(responses), mean, spread, clusters]


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
