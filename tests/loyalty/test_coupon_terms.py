"""What a coupon takes off a basket."""

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from loyalty.coupons import terms
from loyalty.coupons.terms import Basket, Item, discount
from loyalty.models import CouponBatch

COFFEE, TEA, MILL = 1, 2, 70


def offer(kind="amount", value=5, **fields) -> CouponBatch:
    return CouponBatch(kind=kind, value=None if value is None else Decimal(value), **({"minimum": Decimal(0)} | fields))


def bought(*amounts: tuple[object, int], delivery: object = 0) -> Basket:
    """(amount, category) of each position."""
    items = tuple(Item(Decimal(str(amount)), category=category) for amount, category in amounts)
    return Basket(sum((item.amount for item in items), Decimal(0)), items, Decimal(str(delivery)))


@pytest.mark.parametrize(
    ("made", "basket", "expected"),
    [
        (offer(value=5), bought((50, COFFEE)), "5"),
        (offer(value=5), bought((3, COFFEE)), "3"),
        (offer(value=5, minimum=Decimal(20)), bought((20, COFFEE)), "5"),
        (offer(value=5, minimum=Decimal(20)), bought(("19.99", COFFEE)), None),
        (offer(value=5, minimum=Decimal(20)), bought((30, COFFEE), (-15, TEA)), None),
        (offer("percent", 10), bought((25, COFFEE), (10, TEA)), "3.50"),
        (offer("percent", "33.33"), bought(("0.01", COFFEE)), "0.00"),
        (offer("percent", 10, categories=[COFFEE]), bought((25, COFFEE), (10, TEA)), "2.50"),
        (offer("percent", 10, not_categories=[TEA]), bought((25, COFFEE), (10, TEA)), "2.50"),
        (offer("percent", 10, categories=[MILL]), bought((25, COFFEE)), None),
        (offer("percent", 10, categories=[COFFEE]), Basket(Decimal(25)), None),
        (offer("free_delivery", None), bought((25, COFFEE), delivery="4.90"), "4.90"),
        (offer("free_delivery", None, minimum=Decimal(30)), bought((25, COFFEE), delivery="4.90"), None),
        (offer("free_delivery", None, categories=[MILL]), bought((25, COFFEE), delivery="4.90"), None),
        (offer("free_delivery", None), bought((25, COFFEE), (-25, TEA), delivery="4.90"), None),
        (offer(value=5), bought((-5, COFFEE)), None),
        (offer(value=10, categories=[COFFEE]), bought((30, COFFEE), (-28, TEA)), "2"),
        (offer("percent", 50, categories=[COFFEE]), bought((30, COFFEE), (-28, TEA)), "2"),
        (offer(value=10, categories=[COFFEE]), bought((30, COFFEE), (-30, TEA)), None),
    ],
)
def test_discounts(made, basket, expected):
    assert discount(made, basket) == (None if expected is None else Decimal(expected))


def test_a_free_product_takes_off_one_piece_if_the_rest_reaches_the_minimum():
    made = offer("free_product", None, free_product_id=9, minimum=Decimal(20))
    mug = Item(Decimal(24), Decimal(2), product=9)
    assert discount(made, Basket(Decimal(24), (mug,))) is None
    assert discount(made, Basket(Decimal(40), (mug, Item(Decimal(16))))) == Decimal(12)
    assert discount(made, Basket(Decimal(40), (Item(Decimal(40)),))) is None
    any_purchase = offer("free_product", None, free_product_id=9)
    assert discount(any_purchase, Basket(Decimal(12), (mug,))) == Decimal(12)
    assert discount(any_purchase, Basket(Decimal(4), (mug, Item(Decimal(-20))))) is None, "it is not paid out"


@given(
    st.sampled_from(["amount", "percent"]),
    st.decimals(min_value="0.01", max_value=100, places=2),
    st.lists(st.tuples(st.decimals(-200, 500, places=2), st.sampled_from([COFFEE, TEA, MILL])), max_size=5),
    st.lists(st.sampled_from([COFFEE, TEA]), max_size=2),
)
def test_a_discount_never_exceeds_the_goods_it_is_for(kind, value, positions, categories):
    made, basket = offer(kind, value, categories=categories), bought(*positions)
    taken = discount(made, basket)
    assert taken is None or 0 <= taken <= max(Decimal(0), terms.eligible(made, basket))


def test_days_end_with_the_batch_or_with_the_number_of_days():
    made = offer(valid_from=date(2026, 11, 1), valid_until=date(2026, 12, 31), valid_days=14)
    assert terms.validity(made, date(2026, 11, 10)) == (date(2026, 11, 1), date(2026, 11, 23))
    assert terms.validity(made, date(2026, 12, 24)) == (date(2026, 11, 1), date(2026, 12, 31))
    assert terms.validity(made, date(2026, 10, 1)) == (date(2026, 11, 1), date(2026, 11, 14))


@pytest.mark.django_db
def test_the_terms_are_whole_sentences():
    made = offer(value=5, minimum=Decimal(20), valid_until=date(2026, 12, 31), per_customer=1, uses=1)
    with translation.override("en"):
        assert " ".join(terms.sentences(made)) == (
            "Worth: €5.00. From a purchase of €20.00. Valid until 31 Dec 2026. Can be used once. Once per customer. "
            "Not to be combined with other coupons. Not paid out in cash."
        )
