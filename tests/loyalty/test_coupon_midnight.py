"""The last day of a coupon ends with the shop's own midnight, wherever the shop is and whatever day it is in London."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from crm.models import Shop
from loyalty.coupons import ledger
from loyalty.coupons.ledger import Refused
from loyalty.models import CouponEntry
from tests.loyalty.coupons import basket, batch, coupon, till

pytestmark = pytest.mark.django_db
LAST = date(2026, 11, 30)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles", "Europe/Berlin"])
def midnight(request) -> datetime:
    """The instant at which the last day ends in the shop's zone."""
    Shop.current()
    Shop.objects.update(time_zone=request.param)
    return datetime.combine(LAST + timedelta(days=1), datetime.min.time(), ZoneInfo(request.param))


def at(moment: datetime):
    return time_machine.travel(moment, tick=False)


def test_one_second_before_midnight_it_is_redeemed_and_at_midnight_refused(midnight):
    with at(midnight - timedelta(days=3)):
        early, late = (coupon(batch(valid_until=LAST)) for _number in range(2))
    with at(midnight - SECOND):
        assert ledger.redeem(early.code, basket(), till()).state == "redeemed"
        assert ledger.expire() == 0
    with at(midnight), pytest.raises(Refused, match="expired"):
        ledger.redeem(late.code, basket(), till())


def test_the_first_day_begins_at_midnight_and_not_a_second_earlier(midnight):
    with at(midnight - timedelta(days=3)):
        made = coupon(batch(valid_from=LAST + timedelta(days=1)))
    with at(midnight - SECOND), pytest.raises(Refused, match="not_yet"):
        ledger.redeem(made.code, basket(), till())
    with at(midnight):
        assert ledger.redeem(made.code, basket(), till()).state == "redeemed"


def test_days_from_the_issue_count_days_of_the_shop(midnight):
    """Issued in the last second of a day, a code of one day has a second; issued a second later, a whole day."""
    with at(midnight - SECOND):
        first = coupon(batch(valid_days=1))
    with at(midnight):
        second = coupon(batch(valid_days=1))
        with pytest.raises(Refused, match="expired"):
            ledger.redeem(first.code, basket(), till())
    assert (first.valid_until, second.valid_until) == (LAST, LAST + timedelta(days=1))
    with at(midnight + timedelta(days=1) - SECOND):
        assert ledger.redeem(second.code, basket(), till()).state == "redeemed"


def test_the_expiry_is_entered_once_the_day_is_over(midnight):
    with at(midnight - timedelta(days=3)):
        made = coupon(batch(valid_until=LAST))
    with at(midnight):
        assert (ledger.expire(), ledger.expire()) == (1, 0)
    assert CouponEntry.objects.filter(coupon=made, step="expired").count() == 1


def test_a_reservation_of_the_last_second_may_still_become_a_redemption(midnight):
    """The checkout began in time: what was held is honoured while the reservation lasts."""
    with at(midnight - timedelta(days=3)):
        made = coupon(batch(valid_until=LAST))
    actor = till()
    with at(midnight - SECOND):
        held = ledger.reserve(made.code, basket(), actor)
    with at(midnight + timedelta(minutes=5)):
        assert ledger.redeem_reserved(held.pk, actor).state == "redeemed"
