"""The statement that turns metrics into assessments: interval, status days, attitude, barriers, bond, stage.

Layers read one another's columns; OFFSET 0 keeps PostgreSQL from working out a layer once for every use of it.
Parameters: those of the rules, the rhythm and the knowledge, and `day`, `rules_version`, `first`.
"""

from typing import Any

from loyalty import stages, status
from loyalty.barriers import LOCK_IN, WILLING, points_sql, scores_sql, weighted_sql
from loyalty.metrics import beside
from loyalty.models import Assessment

PARTS = ("satisfaction", "trust", "commitment", "nev", "involvement")
EVIDENCE = ("satisfaction", "trust", "commitment", "nev")
NEVER = "DATE '9999-12-31'"

# Domain 3.1: three thought-of shop intervals and the customer's own.
INTERVAL = """
SELECT m.*, coalesce(c.days, %(shop_days)s) AS base_cycle,
  CASE WHEN c.days IS NULL THEN %(shop_kind)s ELSE 'category' END AS base_kind,
  round(greatest(%(least_interval_days)s, (%(prior_intervals)s * coalesce(c.days, %(shop_days)s)
    + coalesce(m.last_order_on - m.first_order_on, 0)) / (%(prior_intervals)s + greatest(m.orders - 1, 0))
  )::float8 * 1e8) / 1e8 AS expected_interval,
  CASE WHEN m.referred IS NULL THEN 0 ELSE ({referred_active}) END AS referred_active
FROM {metrics} m
  LEFT JOIN unnest(%(cycle_categories)s::bigint[], %(cycle_days)s::float8[]) c(category_id, days)
    ON c.category_id = m.category_id
WHERE TRUE {only}
OFFSET 0"""

# A referred customer is active if their own overdue ratio says so today.
REFERRED_ACTIVE = """SELECT count(*) FROM {metrics} r
    LEFT JOIN unnest(%(cycle_categories)s::bigint[], %(cycle_days)s::float8[]) rc(category_id, days)
      ON rc.category_id = r.category_id
    WHERE r.customer_id = ANY(m.referred) AND r.orders > 0
      AND %(day)s::date - r.last_order_on <= 1e-6 + %(active)s * greatest(%(least_interval_days)s,
        (%(prior_intervals)s * coalesce(rc.days, %(shop_days)s) + (r.last_order_on - r.first_order_on))
        / (%(prior_intervals)s + r.orders - 1))"""


def until(ratio: str) -> str:
    """The last day on which an overdue ratio is not above the threshold."""
    return f"last_order_on + floor(%({ratio})s * expected_interval + 1e-6)::int"


# Reactivated: the gap before the last order was that of a lapsed customer, with E from the gaps before it.
DAYS = f"""
SELECT m.*,
  CASE WHEN orders > 1 AND (last_order_on - previous_order_on) > %(at_risk)s * greatest(%(least_interval_days)s,
      (%(prior_intervals)s * base_cycle + (previous_order_on - first_order_on)) / (%(prior_intervals)s + orders - 2)) + 1e-6
    THEN last_order_on + floor(expected_interval + 1e-6)::int END AS by_orders_reactivated,
  {until("active")} AS by_orders_active, {until("overdue")} AS by_orders_overdue,
  {until("at_risk")} AS by_orders_at_risk,
  CASE WHEN (recorded->'remaining_months'->>0)::float8 > 0 THEN
    CASE WHEN (recorded->'auto_renewal'->>0)::float8 > 0 AND coalesce((recorded->'contract_cancelled'->>0)::float8, 0) <= 0
      THEN {NEVER}
      ELSE ((recorded->'remaining_months'->>1)::date
        + (recorded->'remaining_months'->>0)::float8 * interval '1 month')::date END END AS contract_end,
  CASE WHEN (recorded->'contract_cancelled'->>0)::float8 > 0
    THEN (recorded->'contract_cancelled'->>1)::date - 1 END AS before_notice,
  {points_sql()} AS points,
  {" + ".join(f"coalesce((%(day)s::date - {part}_on <= %(evidence_days)s)::int, 0)" for part in EVIDENCE)} AS evidence,
  ({" + ".join(f"coalesce(%(attitude_{part})s * {part}, 0)" for part in PARTS)})
    / nullif({" + ".join(f"CASE WHEN {part} IS NULL THEN 0 ELSE %(attitude_{part})s END" for part in PARTS)}, 0)
    AS attitude_mean
FROM ({{interval}}) m
OFFSET 0"""

# While a contract runs it decides the status; an order after its end makes an ordinary customer again.
CONTRACT = """
SELECT m.*, CASE WHEN by_contract THEN contract_end END AS contract_until,
  CASE WHEN NOT by_contract THEN by_orders_reactivated END AS reactivated_until,
  CASE WHEN by_contract THEN least(contract_end, before_notice) ELSE by_orders_active END AS active_until,
  CASE WHEN by_contract THEN least(contract_end, before_notice) ELSE by_orders_overdue END AS overdue_until,
  CASE WHEN by_contract THEN contract_end ELSE by_orders_at_risk END AS at_risk_until,
  CASE WHEN evidence >= %(evidence_parts)s THEN round(attitude_mean::float8 * 100) / 100 END AS attitude
FROM (SELECT m.*, coalesce(last_order_on <= contract_end, FALSE) AS by_contract
  FROM ({days}) m) m
OFFSET 0"""

SCORES = f"""
SELECT m.*, {status.status_sql()} AS status, comparison IS NOT NULL AND attitude IS NOT NULL AS attitude_compared,
  round((attitude + coalesce(comparison, attitude)) / 2 * 100) / 100 AS relative_attitude,
  {scores_sql()} AS scores
FROM ({{contract}}) m
OFFSET 0"""

WEIGHTED = [weighted_sql(barrier) for barrier in LOCK_IN]
CLOSED = " + ".join(f"coalesce({weighted_sql(barrier)}, 0)" for barrier in WILLING)
BOND = f"""
SELECT m.*,
  CASE WHEN strongest IS NOT NULL THEN round(least(100, strongest + %(further_share)s
    * ({" + ".join(f"coalesce({one}, 0)" for one in WEIGHTED)} - strongest))::float8 * 100) / 100 END AS lock_in,
  round((attitude + (100 - attitude) * ({CLOSED}) / 100)::float8 * 100) / 100 AS bond,
  {stages.raw_stage_sql()} AS raw_stage,
  {stages.holds_sql("regular")} AND %(day)s::date - last_order_on <= %(type_overdue)s * expected_interval + 1e-6 AS patronage
FROM (SELECT m.*, greatest({", ".join(WEIGHTED)}) AS strongest FROM ({{scores}}) m) m
OFFSET 0"""

TYPES = """
SELECT m.*,
  CASE WHEN bond + lock_in >= %(share_from)s AND bond + lock_in > 0
    THEN round(100 * bond / (bond + lock_in) * 100) / 100 END AS voluntary_share,
  CASE WHEN bond IS NULL OR lock_in IS NULL THEN ''
    WHEN bond >= %(bond_high)s THEN CASE WHEN lock_in < %(lock_in_high)s THEN 'voluntary' ELSE 'voluntary_and_locked' END
    WHEN lock_in >= %(lock_in_high)s THEN 'captive' ELSE 'unattached' END AS bond_type,
  CASE WHEN relative_attitude IS NULL THEN 'undetermined'
    WHEN relative_attitude >= %(attitude_high)s THEN CASE WHEN patronage THEN 'true' ELSE 'latent' END
    WHEN relative_attitude >= %(attitude_mid)s THEN 'developing'
    WHEN patronage THEN 'spurious' ELSE 'none' END AS loyalty_type
FROM ({bond}) m
OFFSET 0"""

# A stage rises at once and falls only when its rule has failed long enough; lapsing freezes it.
SHOWN = f"""
SELECT m.*, o.stage AS old_stage, o.stage_since AS old_since, o.failing_since AS old_failing,
  NOT %(first)s AND o.customer_id IS NOT NULL AS known,
  {stages.rank_sql("m.raw_stage")} - {stages.rank_sql("o.stage")} AS rise
FROM ({{types}}) m LEFT JOIN {{assessments}} o ON o.customer_id = m.customer_id {{near}}
OFFSET 0"""
HELD = """
SELECT m.*, known AND rise < 0 AND (status = 'lapsed' OR old_failing IS NULL
  OR %(day)s::date - old_failing + 1e-6 < greatest(%(hysteresis_days)s, %(hysteresis_intervals)s * expected_interval)) AS held
FROM ({shown}) m
OFFSET 0"""
JUDGED = """
SELECT m.*, CASE WHEN held THEN old_stage ELSE raw_stage END AS stage,
  CASE WHEN known AND (held OR rise = 0) THEN old_since WHEN known THEN %(day)s::date
    WHEN raw_stage IN ('first_time', 'repeat') THEN order_days[CASE raw_stage WHEN 'repeat' THEN 2 ELSE 1 END]
    WHEN raw_stage = 'regular' THEN order_days[least(orders, CASE WHEN base_cycle <= %(short_cycle_days)s
      THEN %(regular_orders_short_cycle)s ELSE %(regular_orders)s END)]
    WHEN raw_stage <> 'prospect' THEN %(day)s::date END AS stage_since,
  CASE WHEN held AND status <> 'lapsed' THEN coalesce(old_failing, %(day)s::date) END AS failing_since,
  %(rules_version)s::int AS rules_version
FROM ({held}) m"""

UNCOMPARED = {"judged_on", "judged_at"}


def columns() -> list[str]:
    """Columns of the assessment that the statement works out."""
    fields: list[Any] = list(Assessment._meta.concrete_fields)
    return [field.column for field in fields if field.column not in UNCOMPARED]


def judged_sql(*, metrics: str, assessments: str, which: str = "") -> str:
    """SELECT of one judged row a customer of `metrics`, beside what `assessments` held of them.

    which: SQL after a customer's number that says whether they are wanted; everybody is where it is left out.
    """
    only = f"AND m.customer_id {which}" if which else ""
    interval = INTERVAL.format(
        metrics=metrics, only=only, referred_active=REFERRED_ACTIVE.format(metrics=metrics)
    )  # fmt: skip
    bond = BOND.format(scores=SCORES.format(contract=CONTRACT.format(days=DAYS.format(interval=interval))))
    shown = SHOWN.format(types=TYPES.format(bond=bond), assessments=assessments, near=beside("o", which))
    return JUDGED.format(held=HELD.format(shown=shown))
