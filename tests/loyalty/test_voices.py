"""Recommendation, satisfaction, effort and expectation: the worked examples, one voice a customer, and Oliver's phases."""

import json
from decimal import Decimal

import pytest
from django.utils import translation

from crm.models import Customer
from loyalty import nev_customer, phase, scoring, voices
from loyalty.voices import Nps
from tests.factories import ComplaintFactory, CustomerFactory, InteractionFactory
from tests.loyalty.shop import ago, answers, buyer
from tests.loyalty.test_nev import felt

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def told() -> voices.Voices:
    return voices.voices(json.loads(json.dumps(voices.figures())))


def test_eighteen_promoters_and_six_detractors_of_forty():
    found = Nps(18, 6, 40)
    assert (found.value, round(found.half)) == (30, 22)
    assert Nps(0, 0, 0).value is None and Nps(0, 0, 0).half is None
    assert (Nps(5, 0, 5).value, Nps(5, 0, 5).half) == (100, 0)


def test_nothing_said_is_unknown():
    found = told()
    assert (found.nps.value, found.top.value, found.csat.value, found.ces.value, found.gone.value) == (None,) * 5
    assert found.expected == 0


def test_each_customer_has_one_voice_and_it_is_the_latest():
    often = CustomerFactory()
    answers(often, 100, nps=2, csat=2)
    answers(often, 5, nps=10, csat=9, disconfirmation=0)
    answers(often, 3, origin="staff_estimate", nps=0)
    answers(CustomerFactory(), 9, nps=6, csat=8, disconfirmation=-1)
    answers(CustomerFactory(), 9, nps=7, csat=10, disconfirmation=3)
    answers(CustomerFactory(), 400, nps=10)
    answers(CustomerFactory(is_test=True), 4, nps=10)
    found = told()
    assert (found.nps.promoters, found.nps.detractors, found.nps.n) == (1, 1, 3)
    assert (found.top.part, found.top.whole, found.csat.value) == (2, 3, 9)
    assert (found.missed, found.met, found.exceeded) == (1, 1, 1)


def test_effort_is_shown_if_somebody_asked_for_it():
    answers(CustomerFactory(), ces=6), answers(CustomerFactory(), ces=4)
    found = told().ces
    assert (found.value, found.n) == (5, 2) and round(found.half, 1) == 12.7


def test_who_goes_although_content_is_counted_on_the_shops_own_figures():
    gone, here, sad = buyer(900, 870), buyer(40, 10), buyer(900)
    for customer, csat in ((gone, 9), (here, 8), (sad, 3), (CustomerFactory(), 10)):
        answers(customer, 20, csat=csat)
    scoring.score_all()
    assert (told().gone.part, told().gone.whole) == (1, 2)


# One customer


def of(customer: Customer) -> nev_customer.CustomerValue:
    return nev_customer.of_customer(customer)


def test_without_answers_everything_is_unknown():
    found = of(CustomerFactory())
    assert (found.form, found.mean, found.value, found.latest, found.said.value) == ("", None, None, None, None)
    assert "unknown" in found.reasons[0]


def test_few_answers_are_pulled_towards_the_shop():
    customer = CustomerFactory()
    felt(customer, 3, 7), felt(customer, 3, 7, 40)
    felt(CustomerFactory(), 9, 1), felt(CustomerFactory(), 9, 1)
    found = of(customer)
    assert (found.mean, found.k, found.shop.mean) == (-4, 3, 4)
    assert round(found.value, 2) == Decimal("0.80")  # (2·−4 + 3·4) / 5
    assert found.latest.value == -4 and found.half == 0


@pytest.mark.parametrize(
    ("n", "sentence"),
    [
        (1, "Smoothed +8.0: mean of 1 own answer and 3 thought-of average answers."),
        (2, "Smoothed +8.0: mean of 2 own answers and 3 thought-of average answers."),
    ],
)
def test_the_value_explains_itself(n, sentence):
    customer = CustomerFactory()
    for number in range(n):
        felt(customer, 9, 1, 10 + number)
    assert of(customer).reasons == [sentence]


def test_the_full_form_goes_before_the_short_one_and_neither_is_mixed():
    customer = CustomerFactory()
    felt(customer, 9, 1, 5)
    felt(customer, 5, 4, 50, form="full")
    answers(customer, 2, form="full", nev_happy=9)
    found = of(customer)
    assert (found.form, found.mean, found.other_form, found.incomplete) == ("full", 1, 1, 1)
    assert len(found.reasons) == 3


def test_tags_stand_beside_and_the_teams_estimate_apart():
    customer = CustomerFactory()
    for code, origin in (("happy", "customer_self"), ("hurried", "staff_estimate"), ("irritated", "text_suggestion")):
        InteractionFactory(customer=customer).emotions.create(slot=1, emotion=code, origin=origin)
    found = of(customer)
    assert (found.said.value, found.said.contacts) == (100, 1)
    assert (found.estimated.value, found.estimated.contacts) == (-100, 2)


# Oliver's phases


@pytest.mark.parametrize(
    ("latest", "nev", "returned", "code"),
    [
        ({}, None, False, ""),
        ({"csat": 6}, None, False, ""),
        ({"csat": 7}, None, False, "cognitive"),
        ({"price": 8}, None, False, "cognitive"),
        ({"csat": 9, "commitment": 7}, Decimal("0.1"), False, "affective"),
        ({"csat": 9, "commitment": 7}, Decimal(0), False, "cognitive"),
        ({"csat": 9, "commitment": 6}, Decimal(5), False, "cognitive"),
        ({"nps": 9}, None, False, "conative"),
        ({"repurchase_intent": 8, "nps": 8, "csat": 7}, None, False, "cognitive"),
        ({}, None, True, "action"),
    ],
)
def test_the_phase_is_the_highest_that_holds(latest, nev, returned, code):
    found = phase.judged({item: Decimal(value) for item, value in latest.items()}, nev, returned)
    assert found.code == code and len(found.reasons) == 4


def test_who_buys_again_after_a_complaint_acts():
    customer = buyer(100, 20)
    assert phase.of_customer(customer, of(customer)).code == ""
    ComplaintFactory(customer=customer, opened_at=ago(10))
    assert phase.of_customer(customer, of(customer)).code == ""
    ComplaintFactory(customer=customer, opened_at=ago(50))
    assert phase.of_customer(customer, of(customer)).code == "action"
    assert customer.purchases.count() == 2


def test_an_old_answer_and_the_teams_guess_say_nothing_of_the_phase():
    customer = CustomerFactory()
    answers(customer, 370, nps=10)
    answers(customer, 2, origin="staff_estimate", nps=10)
    assert phase.of_customer(customer, of(customer)).code == ""
