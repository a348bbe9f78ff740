"""The statements behind the steps of a code. Each does its step whole or not at all, and writes the entry with it."""

from crm import idempotency
from loyalty.coupons.plans import Planned

_USABLE = """c.id = %(coupon)s AND b.id = c.batch_id AND b.stopped_at IS NULL AND c.voided_at IS NULL AND c.used < c.uses
    AND (c.valid_from IS NULL OR c.valid_from <= %(day)s) AND (c.valid_until IS NULL OR c.valid_until >= %(day)s)
    AND (c."left" IS NULL OR c."left" >= %(discount)s AND c."left" > 0)
    AND (b.per_customer IS NULL OR %(customer)s::bigint IS NOT NULL)"""
_USED = """
  UPDATE loyalty_coupon c SET used = c.used + 1, "left" = c."left" - %(discount)s"""
_ENTERED = """
counted AS (
  INSERT INTO loyalty_couponcustomer AS counter (batch_id, customer_id, used, most)
  SELECT batch_id, %(customer)s, 1, per_customer FROM coupon WHERE per_customer IS NOT NULL
  ON CONFLICT (batch_id, customer_id) DO UPDATE SET used = counter.used + 1, most = excluded.most),
budgeted AS (
  UPDATE loyalty_couponbatch b SET spent = b.spent + %(discount)s
  FROM coupon WHERE b.id = coupon.batch_id AND coupon.budget IS NOT NULL),
made AS (
  INSERT INTO loyalty_redemption (id, coupon_id, customer_id, state, source_id, reference, place, basket, discount,
    given_back, exclusive, reserved_at, reserved_until, redeemed_at)
  SELECT redemption, id, %(customer)s, %(state)s, %(source)s, %(reference)s, %(place)s, %(basket)s, %(discount)s,
    0, NOT combinable, CASE WHEN %(state)s = 'reserved' THEN %(moment)s END, %(until)s,
    CASE WHEN %(state)s = 'redeemed' THEN %(moment)s END FROM coupon
  RETURNING id, coupon_id, discount),
entered AS (
  INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
  SELECT coupon_id, id, %(state)s, %(discount)s, %(staff)s, %(source)s, %(place)s, '', %(moment)s FROM made)
SELECT redemption, used, "left" FROM coupon"""

# One use: the code, the customer's limit and the budget move together or not at all. A limit that is used up fails its
# CHECK, and with it the whole statement.
USE = f"""
WITH coupon AS ({_USED}
  FROM loyalty_couponbatch b
  WHERE {_USABLE}
  RETURNING c.id, c.batch_id, c.used, c."left", b.per_customer, b.budget, b.combinable,
    nextval('loyalty_redemption_id_seq') AS redemption),{_ENTERED}"""

# The same together with the call's key and its answer, so that nobody holds the code's row while Python works. A key that
# was used before, or a code that is used up, leaves everything as it was.
USE_ONCE = Planned(
    f"""
WITH usable AS (
  SELECT c.id, b.per_customer, b.budget, b.combinable FROM loyalty_coupon c, loyalty_couponbatch b
  WHERE {_USABLE}
  FOR NO KEY UPDATE OF c),
new AS MATERIALIZED (SELECT nextval('loyalty_redemption_id_seq') AS redemption FROM usable),
claimed AS (
  INSERT INTO crm_call (client, key, fingerprint, status, answer)
  SELECT %(client)s, %(key)s, %(fingerprint)s, %(status)s, %(before_id)s || redemption || %(after_id)s FROM new
  ON CONFLICT (client, key) DO NOTHING RETURNING id),
coupon AS ({_USED}
  FROM usable, new, claimed WHERE c.id = usable.id
  RETURNING c.id, c.batch_id, c.used, c."left", usable.per_customer, usable.budget, usable.combinable, new.redemption),{_ENTERED}""",
    idempotency.PATIENCE,
    moment="timestamptz", source="bigint", staff="bigint", place="text", coupon="bigint", customer="bigint", day="date",
    discount="numeric", basket="numeric", reference="text", until="timestamptz", state="text", client="text", key="text",
    fingerprint="text", status="integer", before_id="text", after_id="text",
)  # fmt: skip

REDEEM_RESERVED = """
WITH made AS (
  UPDATE loyalty_redemption SET state = 'redeemed', redeemed_at = %(moment)s, reserved_until = NULL,
    reference = CASE WHEN %(reference)s = '' THEN reference ELSE %(reference)s END
  WHERE id = %(redemption)s AND state = 'reserved' AND reserved_until > %(moment)s
  RETURNING id, coupon_id, discount)
INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
SELECT coupon_id, id, 'redeemed', discount, %(staff)s, %(source)s, %(place)s, '', %(moment)s FROM made
RETURNING redemption_id"""

# What a reservation or a redemption took is given back: the use, the amount, the customer's count, the budget.
RELEASE = """
WITH ended AS (
  UPDATE loyalty_redemption r SET state = 'released', ended_at = %(moment)s, reserved_until = NULL
  WHERE {which} RETURNING r.id, r.coupon_id, r.customer_id, r.discount, r.given_back),
sums AS (
  SELECT coupon_id, count(*) AS n, sum(discount - given_back) AS amount FROM ended GROUP BY coupon_id),
coupon AS (
  UPDATE loyalty_coupon c SET used = c.used - sums.n, "left" = c."left" + sums.amount
  FROM sums WHERE c.id = sums.coupon_id RETURNING c.id),
counted AS (
  UPDATE loyalty_couponcustomer k SET used = k.used - e.n
  FROM (SELECT c.batch_id, ended.customer_id, count(*) AS n FROM ended JOIN loyalty_coupon c ON c.id = ended.coupon_id
    GROUP BY 1, 2) e
  WHERE k.batch_id = e.batch_id AND k.customer_id = e.customer_id),
budgeted AS (
  UPDATE loyalty_couponbatch b SET spent = b.spent - e.amount
  FROM (SELECT c.batch_id, sum(discount - given_back) AS amount FROM ended JOIN loyalty_coupon c ON c.id = ended.coupon_id
    GROUP BY 1) e
  WHERE b.id = e.batch_id AND b.budget IS NOT NULL)
INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, staff_id, source_id, place, reason, at)
SELECT coupon_id, id, 'released', given_back - discount, %(staff)s, %(source)s, %(place)s, %(reason)s, %(moment)s FROM ended
RETURNING redemption_id"""
# Two statements: the second sees what was committed while the first waited for its lock.
OTHERS = """
SELECT pg_advisory_xact_lock(%s, hashtext(%s));
SELECT count(*), bool_or(exclusive) FROM loyalty_redemption
WHERE source_id = %s AND reference = %s AND state IN ('reserved', 'redeemed') AND coupon_id <> %s"""
THIS_ONE = "r.id = %(redemption)s AND r.state IN ('reserved', 'redeemed')"
RUN_OUT = "r.state = 'reserved' AND r.reserved_until <= %(moment)s AND (%(coupon)s::bigint IS NULL OR r.coupon_id = %(coupon)s)"

VOID = """
WITH gone AS (
  UPDATE loyalty_coupon SET voided_at = %(moment)s WHERE id = ANY(%(coupons)s) AND voided_at IS NULL RETURNING id)
INSERT INTO loyalty_couponentry (coupon_id, step, amount, staff_id, source_id, place, reason, at)
SELECT id, 'voided', 0, %(staff)s, %(source)s, %(place)s, %(reason)s, %(moment)s FROM gone RETURNING coupon_id"""

EXPIRE = """
WITH due AS MATERIALIZED (
  SELECT id FROM loyalty_coupon
  WHERE expired_at IS NULL AND voided_at IS NULL AND valid_until < %(day)s ORDER BY id LIMIT %(most)s
  FOR NO KEY UPDATE SKIP LOCKED),
gone AS (UPDATE loyalty_coupon c SET expired_at = %(moment)s FROM due WHERE c.id = due.id RETURNING c.id)
INSERT INTO loyalty_couponentry (coupon_id, step, amount, place, reason, at)
SELECT id, 'expired', 0, '', '', %(moment)s FROM gone RETURNING coupon_id"""
