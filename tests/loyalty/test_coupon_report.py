"""The report of coupons, counted by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest

from crm.days import today
from loyalty.coupons import ledger, report
from loyalty.coupons.report import OriginFigures
from loyalty.models import Coupon, Redemption
from tests.factories import NOW, CustomerFactory, PurchaseFactory
from tests.loyalty.coupons import basket, batch, coupon, till

pytestmark = pytest.mark.django_db


def redeemed(code: Coupon, purchase, total: int) -> None:
    done = ledger.redeem(code.code, basket(total), till(), reference=purchase.external_id, customer=purchase.customer)
    Redemption.objects.filter(pk=done.pk).update(purchase=purchase)


def test_a_batch_tells_issued_open_redeemed_expired_and_what_is_owed() -> None:
    made = batch(value=5, origin="birthday", budget=100)
    codes = [coupon(made) for _ in range(6)]
    for used in codes[:2]:
        ledger.redeem(used.code, basket(40), till())
    ledger.reserve(codes[2].code, basket(40), till())
    ledger.void([codes[3].pk], till(), "lost")
    Coupon.objects.filter(pk=codes[4].pk).update(valid_until=today() - timedelta(days=1))
    (found,) = report.batches()
    assert (found.issued, found.redeemed, found.reserved, found.voided, found.expired) == (6, 2, 1, 1, 1)
    assert (found.open, found.liability) == (1, Decimal(5)), "what is held, ended, over or used is no longer open"
    assert (found.discount, found.baskets) == (Decimal(10), Decimal(80))
    assert report.by_origin([found]) == [
        OriginFigures("birthday", 6, 1, Decimal(5), redeemed=2, discount=Decimal(10), baskets=Decimal(80), expired=1)
    ]


def test_origins_are_added_up_the_most_redeemed_first() -> None:
    for origin, uses in (("birthday", 1), ("thanks", 1), ("thanks", 1)):
        ledger.redeem(coupon(batch(value=5, origin=origin), uses=uses).code, basket(30), till())
    coupon(batch("percent", 10, origin="thanks"))
    found = report.by_origin(report.batches())
    assert [(one.origin, one.issued, one.redeemed) for one in found] == [
        ("thanks", 3, 2),
        ("birthday", 1, 1),
    ]
    assert [one.liability for one in found] == [None, 0], "what ten percent will be, nobody knows"
    assert {one.origin for one in report.batches(origin="thanks")} == {"thanks"}


def test_purchases_with_a_coupon_stand_beside_those_of_the_same_people_without() -> None:
    made, anna, ben = batch(value=5), CustomerFactory(), CustomerFactory()
    for customer, net in ((anna, 60), (ben, 40)):
        redeemed(coupon(made), PurchaseFactory(customer=customer, gross=net), net + 5)
    for customer, net in ((anna, 20), (anna, 30), (CustomerFactory(), 500)):
        PurchaseFactory(customer=customer, gross=net)
    PurchaseFactory(customer=ben, gross=900, ordered_at=NOW - timedelta(days=400))
    PurchaseFactory(customer=ben, gross=70, status="cancelled")
    found = report.comparison([made.pk], NOW - timedelta(days=30))
    assert (found.with_n, found.with_mean, found.with_sum) == (2, Decimal(50), Decimal(100))
    assert (found.without_n, found.without_mean) == (2, Decimal(25)), "neither strangers nor before nor cancelled"
