"""What coupons cost and what they brought: by batch, by origin, and one code from end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from crm import display
from crm.days import today
from crm.models import Shop
from loyalty.models import CouponBatch

MOST = 200  # batches of a report

# Open liability is what the codes out there could still take off: amounts exactly, other kinds cannot be known before.
BATCHES = """
SELECT b.id, b.title, b.kind, b.origin, b.stopped_at, b.budget, b.created_at,
  coalesce(c.issued, 0) AS issued, coalesce(c.open, 0) AS open, coalesce(c.expired, 0) AS expired,
  coalesce(c.voided, 0) AS voided,
  CASE WHEN b.kind = 'amount' THEN coalesce(c.liability, 0) END AS liability,
  coalesce(r.redeemed, 0) AS redeemed, coalesce(r.reserved, 0) AS reserved, coalesce(r.discount, 0) AS discount,
  coalesce(r.baskets, 0) AS baskets
FROM loyalty_couponbatch b
LEFT JOIN LATERAL (
  SELECT count(*) AS issued,
    count(*) FILTER (WHERE usable) AS open,
    count(*) FILTER (WHERE voided_at IS NULL AND valid_until < %(day)s AND used < uses) AS expired,
    count(*) FILTER (WHERE voided_at IS NOT NULL) AS voided,
    sum(coalesce("left", (uses - used) * b.value)) FILTER (WHERE usable) AS liability
  FROM (SELECT *, b.stopped_at IS NULL AND voided_at IS NULL AND used < uses AND coalesce("left", 1) > 0
      AND (valid_until IS NULL OR valid_until >= %(day)s) AS usable
    FROM loyalty_coupon WHERE batch_id = b.id) codes) c ON TRUE
LEFT JOIN LATERAL (
  SELECT count(*) FILTER (WHERE state = 'redeemed') AS redeemed, count(*) FILTER (WHERE state = 'reserved') AS reserved,
    sum(discount - given_back) FILTER (WHERE state IN ('redeemed', 'returned')) AS discount,
    sum(basket) FILTER (WHERE state = 'redeemed') AS baskets
  FROM loyalty_redemption WHERE coupon_id IN (SELECT id FROM loyalty_coupon WHERE batch_id = b.id)) r ON TRUE
WHERE (%(batch)s::bigint IS NULL OR b.id = %(batch)s) AND (%(origin)s::text IS NULL OR b.origin = %(origin)s)
ORDER BY b.created_at DESC, b.id DESC LIMIT %(most)s"""

# Purchases with a coupon of these batches against those of the same customers without any, since the first one began.
WITH_AND_WITHOUT = """
WITH used AS (
  SELECT DISTINCT r.purchase_id, r.customer_id FROM loyalty_redemption r JOIN loyalty_coupon c ON c.id = r.coupon_id
  WHERE c.batch_id = ANY(%(batches)s) AND r.state = 'redeemed' AND r.purchase_id IS NOT NULL)
SELECT count(*) FILTER (WHERE marked), avg(net) FILTER (WHERE marked), coalesce(sum(net) FILTER (WHERE marked), 0),
  count(*) FILTER (WHERE NOT marked), avg(net) FILTER (WHERE NOT marked)
FROM (
  SELECT p.net, EXISTS (SELECT FROM used WHERE used.purchase_id = p.id) AS marked
  FROM crm_purchase p
  WHERE p.status IN ('paid', 'completed') AND p.net > 0
    AND (p.id IN (SELECT purchase_id FROM used)
      OR p.customer_id IN (SELECT customer_id FROM used) AND p.ordered_at >= %(since)s
        AND NOT EXISTS (SELECT FROM loyalty_redemption o WHERE o.purchase_id = p.id AND o.state = 'redeemed'))) bought"""


def budget_left(batch: CouponBatch) -> Decimal | None:
    """What new codes may promise: the budget less what was spent and, of amounts, what open codes hold. None: no budget."""
    if batch.budget is None:
        return None
    (figures,) = batches(batch.pk)
    return batch.budget - batch.spent - (figures.liability or 0)


def too_much(batch: CouponBatch, count: int) -> str:
    """Why the budget cannot pay for as many more codes, as a sentence; '' if it can. Only amounts are known before."""
    left = budget_left(batch)
    if left is None or batch.kind != CouponBatch.Kind.AMOUNT or batch.value is None:
        return ""
    promised = count * batch.value * (1 if batch.in_parts else batch.uses)
    if promised <= left:
        return ""
    currency = Shop.current().currency
    return _(
        "The coupon's budget is too small: these codes would promise %(promised)s, and %(left)s are not promised yet. Choose"
        " fewer people, or make a coupon with a larger budget."
    ) % {"promised": display.money(promised, currency), "left": display.money(max(Decimal(0), left), currency)}


@dataclass(frozen=True)
class BatchFigures:
    """One batch. Amounts in the shop's currency; liability is None where it depends on what will be bought."""

    id: int
    title: str
    kind: str
    origin: str
    stopped_at: Any
    budget: Decimal | None
    created_at: Any
    issued: int
    open: int
    expired: int
    voided: int
    liability: Decimal | None
    redeemed: int
    reserved: int
    discount: Decimal
    baskets: Decimal


@dataclass(frozen=True)
class Comparison:
    """Purchases with a coupon of one or more batches, and those of the same customers without one since the first began.

    It compares, it does not prove: who uses a coupon may have bought anyway.
    """

    with_n: int
    with_mean: Decimal | None
    with_sum: Decimal
    without_n: int
    without_mean: Decimal | None


@dataclass(frozen=True)
class OriginFigures:
    """The batches of one origin together, as BatchFigures has them. liability: None if one depends on what will be bought."""

    origin: str
    issued: int
    open: int
    liability: Decimal | None
    redeemed: int
    discount: Decimal
    baskets: Decimal
    expired: int


def batches(batch_id: int | None = None, origin: str | None = None, most: int = MOST) -> list[BatchFigures]:
    """Figures of every batch, newest first, of one origin's, or of one; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, {"day": today(), "batch": batch_id, "origin": origin, "most": most})
        return [BatchFigures(*row) for row in cursor.fetchall()]


def by_origin(found: list[BatchFigures]) -> list[OriginFigures]:
    """The sums of each origin, the most redeemed first."""
    grouped: dict[str, list[BatchFigures]] = {}
    for one in found:
        grouped.setdefault(one.origin, []).append(one)
    return sorted((_together(*group) for group in grouped.items()), key=lambda one: (-one.redeemed, one.origin))


def _together(origin: str, group: list[BatchFigures]) -> OriginFigures:
    known = all(one.liability is not None for one in group if one.open)
    return OriginFigures(
        origin,
        issued=sum(one.issued for one in group),
        open=sum(one.open for one in group),
        liability=sum((one.liability or Decimal(0) for one in group), Decimal(0)) if known else None,
        redeemed=sum(one.redeemed for one in group),
        discount=sum((one.discount for one in group), Decimal(0)),
        baskets=sum((one.baskets for one in group), Decimal(0)),
        expired=sum(one.expired for one in group),
    )


def comparison(batch_ids: Sequence[int], since: Any) -> Comparison:
    with connection.cursor() as cursor:
        cursor.execute(WITH_AND_WITHOUT, {"batches": list(batch_ids), "since": since})
        return Comparison(*cursor.fetchone())
