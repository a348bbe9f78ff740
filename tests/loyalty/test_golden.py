"""Golden customers at every boundary, worked out by hand from docs/scoring.md: equal to, just below, just above."""

from datetime import timedelta

import pytest
import time_machine

from crm.models import Category, Purchase, PurchaseLine, Return, ReturnAllocation, ReturnLine
from loyalty import scoring
from loyalty.barriers import BARRIERS, LOCK_IN, WILLING
from loyalty.judging import PARTS
from loyalty.models import Assessment, Calibration, Metrics, RuleSet, Transition
from loyalty.rules import Rules
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


def cycle(days: float, **more: object) -> None:
    """Let every base cycle be `days`."""
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "default_cycle_days": days} | more)


# 3.1 and 3.2


def test_the_least_interval_is_three_days():
    cycle(1)
    assert judged(buyer(0, 1, 2, 3)).expected_interval == 3


@pytest.mark.parametrize(("gaps", "last", "status"), [([20, 30], 50, "active"), ([20, 30], 51, "overdue")])
def test_a_limit_that_is_met_exactly_still_holds_for_thirds_of_days(gaps, last, status):
    # C = 50: E = (150 + 50) / 5 = 40 would be whole; with C = 38.8889 E = 33.3333…, and 1.5 E is 50 exactly.
    cycle((1000 / 6 - 50) / 3)
    assert judged(after_gaps(gaps, last)).status_on(DAY) == status


@pytest.mark.parametrize(("gap", "status"), [(180, "active"), (181, "reactivated")])
def test_a_gap_of_just_the_limit_was_no_lapse(gap, status):
    cycle(30)
    assert judged(after_gaps([gap], 10)).status_on(DAY) == status


def test_reactivated_with_gaps_before_the_lapse():
    cycle(30)
    # E before: (90 + 60) / 5 = 30, lapsed beyond 180. After: (150 + 200) / 6 = 58.33.
    assert judged(after_gaps([30, 30, 200], 58)).status_on(DAY) == "reactivated"
    assert judged(after_gaps([30, 30, 200], 59)).status_on(DAY) == "active"


def calibrated(last: int) -> tuple[Assessment, Calibration]:
    # 30 customers with gaps of 40 and 80 in turn over 840 days make the shop's own limits.
    for _ in range(20):
        after_gaps([40, 80] * 6, 100)
    return judged(after_gaps([40, 80] * 6, last)), Calibration.objects.get()


def test_calibrated_limits_decide():
    found, kept = calibrated(60)
    assert kept.self_calibrated
    for ratio, inside, beyond in (
        (kept.active, "active", "overdue"),
        (kept.overdue, "overdue", "at_risk"),
        (kept.at_risk, "at_risk", "lapsed"),
    ):
        last_day = found.last_order_on + timedelta(days=int(ratio * found.expected_interval + 1e-6))
        assert found.status_on(last_day) == inside
        assert found.status_on(last_day + timedelta(days=1)) == beyond


@pytest.mark.parametrize(
    ("months", "recorded", "cancelled", "status"),
    [
        (1, 32, None, "lapsed"),  # 1 October to 1 November
        (1, 31, None, "active"),  # 2 October to 2 November: the last day is today
        (2, 31, None, "active"),
        (12, 30, 0, "at_risk"),
        (12, 30, 29, "at_risk"),
    ],
)
def test_a_contract_decides(months, recorded, cancelled, status):
    customer = buyer(300)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=months, recorded_at=ago(recorded + 0.5))
    if cancelled is not None:
        BarrierFactFactory(customer=customer, signal="contract_cancelled", recorded_at=ago(cancelled))
    assert judged(customer).status_on(DAY) == status


def test_a_contract_that_renews_by_itself_ends_only_when_cancelled():
    customer = buyer(900)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=1, recorded_at=ago(90))
    BarrierFactFactory(customer=customer, signal="auto_renewal", recorded_at=ago(90))
    assert judged(customer).status_on(DAY) == "active"
    BarrierFactFactory(customer=customer, signal="contract_cancelled", recorded_at=ago(80))
    assert judged(customer).status_on(DAY) == "lapsed"


def test_a_contract_alone_is_no_order_and_makes_no_status():
    customer = CustomerFactory()
    BarrierFactFactory(customer=customer, signal="remaining_months", value=12)
    found = judged(customer)
    assert (found.stage, found.status_on(DAY), found.contract_until) == ("prospect", "", None)


# 3.3


@pytest.mark.parametrize(
    ("given", "relative", "regular", "newcomer"),
    [
        (7, 70, "true", "latent"),
        (6.9, 69, "developing", "developing"),
        (5, 50, "developing", "developing"),
        (4.9, 49, "spurious", "none"),
    ],
)
def test_types_at_their_boundaries(given, relative, regular, newcomer):
    often, once = fond(buyer(10, 40, 90), given), fond(buyer(10), given)
    scoring.score_all()
    assert often.assessment.relative_attitude == relative
    assert (often.assessment.loyalty_type, once.assessment.loyalty_type) == (regular, newcomer)


def test_type_looks_at_three_expected_gaps():
    cycle(45)
    assert judged(fond(after_gaps([45, 45], 135))).loyalty_type == "true"  # ρ = 3 exactly
    assert judged(fond(after_gaps([45, 45], 136))).loyalty_type == "latent"


def test_a_disconfirmation_alone_is_no_satisfaction():
    customer = buyer(10)
    answers(customer, disconfirmation=3, trust=9)
    assert judged(customer).attitude is None
    assert customer.metrics.satisfaction is None


@pytest.mark.parametrize(("value", "part"), [(-3, 40), (0, 65), (3, 90)])
def test_disconfirmation_runs_from_nothing_to_a_hundred(value, part):
    customer = buyer(10)
    answers(customer, csat=8, disconfirmation=value)
    judged(customer)
    assert customer.metrics.satisfaction == part


def test_parts_are_weighed_over_those_that_are_known():
    customer = buyer(10)
    answers(customer, csat=10, trust=4, involvement=1)
    # (25 × 100 + 25 × 40 + 10 × 10) / 60
    assert judged(customer).attitude == 60


# 3.4


@pytest.mark.parametrize(
    ("cycle_days", "orders", "stage"), [(30, 4, "repeat"), (30, 5, "regular"), (30.1, 3, "regular")]
)
def test_a_short_cycle_is_one_of_thirty_days_at_most(cycle_days, orders, stage):
    cycle(cycle_days)
    assert judged(buyer(*range(10, 10 + 30 * orders, 30))).raw_stage == stage


@pytest.mark.parametrize(("severity", "stage"), [("medium", "loyal"), ("high", "regular")])
def test_only_a_severe_complaint_counts(severity, stage):
    customer = fond(buyer(10, 40, 90))
    ComplaintFactory(customer=customer, severity=severity)
    assert judged(customer).raw_stage == stage


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("referred_order", 1), ("own_review", 1), ("testimonial", 1), ("defence", 1),
        ("incentivised_review", 2), ("social_mention", 2), ("reported_recommendation", 2),
    ],
)  # fmt: skip
def test_what_makes_an_ambassador(kind, needed):
    customer = fond(buyer(10, 40, 90))
    for n in range(needed):
        assert judged(customer).raw_stage == "loyal"
        AdvocacyActFactory(customer=customer, kind=kind, occurred_at=ago(n))
    assert judged(customer).raw_stage == "ambassador"


@pytest.mark.parametrize(("last", "stage"), [(67, "loyal"), (68, "loyal"), (135, "loyal"), (136, "regular")])
def test_loyal_while_active_or_overdue(last, stage):
    cycle(45)
    assert judged(fond(after_gaps([45, 45], last))).raw_stage == stage


def test_a_reactivated_customer_may_be_loyal():
    cycle(45)
    found = judged(fond(after_gaps([45, 45, 300, 5], 5)))
    assert found.raw_stage == "loyal"


def test_long_intervals_make_the_fall_later():
    cycle(90)
    customer = fond(after_gaps([200, 200], 10))  # E = (270 + 400) / 5 = 134: a stage falls after 67 days
    judged(customer)
    answers(customer, 0, comparison=-3)
    for days, stage in ((0, "loyal"), (66, "loyal"), (67, "regular")):
        with time_machine.travel(NOW + timedelta(days=days), tick=False):
            scoring.score_all()
        assert Assessment.objects.get().stage == stage, days


# 4


@pytest.mark.parametrize(("months", "points"), [(12, 60), (11, 55), (24, 60), (0, 0)])
def test_remaining_term(months, points):
    customer = buyer(0)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=months)
    assert judged(customer).score("contractual") == points


@pytest.mark.parametrize(("months", "points"), [(2.9, 0), (3, 20), (6, 20)])
def test_notice_period(months, points):
    customer = buyer(0)
    BarrierFactFactory(customer=customer, signal="notice_months", value=months)
    assert judged(customer).score("contractual") == points


@pytest.mark.parametrize(("saved", "points"), [(0, 0), (1, 10), (3, 30), (9, 30)])
def test_saved_items(saved, points):
    customer = buyer(0)
    BarrierFactFactory(customer=customer, signal="saved_items", value=saved)
    assert judged(customer).score("procedural") == points


@pytest.mark.parametrize(("contacts", "rating", "points"), [(2, 9, 0), (3, 6, 0), (3, 7, 40), (5, 10, 40)])
def test_a_named_contact(contacts, rating, points):
    customer, staff = buyer(10), UserFactory()
    for days in range(contacts):
        InteractionFactory(customer=customer, staff=staff, rating=rating, occurred_at=ago(days + 1))
    assert judged(customer).score("social") == points


@pytest.mark.parametrize(("brought", "points"), [(1, 15), (2, 30), (3, 30)])
def test_referred_customers_count_while_they_are_active(brought, points):
    customer, gone = buyer(10), buyer(2000)
    for friend in [gone, *(buyer(5) for _ in range(brought))]:
        AdvocacyActFactory(customer=customer, kind="referred_order", referred=friend, occurred_at=ago(400))
    assert judged(customer).score("social") == points


def with_scores(attitude: float, lock_in: float) -> Assessment:
    customer = buyer(0)
    answers(customer, csat=attitude / 10, trust=attitude / 10)
    RuleSet.objects.create(version=2, values={"points": {"exit_fee": lock_in}, "weights": {"monetary_loss": 1}})
    BarrierFactFactory(customer=customer, signal="exit_fee")
    return judged(customer)


@pytest.mark.parametrize(
    ("attitude", "lock_in", "bond_type"),
    [
        (50, 49.99, "voluntary"), (50, 50, "voluntary_and_locked"),
        (49, 50, "captive"), (49, 49.99, "unattached"), (70, 100, "voluntary_and_locked"), (0, 0, "unattached"),
    ],
)  # fmt: skip
def test_bond_types_at_their_boundaries(attitude, lock_in, bond_type):
    found = with_scores(attitude, lock_in)
    assert (found.bond, found.lock_in, found.bond_type) == (attitude, lock_in, bond_type)


@pytest.mark.parametrize(("attitude", "lock_in", "share"), [(30, 10, 75), (30, 9.99, None), (20, 20, 50)])
def test_the_share_is_shown_from_forty(attitude, lock_in, share):
    assert with_scores(attitude, lock_in).voluntary_share == share


def test_stored_parts_agree_with_the_scores():
    """Everybody's stored parts, recomputed in Python from what was stored."""
    staff, rules = UserFactory(), Rules()
    for n in range(12):
        customer = fond(buyer(*range(1, 40 + 30 * n, 20), place="web" if n % 2 else ""), n % 11)
        for place, signal in enumerate(("exit_fee", "owns_system", "only_supplier", "auto_renewal", "training_done")):
            if (n + place) % 3 == 0:
                BarrierFactFactory(customer=customer, signal=signal)
        if n % 4 == 0:
            ParticipationFactory(customer=customer)
            InteractionFactory(customer=customer, staff=staff, rating=9)
    scoring.score_all()
    for found in Assessment.objects.select_related("customer__metrics"):
        metrics, scores = found.customer.metrics, dict(zip((one.code for one in BARRIERS), found.scores, strict=True))
        known = {part: getattr(metrics, part) for part in PARTS if getattr(metrics, part) is not None}
        weight = sum(rules.attitude[part] for part in known)
        assert found.attitude == pytest.approx(sum(rules.attitude[p] * v for p, v in known.items()) / weight, abs=0.006)
        weighted = sorted(
            (rules.weights[b.code] * scores[b.code] for b in LOCK_IN if scores[b.code] is not None), reverse=True
        )
        assert found.lock_in == pytest.approx(min(100, weighted[0] + 0.25 * sum(weighted[1:])), abs=0.006)
        closed = sum(rules.weights[b.code] * (scores[b.code] or 0) for b in WILLING) / 100
        assert found.bond == pytest.approx(found.attitude + (100 - found.attitude) * closed, abs=0.006)
        assert found.bond >= found.attitude


# Bad input


def test_a_customer_without_facts():
    found = judged(CustomerFactory())
    assert (found.stage, found.status_on(DAY), found.attitude, found.lock_in, found.bond_type) == (
        "prospect", "", None, None, "",
    )  # fmt: skip
    assert found.loyalty_type == "undetermined"


def test_only_returns():
    customer = CustomerFactory()
    Return.objects.create(
        source=SourceFactory(), external_id="r1", customer=customer, returned_at=NOW, returned_on=DAY, currency="EUR",
        net=30, unallocated=30, version=NOW,
    )  # fmt: skip
    found = judged(customer)
    assert (found.stage, found.orders, customer.metrics.value) == ("prospect", 0, -30)


def test_all_purchases_on_one_day():
    found = judged(buyer(*(10 + n / 100 for n in range(40))))
    assert (found.orders, found.stage) == (1, "first_time")


def test_a_whole_shop_on_one_day():
    for _ in range(40):
        buyer(10)
    found = judged(buyer(10))
    assert (found.base_kind, found.status_on(DAY)) == ("default", "active")


def test_days_before_1970_and_to_come():
    old = PurchaseFactory(ordered_at=NOW.replace(year=1969)).customer
    ahead = PurchaseFactory(ordered_at=NOW + timedelta(days=3)).customer
    answers(ahead, -3, csat=9, trust=9)
    AdvocacyActFactory(customer=ahead, occurred_at=NOW + timedelta(days=1))
    scoring.score_all()
    found = {row.customer: row for row in Assessment.objects.all()}
    assert (found[old].stage, found[old].status_on(DAY)) == ("first_time", "lapsed")
    assert (found[ahead].stage, found[ahead].orders, found[ahead].attitude) == ("prospect", 0, None)
    with time_machine.travel(NOW + timedelta(days=3), tick=False):
        scoring.score_all()
    assert Assessment.objects.get(customer=ahead).stage == "first_time"


def test_a_single_customer_in_the_shop():
    found = judged(fond(buyer(10, 40, 90)))
    assert (found.stage, found.base_kind) == ("loyal", "default")


def test_all_customers_identical():
    for _ in range(40):
        after_gaps([30] * 26, 30)
    scoring.score_all()
    kept = Calibration.objects.get()
    assert kept.self_calibrated
    assert (kept.active, kept.overdue, kept.at_risk) == (1.25, 2, 4)
    assert set(Assessment.objects.values_list("stage", flat=True)) == {"regular"}


def test_a_category_renamed_changes_nothing():
    source = SourceFactory()
    coffee = Category.objects.create(source=source, external_id="c", name="coffee")
    for _ in range(30):
        buyer(60, 40, categories=[coffee.pk])
    scoring.score_all()
    before = list(Assessment.objects.order_by("pk").values())
    Category.objects.filter(pk=coffee.pk).update(name="espresso")
    assert scoring.score_all().changed == 0
    assert list(Assessment.objects.order_by("pk").values()) == before


def test_a_category_counts_by_orders_not_by_purchases():
    source = SourceFactory()
    coffee, tea = (Category.objects.create(source=source, external_id=name, name=name) for name in ("coffee", "tea"))
    customer = buyer(10, 10.01, 10.02, categories=[coffee.pk])
    buyer(20, 30, customer=customer, categories=[tea.pk])
    judged(customer)
    assert customer.metrics.category_id == tea.pk


def test_a_partly_returned_purchase_stays_an_order():
    customer = buyer(10, gross=20)
    purchase = Purchase.objects.get()
    line = PurchaseLine.objects.create(purchase=purchase, position=1, quantity=2, unit_price=10, net=20)
    back = Return.objects.create(
        source=purchase.source, external_id="r", purchase=purchase, customer=customer, returned_at=NOW, returned_on=DAY,
        currency="EUR", net=10, version=NOW,
    )  # fmt: skip
    part = ReturnLine.objects.create(parent=back, position=1, quantity=1, unit_price=10, net=10)
    ReturnAllocation.objects.create(return_line=part, purchase_line=line, quantity=1, net=10)
    Purchase.objects.update(returned=10, net=10)
    assert judged(customer).orders == 1
    Purchase.objects.update(returned=20, net=0)
    assert judged(customer).orders == 0


@pytest.mark.slow
def test_fifty_thousand_purchases_of_one_customer():
    customer = CustomerFactory()
    purchase = PurchaseFactory.build(customer=customer, source=SourceFactory())
    purchase.source.save()
    rows = []
    for n in range(50_000):
        at = NOW - timedelta(days=n % 3000, minutes=n // 3000)
        rows.append(
            Purchase(
                source=purchase.source, external_id=f"b{n}", customer=customer, ordered_at=at, ordered_on=at.date(),
                status="paid", gross=1, net=1, currency="EUR", version=at,
            )
        )  # fmt: skip
    Purchase.objects.bulk_create(rows, batch_size=5000)
    found = judged(customer)
    assert (found.orders, found.expected_interval, found.stage) == (3000, 3, "regular")
    assert Metrics.objects.get().value == 50_000


def test_rules_that_were_stored_out_of_order_say_so_and_change_nothing():
    from loyalty.rules import RulesError

    customer = buyer(10, 20, 30)
    judged(customer)
    RuleSet.objects.create(version=2, values={"active": 9})
    with pytest.raises(RulesError) as wrong:
        scoring.score_all()
    assert wrong.value.name == "overdue"
    assert Assessment.objects.get().rules_version == 1
    assert not Transition.objects.exists()
