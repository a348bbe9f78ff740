"""Repurchase rates, each under its own name, because trade calls four different things “Wiederkaufrate”.

WKR-K: customers, over their life · WKR-B: orders · WKR-P: buyers of a period · WKR-H: first buyers of a month within
H days. The ratio of repeat to first-time buyers (WKR-V) can exceed 100 % and is not offered.
"""

from datetime import date, timedelta
from typing import Any

from django.db import connection

from loyalty import rules, scoring
from loyalty.figures import figure

PERIODS = (30, 90, 365)
HORIZONS = (30, 60, 90, 180, 365)  # and the merchant's own
MONTHS = 24  # cohorts shown

RATES = """
SELECT count(*), count(*) FILTER (WHERE orders > 1), coalesce(sum(orders), 0), coalesce(sum(orders - 1), 0), {periods}
FROM loyalty_metrics WHERE orders > 0"""
PERIOD = """count(*) FILTER (WHERE last_order_on > %(day)s::date - {days}),
  count(*) FILTER (WHERE last_order_on > %(day)s::date - {days} AND first_order_on <= %(day)s::date - {days})"""
COHORTS = """
SELECT date_trunc('month', first_order_on)::date, count(*), {horizons}
FROM loyalty_metrics WHERE orders > 0 GROUP BY 1 ORDER BY 1"""
WITHIN = "count(*) FILTER (WHERE order_days[2] - first_order_on <= {days})"


@figure("repurchase")
def rates() -> dict[str, Any]:
    """The four rates as [part, whole]; WKR-P by days of the period, WKR-H by days and month (only whole cohorts)."""
    day, own = scoring.shown_day(), rules.current().repurchase_days
    horizons = sorted({*HORIZONS, own})
    with connection.cursor() as cursor:
        periods = ", ".join(PERIOD.format(days=days) for days in PERIODS)
        cursor.execute(RATES.format(periods=periods), {"day": day})
        buyers, repeaters, orders, again, *counted = cursor.fetchone()
        cursor.execute(COHORTS.format(horizons=", ".join(WITHIN.format(days=days) for days in horizons)))
        months = cursor.fetchall()
    pairs = zip(counted[::2], counted[1::2], strict=True)
    return {
        "own_days": own,
        "customers": [repeaters, buyers],
        "orders": [int(again), int(orders)],
        "periods": {str(days): [old, all_] for days, (all_, old) in zip(PERIODS, pairs, strict=True)},
        "cohorts": {
            str(days): [
                [month.isoformat(), row[at], whole]
                for month, whole, *row in months
                if observed(month, days, day)
            ][-MONTHS:]
            for at, days in enumerate(horizons)
        },
    }  # fmt: skip


def observed(month: date, days: int, day: date) -> bool:
    """Whether everybody who first bought in a month has had `days` days to come back by the end of `day`."""
    return last_day(month) + timedelta(days=days) <= day


def last_day(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
