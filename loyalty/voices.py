"""What customers answered: recommendation, satisfaction, effort and expectation, one voice a customer.

Sources: Reichheld 2003 (NPS; not superior to other measures, Keiningham et al. 2007), Dixon et al. 2010 (CES),
Oliver 1980 (expectation and its disconfirmation: missed, met, exceeded; met is neutral).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from django.db import connection

from loyalty import nev_facts, students_t
from loyalty.figures import figure
from loyalty.overview import NORMAL_95, Share
from loyalty.status import status_sql

CONTENT_FROM = 8

ITEMS = ("csat", "nps", "ces", "disconfirmation")
WINDOW = "a.origin = 'customer_self' AND a.answered_at >= %(start)s AND a.answered_at < %(end)s"
# Each customer's latest own answer to each item within the window: who answers often has one voice, too.
LATEST = f"""
  SELECT DISTINCT ON (a.customer_id, a.item) a.customer_id, a.item, a.value
  FROM crm_answer a JOIN crm_customer c ON c.id = a.customer_id
  WHERE a.item IN {ITEMS} AND {WINDOW}
    AND c.merged_into_id IS NULL AND c.erased_at IS NULL AND NOT c.is_test
  ORDER BY a.customer_id, a.item, a.answered_at DESC, a.id DESC"""
# The same of one item, of whoever it may be: the index alone answers it.
LATEST_OF_ONE = f"""
  SELECT DISTINCT ON (a.customer_id) a.customer_id, a.value
  FROM crm_answer a WHERE a.item = %(item)s AND {WINDOW}
  ORDER BY a.customer_id, a.answered_at DESC, a.id DESC"""
TALLY = f"""
SELECT item, count(*), count(*) FILTER (WHERE value >= 9), count(*) FILTER (WHERE value <= 6),
  count(*) FILTER (WHERE value < 0), count(*) FILTER (WHERE value = 0), count(*) FILTER (WHERE value > 0),
  avg(value)::float8, coalesce(stddev_samp(value), 0)::float8
FROM ({LATEST}) latest GROUP BY item"""
# Whoever was content and lapsed all the same.
GONE = f"""
SELECT count(*), count(*) FILTER (WHERE {status_sql()} = 'lapsed')
FROM ({LATEST}) latest JOIN loyalty_assessment s USING (customer_id)
WHERE item = 'csat' AND value >= {CONTENT_FROM} AND s.orders > 0"""


@dataclass(frozen=True)
class Nps:
    """Promoters (9, 10) less detractors (0 to 6) in percentage points, −100 to +100, of n answers."""

    promoters: int
    detractors: int
    n: int

    @property
    def value(self) -> float | None:
        return 100 * (self.promoters - self.detractors) / self.n if self.n else None

    @property
    def error(self) -> float | None:
        """Standard error in percentage points: √((p + d − (p − d)²) / n)."""
        if not self.n:
            return None
        p, d = self.promoters / self.n, self.detractors / self.n
        return 100 * sqrt((p + d - (p - d) ** 2) / self.n)

    @property
    def half(self) -> float | None:
        """Half the 95 % interval in percentage points."""
        return None if self.error is None else NORMAL_95 * self.error


@dataclass(frozen=True)
class Mean:
    """Mean of n answers with half its 95 % interval, None below two."""

    value: float | None
    half: float | None
    n: int


@dataclass(frozen=True)
class Voices:
    """window in days; top: share of 9 and 10; missed, met, exceeded: what was expected; gone: lapsed though content."""

    window: int
    nps: Nps
    top: Share
    csat: Mean
    ces: Mean
    missed: int
    met: int
    exceeded: int
    gone: Share

    @property
    def expected(self) -> int:
        return self.missed + self.met + self.exceeded


@figure("voices", live=False)
def figures() -> dict[str, Any]:
    named = nev_facts.window()
    with connection.cursor() as cursor:
        cursor.execute(TALLY, named)
        items = {item: row for item, *row in cursor.fetchall()}
        cursor.execute(GONE, named)
        content, gone = cursor.fetchone()
    return {"window": named["window"], "items": items, "gone": [gone, content]}


def voices(stored: Mapping[str, Any]) -> Voices:
    """The stored figure `voices` with its intervals."""
    nothing = [0, 0, 0, 0, 0, 0, None, 0.0]
    items = {item: stored["items"].get(item, nothing) for item in ITEMS}
    asked = items["disconfirmation"]
    return Voices(
        window=stored["window"],
        nps=Nps(items["nps"][1], items["nps"][2], items["nps"][0]),
        top=Share(items["csat"][1], items["csat"][0]),
        csat=_mean(items["csat"]),
        ces=_mean(items["ces"]),
        missed=asked[3],
        met=asked[4],
        exceeded=asked[5],
        gone=Share(*stored["gone"]),
    )


def _mean(row: list[Any]) -> Mean:
    n, value, spread = row[0], row[6], row[7]
    return Mean(value, students_t.half_width(n, spread) if n > 1 else None, n)
