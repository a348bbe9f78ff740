"""Classes of the bond's and the lock-in's score at past month ends, worked out by hand, and the people behind them."""

import pytest
from django.db import connection
from django.test import Client

from loyalty import months, scoring
from loyalty.models import MonthEnd, Standing
from tests.factories import BarrierFactFactory, CustomerFactory, UserFactory
from tests.loyalty.shop import answers
from tests.loyalty.test_months import at, bought, first_of, in_month, tables_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def support():
    client = Client()
    client.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def said(customer, score, month):
    """Satisfaction, trust and commitment alike: without other facts the bond's score is ten times it."""
    answers(customer, csat=score, trust=score, commitment=score)
    customer.answers.update(answered_at=at(in_month(month)))


def recorded(customer, signal, month, value=1):
    BarrierFactFactory(customer=customer, signal=signal, value=value, recorded_at=at(in_month(month)))


def standing(customer):
    return Standing.objects.get(customer=customer)


@pytest.mark.parametrize(
    ("score", "mark"),
    [(0, "0"), (1, "1"), (2, "1"), (2.5, "2"), (4.9, "2"), (5, "5"), (7.4, "5"), (7.5, "7"), (10, "7")],
)
def test_the_class_of_the_bond_is_known_from_the_month_of_the_answer(score, mark):
    customer = bought(in_month(4))
    said(customer, score, 2)
    months.fill()
    assert standing(customer).bond_scores == "??" + mark * 2
    assert MonthEnd.objects.get(month=first_of(1)).scores["bond"] == {months.CLASSES["?01257".index(mark)]: 1}


def test_the_class_of_the_lock_in_rises_with_what_holds():
    # Nothing but 0 full months as a customer: 0. One: 0.6 × 1/24 × 20 = 0.5. Own system: 0.8 × 40 + a quarter of 0.6 ×
    # 2/24 × 20 = 32.25. Remaining term: 60 + a quarter of (32 + 1.5) = 68.375; with the exit fee a quarter of 32 more.
    held, freer = bought(in_month(4)), bought(in_month(4))
    for customer in (held, freer):
        recorded(customer, "owns_system", 2)
        recorded(customer, "remaining_months", 1, 24)
    recorded(held, "exit_fee", 1)
    months.fill()
    assert standing(freer).lock_in_scores == "0125"
    assert standing(held).lock_in_scores == "0127"


def test_who_has_not_bought_has_no_score_and_who_came_later_neither():
    later, prospect = bought(in_month(1)), CustomerFactory(since=first_of(2))
    bought(in_month(3))
    months.fill()
    assert (standing(prospect).bond_scores, standing(prospect).lock_in_scores) == ("-nn", "-nn")
    assert (standing(later).bond_scores, standing(later).lock_in_scores) == ("--?", "--0")


def test_every_number_of_will_and_must_opens_its_people(support):
    for score in (3, 5, 6, 9):
        said(bought(in_month(3)), score, 2)
    held = bought(in_month(3))
    recorded(held, "remaining_months", 2, 24)
    CustomerFactory(since=first_of(3))
    scoring.score_all()
    months.fill()
    (table,) = [one for one in tables_of(support, "/insights/bond/") if one.code == "high-scores"]
    values = [[cell.value for _column, cell in row[1:]] for row in table.cells]
    assert values == [[4, 3, 0.75, 5, 1, 0.2], [4, 3, 0.75, 5, 1, 0.2], [0, 0, None, 5, 0, 0.0]]
    for row in table.cells:
        for column, cell in row[1:]:
            assert bool(cell.url) == (column.kind == "number")
            if cell.url:
                assert support.get(cell.url).context["total"] == cell.value, cell.url


def test_months_whose_characters_meant_something_else_are_not_shown_and_judged_anew(support):
    customer = bought(in_month(3), in_month(2))
    scoring.score_all()
    months.fill()
    # As an update leaves it: months of another layout, no classes yet.
    MonthEnd.objects.update(layout=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE loyalty_standing SET bond_scores = DEFAULT, lock_in_scores = DEFAULT")
    assert not tables_of(support, "/insights/stages/")
    assert months.fill().judged == 3
    assert (standing(customer).stages, standing(customer).bond_scores) == ("122", "???")
    assert tables_of(support, "/insights/stages/")
