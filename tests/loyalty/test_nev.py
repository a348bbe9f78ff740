"""Net Emotional Value: the worked examples of the definition, small numbers, groups, and the same by hand."""

from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from crm import display, emotions
from loyalty import nev, nev_facts, students_t
from loyalty.nev import Group
from loyalty.overview import Share
from tests.factories import CustomerFactory, InteractionFactory
from tests.loyalty.shop import answers


def group(n=12, mean=Decimal("4.0"), spread=3.1, kind="short", **more) -> Group:
    return Group(kind, True, "advice", "", None, n, n, mean, spread, **more)


# The worked examples


def test_a_value_is_rounded_half_away_from_zero():
    with translation.override("de"):
        assert display.signed(Decimal("6.5") - Decimal("1.25"), 1) == "+5,3"
        assert display.signed(Decimal("-5.25"), 1) == "−5,3"


def test_half_the_interval_of_twelve_customers():
    assert round(students_t.half_width(12, 3.1), 2) == 1.97


def test_a_customers_value_is_pulled_towards_the_shops():
    assert round(nev.shrunk(2, Decimal("-4.0"), Decimal("4.1"), Decimal(3)), 2) == Decimal("0.86")


def test_the_interval_of_a_share():
    low, high = Share(8, 10).interval
    assert (round(low, 2), round(high, 2)) == (0.49, 0.94)


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (4, 2.7764), (11, 2.2010), (30, 2.0423), (60, 2.0003), (1000, 1.9623)]
)
def test_students_t_is_that_of_the_tables(freedom, t):
    assert students_t.quantile(freedom) == pytest.approx(t, abs=1e-4)
    assert students_t.tail(t, freedom) == pytest.approx(0.05, abs=1e-4)


def test_welchs_test_meets_the_interval_of_the_difference():
    edge = students_t.quantile(18) * (2 / 10) ** 0.5  # two groups of ten with spread 1: 18 degrees of freedom
    assert students_t.welch(10, edge, 1, 10, 0, 1) == pytest.approx(0.05)
    # Unequal: (1/5 + 16/20)² / ((1/5)²/4 + (16/20)²/19) = 22.9 degrees of freedom
    edge = students_t.quantile(1 / (0.01 + 0.64 / 19)) * 1.0
    assert students_t.welch(5, edge, 1, 20, 0, 4) == pytest.approx(0.05)
    assert students_t.welch(1, 3, 0, 9, 3, 1) is None
    assert students_t.welch(5, 3, 0, 5, 3, 0) == 1 and students_t.welch(5, 3, 0, 5, 4, 0) == 0


def test_holm_goes_on_only_while_each_step_holds():
    assert students_t.holm({"a": 0.001, "b": 0.012, "c": 0.02, "d": 0.04}) == {"a", "b", "c", "d"}
    assert students_t.holm({"a": 0.001, "b": 0.03, "c": 0.03, "d": 0.03}) == {"a"}
    assert students_t.holm({}) == set()


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.floats(0, 1), max_size=8))
def test_holm_never_finds_more_than_no_correction_and_never_less_than_bonferroni(chances):
    found = students_t.holm(chances)
    assert found <= {name for name, chance in chances.items() if chance < 0.05}
    assert found >= {name for name, chance in chances.items() if chance < 0.05 / max(1, len(chances))}


# Few answers


@pytest.mark.parametrize(
    ("n", "spread", "state"),
    [(0, None, "too_few"), (1, None, "too_few"), (4, 1.0, "too_few"), (5, 1.0, "provisional"), (29, 0.1, "provisional"),
     (30, 1.0, "firm"), (30, 3.0, "provisional"), (400, 3.0, "firm")],
)  # fmt: skip
def test_how_firm_a_value_is(n, spread, state):
    (found,) = nev.judged([group(n, spread=spread)])
    assert found.state == state
    assert (found.value is None) == (found.interval is None) == (state == "too_few")


def test_below_ten_customers_the_spread_of_the_shop_is_taken():
    small, large = nev.judged([group(6, spread=0.0), group(20, spread=4.0)])
    together = (19 * 16 / 24) ** 0.5
    assert small.half == pytest.approx(students_t.quantile(5) * together / 6**0.5)
    assert large.half == pytest.approx(students_t.half_width(20, 4.0))


def test_an_interval_stays_on_the_scale():
    (found,) = nev.judged([group(5, Decimal(9), 8.0)])
    assert found.interval[1] == 10


def test_groups_differ_only_where_welch_says_so():
    near, far, few = group(40, Decimal("4.0"), 2.0), group(40, Decimal("1.0"), 2.0), group(4, Decimal("-9"), 2.0)
    rests = {"advice": (80, 4.0, 2.0)}
    assert [one.differs for one in nev.compared(nev.judged([near]), rests)] == [False]
    assert [one.differs for one in nev.compared(nev.judged([far]), rests)] == [True]
    assert [one.differs for one in nev.compared(nev.judged([few]), rests)] == [None]
    assert nev.compared(nev.judged([far]), {})[0].differs is None


def test_above_five_groups_the_correction_counts():
    places = ["advice", "order", "payment", "delivery", "product", "service"]
    from dataclasses import replace

    groups = [replace(group(40, Decimal("3.0"), 2.0), touchpoint=place) for place in places]
    rests = dict.fromkeys(places, (200, 3.8, 2.0))  # p = 0.024 each
    assert {one.differs for one in nev.compared(nev.judged(groups[:5]), rests)} == {True}
    assert {one.differs for one in nev.compared(nev.judged(groups), rests)} == {False}


@pytest.mark.parametrize(
    ("customers", "responses", "squares", "repeated", "within", "between", "k"),
    [
        (40, 60, 100, 29, 20.0, 80.0, "3"),  # too few answered twice
        (40, 80, 160, 40, 80.0, 78.0, "10"),  # no difference between customers
        (40, 80, 160, 40, 0.0, 390.0, "1"),
        (40, 80, 160, 40, 160.0, 39 * 8.0, "2"),  # within 4; between (8 − 4) / 2 = 2
    ],
)
def test_how_many_thought_of_answers_join(customers, responses, squares, repeated, within, between, k):
    assert nev.prior(customers, responses, squares, repeated, within, between) == Decimal(k)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 50), st.decimals(-10, 10, places=2), st.decimals(-10, 10, places=2), st.integers(1, 10))
def test_a_shrunk_value_lies_between_the_customers_and_the_shops(n, own, shop, k):
    value = nev.shrunk(n, own, shop, Decimal(k))
    assert min(own, shop) - Decimal("1e-9") <= value <= max(own, shop) + Decimal("1e-9")


# From the facts

SHORT = emotions.FORMS["short"]


def felt(customer, positive: int, negative: int, days_ago: float = 10, form: str = "short", **more) -> None:
    asked = emotions.FORMS[form]
    items = {f"nev_{code}": positive for code in asked.positive} | {f"nev_{code}": negative for code in asked.negative}
    answers(customer, days_ago, form=form, **more, **items)


def stored(kind="short") -> nev.Series:
    import json

    from django.core.serializers.json import DjangoJSONEncoder

    return nev.series(json.loads(json.dumps(nev_facts.figures(), cls=DjangoJSONEncoder)), kind)


@pytest.mark.django_db
def test_heavy_responders_do_not_dominate():
    often, once = CustomerFactory(), CustomerFactory()
    for days in (10, 20, 30, 40):
        felt(often, 2, 8, days)
    felt(once, 8, 2)
    shop = stored().everybody
    assert (shop.customers, shop.responses, shop.mean) == (2, 5, 0)
    assert shop.clusters == (5, 5, 5, 5)


@pytest.mark.django_db
def test_the_forms_and_the_tags_are_never_mixed():
    customer = CustomerFactory()
    felt(customer, 9, 1)
    felt(customer, 3, 5, form="full")
    contact = InteractionFactory(customer=customer)
    for slot, code in enumerate(("happy", "safe", "hurried"), start=1):
        contact.emotions.create(slot=slot, emotion=code, origin="customer_self")
    assert [stored(kind).everybody.mean for kind in nev.KINDS] == [-2, 8, Decimal("33.33333333")]


@pytest.mark.django_db
def test_what_the_team_estimates_is_a_series_of_its_own():
    customer = CustomerFactory()
    felt(customer, 9, 1)
    felt(customer, 1, 9, origin="staff_estimate")
    contact = InteractionFactory(customer=customer)
    contact.emotions.create(slot=1, emotion="hurried", origin="staff_estimate")
    contact.emotions.create(slot=2, emotion="irritated", origin="text_suggestion")
    found = stored()
    assert (found.everybody.mean, found.select(own=False)[0].mean) == (8, -8)
    tags = stored("tags")
    assert tags.everybody is None and tags.select(own=False)[0].mean == -100


@pytest.mark.django_db
@pytest.mark.parametrize(
    "left_out",
    [{"days_ago": 366}, {"days_ago": -2}, {"invalid": True}, {"customer": {"is_test": True}}],
    ids=["too old", "future", "too few emotions", "test account"],
)
def test_what_does_not_count(left_out):
    customer = CustomerFactory(**left_out.get("customer", {}))
    if left_out.get("invalid"):
        answers(customer, form="short", nev_happy=9, nev_trusting=9, nev_irritated=1, nev_stressed=1)
    else:
        felt(customer, 9, 1, left_out.get("days_ago", 10))
    assert stored().everybody is None


@pytest.mark.django_db
def test_touchpoints_and_months_are_those_of_the_answers():
    from crm.models import Answer

    for place, value in (("advice", 8), ("delivery", 3)):
        for number in range(6):
            customer = CustomerFactory()
            felt(customer, value + number % 2, 1, 10 + 31 * (number % 2))
            Answer.objects.filter(customer=customer).update(touchpoint=place)
    found = stored()
    advice, delivery = found.by_touchpoint()
    assert (advice.touchpoint, advice.mean, delivery.touchpoint, delivery.mean) == (
        "advice", Decimal("7.5"), "delivery", Decimal("2.5"),
    )  # fmt: skip
    assert advice.differs and delivery.differs and advice.state == "provisional"
    assert [(one.period.isoformat(), one.customers) for one in found.by_period("month")] == [
        ("2026-09-01", 6), ("2026-10-01", 6),
    ]  # fmt: skip
    assert [one.customers for one in found.by_period("month", "advice")] == [3, 3]
    assert [one.customers for one in found.by_period("quarter")] == [6, 6]


@pytest.mark.django_db
def test_the_window_is_a_rule_of_the_shop():
    from loyalty.models import RuleSet

    felt(CustomerFactory(), 9, 1, 100)
    assert stored().everybody.customers == 1
    RuleSet.objects.create(version=2, values={"nev_window_days": 90})
    assert stored().everybody is None
