"""Every valid answer to how somebody felt, and its means over customers, touchpoints and time: set-based (`loyalty.nev`).

Two steps: the mean of each customer, then the mean over customers, so that nobody counts more for answering often.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm import emotions
from crm.days import shop_zone
from loyalty import rules, scoring
from loyalty.figures import figure
from loyalty.nev import FULL, SHORT, TAGS, prior


def _items(codes: Iterable[str]) -> str:
    return ", ".join(f"'nev_{code}'" for code in codes)


def answered_enough(form: str) -> str:
    """Whether a response to this form has a value, over its answers."""
    asked = emotions.FORMS[form]
    return (
        f"count(*) FILTER (WHERE item IN ({_items(asked.positive)})) >= {asked.least_positive}"
        f" AND count(*) FILTER (WHERE item IN ({_items(asked.negative)})) >= {asked.least_negative}"
    )


def _mean(codes: Iterable[str]) -> str:
    return f"avg(a.value) FILTER (WHERE a.item IN ({_items(codes)}))"


CLUSTER_MEANS = ", ".join(
    f"{_mean(one.code for one in emotions.EMOTIONS if one.cluster == cluster)} AS {cluster}"
    for cluster in emotions.CLUSTERS
)
DAY = "(min({at}) AT TIME ZONE %(zone)s)::date"
WITHIN = "{at} >= %(start)s AND {at} < %(end)s"
PEOPLE = "c.merged_into_id IS NULL AND c.erased_at IS NULL AND NOT c.is_test"
SIGN = f"CASE WHEN e.emotion IN ({', '.join(repr(code) for code in emotions.POSITIVE)}) THEN 1 ELSE -1 END"
RESPONSES = f"""
  SELECT a.customer_id, a.form AS kind, a.origin = 'customer_self' AS own, max(a.touchpoint) AS touchpoint,
    {DAY.format(at="a.answered_at")} AS day, {_mean(emotions.POSITIVE)} - {_mean(emotions.NEGATIVE)} AS value,
    {CLUSTER_MEANS}
  FROM crm_answer a JOIN crm_customer c ON c.id = a.customer_id
  WHERE a.item LIKE 'nev\\_%%' AND {PEOPLE} AND {WITHIN.format(at="a.answered_at")}
  GROUP BY a.customer_id, a.response, a.form, a.origin
  HAVING a.form = '{FULL}' AND {answered_enough(FULL)} OR a.form = '{SHORT}' AND {answered_enough(SHORT)}
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
WITH timed AS (
  SELECT *, date_trunc('month', day)::date AS month, date_trunc('quarter', day)::date AS quarter FROM nev_response
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
RESTS = """
WITH parts AS (
  SELECT kind, customer_id, {part} AS part, count(*) AS n, sum(value) AS total FROM nev_response WHERE own GROUP BY 1, 2, 3
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
SHOP = """
WITH per_customer AS (
  SELECT kind, customer_id, count(*) AS n, avg(value) AS mean, coalesce(var_samp(value), 0)::float8 AS spread
  FROM nev_response WHERE own GROUP BY kind, customer_id
), shop AS (SELECT kind, sum(n * mean::float8) / sum(n) AS mean FROM per_customer GROUP BY kind)
SELECT kind, count(*), sum(n), round(avg(p.mean), 8), stddev_samp(p.mean)::float8, sum(n * n),
  count(*) FILTER (WHERE n > 1), sum((n - 1) * spread), sum(n * (p.mean::float8 - shop.mean) ^ 2)
FROM per_customer p JOIN shop USING (kind) GROUP BY kind"""


def window(days: int | None = None) -> dict[str, Any]:
    """The days that count, as the statements need them; as many as the rules say if not told."""
    days, day = days or rules.current().nev_window_days, scoring.shown_day()
    zone = shop_zone()
    return {
        "zone": str(zone),
        "window": days,
        "day": day,
        "start": datetime.combine(day - timedelta(days=days - 1), time(), zone),
        "end": datetime.combine(day + timedelta(days=1), time(), zone),
    }


def gather(cursor: CursorWrapper) -> int:
    """Collect every valid answer of the window once, for the statements that follow. Returns the window's days."""
    named = window()
    cursor.execute("DROP TABLE IF EXISTS pg_temp.nev_response")
    cursor.execute(f"CREATE TEMP TABLE nev_response ON COMMIT DROP AS {RESPONSES}", named)
    cursor.execute("ANALYZE nev_response")
    return int(named["window"])


@figure("nev_shop", live=False)
def shop_figures() -> dict[str, Any]:
    """The shop's mean and k of each measure: what a customer's value needs, and nothing else."""
    with connection.cursor() as cursor:
        gather(cursor)
        cursor.execute(SHOP)
        return {
            kind: [customers, int(responses), mean, spread, prior(customers, int(responses), int(squares), *sums)]
            for kind, customers, responses, mean, spread, squares, *sums in cursor.fetchall()
        }


@figure("nev", live=False)
def figures() -> dict[str, Any]:
    """All groups of the window and what they are compared with."""
    with connection.cursor() as cursor:
        days = gather(cursor)
        cursor.execute(GROUPS)
        groups = [_row(row) for row in cursor.fetchall()]
        rests = {}
        for unit, part in (("touchpoint", "touchpoint"), ("month", "date_trunc('month', day)::date::text"),
                           ("quarter", "date_trunc('quarter', day)::date::text")):  # fmt: skip
            cursor.execute(RESTS.format(part=part))
            rests[unit] = [list(row) for row in cursor.fetchall()]
    return {"window": days, "groups": groups, "rests": rests}


def _row(row: Sequence[Any]) -> list[Any]:
    kind, own, touchpoint, month, quarter, customers, responses, mean, spread, *clusters = row
    unit = "month" if month else "quarter" if quarter else ""
    return [kind, own, touchpoint, unit, month or quarter, customers, int(responses), mean, spread, clusters]
