"""What a return of the purchase does to its coupon, by the rule of the batch and in proportion.

A purchase's `returned` is kept by sync. Whenever it differs from what a redemption has taken into account, one statement
brings the redemption up to date: it compares, so it may run as often as it likes and in any order with the returns.
"""

from django.db import connection
from django.utils.timezone import now

from crm import sql

# The shop's number of a purchase may be known before the purchase. Staff at a counter do not say which system it is of, so
# there it must be the only purchase of that number, and not somebody else's.
LINK = """
UPDATE loyalty_redemption r SET purchase_id = found.purchase_id
FROM (
  SELECT w.id, min(p.id) AS purchase_id
  FROM loyalty_redemption w JOIN crm_source own ON own.id = w.source_id
    JOIN crm_source s ON s.id = own.id OR own.kind = 'staff'
    JOIN crm_purchase p ON p.source_id = s.id AND p.external_id = w.reference
  WHERE w.purchase_id IS NULL AND w.reference <> '' AND w.state = 'redeemed'
    AND (own.kind <> 'staff' OR w.customer_id IS NULL OR p.customer_id IS NULL OR p.customer_id = w.customer_id)
  GROUP BY w.id HAVING count(*) = 1) found
WHERE r.id = found.id"""

# Gross is before the coupon where the shop sends list prices, so the share brought back is what counts, not the amount.
# An amount spent in parts gets its share back; a use comes back only when all is brought back.
SETTLE = """
WITH due AS MATERIALIZED (
  SELECT r.id, r.coupon_id, r.customer_id, c.batch_id, b.on_return, c."left" IS NOT NULL AS parts, b.budget,
    r.discount, r.given_back, r.state,
    CASE WHEN p.status IN ('cancelled', 'refunded') OR p.gross > 0 AND p.returned >= p.gross THEN r.discount
      WHEN p.gross > 0 THEN round(r.discount * p.returned / p.gross, 2) ELSE 0 END AS target
  FROM loyalty_redemption r JOIN crm_purchase p ON p.id = r.purchase_id
    JOIN loyalty_coupon c ON c.id = r.coupon_id JOIN loyalty_couponbatch b ON b.id = c.batch_id
  WHERE r.state = 'redeemed' AND b.on_return <> 'keep' AND (p.returned > 0 OR p.status IN ('cancelled', 'refunded'))
  ORDER BY r.id FOR NO KEY UPDATE OF r),
changed AS (SELECT *, target - given_back AS amount, target = discount AS whole FROM due WHERE target > given_back),
settled AS (
  UPDATE loyalty_redemption r SET given_back = changed.target,
    state = CASE WHEN changed.whole THEN 'returned' ELSE r.state END,
    ended_at = CASE WHEN changed.whole THEN %(moment)s END
  FROM changed WHERE r.id = changed.id),
coupon AS (
  UPDATE loyalty_coupon c SET
    "left" = CASE WHEN s.gives THEN c."left" + s.amount ELSE c."left" END,
    used = CASE WHEN s.gives THEN c.used - s.uses ELSE c.used END,
    voided_at = CASE WHEN s.gives THEN c.voided_at ELSE coalesce(c.voided_at, %(moment)s) END
  FROM (SELECT coupon_id, on_return = 'give_back' AS gives, sum(amount) AS amount, count(*) FILTER (WHERE whole) AS uses
    FROM changed GROUP BY 1, 2) s
  WHERE c.id = s.coupon_id RETURNING c.id),
counted AS (
  UPDATE loyalty_couponcustomer k SET used = k.used - s.uses
  FROM (SELECT batch_id, customer_id, count(*) AS uses FROM changed WHERE whole AND on_return = 'give_back' GROUP BY 1, 2) s
  WHERE k.batch_id = s.batch_id AND k.customer_id = s.customer_id),
budgeted AS (
  UPDATE loyalty_couponbatch b SET spent = b.spent - s.amount
  FROM (SELECT batch_id, sum(amount) AS amount FROM changed WHERE on_return = 'give_back' AND budget IS NOT NULL GROUP BY 1) s
  WHERE b.id = s.batch_id)
INSERT INTO loyalty_couponentry (coupon_id, redemption_id, step, amount, place, reason, at)
SELECT coupon_id, id, 'returned', -amount, '', on_return, %(moment)s FROM changed RETURNING redemption_id"""


def settle() -> int:
    """Link redemptions to purchases that have arrived and take returns into account. Answers how many changed."""
    with connection.cursor() as cursor:
        cursor.execute(LINK)
        return len(sql.rows(cursor, SETTLE, {"moment": now()}))
