"""Each number of a profile with what made it: its facts, days and links, its points, and what follows from it."""

import re
from datetime import date

import pytest
from django.utils import translation

from loyalty import explain as explaining
from loyalty import panels, scoring
from loyalty.actions import BY_CODE, suggested
from loyalty.facts import Fact
from loyalty.models import RuleSet
from tests.factories import AdvocacyActFactory, BarrierFactFactory, UserFactory
from tests.loyalty.shop import after_gaps, ago, answers, buyer, fond

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def cycle(days: float, **more: object) -> None:
    """Let every base cycle be `days`."""
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "default_cycle_days": days} | more)


def explained(customer):
    scoring.score_all()
    return explaining.explain(customer)


def line(found, barrier, code):
    return next(one for b in found.barriers if b.code == barrier for one in b.lines if one.code == code)


def condition(found, code):
    return next(one for one in (found.next or found).conditions if one.code == code)


# Days lead to their facts


def test_a_day_in_a_text_leads_to_its_fact():
    said = panels.linked("Customer since 12 Nov 2026", [Fact("", date(2026, 11, 12), "/there/")])
    assert said == 'Customer since <a href="/there/">12 Nov 2026</a>'


def test_one_day_is_not_taken_for_the_end_of_another():
    facts = [Fact("", date(2026, 11, 2), "/a/"), Fact("", date(2026, 11, 12), "/b/")]
    assert panels.linked("on 12 Nov 2026", facts) == ('on <a href="/b/">12 Nov 2026</a> (<a href="/a/">2 Nov 2026</a>)')


def test_what_a_text_does_not_say_stands_behind_it_and_no_markup_gets_through():
    said = panels.linked("<b> on 2 Nov 2026", [Fact("<i>", date(2026, 11, 2), "/a/"), Fact("x", None)])
    assert said == '&lt;b&gt; on <a href="/a/">2 Nov 2026</a> (<a href="/a/">&lt;i&gt;</a>, x)'
    assert panels.linked("<b>", []) == "&lt;b&gt;"


def test_each_condition_names_the_orders_that_it_asks_for():
    found = explained(fond(buyer(5, 15, 25, 35)))
    days = {
        code: [fact.day for fact in condition(found, code).facts] for code in ("recent_orders", "alive", "two_orders")
    }
    assert days == {
        "recent_orders": [ago(5).date(), ago(15).date()],
        "alive": [ago(5).date()],
        "two_orders": [ago(35).date(), ago(25).date()],
    }
    assert [fact.day for fact in condition(found, "attitude_high").facts] == [ago(10).date()]


# Status and type


def test_an_interval_at_its_least_says_so():
    cycle(1)
    assert explained(buyer(0, 1, 2)).interval.endswith("Fewer than 3 days are never expected.")


def test_the_ratio_has_the_decimals_that_show_which_limit_it_passed():
    cycle(40, active=1.35)
    # 54 / 40 is the limit itself; 1 day more is 1.375. With E = 1000 / 27 the ratio 1.3503 is above 1.35.
    assert "1.35 times the expected" in explained(buyer(54)).status
    RuleSet.objects.create(version=3, values={"least_gaps": 10_000, "default_cycle_days": 39.99, "active": 1.35})
    found = explained(buyer(54))
    assert found.status.startswith("Overdue") and "1.3503 times" in found.status


@pytest.mark.parametrize(
    ("score", "last", "said"),
    [
        (8, 45, "True loyalty: they buy like a regular customer, the last time 1.00 expected gaps ago, at most 3, and the"
                " relative attitude 80 is high, from 70 on."),
        (8, 136, "Latent loyalty: the last order is 3.02 expected gaps ago, more than 3, and the relative attitude 80 is"
                 " high, from 70 on."),
        (4.9, 45, "Spurious loyalty: they buy like a regular customer, the last time 1.00 expected gaps ago, at most 3,"
                    " and the relative attitude 49 is low, below 50."),
        (6, 45, "Developing: they buy like a regular customer, the last time 1.00 expected gaps ago, at most 3, and the"
                " relative attitude 60 is medium, from 50 on and below 70."),
        (None, 45, "Cannot be told: they buy like a regular customer, the last time 1.00 expected gaps ago, at most 3, and"
                   " their attitude is unknown."),
    ],
)  # fmt: skip
def test_the_type_of_loyalty_says_why(score, last, said):
    cycle(45)
    customer = after_gaps([45, 45], last)
    if score:
        fond(customer, score)
    assert explained(customer).type == said


def test_a_relative_attitude_names_both_of_its_halves():
    customer = fond(buyer(5, 15, 25), 8)
    answers(customer, comparison=0)
    found = explained(customer)
    assert found.attitude.endswith("Relative attitude 65: the mean of that and of the comparison with other shops, 50.")
    assert [(fact.text, fact.day) for fact in found.compared] == [("0", ago(10).date())]


def test_who_came_back_after_long_needs_one_more_order_and_who_is_away_needs_two():
    cycle(45)
    assert (
        condition(explained(after_gaps([1] * 9 + [400], 10)), "recent_orders").text == "a second order within 365 days"
    )
    assert condition(explained(after_gaps([1] * 9, 366)), "recent_orders").text == "two orders within 365 days"


def test_an_ambassadors_missing_acts_are_counted_both_ways():
    customer = fond(buyer(5, 15, 25))
    AdvocacyActFactory(customer=customer, kind="social_mention")
    assert condition(explained(customer), "advocacy").text == (
        "acts that speak for the shop within 365 days: 0 of 1 strong ones (own review, testimonial, defence, a first order"
        " they brought) or 1 of 2 weaker ones"
    )


# What holds them


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (0, "Remaining term: 12 months, of 12 recorded on 2 Nov 2026"),
        (342, "Remaining term: 1 month, of 12 recorded on 25 Nov 2025"),
        (400, "The remaining term of 12 months, recorded on 28 Sep 2025, is over"),
    ],
)
def test_a_remaining_term_says_what_is_left_of_it(recorded, said):
    customer = buyer(10)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=12, recorded_at=ago(recorded))
    assert line(explained(customer), "contractual", "remaining_months").text == said


def test_credit_stands_beside_the_mean_order_that_measures_it():
    customer = buyer(10, 20, gross=50)
    BarrierFactFactory(customer=customer, signal="prepaid_credit", value=25)
    assert line(explained(customer), "monetary_loss", "prepaid_credit").text == (
        "Prepaid credit or bought voucher: €25.00 beside a mean order of €50.00, recorded on 2 Nov 2026"
    )


def test_a_recorded_fact_says_who_how_and_until_when():
    customer = buyer(10)
    BarrierFactFactory(
        customer=customer, signal="exit_fee", note="told on the phone", expires_at=ago(-100),
        recorded_by=UserFactory(first_name="Mia", last_name="Muster"),
    )  # fmt: skip
    (fact,) = line(explained(customer), "monetary_loss", "exit_fee").facts
    assert fact.text == "Mia Muster, told on the phone, until 10 Feb 2027"


@pytest.mark.parametrize(
    ("active", "gone", "said"),
    [
        (0, 1, "Brought 1 customer, active of them: 0"),
        (1, 1, "Brought 2 customers, active of them: 1"),
        (2, 0, "Brought 2 customers, active of them: 2"),
        (2, 1, "Brought 3 customers, active of them: at least 2"),
    ],
)
def test_of_whom_they_brought_it_says_how_many_are_active(active, gone, said):
    customer = buyer(10)
    for friend in [*(buyer(5) for _ in range(active)), *(buyer(2000) for _ in range(gone))]:
        AdvocacyActFactory(customer=customer, kind="referred_order", referred=friend, occurred_at=ago(400))
    assert line(explained(customer), "social", "referred_active").text == said


def test_a_lock_in_above_the_scale_says_so():
    customer = buyer(10)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=12)
    for signal in ("notice_months", "auto_renewal", "prepaid_term", "exit_fee"):
        BarrierFactFactory(customer=customer, signal=signal, value=3)
    assert explained(customer).lock_in.endswith("What exceeds 100 does not count.")


def test_a_point_is_one_point_and_a_part_of_it_are_points():
    RuleSet.objects.create(version=2, values={"points": {"exit_fee": 1, "owns_system": 0.5}})
    customer = buyer(0)
    for signal in ("exit_fee", "owns_system"):
        BarrierFactFactory(customer=customer, signal=signal)
    said = explained(customer).lock_in
    assert "(1 point × 0.8:" in said and "(0.5 points × 0.8:" in said


# What to do


def contract(customer, months: float, cancelled: bool = False):
    BarrierFactFactory(customer=customer, signal="remaining_months", value=months)
    if cancelled:
        BarrierFactFactory(customer=customer, signal="contract_cancelled")
    return customer


def test_who_is_held_is_talked_to_ninety_days_before_the_end():
    assert explained(contract(fond(buyer(5, 15, 25), 3), 12)).advice == (
        "Held, not bound: take away friction, be clear about ways out, and never ask for a review. "
        "The contract ends on 2 Nov 2027: talk by 4 Aug 2027."
    )
    assert explained(contract(fond(buyer(5, 15, 25), 9), 11)).advice.endswith("talk by 4 Jul 2027.")


def test_a_contract_that_ends_sooner_is_talked_about_today():
    customer = contract(fond(buyer(5, 15, 25), 3), 2)
    (
        BarrierFactFactory(customer=customer, signal="owns_system"),
        BarrierFactFactory(customer=customer, signal="exit_fee"),
    )
    BarrierFactFactory(customer=customer, signal="notice_months", value=6)
    RuleSet.objects.create(version=2, values={"lock_in_high": 30})
    assert explained(customer).advice.endswith("The contract ends on 2 Jan 2027: talk by 2 Nov 2026.")


def test_a_cancelled_contract_is_not_mended_by_an_order():
    found = explained(contract(fond(buyer(5, 15, 25), 9), 12, cancelled=True))
    alive = condition(found, "alive")
    assert alive.text == "a better status than at risk: the contract is cancelled or over"
    assert [(fact.day, fact.url) for fact in alive.facts] == [
        (date(2026, 11, 2), f"/customers/{found.assessment.customer_id}/#facts")
    ]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((2000,), "They think well of the shop, and have very probably gone: ask personally how they are."),
        ((400,), "They think well of the shop, and stay away longer than usual: ask personally how they are."),
        ((), "They think well of the shop, and have not bought yet: invite them."),
        ((10,), "They stay because they want to: appreciate it, and ask for a recommendation."),
    ],
)
def test_nobody_who_is_gone_is_said_to_stay(days, said):
    customer = buyer(*days)
    buyer(1)  # somebody has bought, so tenure is known
    assert explained(fond(customer, 9)).advice == said


def test_who_is_at_risk_is_first_of_all_asked_how_they_are():
    assert suggested(["two_orders"], [], "", "at_risk") == BY_CODE["win_back"]
    assert suggested(["two_orders", "no_severe_complaint"], [], "", "at_risk") == BY_CODE["solve_complaint"]
    assert suggested([], ["attitude_high"], "captive", "at_risk") == BY_CODE["ease_leaving"]


def test_every_number_of_the_profile_is_accounted_for(client):
    staff = UserFactory(role="support", language="en")
    customer = fond(buyer(5, 15, 25), 8)
    answers(customer, comparison=2)
    BarrierFactFactory(customer=customer, signal="training_done")
    scoring.score_all()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/customers/{customer.pk}/")
    shown = " ".join(
        re.sub(
            r"<[^>]+>", " ", "".join(map(str, (*page.context["panels"]["standing"], *page.context["panels"]["side"])))
        ).split()
    )
    for said in (
        "60.0 of the 75 points that the answered parts can reach 80",
        "20 points × 0.6, the strongest bolt counts in full 12",
        "2 of 4 signals known",
        "the comparison with other shops, 83.3.",
        "True loyalty: they buy like a regular customer",
        "rules version 1",
    ):
        assert said in shown, said
