"""How long customers take from one order to the next (`docs/scoring.md`).

Completed gaps are those of the last months that also make the base cycle; the open gap, from the last order until now,
is not one of them: it ends only with the next order, so it is shown apart.
"""

from collections import Counter
from math import sqrt
from typing import Any

from django.db import connection

from loyalty import rules, scoring
from loyalty.cycles import percentile, winsorised_mean
from loyalty.figures import figure

LEAST_OWN_GAPS = 3  # from which on somebody's own regularity is told

GAPS = """
SELECT gap, count(*) FROM (
  SELECT later - earlier AS gap, later
  FROM (SELECT unnest(order_days[2:]) AS later, unnest(order_days) AS earlier FROM loyalty_metrics WHERE orders > 1) g) g
WHERE later > %(day)s::date - make_interval(months => %(months)s)
GROUP BY 1"""
# One customer's gaps resemble each other, so the error of the mean is counted by customers (a cluster each).
CLUSTERS = """
SELECT count(*), sum((capped - n * %(mean)s) ^ 2), count(*) FILTER (WHERE n >= %(least)s),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY spread / nullif(mean, 0)) FILTER (WHERE n >= %(least)s)
FROM (
  SELECT count(*) AS n, sum(least(gap, %(cap)s))::float8 AS capped, stddev_samp(gap)::float8 AS spread, avg(gap)::float8 AS mean
  FROM (SELECT customer_id, later - earlier AS gap, later FROM (
      SELECT customer_id, unnest(order_days[2:]) AS later, unnest(order_days) AS earlier
      FROM loyalty_metrics WHERE orders > 1) g) g
  WHERE later > %(day)s::date - make_interval(months => %(months)s)
  GROUP BY customer_id) c"""
OPEN = "SELECT %(day)s::date - last_order_on, count(*) FROM loyalty_metrics WHERE orders > 0 GROUP BY 1"


@figure("intervals", live=False)
def intervals() -> dict[str, Any]:
    """Completed and open gaps in days. Without a gap only their number, 0, is given."""
    in_force = rules.current()
    named: dict[str, Any] = {"day": scoring.shown_day(), "months": in_force.cycle_months, "least": LEAST_OWN_GAPS}
    with connection.cursor() as cursor:
        cursor.execute(GAPS, named)
        gaps: Counter[int] = Counter(dict(cursor.fetchall()))
        cursor.execute(OPEN, named)
        waiting: Counter[int] = Counter(dict(cursor.fetchall()))
        completed = described(gaps)
        if gaps:
            mean, cap = winsorised_mean(gaps, in_force.winsor_share), percentile(gaps, in_force.winsor_share)
            cursor.execute(CLUSTERS, named | {"mean": mean, "cap": cap})
            customers, squares, regular, own = cursor.fetchone()
            completed |= {
                "winsorised": mean,
                "error": cluster_error(gaps.total(), customers, float(squares)),
                "customers": customers,
                "cv": variation(gaps),
                "own_cv": own,
                "own_n": regular,
                "counts": sorted(gaps.items()),
            }
    open_ = described(waiting) | {"counts": sorted(waiting.items())}
    return {"completed": completed, "open": open_, "months": in_force.cycle_months}


def described(days: Counter[int]) -> dict[str, Any]:
    """How many, and the value below which half, three quarters and nine tenths of them lie."""
    found: dict[str, Any] = {"n": days.total()}
    if days:
        found |= {name: percentile(days, share) for name, share in (("median", 0.5), ("p75", 0.75), ("p90", 0.9))}
    return found


def variation(days: Counter[int]) -> float | None:
    """Standard deviation / mean; 0 for perfectly regular, about 1 for chance. None for fewer than two."""
    n = days.total()
    mean = sum(value * times for value, times in days.items()) / n
    if n < 2 or not mean:
        return None
    return sqrt(sum(times * (value - mean) ** 2 for value, times in days.items()) / (n - 1)) / mean


def cluster_error(n: int, customers: int, squares: float) -> float | None:
    """Standard error of a mean of n gaps of these customers. squares: Σ over customers of (their sum - their n × mean)²."""
    return sqrt(squares * customers / (customers - 1)) / n if customers > 1 else None
