"""The ledger counted again: what `manage.py verify_invariants` proves about coupons."""

from crm.invariants import rows_of

# A use that stands is a reservation or a redemption; one that was returned counts while its code kept it.
USES = """
SELECT c.id FROM loyalty_coupon c JOIN loyalty_couponbatch b ON b.id = c.batch_id
LEFT JOIN (SELECT coupon_id, count(*) FILTER (WHERE state IN ('reserved', 'redeemed')) AS standing,
    count(*) FILTER (WHERE state = 'returned') AS returned FROM loyalty_redemption GROUP BY coupon_id) r ON r.coupon_id = c.id
WHERE c.used <> coalesce(r.standing, 0) + CASE WHEN b.on_return = 'void' THEN coalesce(r.returned, 0) ELSE 0 END"""

LEFT = """
SELECT c.id FROM loyalty_coupon c JOIN loyalty_couponbatch b ON b.id = c.batch_id
LEFT JOIN (SELECT coupon_id, sum(discount) FILTER (WHERE state <> 'released') AS taken,
    sum(given_back) FILTER (WHERE state <> 'released') AS back FROM loyalty_redemption GROUP BY coupon_id) r
  ON r.coupon_id = c.id
WHERE c."left" IS NOT NULL
  AND c."left" <> b.value - coalesce(r.taken, 0) + CASE WHEN b.on_return = 'give_back' THEN coalesce(r.back, 0) ELSE 0 END"""

ENTRIES = """
SELECT r.id FROM loyalty_redemption r LEFT JOIN loyalty_couponentry e ON e.redemption_id = r.id
GROUP BY r.id
HAVING count(*) FILTER (WHERE e.step IN ('reserved', 'redeemed')) = 0
  OR bool_or(e.step = 'released') <> (r.state = 'released')
  OR r.state <> 'released' AND r.given_back <> -coalesce(sum(e.amount) FILTER (WHERE e.step = 'returned'), 0)"""

SPENT = """
SELECT b.id FROM loyalty_couponbatch b
LEFT JOIN (SELECT c.batch_id, sum(r.discount - CASE WHEN k.on_return = 'give_back' THEN r.given_back ELSE 0 END) AS amount
  FROM loyalty_redemption r JOIN loyalty_coupon c ON c.id = r.coupon_id JOIN loyalty_couponbatch k ON k.id = c.batch_id
  WHERE r.state <> 'released' GROUP BY 1) s ON s.batch_id = b.id
WHERE b.budget IS NOT NULL AND b.spent <> coalesce(s.amount, 0)"""

ISSUED = """
SELECT c.id FROM loyalty_coupon c
WHERE NOT EXISTS (SELECT FROM loyalty_couponentry e WHERE e.coupon_id = c.id AND e.step = 'issued')"""

CHECKS = (
    rows_of("coupon_used_as_often_as_its_ledger_says", USES),
    rows_of("coupon_holds_what_its_ledger_leaves", LEFT),
    rows_of("redemption_has_its_entries", ENTRIES),
    rows_of("coupon_budget_is_the_sum_of_its_discounts", SPENT),
    rows_of("coupon_issued_once_in_the_ledger", ISSUED),
)
