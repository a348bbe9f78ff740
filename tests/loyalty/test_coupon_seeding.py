"""The demo shop's coupons: believable, whole, and the same for the same seed."""

from datetime import timedelta

import pytest

from crm.days import today
from crm.invariants import verify
from crm.seeding import story
from loyalty.coupons import report
from loyalty.models import Coupon, CouponBatch, CouponEntry, Redemption

pytestmark = pytest.mark.django_db


def test_the_demo_shop_has_open_used_and_expired_codes_that_add_up():
    story.tell(300, 1, today())
    found = report.batches()
    assert len(found) == 3
    assert all(one.issued and one.redeemed for one in found)
    assert sum(one.open for one in found) and sum(one.expired for one in found)
    broken = [name for name, number in verify() if number]
    assert broken == []
    for done in Redemption.objects.select_related("purchase", "coupon"):
        assert done.purchase.ordered_at > done.coupon.issued_at
        assert done.coupon.valid_until >= done.purchase.ordered_on
    assert not CouponEntry.objects.filter(at__date__gt=today()).exists()
    assert CouponBatch.objects.filter(created_at__date__lt=today() - timedelta(days=100)).count() == 3


def test_a_shop_without_purchases_gets_none():
    from loyalty.coupons import seeding

    seeding.tell(1, today())
    assert not Coupon.objects.exists()
