"""Which purchases a return lowers, against a plain simulation; and what it is worth."""

from collections import defaultdict
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import sync
from crm.models import Purchase, Return, ReturnAllocation
from tests.crm.shop_rows import brought_back, fixed_day, line, purchase
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
ANNA = {"external_id": "anna"}


def by_pair():
    return {
        (a.return_line.parent.external_id, a.purchase_line.purchase.external_id): a.quantity
        for a in ReturnAllocation.objects.select_related("return_line__parent", "purchase_line__purchase")
    }


stories = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8), st.sampled_from(["tea", "cup"]), st.integers(1, 5)),
    min_size=1,
    max_size=14,
)


def simulated(story):
    """Each return takes from the latest earlier purchases of the product that have something left."""
    left, taken, missed = defaultdict(list), {}, defaultdict(int)
    moves = sorted(
        (day, back, number, product, quantity) for number, (back, day, product, quantity) in enumerate(story)
    )
    for _day, back, number, product, quantity in sorted(moves, key=lambda m: (m[0], m[1], f"{m[2]:02}")):
        if not back:
            left[product].append([f"{number:02}", quantity])
            continue
        while quantity and left[product]:
            name, there = left[product][-1]
            part = min(quantity, there)
            taken[f"{number:02}", name] = part
            quantity -= part
            left[product][-1][1] -= part
            if left[product][-1][1] == 0:
                left[product].pop()
        missed[f"{number:02}"] = quantity
    return taken, {name: 10 * quantity for name, quantity in missed.items()}


@FEW
@given(stories)
def test_returns_without_a_reference_take_from_the_latest_earlier_purchases(story):
    sold = [
        purchase(f"{number:02}", "anna", fixed_day(day), lines=[line(product, quantity)])
        for number, (back, day, product, quantity) in enumerate(story)
        if not back
    ]
    back = [
        brought_back(f"{number:02}", fixed_day(day), customer=ANNA, lines=[line(product, quantity)])
        for number, (is_back, day, product, quantity) in enumerate(story)
        if is_back
    ]
    taken, missed = simulated(story)
    with transaction.atomic():
        sync.apply(SourceFactory(), sold, back)
        assert by_pair() == taken
        assert dict(Return.objects.values_list("external_id", "unallocated")) == missed
        for made in Purchase.objects.prefetch_related("lines"):
            gone = sum(quantity for (_back, name), quantity in taken.items() if name == made.external_id)
            assert (made.returned, made.net) == (10 * gone, made.gross - 10 * gone)
            assert [each.returned_quantity for each in made.lines.all()] == [gone]
        transaction.set_rollback(True)


prices = st.sampled_from(["0", "0.333", "1.005", "3.3333", "9.99"])
goods = st.tuples(st.integers(1, 7), prices)


@FEW
@given(st.lists(goods, min_size=1, max_size=4), st.lists(goods, min_size=1, max_size=4), st.booleans())
def test_no_cent_is_lost_and_no_purchase_falls_below_nothing(sold, back, referenced):
    with transaction.atomic():
        sync.apply(
            SourceFactory(),
            [purchase("p", "anna", lines=[line("tea", quantity, price) for quantity, price in sold])],
            [
                brought_back(f"r{n}", purchase="p" if referenced else None, customer=ANNA, lines=[line("tea", quantity, price)])
                for n, (quantity, price) in enumerate(back)
            ],
        )  # fmt: skip
        made = Purchase.objects.get()
        assert 0 <= made.net == made.gross - made.returned
        assert made.returned == sum(ReturnAllocation.objects.values_list("net", flat=True))
        for each in made.lines.all():
            assert sum(each.allocations.values_list("net", flat=True)) <= each.net
        for each in Return.objects.all():
            assert 0 <= each.unallocated <= each.net
            if each.held:
                assert not ReturnAllocation.objects.filter(return_line__parent=each).exists()
        transaction.set_rollback(True)


@pytest.mark.parametrize("price", ["3.3333", "0.335", "1.00"])
def test_all_brought_back_piece_by_piece_leaves_nothing(price):
    source = SourceFactory()
    pieces = [brought_back(f"r{n}", fixed_day(n + 1), purchase="p1", lines=[line("tea", 1, price)]) for n in range(3)]
    sync.apply(source, [purchase(lines=[line("tea", 3, price)])], pieces)
    assert Purchase.objects.get().net == 0
    assert {made.unallocated for made in Return.objects.all()} == {0}


def test_a_refund_below_the_price_leaves_the_rest_with_the_purchase():
    sync.apply(SourceFactory(), [purchase()], [brought_back(purchase="p1", lines=[line(price="6.00")])])
    assert Purchase.objects.get().net == 4


def test_a_refund_above_the_price_lowers_the_customers_value_not_the_purchases():
    sync.apply(SourceFactory(), [purchase()], [brought_back(purchase="p1", lines=[line(price="15.00")])])
    assert (Purchase.objects.get().net, Return.objects.get().unallocated) == (0, 5)


def test_a_return_waits_for_its_purchase():
    source = SourceFactory()
    answers = sync.apply(source, [], [brought_back(purchase="p1")])
    assert answers.returns[0].status == "held"
    assert Return.objects.get().held == "unknown_purchase"
    sync.apply(source, [purchase()])
    kept = Return.objects.get()
    assert (kept.held, kept.purchase.external_id, kept.customer) == ("", "p1", Purchase.objects.get().customer)
    assert Purchase.objects.get().net == 0


def test_what_exceeds_the_purchase_is_held_until_the_purchase_grows():
    source = SourceFactory()
    back = [
        brought_back(f"r{day}", fixed_day(day), purchase="p1", lines=[line(quantity=quantity)])
        for day, quantity in ((3, 2), (4, 2), (5, 1))
    ]
    answers = sync.apply(source, [purchase(lines=[line(quantity=3)])], back)
    assert [answer.status for answer in answers.returns] == ["created", "held", "created"]
    assert Purchase.objects.get().returned == 30
    sync.apply(source, [purchase(lines=[line(quantity=5)], version=fixed_day(1))])
    assert not Return.objects.exclude(held="").exists()
    assert Purchase.objects.get().net == 0


def test_a_return_of_goods_that_the_purchase_does_not_hold_is_held():
    answers = sync.apply(SourceFactory(), [purchase()], [brought_back(purchase="p1", lines=[line("cup")])])
    assert answers.returns[0].errors[0]["code"] == "exceeds_purchase"


def test_a_return_goes_with_its_purchase_to_another_customer():
    source = SourceFactory()
    sync.apply(source, [purchase(customer="anna")], [brought_back(purchase="p1")])
    sync.apply(source, [purchase(customer="ben", version=fixed_day(1))])
    assert [key.external_id for key in Return.objects.get().customer.keys.all()] == ["ben"]


def test_a_return_that_names_another_purchase_frees_the_first():
    source = SourceFactory()
    sync.apply(source, [purchase("p1"), purchase("p2")], [brought_back(purchase="p1")])
    sync.apply(source, [], [brought_back(purchase="p2", version=fixed_day(6))])
    assert dict(Purchase.objects.values_list("external_id", "net")) == {"p1": 10, "p2": 0}


def test_cancelled_purchases_have_nothing_to_take_from():
    source = SourceFactory()
    sync.apply(
        source, [purchase("p1"), purchase("p2", at=fixed_day(1), status="cancelled")], [brought_back(customer=ANNA)]
    )
    assert by_pair() == {("r1", "p1"): 1}


def test_an_anonymous_return_lowers_nobody():
    sync.apply(SourceFactory(), [purchase()], [brought_back()])
    assert (Purchase.objects.get().net, Return.objects.get().unallocated) == (10, 10)


def test_categories_are_those_of_the_lines_that_stayed():
    def sold(name, group):
        return {
            "product": {"external_id": name, "category": {"external_id": group, "name": group}},
            "quantity": 1,
            "unit_price": "1",
        }

    source = SourceFactory()
    sync.apply(source, [purchase(lines=[sold("tea", "drinks"), sold("cup", "tableware")])])
    assert len(Purchase.objects.get().categories) == 2
    sync.apply(source, [], [brought_back(purchase="p1", lines=[line("cup", 1, "1")])])
    assert len(Purchase.objects.get().categories) == 1
    sync.apply(source, [purchase("p2", lines=[sold("tea", "tableware")], version=fixed_day(8))])
    assert {tuple(made.categories) for made in Purchase.objects.all()} == {
        (Purchase.objects.get(external_id="p2").categories[0],)
    }


def test_the_value_counts_in_the_shops_currency():
    row = purchase(currency="USD", rate="0.9", lines=[line(quantity=2)])
    back = brought_back(purchase="p1", currency="USD", rate="0.8", lines=[line(quantity=2)])
    sync.apply(SourceFactory(), [row], [back])
    made = Purchase.objects.get()
    assert (made.gross, made.net, Return.objects.get().net) == (18, 0, Decimal("16.00"))
