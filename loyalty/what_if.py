"""What one more point of retention, or customers who rise a stage, would mean on the shop's own figures (`domain.md` 5).

No promise: the first rests on a formula that holds only if nothing else changes, the second on the difference between
customers who already stand on two stages, which need not be what made them differ.
"""

from typing import Any

from django.db import connection

from loyalty import scoring
from loyalty.estimates import median_ranks
from loyalty.figures import figure
from loyalty.stages import STAGES

YEAR = 365

# Of who bought in the year before the last, who bought in the last one too.
RETENTION = """
SELECT count(*), count(*) FILTER (WHERE last_order_on > %(day)s::date - %(year)s)
FROM loyalty_metrics m
WHERE orders > 0 AND first_order_on <= %(day)s::date - %(year)s AND last_order_on > %(day)s::date - 2 * %(year)s
  AND (last_order_on <= %(day)s::date - %(year)s OR EXISTS (SELECT FROM unnest(order_days) d
    WHERE d > %(day)s::date - 2 * %(year)s AND d <= %(day)s::date - %(year)s))"""
BUYERS = """
SELECT count(*), coalesce(sum(value_year), 0)::float8, coalesce(sum(value_year * value_year), 0)::float8
FROM loyalty_metrics WHERE orders > 0 AND last_order_on > %(day)s::date - %(year)s"""
STAGE_SUMS = """
SELECT a.stage, count(*), sum(m.value_year)::float8, sum(m.value_year * m.value_year)::float8
FROM loyalty_assessment a JOIN loyalty_metrics m ON m.customer_id = a.customer_id GROUP BY 1"""
STAGE_MEDIANS = """
SELECT a.stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY m.value_year),
  percentile_disc(%(shares)s) WITHIN GROUP (ORDER BY m.value_year)
FROM loyalty_assessment a JOIN loyalty_metrics m ON m.customer_id = a.customer_id
WHERE a.stage = %(stage)s GROUP BY 1"""


@figure("what_if", live=False)
def what_if() -> dict[str, Any]:
    """retention [kept, of whom]; buyers of the last year [n, Σ, Σ²] of their net; stages by code.

    A stage: {n, total, squares} of the net of 365 days, and its median with the bounds of its interval.
    """
    named = {"day": scoring.shown_day(), "year": YEAR}
    with connection.cursor() as cursor:
        cursor.execute(RETENTION, named)
        whole, kept = cursor.fetchone()
        cursor.execute(BUYERS, named)
        buyers = list(cursor.fetchone())
        cursor.execute(STAGE_SUMS)
        sums = {stage: row for stage, *row in cursor.fetchall()}
        stages = {}
        for stage in STAGES:
            if stage.code in sums:
                n, total, squares = sums[stage.code]
                low, high = median_ranks(n)
                shares = [(low - 0.5) / n, (high - 0.5) / n]
                cursor.execute(STAGE_MEDIANS, {"stage": stage.code, "shares": shares})
                _code, median, bounds = cursor.fetchone()
                stages[stage.code] = {
                    "n": n, "total": total, "squares": squares, "median": float(median),
                    "median_low": float(bounds[0]), "median_high": float(bounds[1]),
                }  # fmt: skip
    return {"retention": [kept, whole], "buyers": buyers, "stages": stages}


def factor(retention: float, discount: float) -> float:
    """How many yearly margins a customer is worth beyond the present one: r / (1 + d - r).

    retention: share who stay another year, 0 to 1; discount: a year, above 0. Source: `domain.md` 5, after Gupta &
    Lehmann. Raises ValueError outside.
    """
    if not 0 <= retention <= 1 or discount <= 0:
        raise ValueError(f"retention must be 0 to 1 and the discount above 0, not {retention} and {discount}")
    return retention / (1 + discount - retention)


def gain(retention: float, points: float, discount: float) -> float:
    """By what share the factor rises with `points` hundredths more retention, which cannot exceed 1."""
    before = factor(retention, discount)
    after = factor(min(1.0, retention + points / 100), discount)
    return after / before - 1 if before else 0.0
