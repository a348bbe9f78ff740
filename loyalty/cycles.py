"""The shop's purchase rhythm: base cycles by category, and status thresholds from its own history."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from django.db import connection

from loyalty.models import Calibration
from loyalty.rules import Rules

# Gaps between consecutive orders, grouped: a shop has few lengths of gap, however many customers.
GAPS = """
SELECT category_id, later - earlier AS gap, count(*) AS n
FROM (SELECT category_id, unnest(order_days[2:]) AS later, unnest(order_days) AS earlier FROM {table} WHERE orders > 1) g
WHERE later > %(day)s::date - make_interval(months => %(cycle_months)s)
GROUP BY 1, 2"""

# Gap / E, E from the gaps before it only, in hundredths. Every `every`-th customer: percentiles need no more.
RATIOS = """
SELECT floor(least(gap / greatest(%(least_interval_days)s, (%(prior_intervals)s * cycle + (earlier - first_order_on))
  / (%(prior_intervals)s + nth - 1)), 1000) * 100)::int AS ratio, count(*) AS n
FROM (SELECT m.first_order_on, coalesce(c.days, %(shop_days)s) AS cycle, g.earlier, g.later - g.earlier AS gap, g.nth
  FROM {table} m
    LEFT JOIN unnest(%(cycle_categories)s::bigint[], %(cycle_days)s::float8[]) c(category_id, days)
      ON c.category_id = m.category_id
    CROSS JOIN LATERAL unnest(m.order_days[2:], m.order_days[:m.orders - 1]) WITH ORDINALITY g(later, earlier, nth)
  WHERE m.orders > 1 AND m.customer_id %% %(every)s = 0) gaps
GROUP BY 1"""

SAMPLED_GAPS = 1_000_000


@dataclass(frozen=True)
class Rhythm:
    """What a run judges with. days: base cycle of whoever has no category of their own; cycles: {category: days}.

    active, overdue, at_risk: overdue ratios up to which a status holds.
    """

    gaps: int
    days: float
    kind: str
    active: float
    overdue: float
    at_risk: float
    self_calibrated: bool = False
    cycles: Mapping[int, tuple[int, float]] = field(default_factory=dict)

    def parameters(self) -> dict[str, object]:
        return {
            "shop_days": self.days,
            "shop_kind": self.kind,
            "cycle_categories": list(self.cycles),
            "cycle_days": [days for _gaps, days in self.cycles.values()],
            "active": self.active,
            "overdue": self.overdue,
            "at_risk": self.at_risk,
        }


def measure(table: str, day: date, rules: Rules) -> Rhythm:
    """Read the rhythm from the order days in `table` (metrics or a copy of them)."""
    histogram: dict[int | None, Counter[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(GAPS.format(table=table), {"day": day, "cycle_months": rules.cycle_months})
        for category, gap, n in cursor.fetchall():
            histogram.setdefault(category, Counter())[gap] += n
    shop: Counter[int] = sum(histogram.values(), Counter())
    base = base_cycle(shop, rules)
    cycles = {
        category: (gaps.total(), winsorised_mean(gaps, rules.winsor_share))
        for category, gaps in histogram.items()
        if category is not None and gaps.total() >= rules.least_gaps
    }
    rhythm = Rhythm(shop.total(), base[0], base[1], rules.active, rules.overdue, rules.at_risk, cycles=cycles)
    return calibrated(rhythm, table, day, rules)


def base_cycle(gaps: Counter[int], rules: Rules) -> tuple[float, str]:
    """The shop's base cycle in days and where it comes from."""
    if gaps.total() >= rules.least_gaps:
        return winsorised_mean(gaps, rules.winsor_share), Calibration.Kind.SHOP.value
    return rules.default_cycle_days, Calibration.Kind.DEFAULT.value


def percentile(counted: Mapping[int, int], share: float) -> float:
    """Value below which `share` of the counted values lie, between neighbours in proportion (as percentile_cont).

    counted: {value: how often}, at least one; share: 0 to 1.
    """
    total = sum(counted.values())
    place = share * (total - 1)
    low, high = at_place(counted, int(place)), at_place(counted, min(int(place) + 1, total - 1))
    return low + (high - low) * (place - int(place))


def at_place(counted: Mapping[int, int], place: int) -> int:
    """The value at a place, from 0, of the sorted values."""
    for value in sorted(counted):
        place -= counted[value]
        if place < 0:
            return value
    raise IndexError(place)


def winsorised_mean(gaps: Mapping[int, int], share: float) -> float:
    """Mean in which what lies above the percentile counts as the percentile. Rounded to 0.0001 days."""
    cap = percentile(gaps, share)
    return round(sum(min(gap, cap) * n for gap, n in gaps.items()) / sum(gaps.values()), 4)


def calibrated(rhythm: Rhythm, table: str, day: date, rules: Rules) -> Rhythm:
    """The rhythm with thresholds from the shop's own gaps, where it has enough of them."""
    gaps, history = all_gaps(table, day)
    if gaps < rules.calibrate_gaps or history < rules.calibrate_months:
        return rhythm
    named = rules.parameters() | rhythm.parameters() | {"every": max(1, gaps // SAMPLED_GAPS)}
    with connection.cursor() as cursor:
        cursor.execute(RATIOS.format(table=table), named)
        ratios = dict(cursor.fetchall())
    shares = (rules.active_share, rules.overdue_share, rules.at_risk_share)
    bounds = (rules.active_bounds, rules.overdue_bounds, rules.at_risk_bounds)
    thresholds = [
        round(min(max(percentile(ratios, share) / 100, low), high), 2)
        for share, (low, high) in zip(shares, bounds, strict=True)
    ]
    active, overdue, at_risk = rising(thresholds)
    return replace(rhythm, active=active, overdue=overdue, at_risk=at_risk, self_calibrated=True)


def rising(thresholds: Iterable[float]) -> list[float]:
    """Thresholds a hundredth apart at least: a shop whose customers all behave alike would let statuses fall together."""
    result: list[float] = []
    for threshold in thresholds:
        result.append(max(threshold, round(result[-1] + 0.01, 2)) if result else threshold)
    return result


def all_gaps(table: str, day: date) -> tuple[int, int]:
    """How many completed gaps there are, and how many full months of history."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT coalesce(sum(orders - 1) FILTER (WHERE orders > 1), 0)::bigint,
              coalesce((extract(year FROM age(%(day)s::date, min(first_order_on))) * 12
                + extract(month FROM age(%(day)s::date, min(first_order_on))))::int, 0) FROM {table}""",
            {"day": day},
        )
        gaps, months = cursor.fetchone()
        return gaps, months
