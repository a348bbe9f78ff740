"""Stored parts become whole sentences, right for 0, 1 and many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import explain as explaining
from loyalty import scoring
from loyalty.actions import ACTIONS, BY_CODE
from loyalty.barriers import BARRIERS
from loyalty.conditions import WORDING
from loyalty.models import RuleSet
from loyalty.stages import STAGES
from tests.factories import (
    AdvocacyActFactory,
    BarrierFactFactory,
    ComplaintFactory,
    CustomerFactory,
    InteractionFactory,
    ParticipationFactory,
    UserFactory,
)
from tests.loyalty.shop import ago, answers, buyer, fond

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    from django.utils import translation

    with translation.override("en"):
        yield


def explained(customer):
    scoring.score_all()
    return explaining.explain(customer)


def texts(said) -> dict[str, tuple[str, str]]:
    return {one.code: (one.state, one.text) for one in said}


def test_nobody_is_explained_before_being_judged():
    assert explaining.explain(CustomerFactory()) is None


def test_a_prospect_lacks_a_first_order():
    found = explained(CustomerFactory())
    assert found.next.sentence == "1 thing is missing for “First-time customer”: a first order."
    assert found.status == "No order yet, so there is no status."
    assert found.interval == (
        "Expected every 90 days: the gap of the shop is 90 days (the preset value), and there is none of their own yet."
    )


def test_a_first_time_customer():
    found = explained(buyer(1))
    assert found.status.startswith("Active: the last order was 1 day ago, on 1 Nov 2026.")
    assert found.next.sentence.startswith("1 thing is missing for “Repeat customer”")
    assert found.stage == "First-time customer since 1 Nov 2026"


def test_orders_missing_for_a_regular_customer():
    RuleSet.objects.create(version=2, values={"regular_orders": 4})
    conditions = texts(explained(buyer(5, 15)).next.conditions)
    assert conditions["enough_orders"] == ("missing", "2 more orders, at least 4 in all")
    assert conditions["recent_orders"] == ("met", "Two orders within 420 days, the earlier on 18 Oct 2026")
    conditions = texts(explained(buyer(5, 15, 25)).next.conditions)
    assert conditions["enough_orders"] == ("missing", "1 more order, at least 4 in all")


def test_the_way_to_a_loyal_customer_in_one_sentence():
    customer = fond(buyer(5, 15, 25), 6.8)
    ComplaintFactory(customer=customer)
    found = explained(customer)
    assert found.next.sentence == (
        "2 things are missing for “Loyal customer”: attitude from 68 to 70; "
        "solving the open complaint of high severity."
    )
    assert found.next.action == BY_CODE["solve_complaint"]


def test_an_unknown_attitude_asks_for_an_answer():
    customer = buyer(5, 15, 25)
    answers(customer, csat=9)
    found = explained(customer)
    assert texts(found.next.conditions)["attitude_high"] == (
        "unknown", "attitude of at least 70: unknown, answers on 1 more part are needed"
    )  # fmt: skip
    assert found.next.action == BY_CODE["ask_opinion"]
    assert found.badges == ["Attitude unknown: suggest a survey"]
    assert found.attitude.startswith("Attitude unknown: 1 part answered within 365 days, at least 2 are needed.")


def test_an_ambassador_has_nothing_left_to_reach():
    customer = fond(buyer(5, 15, 25))
    AdvocacyActFactory(customer=customer)
    found = explained(customer)
    assert found.next is None
    assert texts(found.conditions)["advocacy"] == ("met", "Spoke for the shop 1 time within 365 days")


def test_lapsed_is_probable_and_the_stage_is_the_last():
    found = explained(buyer(800))
    assert found.status.endswith("Very probably they have gone; that is not certain.")
    assert found.stage == "Last: First-time customer"


def test_lock_in_names_its_bolts():
    customer = buyer(0)
    BarrierFactFactory(customer=customer, signal="custom_configuration")
    BarrierFactFactory(customer=customer, signal="recurring_delivery")
    found = explained(customer)
    assert found.lock_in == (
        "Lock-in 22: Effort 18 (30 points × 0.6: Recurring delivery or interface set up) + "
        "a quarter of Technology 16 (20 points × 0.8: We hold a configuration made for the customer)"
    )


def test_bond_share_and_advice():
    customer, contact = fond(buyer(0)), UserFactory(first_name="Mia", last_name="Muster")
    for days in (1, 2, 3):
        InteractionFactory(customer=customer, staff=contact, rating=9, occurred_at=ago(days))
    ParticipationFactory(customer=customer, title="Tasting", occurred_at=ago(30))
    BarrierFactFactory(customer=customer, signal="notice_months", value=1)
    found = explained(customer)
    assert found.bond == (
        "Bond 83.5: the attitude 80 is its core; the relationship (70) closes 17.5% of the gap to 100. "
        "Unknown and counted as 0: Benefits to lose."
    )
    assert found.share == "100% of what holds them is voluntary."
    social = next(one for one in found.barriers if one.code == "social")
    assert [line.text for line in social.lines] == [
        "3 contacts with Mia Muster rated 7 or better in 12 months",
        "Takes part: Tasting, 3 Oct 2026",
        "Active customers they brought",
    ]
    assert social.coverage == "2 of 3 signals known"
    contract = next(one for one in found.barriers if one.code == "contractual")
    assert contract.lines[1].text == "Notice period: 1 month, recorded on 2 Nov 2026"
    assert contract.lines[0].learn == "Nobody has recorded it. Ask, and note it here."


def test_who_is_held_is_never_asked_to_recommend():
    customer = fond(buyer(0, 10, 20), 3)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=12)
    found = explained(customer)
    assert found.assessment.bond_type == "captive"
    assert found.next.action == BY_CODE["ease_leaving"]


def test_a_stage_that_fails_says_since_when():
    customer = fond(buyer(5, 15, 25))
    scoring.score_all()
    ComplaintFactory(customer=customer)
    assert explained(customer).stage == "Loyal customer; by the facts only Regular customer since 2 Nov 2026"


def test_forced_behaviour_is_marked():
    customer = fond(buyer(5, 15, 25))
    BarrierFactFactory(customer=customer, signal="remaining_months", value=12)
    assert explained(customer).badges == ["Behaviour partly forced"]


def test_no_action_makes_leaving_harder():
    signs = {barrier.code: barrier.sign for barrier in BARRIERS} | {"emotional": 1}
    for action in ACTIONS:
        assert action.effects
        assert all(signs[barrier] == direction for barrier, direction in action.effects), action.code


def test_every_condition_has_its_wording():
    assert {condition.code for stage in STAGES for condition in stage.conditions} == set(WORDING)


def test_explaining_takes_as_many_queries_whatever_is_known():
    plain, rich = buyer(5), fond(buyer(*range(1, 40)))
    for signal in ("exit_fee", "training_done"):
        BarrierFactFactory(customer=rich, signal=signal)
    scoring.score_all()
    counts = []
    for customer in (plain, rich):
        with CaptureQueriesContext(connection) as found:
            explaining.explain(customer)
        counts.append(len(found))
    assert counts[0] == counts[1]
