"""What one more point of retention, or customers who rise a stage, would mean on the shop's own figures.

No promise: the first rests on a formula that holds only if nothing else changes, the second on the difference between
customers who already stand on two stages, which need not be what made them differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

from django.db import connection

from loyalty import scoring
from loyalty.estimates import Mean, difference, mean_of, median_ranks
from loyalty.figures import figure
from loyalty.overview import Share
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
    named: dict[str, Any] = {"day": scoring.shown_day(), "year": YEAR}
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

    retention: share who stay another year, 0 to 1; discount: a year, above 0. Source: after Gupta &
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


@dataclass(frozen=True)
class Retention:
    """points more retention on the shop's own figures. Gains are shares, money is a year's margin and its present worth.

    own: who stayed, of whom; before, after: the factor; gain with its range over the interval of `own`; worth: of all
    buyers together, in money, with the range over both intervals. None where the figures do not allow it.
    """

    own: Share
    points: int
    before: float | None = None
    after: float | None = None
    gain: float | None = None
    gains: tuple[float, float] | None = None
    margin: Mean = Mean(None, None, 0)
    worth: float | None = None
    worths: tuple[float, float] | None = None


def more_retention(found: Mapping[str, Any], points: int, discount: float, margin: float) -> Retention:
    """found: the figure `what_if`; points: 0 and up; discount: a year; margin: share of the net that is left."""
    own = Share(*found["retention"])
    n, total, squares = found["buyers"]
    yearly = mean_of(n, total * margin, squares * margin * margin)
    if own.value is None or own.interval is None:
        return Retention(own, points, margin=yearly)
    before = factor(own.value, discount)
    after = factor(min(1.0, own.value + points / 100), discount)
    # The gain falls and rises again with r: its least value may lie inside the interval.
    turn = min(max((1 + discount - points / 100) / 2, own.interval[0]), own.interval[1])
    gains = sorted(gain(r, points, discount) for r in (*own.interval, turn))
    worth = worths = None
    if yearly.value is not None:
        worth = n * yearly.value * (after - before)
        lifts = [factor(min(1.0, r + points / 100), discount) - factor(r, discount) for r in own.interval]
        ends = [n * each * lift for each in yearly.interval or (yearly.value,) * 2 for lift in lifts]
        worths = min(ends), max(ends)
    return Retention(
        own, points, before, after, after / before - 1 if before else None, (gains[0], gains[-1]), yearly, worth, worths
    )


@dataclass(frozen=True)
class Rise:
    """n customers of a stage who would buy like those of the next. Differences are a customer's yearly net × margin.

    mean, median: of one customer with interval; worth: n × the difference of means, with its range.
    """

    below: str
    above: str
    n: int
    of: int
    low: Mean
    high: Mean
    mean: Mean
    median: float | None = None
    medians: tuple[float, float] | None = None

    @property
    def worth(self) -> float | None:
        return None if self.mean.value is None else self.n * self.mean.value

    @property
    def worths(self) -> tuple[float, float] | None:
        found = self.mean.interval
        return None if found is None else (self.n * found[0], self.n * found[1])


def moves() -> list[tuple[str, str]]:
    """Each stage of buyers with the one above it."""
    codes = [stage.code for stage in STAGES]
    return list(zip(codes[1:], codes[2:], strict=False))


def rise(found: Mapping[str, Any], below: str, n: int, margin: float) -> Rise:
    """found: the figure `what_if`; below: a stage that has one above it; n: 0 up to the people there.

    Raises KeyError for a stage that has none.
    """
    above = dict(moves())[below]
    lower, upper = (found["stages"].get(code) for code in (below, above))
    of = lower["n"] if lower else 0
    low, high = _yearly(lower, margin), _yearly(upper, margin)
    made = Rise(below, above, max(0, min(n, of)), of, low, high, difference(high, low))
    if not lower or not upper:
        return made
    step = (upper["median"] - lower["median"]) * margin
    half = margin * sqrt(sum(((one["median_high"] - one["median_low"]) / 2) ** 2 for one in (lower, upper)))
    return replace(made, median=step, medians=(step - half, step + half))


def _yearly(one: Mapping[str, Any] | None, margin: float) -> Mean:
    if not one:
        return Mean(None, None, 0)
    return mean_of(one["n"], one["total"] * margin, one["squares"] * margin * margin)
