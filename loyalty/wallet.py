"""Share of wallet: what part of their spending customers say we get (`docs/scoring.md`). Self-reported, and said to be.

Two ways to ask. `wallet_share`: “Of 100 that you spend on this, how much with us?”, 0 to 100. `wallet_rank` of
`wallet_shops`: “Which place do we take among the n shops where you buy this?”, from which the Wallet Allocation Rule
(Keiningham et al. 2011) estimates the share.
"""

from typing import Any

from django.db import connection

from loyalty import nev_facts
from loyalty.estimates import mean_of
from loyalty.figures import figure

DAYS = 365

# Rank and number of shops belong to one sheet.
SHEETS = """
  SELECT customer_id, response, max(answered_at) AS at,
    max(value) FILTER (WHERE item = 'wallet_share')::float8 / 100 AS share,
    max(value) FILTER (WHERE item = 'wallet_rank')::float8 AS rank,
    max(value) FILTER (WHERE item = 'wallet_shops')::float8 AS shops
  FROM crm_answer WHERE origin = 'customer_self' AND item IN ('wallet_share', 'wallet_rank', 'wallet_shops')
    AND answered_at >= %(start)s AND answered_at < %(end)s
  GROUP BY 1, 2"""
# The latest sheet of each customer with the item.
LATEST = f"""
WITH sheets AS ({SHEETS}),
said AS (SELECT DISTINCT ON (customer_id) share AS value FROM sheets WHERE share IS NOT NULL ORDER BY customer_id, at DESC),
ranked AS (
  SELECT DISTINCT ON (customer_id) (1 - rank / (shops + 1)) * 2 / shops AS value
  FROM sheets WHERE rank <= shops ORDER BY customer_id, at DESC)
SELECT (SELECT ARRAY[count(*), sum(value), sum(value * value)] FROM said),
  (SELECT ARRAY[count(*), sum(value), sum(value * value)] FROM ranked)"""
# Who said it, by the item that the page names it by.
SAYING = {
    "wallet_share": f"SELECT customer_id FROM ({SHEETS}) sheets WHERE share IS NOT NULL",
    "wallet_rank": f"SELECT customer_id FROM ({SHEETS}) sheets WHERE rank <= shops",
}


def allocation(rank: int, shops: int) -> float:
    """Share of wallet, 0 to 1, of the shop on place `rank` of `shops` that a customer uses (Wallet Allocation Rule).

    Raises ValueError unless 1 ≤ rank ≤ shops.
    """
    if not 1 <= rank <= shops:
        raise ValueError(f"there is no place {rank} of {shops}")
    return (1 - rank / (shops + 1)) * 2 / shops


@figure("wallet")
def wallet() -> dict[str, Any]:
    """Mean share as customers say, and as follows from places: {value, low, high, n} each."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST, nev_facts.window(DAYS))
        said, ranked = cursor.fetchone()
    return {"said": _mean(said), "ranked": _mean(ranked), "days": DAYS}


def _mean(row: list[float | None]) -> dict[str, Any]:
    n, total, squares = (value or 0 for value in row)
    found = mean_of(int(n), total, squares)
    low, high = found.interval or (None, None)
    return {
        "value": found.value,
        "low": None if low is None else max(0.0, low),
        "high": None if high is None else min(1.0, high),
        "n": found.n,
    }
