"""Golden customers, worked out by hand from the rules in docs/scoring.md."""

from datetime import timedelta

import pytest

from crm.models import Category
from loyalty.barriers import BARRIERS, SIGNALS, slice_of
from loyalty.models import Assessment, Calibration, RuleSet
from tests.factories import (
    NOW,
    AdvocacyActFactory,
    BarrierFactFactory,
    ComplaintFactory,
    CustomerFactory,
    InteractionFactory,
    ParticipationFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)
from tests.loyalty.shop import DAY, after_gaps, ago, answers, buyer, fond, judged

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("gaps", "last", "interval", "ratio"),
    [([30, 60], 100, 45, 2.22), ([10, 12, 9, 11], 60, 25.29, 2.37), ([], 300, 45, 6.67)],
)
def test_expected_interval_and_overdue_ratio(gaps, last, interval, ratio):
    cycle(45)
    found = judged(after_gaps(gaps, last))
    assert round(found.expected_interval, 2) == interval
    assert round(found.overdue_ratio_on(DAY), 2) == ratio


def cycle(days: float) -> None:
    """Let every base cycle be `days`."""
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "default_cycle_days": days})


@pytest.mark.parametrize(
    ("last", "status"),
    [(67, "active"), (68, "overdue"), (135, "overdue"), (136, "at_risk"), (270, "at_risk"), (271, "lapsed")],
)
def test_status_at_its_boundaries(last, status):
    cycle(45)
    found = judged(buyer(last))
    assert found.status_on(DAY) == status


def test_nobody_without_an_order_has_a_status():
    found = judged(CustomerFactory())
    assert (found.status_on(DAY), found.overdue_ratio_on(DAY), found.stage) == ("", None, "prospect")


def test_reactivated_after_a_lapse_for_one_interval():
    cycle(30)
    # E before the last order is 30, so a gap of 181 exceeds 6 × 30. E now: (90 + 181) / 4 = 67.75.
    assert judged(after_gaps([181], 67)).status_on(DAY) == "reactivated"
    assert judged(after_gaps([181], 68)).status_on(DAY) == "active"
    assert judged(after_gaps([180], 10)).status_on(DAY) == "active"


def test_stages_that_purchases_make():
    assert judged(CustomerFactory()).stage == "prospect"
    assert judged(buyer(10)).stage == "first_time"
    assert judged(buyer(10, 40)).stage == "repeat"
    assert judged(buyer(10, 40, 90)).stage == "regular"


def test_two_purchases_on_one_day_are_one_order():
    found = judged(buyer(10, 10.1))
    assert (found.stage, found.orders) == ("first_time", 1)


@pytest.mark.parametrize(
    "purchase", [{"status": "placed"}, {"status": "cancelled"}, {"status": "refunded"}, {"gross": 0}]
)
def test_a_purchase_that_is_no_valid_order(purchase):
    assert judged(buyer(10, **purchase)).stage == "prospect"


def test_a_test_account_has_no_orders():
    assert judged(buyer(10, 20, 30, customer=CustomerFactory(is_test=True))).stage == "prospect"


def test_a_short_cycle_asks_for_five_orders():
    cycle(30)
    assert judged(buyer(10, 40, 70, 100)).stage == "repeat"
    assert judged(buyer(10, 40, 70, 100, 130)).stage == "regular"


def test_the_order_before_the_last_must_be_recent():
    cycle(45)
    many = [1] * 9  # a short interval: E is 38, so 6 E is below 365 days
    assert judged(after_gaps([*many, 355], 10)).raw_stage == "regular"
    assert judged(after_gaps([*many, 356], 10)).raw_stage == "repeat"
    assert judged(after_gaps([30, 356], 10)).raw_stage == "regular"  # E is 104


def test_a_lapsed_customer_is_no_regular():
    cycle(45)
    found = judged(buyer(300, 310, 320))
    assert (found.status_on(DAY), found.raw_stage) == ("lapsed", "repeat")


def test_loyal_needs_attitude_of_seventy():
    assert judged(fond(buyer(10, 40, 90), 7)).stage == "loyal"
    assert judged(fond(buyer(10, 40, 90), 6.9)).stage == "regular"


def test_a_severe_complaint_keeps_from_loyal_until_it_is_closed():
    customer = fond(buyer(10, 40, 90))
    complaint = ComplaintFactory(customer=customer)
    assert judged(customer).raw_stage == "regular"
    complaint.state, complaint.closed_at = "closed", NOW
    complaint.save()
    assert judged(customer).raw_stage == "loyal"


def test_at_risk_is_too_late_for_loyal():
    cycle(45)
    found = judged(fond(after_gaps([45, 45], 140)))
    assert (found.status_on(DAY), found.raw_stage) == ("at_risk", "regular")


@pytest.mark.parametrize(
    ("acts", "stage"),
    [
        (["own_review"], "ambassador"),
        (["social_mention"], "loyal"),
        (["social_mention", "incentivised_review"], "ambassador"),
    ],
)
def test_ambassadors_have_done_something(acts, stage):
    customer = fond(buyer(10, 40, 90))
    for kind in acts:
        AdvocacyActFactory(customer=customer, kind=kind, occurred_at=ago(365))
    assert judged(customer).stage == stage


def test_an_old_act_makes_no_ambassador_and_neither_does_an_intention():
    customer = fond(buyer(10, 40, 90))
    AdvocacyActFactory(customer=customer, occurred_at=ago(366))
    answers(customer, nps=10)
    assert judged(customer).stage == "loyal"


def test_attitude_weighs_its_parts():
    customer = buyer(10)
    answers(customer, csat=9, disconfirmation=0, trust=8, commitment=7, involvement=10)
    emotions = {f"nev_{code}": 9 for code in ("happy", "trusting", "valued", "interested")}
    answers(customer, form="short", **emotions, nev_irritated=1, nev_neglected=1, nev_disappointed=1)
    found = judged(customer)
    # Satisfaction (90 + 50) / 2 = 70; trust 80; commitment 70; NEV (8 + 10) × 5 = 90; involvement 100.
    assert customer.metrics.nev == 90
    assert found.attitude == round((25 * 70 + 25 * 80 + 25 * 70 + 15 * 90 + 10 * 100) / 100, 2) == 78.5
    assert (found.evidence, found.relative_attitude, found.attitude_compared) == (4, 78.5, False)


def test_newer_answers_count_more():
    customer = buyer(10)
    answers(customer, 180, trust=4, csat=8)
    answers(customer, 0, trust=10)
    judged(customer)
    # Weights 0.5 and 1: (0.5 × 40 + 100) / 1.5.
    assert customer.metrics.trust == 80


@pytest.mark.parametrize(
    ("sheets", "known"),
    [
        ([(10, {"trust": 9})], False),
        ([(10, {"trust": 9, "csat": 9})], True),
        ([(365, {"trust": 9, "csat": 9})], True),
        ([(366, {"trust": 9}), (10, {"csat": 9})], False),
        ([(10, {"trust": 9, "involvement": 9})], False),
        ([(10, {"csat": 9}), (20, {"csat": 8})], False),
    ],
)
def test_attitude_needs_two_fresh_parts(sheets, known):
    customer = buyer(10)
    for days, items in sheets:
        answers(customer, days, **items)
    assert (judged(customer).attitude is not None) is known


def test_what_staff_estimate_is_no_evidence():
    customer = buyer(10)
    answers(customer, origin="staff_estimate", csat=9, trust=9, commitment=9)
    assert judged(customer).attitude is None


def test_the_full_form_goes_before_the_short_one():
    customer = buyer(10)
    short = {f"nev_{code}": 10 for code in ("happy", "trusting", "valued")}
    answers(customer, 5, form="short", **short, nev_irritated=0, nev_neglected=0, nev_stressed=0)
    judged(customer)
    assert (customer.metrics.nev, customer.metrics.nev_form) == (100, "short")
    good = ("happy", "pleased", "trusting", "valued", "cared_for", "focused")
    bad = ("irritated", "hurried", "neglected", "unhappy")
    answers(customer, 50, form="full", **{f"nev_{code}": 6 for code in good}, **{f"nev_{code}": 2 for code in bad})
    judged(customer)
    customer.metrics.refresh_from_db()
    assert (customer.metrics.nev, customer.metrics.nev_form) == (70, "full")


def test_too_few_emotions_are_no_nev():
    customer = buyer(10)
    good = ("happy", "pleased", "trusting", "valued", "cared_for", "focused")
    bad = ("irritated", "hurried", "neglected")
    answers(customer, form="full", **{f"nev_{code}": 6 for code in good}, **{f"nev_{code}": 2 for code in bad})
    judged(customer)
    assert customer.metrics.nev is None


def test_a_comparison_makes_the_attitude_relative():
    customer = fond(buyer(10), 8)
    answers(customer, comparison=0)
    found = judged(customer)
    assert (found.attitude, found.relative_attitude, found.attitude_compared) == (80, 65, True)


@pytest.mark.parametrize(
    ("score", "days", "loyalty_type"),
    [
        (8, (10, 40, 90), "true"),
        (8, (10,), "latent"),
        (4, (10, 40, 90), "spurious"),
        (4, (10,), "none"),
        (6, (10,), "developing"),
        (None, (10, 40, 90), "undetermined"),
    ],
)
def test_loyalty_types(score, days, loyalty_type):
    customer = buyer(*days)
    if score:
        fond(customer, score)
    assert judged(customer).loyalty_type == loyalty_type


def test_worked_example_of_a_voluntary_bond():
    # emo 80, soz 40, vort unknown (no source delivers benefits): 80 + 20 × (0.25 × 0.4).
    # tech 20, proz 30 + tenure 0: G = 0.6 × 30 + a quarter of 0.8 × 20.
    customer, contact = fond(buyer(0)), UserFactory()
    for days in (1, 2, 3):
        InteractionFactory(customer=customer, staff=contact, rating=7, occurred_at=ago(days))
    BarrierFactFactory(customer=customer, signal="custom_configuration")
    BarrierFactFactory(customer=customer, signal="recurring_delivery")
    found = judged(customer)
    assert (found.emotional, found.score("social"), found.score("lost_benefits")) == (80, 40, None)
    assert (found.score("technical"), found.score("procedural"), found.lock_in) == (20, 30, 22)
    assert found.bond == 82
    assert found.voluntary_share == round(100 * 82 / 104, 2)
    assert found.bond_type == "voluntary"


def test_worked_example_of_a_captive():
    customer = fond(buyer(0), 3)
    for signal, value in {"remaining_months": 12, "notice_months": 3, "auto_renewal": 1, "prepaid_term": 1}.items():
        BarrierFactFactory(customer=customer, signal=signal, value=value)
    BarrierFactFactory(customer=customer, signal="owns_system")
    found = judged(customer)
    assert (found.score("contractual"), found.score("technical")) == (100, 40)
    assert (found.lock_in, found.bond, found.voluntary_share) == (100, 30, 23.08)
    assert found.bond_type == "captive"


def test_weak_bonds_have_no_share():
    customer = fond(buyer(0), 2)
    BarrierFactFactory(customer=customer, signal="training_done")  # 20 × 0.6 = 12; 20 + 12 < 40
    found = judged(customer)
    assert (found.lock_in, found.bond, found.voluntary_share, found.bond_type) == (12, 20, None, "unattached")


def test_a_strong_bond_beside_a_contract():
    customer = fond(buyer(0), 8)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=10)
    assert judged(customer).bond_type == "voluntary_and_locked"


def test_lock_in_is_unknown_only_if_all_five_are():
    assert judged(CustomerFactory()).lock_in is None  # no purchase anywhere: even tenure is unknown
    found = judged(buyer(0))
    assert (found.score("procedural"), found.lock_in, found.score("contractual")) == (0, 0, None)


def test_bond_is_unknown_without_attitude():
    found = judged(buyer(10))
    assert (found.bond, found.bond_type) == (None, "")


@pytest.mark.parametrize(("months", "points"), [(0, 0), (12, 10), (24, 20), (40, 20)])
def test_tenure_grows_to_two_years(months, points):
    customer = buyer()
    year, month = divmod(NOW.year * 12 + NOW.month - 1 - months, 12)
    PurchaseFactory(customer=customer, ordered_at=NOW.replace(year=year, month=month + 1))
    assert judged(customer).score("procedural") == points


def test_routine_is_known_once_any_purchase_has_a_place():
    customer = buyer(1, 2, 3, 4, place="web")
    buyer(5, customer=customer, place="till")
    other = buyer(1)
    assert judged(customer).score("situational") == 30
    assert Assessment.objects.get(customer=other).score("situational") == 0
    buyer(6, customer=customer, place="till")
    assert judged(customer).score("situational") == 0


def test_social_signals():
    customer, friend = buyer(10), buyer(5)
    ParticipationFactory(customer=customer)
    AdvocacyActFactory(customer=customer, kind="referred_order", referred=friend, occurred_at=ago(500))
    found = judged(customer)
    assert found.score("social") == 30 + 15
    assert found.points[slice_of("social")] == [None, 30, 15]


def test_a_recorded_fact_ends_when_it_expires_or_is_corrected():
    customer = buyer(10)
    BarrierFactFactory(customer=customer, signal="exit_fee", recorded_at=ago(20), expires_at=ago(1))
    assert judged(customer).score("monetary_loss") is None
    BarrierFactFactory(customer=customer, signal="exit_fee", recorded_at=ago(10))
    assert judged(customer).score("monetary_loss") == 40
    BarrierFactFactory(customer=customer, signal="exit_fee", value=0, recorded_at=ago(5))
    assert judged(customer).score("monetary_loss") == 0


def test_credit_is_measured_by_the_customers_own_orders():
    customer = buyer(10, 20, gross=50)
    BarrierFactFactory(customer=customer, signal="prepaid_credit", value=25)
    assert judged(customer).score("monetary_loss") == 30


def test_the_remaining_term_runs_down():
    customer = buyer(10)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=6, recorded_at=NOW - timedelta(days=62))
    assert judged(customer).score("contractual") == 20  # 1 Sep to 2 Nov: two months are over


def test_a_contract_decides_the_status_until_its_end():
    cycle(45)
    running, noticed, ended, returned = buyer(300), buyer(300), buyer(300), buyer(20)
    for customer, months, days in ((running, 12, 30), (noticed, 12, 30), (ended, 1, 60), (returned, 1, 60)):
        BarrierFactFactory(customer=customer, signal="remaining_months", value=months, recorded_at=ago(days))
    BarrierFactFactory(customer=noticed, signal="contract_cancelled", recorded_at=ago(3))
    judged(running)
    found = {a.customer: a.status_on(DAY) for a in Assessment.objects.all()}
    assert [found[c] for c in (running, noticed, ended, returned)] == ["active", "at_risk", "lapsed", "active"]


def test_base_cycle_of_the_category_goes_before_the_shops():
    source = SourceFactory()
    coffee, tea = (Category.objects.create(source=source, external_id=name, name=name) for name in ("coffee", "tea"))
    for _ in range(30):
        buyer(60, 40, categories=[coffee.pk])
        buyer(100, 40, categories=[tea.pk])
    drinker, mixed = buyer(10, categories=[coffee.pk]), buyer(10, categories=[coffee.pk, tea.pk])
    found = judged(drinker)
    assert (found.base_cycle, found.base_kind) == (20, "category")
    found = Assessment.objects.get(customer=mixed)
    assert (found.base_cycle, found.base_kind) == (40, "shop")


def test_twenty_nine_gaps_are_too_few_for_a_base():
    for _ in range(29):
        buyer(30, 10)
    assert judged(buyer(1)).base_kind == "default"


def test_gaps_older_than_two_years_do_not_count():
    for _ in range(30):
        buyer(800, 750)
    assert judged(buyer(1)).base_kind == "default"


def test_one_very_long_gap_is_winsorised():
    for _ in range(39):
        buyer(40, 10)
    buyer(700, 10)
    assert judged(buyer(1)).base_cycle == 30


def test_unallocated_returns_lower_the_value_but_no_order():
    from crm.models import Return

    customer = buyer(10, 20, gross=50)
    Return.objects.create(
        source=SourceFactory(), external_id="r1", customer=customer, returned_at=NOW, returned_on=DAY, currency="EUR",
        net=30, unallocated=30, version=NOW,
    )  # fmt: skip
    assert judged(customer).orders == 2
    assert customer.metrics.value == 70


def test_points_agree_with_the_scores():
    customer = fond(buyer(10, 400, place="web"))
    for signal in SIGNALS:
        if signal.kind == "recorded":
            BarrierFactFactory(customer=customer, signal=signal.code, value=0.7)
    found = judged(customer)
    assert len(found.points) == len(SIGNALS)
    for barrier in BARRIERS:
        lines = [points for points in found.points[slice_of(barrier.code)] if points is not None]
        assert found.score(barrier.code) == (min(100, sum(lines)) if lines else None)


def test_calibration_is_kept_beside_the_judgement():
    judged(buyer(10))
    kept = Calibration.objects.get()
    assert (kept.as_of, kept.customers, kept.kind, kept.days) == (DAY, 1, "default", 90)
