"""What a coupon takes off a basket, and its terms in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import display
from crm.models import Category, Product, Shop
from loyalty.models import Coupon, CouponBatch

CENT = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Item:
    """One position of a basket: what is paid for it before the coupon. Ids are ours; None is unknown."""

    amount: Decimal
    quantity: Decimal = Decimal(1)
    product: int | None = None
    category: int | None = None


@dataclass(frozen=True)
class Basket:
    """What is about to be bought, in the shop's currency. Without `items` only the total is known.

    `total` is without delivery; goods that are brought back in the same purchase count below 0.
    """

    total: Decimal
    items: Sequence[Item] = field(default_factory=tuple)
    delivery: Decimal = ZERO


def discount(batch: CouponBatch, basket: Basket, left: Decimal | None = None) -> Decimal | None:
    """What the batch takes off this basket; None if it is good for nothing.

    At most the worth of the goods it is good for, and at most the total: who brings goods back is not paid out by a coupon.
    left: what an amount that is spent in parts still holds.
    """
    if batch.kind == CouponBatch.Kind.FREE_PRODUCT:
        return _one_piece(batch, basket)
    worth = eligible(batch, basket)
    if worth <= 0 or worth < batch.minimum:
        return None
    if batch.kind == CouponBatch.Kind.FREE_DELIVERY:
        return basket.delivery
    if batch.value is None or basket.total <= 0:
        return None
    if batch.kind == CouponBatch.Kind.PERCENT:
        return min(basket.total, (worth * batch.value / 100).quantize(CENT, ROUND_HALF_UP))
    return min(basket.total, worth, batch.value if left is None else left)


def eligible(batch: CouponBatch, basket: Basket) -> Decimal:
    """Worth of the goods the batch is good for, never below 0. Without positions a limited batch is good for nothing."""
    if not limited(batch):
        return max(ZERO, basket.total)
    return max(ZERO, sum((item.amount for item in basket.items if good_for(batch, item)), ZERO))


def limited(batch: CouponBatch) -> bool:
    return bool(batch.categories or batch.products or batch.not_categories or batch.not_products)


def good_for(batch: CouponBatch, item: Item) -> bool:
    if item.category in batch.not_categories or item.product in batch.not_products:
        return False
    if not (batch.categories or batch.products):
        return True
    return item.category in batch.categories or item.product in batch.products


def _one_piece(batch: CouponBatch, basket: Basket) -> Decimal | None:
    """Price of one piece of the free product, if it lies in the basket and the rest reaches the minimum."""
    pieces = [item for item in basket.items if item.product == batch.free_product_id and item.quantity >= 1]
    if not pieces:
        return None
    piece = min((item.amount / item.quantity).quantize(CENT, ROUND_HALF_UP) for item in pieces)
    return piece if piece > 0 and basket.total - piece >= batch.minimum else None


# In words


def validity(batch: CouponBatch, day: date) -> tuple[date | None, date | None]:
    """First and last day of a code issued on `day`: the days of the batch and its number of days, whichever ends first."""
    ends = [batch.valid_until] if batch.valid_until else []
    if batch.valid_days:
        start = max(day, batch.valid_from) if batch.valid_from else day
        ends.append(start + timedelta(days=batch.valid_days - 1))
    return batch.valid_from, min(ends) if ends else None


def worth(batch: CouponBatch, left: Decimal | None = None) -> str:
    """“€5.00”, “10%”, the name of the free product, “free delivery”."""
    if batch.kind == CouponBatch.Kind.AMOUNT:
        return display.money(batch.value if left is None else left, Shop.current().currency) or ""
    if batch.kind == CouponBatch.Kind.PERCENT:
        assert batch.value is not None
        whole = batch.value == batch.value.to_integral_value()
        return display.percent(batch.value / 100, 0 if whole else 2) or ""
    if batch.kind == CouponBatch.Kind.FREE_PRODUCT:
        return _("%(product)s for free") % {"product": batch.free_product}
    return _("free delivery")


def sentences(batch: CouponBatch, coupon: Coupon | None = None) -> list[str]:
    """The whole terms, one sentence each, in the active language (§ 6(1) no. 3 DDG: clear and complete)."""
    currency = Shop.current().currency
    said = [_("Worth: %(worth)s.") % {"worth": worth(batch, coupon.left if coupon else None)}]
    if batch.minimum:
        said.append(_("From a purchase of %(amount)s.") % {"amount": display.money(batch.minimum, currency)})
    said += _days(batch, coupon)
    good, not_good = _names(batch.categories, batch.products), _names(batch.not_categories, batch.not_products)
    if good:
        said.append(_("For %(goods)s only.") % {"goods": good})
    if not_good:
        said.append(_("Not for %(goods)s.") % {"goods": not_good})
    said += _limits(batch, coupon)
    said.append(
        _("May be combined with other coupons.") if batch.combinable else _("Not to be combined with other coupons.")
    )
    said.append(_("Not paid out in cash."))
    return [*said, batch.note] if batch.note else said


def _days(batch: CouponBatch, coupon: Coupon | None) -> list[str]:
    start, end = (coupon.valid_from, coupon.valid_until) if coupon else (batch.valid_from, batch.valid_until)
    if start and end:
        return [_("Valid from %(start)s to %(end)s.") % {"start": display.day(start), "end": display.day(end)}]
    if end:
        return [_("Valid until %(end)s.") % {"end": display.day(end)}]
    if coupon is None and batch.valid_days:
        return [
            ngettext("Valid on the day of issue.", "Valid for %(n)s days from the day of issue.", batch.valid_days)
            % {"n": display.number(batch.valid_days)}
        ]
    return [_("Valid from %(start)s.") % {"start": display.day(start)}] if start else [_("Valid without end.")]


def _limits(batch: CouponBatch, coupon: Coupon | None) -> list[str]:
    if batch.in_parts:
        said = [_("May be spent in parts until it is used up.")]
    else:
        uses = coupon.uses if coupon else batch.uses
        said = [ngettext("Can be used once.", "Can be used %(n)s times.", uses) % {"n": display.number(uses)}]
    if batch.per_customer:
        said.append(
            ngettext("Once per customer.", "At most %(n)s times per customer.", batch.per_customer)
            % {"n": display.number(batch.per_customer)}
        )
    return said


def _names(categories: Iterable[int], products: Iterable[int]) -> str:
    names = [*Category.objects.filter(pk__in=categories).order_by("name").values_list("name", flat=True)]
    return ", ".join([*names, *(str(product) for product in Product.objects.filter(pk__in=products).order_by("name"))])
