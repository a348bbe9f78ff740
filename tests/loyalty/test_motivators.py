"""What moves customers: evidence, the top three, who is connected, and the gaps."""

from datetime import date

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.models import ChangedCustomer, MotivatorEvidence
from loyalty import motivators, scoring
from loyalty.motivator_list import MOTIVATORS
from tests.factories import NOW, CustomerFactory, UserFactory
from tests.loyalty.shop import ago

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def says(customer, motivator, importance, fulfilment=None, days_ago=10, origin="self_report"):
    return motivators.record(
        customer, motivator=motivator, importance=importance, fulfilment=fulfilment, origin=origin, at=ago(days_ago)
    )


def score():
    return motivators.overall(motivators.figures())


def test_there_are_the_ten_of_the_study():
    assert len(MOTIVATORS) == len(motivators.BY_CODE) == 10
    assert all(len(code) <= 20 for code in motivators.BY_CODE)


@pytest.mark.parametrize(
    ("statements", "connected"),
    [
        ([], None),
        ([("secure", 9, None)], None),
        ([("secure", 9, 8)], True),
        ([("secure", 9, 7)], False),
        ([("secure", 9, 8, 10, "staff_note")], None),
        ([("secure", 9, 10, 10, "behaviour_hypothesis")], None),
        ([("secure", 9, 8, 729)], True),
        ([("secure", 9, 8, 731)], None),
        ([("secure", 9, 2, 5), ("secure", 9, 9, 300)], False),  # the latest word counts
        ([("thrill", 9, 2), ("freedom", 8, 2), ("secure", 7, 2), ("belonging", 6, 10)], False),  # the fourth
        ([("thrill", 9, None), ("freedom", 8, None), ("secure", 7, None), ("belonging", 6, 10)], None),
    ],
)
def test_who_is_connected_is_the_same_for_one_and_for_all(statements, connected):
    customer = CustomerFactory()
    for statement in statements:
        says(customer, *statement)
    assert motivators.of_customer(customer).connected is connected
    found = score().score
    assert (found.part, found.whole) == (connected is True, connected is not None)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(motivators.BY_CODE)),
            st.integers(0, 10),
            st.none() | st.integers(0, 10),
            st.integers(0, 900),
            st.sampled_from(["self_report", "staff_note", "behaviour_hypothesis"]),
        ),
        max_size=8,
    )
)
def test_one_and_all_agree_whatever_is_recorded(statements):
    customer = CustomerFactory()
    for statement in statements:
        says(customer, *statement)
    one, everybody = motivators.of_customer(customer), score()
    assert (everybody.score.part, everybody.score.whole) == (one.connected is True, one.connected is not None)
    assert sum(row.gaps for row in everybody.rows) == len(one.gaps)
    assert sum(row.said for row in everybody.rows) == len(one.said)
    MotivatorEvidence.objects.all().delete()


def test_a_gap_is_important_and_missing():
    customer = CustomerFactory()
    says(customer, "secure", 8, 5), says(customer, "thrill", 7, 0), says(customer, "freedom", 10, 6)
    assert [gap.motivator.code for gap in motivators.of_customer(customer).gaps] == ["secure"]
    assert [(row.motivator.code, row.gaps) for row in score().rows if row.gaps] == [("secure", 1)]


def test_a_guess_is_shown_apart_and_only_while_nothing_better_is_known():
    customer = CustomerFactory()
    (
        says(customer, "thrill", 7, origin="behaviour_hypothesis"),
        says(customer, "secure", 7, origin="behaviour_hypothesis"),
    )
    says(customer, "secure", 7, origin="staff_note")
    found = motivators.of_customer(customer)
    assert [one.motivator.code for one in found.guessed] == ["thrill"]
    assert [one.motivator.code for one in found.noted] == ["secure"] and found.connected is None


@pytest.mark.parametrize(
    "wrong",
    [{"motivator": "money"}, {"importance": 11}, {"importance": -1}, {"fulfilment": 11}, {"origin": "horoscope"}],
)
def test_what_cannot_be_is_refused(wrong):
    given = {"motivator": "secure", "importance": 5, "fulfilment": None, "origin": "self_report"} | wrong
    with pytest.raises(ValueError, match="motivators|numbers"):
        motivators.record(CustomerFactory(), **given)
    assert not MotivatorEvidence.objects.exists()


def test_recording_has_the_customer_judged_again():
    customer, staff = CustomerFactory(), UserFactory()
    motivators.record(customer, motivator="secure", importance=9, fulfilment=8, origin="self_report", staff=staff)
    assert ChangedCustomer.objects.get().customer_id == customer.pk
    assert MotivatorEvidence.objects.get().recorded_by == staff


def test_the_number_of_statements_is_worded_right():
    customer = CustomerFactory()
    says(customer, "secure", 9, 8, 800)
    assert len(motivators.of_customer(customer).reasons) == 2
    assert motivators.months_before(date(2026, 3, 31), 13) == date(2025, 2, 28)
    assert motivators.months_before(date(2026, 1, 5), 24) == date(2024, 1, 5)
    assert scoring.shown_day() == NOW.date()
