"""Coupons for tests: a batch in one line, its code, a till."""

from decimal import Decimal

from loyalty.coupons import issuing, ledger
from loyalty.coupons.issuing import Wanted
from loyalty.coupons.terms import Basket, Item
from loyalty.models import Coupon, CouponBatch
from tests.factories import SourceFactory


def batch(kind: str = "amount", value: object = 5, **terms: object) -> CouponBatch:
    made = CouponBatch.objects.create(title="Five off", kind=kind, value=value, **terms)
    made.refresh_from_db()
    return made


def coupon(made: CouponBatch | None = None, customer=None, uses: int | None = None, **terms: object) -> Coupon:
    made = made or batch(**terms)
    (code,) = issuing.issue(made, [Wanted(customer.pk if customer else None, uses=uses)])
    return Coupon.objects.select_related("batch").get(code=code)


def till(name: str = "till", place: str = "Shop") -> ledger.Actor:
    return ledger.Actor(SourceFactory(name=name), place=place)


def basket(total: object = 50, *items: Item, delivery: object = 0) -> Basket:
    return Basket(Decimal(str(total)), items, Decimal(str(delivery)))
