"""The worked examples, point tables and percentiles of `docs/scoring.md`, judged by the very statements."""

from datetime import timedelta

import pytest
from django.db import connection

from crm.models import Category, Purchase
from loyalty import judging, scoring
from loyalty.barriers import BARRIERS, RECORDABLE
from loyalty.models import Assessment, Calibration, RuleSet
from loyalty.rules import Rules
from tests.factories import BarrierFactFactory, SourceFactory
from tests.loyalty.crowd import crowd
from tests.loyalty.shop import DAY, answers, buyer, judged

pytestmark = pytest.mark.django_db


# 4: bond and lock-in

# A judged customer as the statement of bond and type finds them; benefits have no source yet, so scores are given here.
KNOWN = """
SELECT %(attitude)s::float8 AS attitude, %(attitude)s::float8 AS relative_attitude, %(scores)s::float8[] AS scores,
  1 AS orders, 90::float8 AS base_cycle, NULL::date AS previous_order_on, %(day)s::date AS last_order_on,
  90::float8 AS expected_interval, 'active' AS status, 0 AS severe_complaints, 0 AS strong_acts, 0 AS medium_acts"""


def bound(attitude: float | None, **scores: float) -> tuple:
    statement = judging.TYPES.format(bond=judging.BOND.format(scores=KNOWN))
    given = {"attitude": attitude, "scores": [scores.get(barrier.code) for barrier in BARRIERS], "day": DAY}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT bond, lock_in, voluntary_share, bond_type FROM ({statement}) j", Rules().parameters() | given
        )
        return cursor.fetchone()


def test_emo80_soz40_vort30_tech20_proz30():
    assert bound(80, social=40, lost_benefits=30, technical=20, procedural=30) == (82.6, 22.0, 78.97, "voluntary")


def test_emo30_soz0_vort10_vert100_tech40():
    assert bound(30, social=0, lost_benefits=10, contractual=100, technical=40) == (30.7, 100, 23.49, "captive")


def test_emo20_situ20_is_below_what_a_share_needs():
    assert bound(20, situational=20) == (20, 12, None, "unattached")


def test_benefits_alone_never_make_a_bond():
    assert bound(None, social=100, lost_benefits=100, situational=0) == (None, 0, None, "")
    assert bound(0, social=100, lost_benefits=100, situational=0)[0] == 35  # a quarter and a tenth of the gap


@pytest.mark.parametrize("attitude", [70, 85, 100])
def test_whoever_thinks_highly_of_the_shop_is_never_captive(attitude):
    locks = dict.fromkeys(("contractual", "technical", "monetary_loss", "procedural", "situational"), 100)
    assert bound(attitude, **locks)[1:] == (
        100,
        pytest.approx(100 * attitude / (attitude + 100), abs=0.005),
        "voluntary_and_locked",
    )


POINTS = [
    # signal, recorded value, barrier, points; the mean order is 100
    ("remaining_months", 6, "contractual", 30), ("remaining_months", 12, "contractual", 60),
    ("remaining_months", 36, "contractual", 60), ("notice_months", 2, "contractual", 0),
    ("notice_months", 3, "contractual", 20), ("auto_renewal", 1, "contractual", 10), ("auto_renewal", 0, "contractual", 0),
    ("prepaid_term", 1, "contractual", 10), ("owns_system", 1, "technical", 40), ("consumables_share", 0.5, "technical", 20),
    ("consumables_share", 1, "technical", 40), ("custom_configuration", 1, "technical", 20),
    ("prepaid_credit", 50, "monetary_loss", 30), ("prepaid_credit", 100, "monetary_loss", 60),
    ("prepaid_credit", 900, "monetary_loss", 60), ("exit_fee", 1, "monetary_loss", 40), ("saved_items", 2, "procedural", 20),
    ("saved_items", 5, "procedural", 30), ("recurring_delivery", 1, "procedural", 30), ("training_done", 1, "procedural", 20),
    ("only_supplier", 1, "situational", 40), ("branch_closer", 1, "situational", 30),
]  # fmt: skip


def test_every_line_of_the_table_of_points():
    people = []
    for signal, value, _barrier, _points in POINTS:
        people.append(buyer(0, gross=100))
        BarrierFactFactory(customer=people[-1], signal=signal, value=value)
    scoring.score_all()
    found = Assessment.objects.in_bulk([one.pk for one in people])
    assert [found[one.pk].score(line[2]) for one, line in zip(people, POINTS, strict=True)] == [
        line[3] for line in POINTS
    ]
    assert {line[0] for line in POINTS} == {*RECORDABLE} - {"contract_cancelled"}


@pytest.mark.parametrize(("elsewhere", "points"), [(1, 30), (2, 0)])
def test_routine_counts_orders_not_purchases(elsewhere, points):
    # Four orders at the till of five are 80 %, of six they are not; many purchases of one day are one order.
    customer = buyer(1, 2, 3, 4, place="till")
    for day in range(elsewhere):
        buyer(*(10 + day + n / 100 for n in range(20)), customer=customer, place="web")
    found = judged(customer)
    assert (customer.metrics.place, customer.metrics.place_orders) == ("till", 4)
    assert found.score("situational") == points
    scoring.score_past(DAY, store=True)
    assert Assessment.objects.get(customer=customer).score("situational") == points


def test_a_day_at_two_places_counts_at_both():
    customer = buyer(5, 6, place="till")
    buyer(5.1, customer=customer, place="web")
    judged(customer)
    assert (customer.metrics.orders, customer.metrics.place, customer.metrics.place_orders) == (2, "till", 2)


# 3.2: limits from the shop's own history


def spread(*counted: tuple[int, int]) -> Calibration:
    """A shop of C = 10 in which so many customers came back after so many days once, the first of them two years ago."""
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "default_cycle_days": 10})
    crowd([(5 + gap, 5) for gap, n in counted for _ in range(n)] + [(740,)])
    scoring.score_all()
    return Calibration.objects.get()


def test_limits_are_the_percentiles_of_gap_by_expected_interval():
    # Of 200 ratios the 149.25th, 179.1st and 194.025th place: 2 + 0.25 × 1, 3 + 0.1 × 2, 5 + 0.025 × 4.
    found = spread((20, 150), (30, 30), (50, 15), (90, 5))
    assert (found.self_calibrated, found.active, found.overdue, found.at_risk) == (True, 2.25, 3.2, 5.1)


def test_limits_are_clipped_from_both_sides():
    low = spread((1, 200))
    assert (low.active, low.overdue, low.at_risk) == (1.25, 2, 4)


def test_limits_are_clipped_from_above():
    high = spread((500, 200))
    assert (high.active, high.overdue, high.at_risk) == (3, 6, 12)


def test_a_hundred_and_ninety_nine_gaps_are_too_few():
    assert not spread((20, 199)).self_calibrated


def test_the_expected_interval_of_a_ratio_knows_only_the_gaps_before():
    RuleSet.objects.create(
        version=2, values={"least_gaps": 10_000, "default_cycle_days": 10, "calibrate_gaps": 2, "calibrate_months": 0}
    )
    # Gaps 40 and 40: ratios 40 / 10 and 40 / ((30 + 40) / 4) = 2.28; their P75 is 3.57, clipped to 3, and P90 3.828.
    crowd([(85, 45, 5)])
    scoring.score_all()
    found = Calibration.objects.get()
    assert (found.active, found.overdue, found.at_risk) == (3, 3.83, 4)


# 3.1: a customer's category


def test_a_tie_between_categories_takes_the_shops_gaps():
    source = SourceFactory()
    coffee, tea = (Category.objects.create(source=source, external_id=name, name=name) for name in ("coffee", "tea"))
    for _ in range(30):
        buyer(60, 40, categories=[coffee.pk])
    both = buyer(10, categories=[coffee.pk])
    buyer(20, customer=both, categories=[tea.pk])
    assert judged(both).base_kind == "shop"
    assert both.metrics.category_id is None


# 3.4: a refund


def test_a_refund_lengthens_the_interval_and_with_it_may_ease_the_status():
    """As `docs/scoring.md` says: the gap around a refunded order counts as one, so ρ falls."""
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "default_cycle_days": 40})
    customer = buyer(220, 150, 80)
    before = judged(customer)
    Purchase.objects.filter(customer=customer, ordered_on=DAY - timedelta(150)).update(returned=10, net=0)
    after = judged(customer)
    # (120 + 140) / 5 = 52, then (120 + 140) / 4 = 65: 80 days are 1.54 and then 1.23 times that.
    assert (before.expected_interval, after.expected_interval) == (52, 65)
    assert (before.status_on(DAY), after.status_on(DAY)) == ("overdue", "active")
    assert (before.raw_stage, after.raw_stage) == ("regular", "repeat")


# 3.3: evidence


def test_a_late_old_full_form_leaves_a_fresh_short_one_as_evidence():
    """The value is that of the full form, but that they answered lately stays true: known never turns into unknown."""
    customer = buyer(10)
    answers(customer, csat=8)
    short = dict.fromkeys(("nev_happy", "nev_trusting", "nev_valued"), 8)
    answers(customer, form="short", **short, nev_irritated=0, nev_neglected=0, nev_stressed=0)
    assert judged(customer).evidence == 2
    good = dict.fromkeys(("nev_happy", "nev_pleased", "nev_trusting", "nev_valued", "nev_safe", "nev_focused"), 6)
    bad = dict.fromkeys(("nev_irritated", "nev_hurried", "nev_neglected", "nev_unhappy"), 2)
    answers(customer, 500, form="full", **good, **bad)
    found = judged(customer)
    customer.metrics.refresh_from_db()
    assert (customer.metrics.nev, customer.metrics.nev_form, found.evidence) == (70, "full", 2)
    assert found.attitude == 76.25  # (25 × 80 + 15 × 70) / 40
