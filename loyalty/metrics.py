"""Facts per customer: one statement for all, for a set of customers, or as of a past day.

Every sub-query reads one kind of fact, groups it by customer and is joined once. `{only}` narrows it to a set of
customers; a past day uses only what is dated up to it (`docs/scoring.md`, "As of a past day").
"""

from functools import lru_cache
from typing import Any

from django.db.backends.utils import CursorWrapper

from crm import emotions
from crm.models import AdvocacyAct
from loyalty.models import Metrics

SOME = "= ANY(%(ids)s)"

# An order is paid or completed with something kept. Net as it stands now …
NET_NOW = """
  SELECT p.customer_id, p.ordered_on, p.net, p.categories, p.place
  FROM crm_purchase p
  WHERE p.customer_id IS NOT NULL AND p.status IN ('paid', 'completed') AND p.net > 0
    AND p.ordered_on <= %(day)s::date {only}"""
# … or as it stood on the day: later returns had not happened yet.
NET_THEN = """
  SELECT p.customer_id, p.ordered_on, p.gross - coalesce(r.net, 0) AS net, p.categories, p.place
  FROM crm_purchase p LEFT JOIN (
    SELECT l.purchase_id, sum(a.net) AS net
    FROM crm_returnallocation a JOIN crm_purchaseline l ON l.id = a.purchase_line_id
      JOIN crm_returnline rl ON rl.id = a.return_line_id JOIN crm_return r ON r.id = rl.parent_id
    WHERE r.returned_on <= %(day)s::date AND r.held = ''
    GROUP BY l.purchase_id) r ON r.purchase_id = p.id
  WHERE p.customer_id IS NOT NULL AND p.status IN ('paid', 'completed') AND p.gross > coalesce(r.net, 0)
    AND p.ordered_on <= %(day)s::date {only}"""

# The same for one customer of an outer query, whose returns are few.
NET_THEN_OF_ONE = """
  SELECT p.ordered_on, p.categories, p.place FROM crm_purchase p
  WHERE p.customer_id = o.customer_id AND p.status IN ('paid', 'completed') AND p.ordered_on <= %(day)s::date
    AND p.gross > coalesce((SELECT sum(a.net)
      FROM crm_purchaseline l JOIN crm_returnallocation a ON a.purchase_line_id = l.id
        JOIN crm_returnline rl ON rl.id = a.return_line_id JOIN crm_return r ON r.id = rl.parent_id
      WHERE l.purchase_id = p.id AND r.returned_on <= %(day)s::date AND r.held = ''), 0)"""

# Laying arrays end to end takes the square of their number, text does not but takes longer for few. So when all are
# judged, only the greatest buyers' categories pass through text: those whom the planner's statistics name. Whoever they
# miss is judged slower, not otherwise.
AS_TEXT = "string_to_array(string_agg(array_to_string(categories, ','), ',') FILTER (WHERE {when}), ',')::bigint[]"
GREAT_BUYERS = """
    SELECT id FROM pg_stats s JOIN pg_class t ON t.oid = format('%%I.%%I', s.schemaname, s.tablename)::regclass
      CROSS JOIN LATERAL unnest(s.most_common_vals::text::bigint[], s.most_common_freqs) AS u(id, share)
    WHERE s.schemaname = 'public' AND s.tablename = 'crm_purchase' AND s.attname = 'customer_id'
      AND share * t.reltuples > 2000
    ORDER BY share DESC LIMIT 20"""
BOUGHT_BY_SOME = AS_TEXT.format(when="categories <> '{}'")
BOUGHT_BY_ALL = (
    "coalesce(public.f_concat(categories) FILTER (WHERE customer_id <> ALL(%(great_buyers)s)), "
    + AS_TEXT.format(when="categories <> '{}' AND customer_id = ANY(%(great_buyers)s)")
    + ")"
)

# Purchases come from one index in the order of customer and day, so each customer is one short group.
ORDERS = """
  SELECT customer_id, count(*) AS purchases, array_agg(DISTINCT ordered_on ORDER BY ordered_on) AS days,
    sum(net) AS value, coalesce(sum(net) FILTER (WHERE ordered_on > %(day)s::date - 365), 0) AS value_year,
    {bought} AS bought, array_agg(place) AS places, min(place) AS place, min(place) = max(place) AS routine
  FROM ({purchases}) p
  GROUP BY customer_id"""

# A single category needs no counting; many customers have bought but once.
# The count stands in the high bits and the category in the low ones: one maximum finds the category of most purchases
# from above, the other from below, and they disagree exactly on a tie. Several purchases of a day are one order, so whoever
# made such is counted from their own purchases again.
CATEGORY = """
  SELECT count(*) AS categories, CASE WHEN max((n << 40) + category) & ((1::bigint << 40) - 1)
    = (max(n) << 40) - max((n << 40) - category) THEN max((n << 40) + category) & ((1::bigint << 40) - 1) END AS category_id
  FROM (SELECT category, count(*) AS n FROM unnest(o.bought) category
      WHERE cardinality(o.bought) > 1 AND o.purchases = cardinality(o.days) GROUP BY category
    UNION ALL SELECT category, count(DISTINCT p.ordered_on) AS n FROM ({own}) p CROSS JOIN unnest(p.categories) category
      WHERE cardinality(o.bought) > 1 AND o.purchases > cardinality(o.days) GROUP BY category) counted"""
PLACE = """
  SELECT max(n) AS n, substr(max(to_char(n, 'FM0000000') || place COLLATE "C"), 8) AS place
  FROM (SELECT place, count(*) AS n FROM unnest(o.places) place
      WHERE place <> '' AND o.purchases = cardinality(o.days) GROUP BY place
    UNION ALL SELECT p.place, count(DISTINCT p.ordered_on) AS n FROM ({own}) p
      WHERE p.place <> '' AND o.purchases > cardinality(o.days) GROUP BY p.place) counted
  WHERE NOT o.routine"""

# What came back and met no purchase lowers the customer's value, not an order's.
UNALLOCATED = """
  SELECT customer_id, sum(unallocated) AS value,
    coalesce(sum(unallocated) FILTER (WHERE returned_on > %(day)s::date - 365), 0) AS value_year
  FROM crm_return p
  WHERE customer_id IS NOT NULL AND unallocated > 0 AND held = '' AND returned_on <= %(day)s::date {only}
  GROUP BY customer_id"""

# One row a sheet first: CSAT and disconfirmation of a sheet are one answer, and so are its emotions. Weights are
# counted from a fixed instant, because their ratios do not depend on it and so neither does the mean.
SHEETS = """
  SELECT customer_id, response, min(answered_at) AS answered_at,
    power(2, greatest(-900, least(900,
      (extract(epoch FROM min(answered_at) - '2026-01-01Z') / 86400)::float8 / %(half_life_days)s))) AS w,
    max(value) FILTER (WHERE item = 'csat')::float8 * 10 AS csat,
    (max(value) FILTER (WHERE item = 'disconfirmation')::float8 + 3) / 6 * 100 AS disconfirmation,
    max(value) FILTER (WHERE item = 'trust')::float8 * 10 AS trust,
    max(value) FILTER (WHERE item = 'commitment')::float8 * 10 AS commitment,
    max(value) FILTER (WHERE item = 'involvement')::float8 * 10 AS involvement,
    (max(value) FILTER (WHERE item = 'comparison')::float8 + 3) / 6 * 100 AS comparison,
    max(form) AS form,
    count(*) FILTER (WHERE item IN ({positive})) AS positives, count(*) FILTER (WHERE item IN ({negative})) AS negatives,
    ((avg(value) FILTER (WHERE item IN ({positive})) - avg(value) FILTER (WHERE item IN ({negative})))::float8
      + 10) * 5 AS nev
  FROM crm_answer p
  WHERE origin = 'customer_self' AND answered_at <= %(moment)s {only}
  GROUP BY customer_id, response""".replace(
    "{positive}", ", ".join(f"'nev_{code}'" for code in emotions.POSITIVE)
).replace("{negative}", ", ".join(f"'nev_{code}'" for code in emotions.NEGATIVE))

NEV_FULL = "form = 'full' AND positives >= 6 AND negatives >= 4"
NEV_SHORT = "form = 'short' AND positives >= 3 AND negatives >= 3"


def weighted(value: str, where: str) -> str:
    """Mean of a sheet's value over the sheets that have it, newer ones counting more; to hundredths."""
    return f"round(sum(w * ({value})) FILTER (WHERE {where}) / nullif(sum(w) FILTER (WHERE {where}), 0) * 100) / 100"


def latest_day(where: str) -> str:
    return f"(max(answered_at) FILTER (WHERE {where}) AT TIME ZONE %(zone)s)::date"


SATISFACTION = "CASE WHEN disconfirmation IS NULL THEN csat ELSE (csat + disconfirmation) / 2 END"
ANSWERS = f"""
  SELECT customer_id,
    {weighted(SATISFACTION, "csat IS NOT NULL")} AS satisfaction, {latest_day("csat IS NOT NULL")} AS satisfaction_on,
    {weighted("trust", "trust IS NOT NULL")} AS trust, {latest_day("trust IS NOT NULL")} AS trust_on,
    {weighted("commitment", "commitment IS NOT NULL")} AS commitment, {latest_day("commitment IS NOT NULL")} AS commitment_on,
    {weighted("involvement", "involvement IS NOT NULL")} AS involvement,
    {weighted("comparison", "comparison IS NOT NULL")} AS comparison,
    coalesce({weighted("nev", NEV_FULL)}, {weighted("nev", NEV_SHORT)}) AS nev,
    CASE WHEN bool_or({NEV_FULL}) THEN 'full' WHEN bool_or({NEV_SHORT}) THEN 'short' ELSE '' END AS nev_form,
    {latest_day(f"{NEV_FULL} OR {NEV_SHORT}")} AS nev_on
  FROM ({SHEETS}) sheets
  GROUP BY customer_id"""

CONTACTS = """
  SELECT customer_id, max(n) AS good_contacts, max((n << 40) + staff_id) & ((1::bigint << 40) - 1) AS contact_id
  FROM (SELECT customer_id, staff_id, count(*) AS n FROM crm_interaction p
    WHERE rating >= 7 AND staff_id IS NOT NULL AND occurred_at <= %(moment)s
      AND occurred_at > %(moment)s - interval '12 months' {only}
    GROUP BY 1, 2) counted
  GROUP BY customer_id"""
PARTICIPATIONS = """
  SELECT DISTINCT customer_id FROM crm_participation p
  WHERE occurred_at <= %(moment)s {only} AND (
    kind = 'member' AND (ended_at IS NULL OR ended_at > %(moment)s)
    OR kind = 'gathering' AND occurred_at > %(moment)s - interval '12 months')"""
ACTS = """
  SELECT customer_id,
    array_agg(DISTINCT referred_id) FILTER (WHERE kind = 'referred_order' AND referred_id IS NOT NULL) AS referred,
    count(*) FILTER (WHERE recent AND kind IN ({strong})) AS strong_acts,
    count(*) FILTER (WHERE recent AND kind NOT IN ({strong})) AS medium_acts
  FROM (SELECT *, (occurred_at AT TIME ZONE %(zone)s)::date >= %(day)s::date - 365 AS recent
    FROM crm_advocacyact p WHERE occurred_at <= %(moment)s {only}) acts
  GROUP BY customer_id""".replace("{strong}", ", ".join(f"'{kind}'" for kind in AdvocacyAct.STRONG))
COMPLAINTS = """
  SELECT customer_id, count(*) AS severe_complaints FROM crm_complaint p
  WHERE severity = 'high' AND opened_at <= %(moment)s AND (closed_at IS NULL OR closed_at > %(moment)s) {only}
  GROUP BY customer_id"""
# The latest word on a signal counts; once it has expired, the signal is unknown again.
RECORDED = """
  SELECT customer_id, jsonb_object_agg(signal, jsonb_build_array(value, recorded_on)) AS recorded
  FROM (SELECT DISTINCT ON (customer_id, signal) customer_id, signal, value, expires_at,
      (recorded_at AT TIME ZONE %(zone)s)::date AS recorded_on
    FROM crm_barrierfact p WHERE recorded_at <= %(moment)s {only}
    ORDER BY customer_id, signal, recorded_at DESC, id DESC) latest
  WHERE expires_at IS NULL OR expires_at > %(moment)s
  GROUP BY customer_id"""

FACTS = """
SELECT c.id AS customer_id,
  coalesce(cardinality(o.days), 0) AS orders, coalesce(o.days, '{{}}') AS order_days, o.days[1] AS first_order_on,
  o.days[cardinality(o.days) - 1] AS previous_order_on, o.days[cardinality(o.days)] AS last_order_on,
  coalesce(o.value, 0) - coalesce(u.value, 0) AS value,
  coalesce(o.value_year, 0) - coalesce(u.value_year, 0) AS value_year,
  coalesce(o.purchases, 0) AS purchases,
  CASE WHEN cardinality(o.bought) = 1 THEN o.bought[1] ELSE g.category_id END AS category_id,
  CASE WHEN cardinality(o.bought) = 1 THEN 1 ELSE g.categories END AS categories,
  coalesce(l.place, o.place, '') AS place,
  coalesce(l.n, CASE WHEN o.place <> '' THEN cardinality(o.days) END, 0) AS place_orders,
  a.satisfaction, a.trust, a.commitment, a.nev, a.involvement, a.comparison, coalesce(a.nev_form, '') AS nev_form,
  a.satisfaction_on, a.trust_on, a.commitment_on, a.nev_on,
  i.contact_id, coalesce(i.good_contacts, 0) AS good_contacts, t.customer_id IS NOT NULL AS takes_part,
  x.referred, coalesce(x.strong_acts, 0) AS strong_acts, coalesce(x.medium_acts, 0) AS medium_acts,
  coalesce(s.severe_complaints, 0) AS severe_complaints, b.recorded
FROM crm_customer c
  LEFT JOIN ({orders}) o ON o.customer_id = c.id AND NOT c.is_test
  LEFT JOIN ({unallocated}) u ON u.customer_id = c.id AND NOT c.is_test
  CROSS JOIN LATERAL ({category}) g
  CROSS JOIN LATERAL ({place}) l
  LEFT JOIN ({answers}) a ON a.customer_id = c.id
  LEFT JOIN ({contacts}) i ON i.customer_id = c.id
  LEFT JOIN ({participations}) t ON t.customer_id = c.id
  LEFT JOIN ({acts}) x ON x.customer_id = c.id
  LEFT JOIN ({complaints}) s ON s.customer_id = c.id
  LEFT JOIN ({recorded}) b ON b.customer_id = c.id
WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL {these}"""


def columns() -> list[str]:
    fields: list[Any] = list(Metrics._meta.concrete_fields)
    return [field.column for field in fields]


def facts_sql(*, past: bool, which: str = "") -> str:
    """The statement's SELECT. past: as of a day before today; which: SQL after a customer's number that says whether
    they are wanted, such as "= ANY(%(ids)s)"; everybody is where it is left out.

    Parameters: day, moment (its end, or now), zone, half_life_days, great_buyers, and those of `which`.
    """
    only = f"AND p.customer_id {which}" if which else ""
    purchases = (NET_THEN if past else NET_NOW).format(only=only)
    own = NET_THEN_OF_ONE if past else NET_NOW.format(only="AND p.customer_id = o.customer_id")
    return FACTS.format(
        orders=ORDERS.format(purchases=purchases, bought=BOUGHT_BY_SOME if which == SOME else BOUGHT_BY_ALL),
        category=CATEGORY.format(own=own),
        place=PLACE.format(own=own),
        unallocated=UNALLOCATED.format(only=only),
        answers=ANSWERS.format(only=only),
        contacts=CONTACTS.format(only=only),
        participations=PARTICIPATIONS.format(only=only),
        acts=ACTS.format(only=only),
        complaints=COMPLAINTS.format(only=only),
        recorded=RECORDED.format(only=only),
        these=f"AND c.id {which}" if which else "",
    )


def beside(table: str, which: str) -> str:
    """SQL that narrows a joined table to the same part, so that no half reads all of it; few are found by key anyway."""
    return f"AND {table}.customer_id {which}" if which not in ("", SOME) else ""


def great_buyers(cursor: CursorWrapper) -> list[int]:
    """Numbers of the customers with by far the most purchases, as far as PostgreSQL's statistics know them."""
    cursor.execute(GREAT_BUYERS, {})
    return [pk for (pk,) in cursor.fetchall()]


@lru_cache(maxsize=32)
def refresh_sql(table: str, *, past: bool, which: str = "") -> str:
    """Write the facts into `table`, touching only rows that differ."""
    names = columns()
    fresh = ", ".join(f"f.{name}" for name in names)
    known = ", ".join(f"k.{name}" for name in names)
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    return f"""
INSERT INTO {table} ({", ".join(names)})
SELECT {fresh} FROM ({facts_sql(past=past, which=which)}) f
  LEFT JOIN {table} k ON k.customer_id = f.customer_id {beside("k", which)}
WHERE k.customer_id IS NULL OR ({fresh}) IS DISTINCT FROM ({known})
ON CONFLICT (customer_id) DO UPDATE SET {updates}"""
