"""Once a year: did bond and lock-in tell who bought again?"""

from datetime import timedelta
from math import log, sqrt

import pytest
import time_machine
from django.test import Client
from django.utils import translation

from loyalty import bond_check, logistic, scoring
from loyalty.models import Assessment, BondCheck, Transition
from tests.factories import NOW, BarrierFactFactory, UserFactory
from tests.loyalty.shop import DAY, ago, answers, buyer


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


# The regression


def test_a_table_of_two_by_two_has_its_own_odds_ratio():
    # Of 40 with the mark 30 did, of 60 without it 15 did: (30 / 10) / (15 / 45) = 9, error √(1/30 + 1/10 + 1/15 + 1/45).
    intercept, effect = logistic.fit([((1,), 40, 30), ((0,), 60, 15)])
    assert (intercept.value, effect.value) == (pytest.approx(log(1 / 3)), pytest.approx(log(9)))
    assert effect.error == pytest.approx(sqrt(1 / 30 + 1 / 10 + 1 / 15 + 1 / 45))


def test_two_values_are_told_apart():
    # Log odds 0 + 1 x − 1 z: of 1,000 each, as many as that makes.
    rows = [((0, 0), 1000, 500), ((1, 0), 1000, 731), ((0, 1), 1000, 269), ((1, 1), 1000, 500)]
    _intercept, x, z = logistic.fit(rows)
    assert (round(x.value, 2), round(z.value, 2)) == (1.0, -1.0)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [((1,), 50, 50), ((0,), 50, 0)],  # parted perfectly
        [((1,), 50, 20)],  # everybody alike
        [((0, 2), 50, 20), ((1, 2), 50, 30)],  # one value is the same for all
    ],
)
def test_what_cannot_be_told_is_refused(rows):
    with pytest.raises(ArithmeticError):
        logistic.fit(rows)


# The shop


def shop() -> None:
    """80 customers a hundred days ago: of the fond ones 30 of 40 came back within sixty days, of the others 15."""
    for n in range(80):
        fond_of_us, came_back = n < 40, n % 40 < (30 if n < 40 else 15)
        customer = buyer(150, *([90] if came_back else [30]))
        answers(customer, 120, csat=8 if fond_of_us else 3, trust=8 if fond_of_us else 3)
        if n % 2:
            BarrierFactFactory(customer=customer, signal="exit_fee", recorded_at=ago(130))


@pytest.mark.django_db
def test_the_check_judges_as_of_then_and_changes_nothing():
    shop()
    scoring.score_all()
    before = list(Assessment.objects.order_by("pk").values())
    made = bond_check.recheck(60)
    assert (made.since, made.customers, made.bought) == (DAY - timedelta(60), 80, 35)
    assert list(Assessment.objects.order_by("pk").values()) == before and not Transition.objects.exists()
    made = bond_check.recheck(100)
    assert (made.customers, made.bought, BondCheck.objects.count()) == (80, 80, 1)
    assert made.bond is None  # everybody bought since: nothing to compare
    assert "too little to tell" in " ".join(bond_check.sentences())


@pytest.mark.django_db
def test_whoever_felt_bound_came_back_more_often():
    shop()
    scoring.score_all()
    with time_machine.travel(NOW - timedelta(days=40), tick=False):
        made = bond_check.recheck(60)
    assert (made.since, made.customers, made.bought) == (DAY - timedelta(100), 80, 45)
    # Five tens of bond lie between the two halves, whose odds are 30 / 10 and 15 / 25: five times as high.
    assert made.bond == pytest.approx(log(5) / 5, abs=0.03)
    assert abs(made.lock_in) < 2 * made.lock_in_error


@pytest.mark.django_db
def test_it_is_done_once_a_year_and_the_old_one_stands_beside_the_new():
    assert bond_check.recheck_once_a_year() is None  # nobody is judged yet
    assert bond_check.sentences() == [
        "Whether bond and lock-in tell who buys again is checked once a year; that was not done yet."
    ]
    buyer(10)
    scoring.score_all()
    first = bond_check.recheck_once_a_year()
    assert (first.days, first.bond) == (180, None)
    for days, due in ((29, False), (30, True)):  # it had too little, so a month is enough
        BondCheck.objects.update(as_of=DAY - timedelta(days))
        assert (bond_check.recheck_once_a_year() is not None) is due
    BondCheck.objects.filter(as_of=DAY).delete()
    BondCheck.objects.update(as_of=DAY - timedelta(364), bond=0.1, bond_error=0.02, lock_in=-0.1, lock_in_error=0.02)
    assert bond_check.recheck_once_a_year() is None
    BondCheck.objects.update(as_of=DAY - timedelta(365), bond=0.1, bond_error=0.02, lock_in=-0.1, lock_in_error=0.02)
    assert bond_check.recheck_once_a_year() is not None
    BondCheck.objects.filter(as_of=DAY).update(
        customers=1, bought=1, bond=0.2, bond_error=0.05, lock_in=0, lock_in_error=0.1
    )
    assert bond_check.sentences() == [
        "Checked on 2 Nov 2026: of 1 customer with bond and lock-in known on 6 May 2026, 1 bought within 180 days.",
        "Ten points more of bond go with 1.22 times the odds of buying again (1.11 to 1.35).",
        "Ten points more of lock-in go with 1.00 times the odds (0.82 to 1.22).",
        "What goes together need not cause each other: the weights stay until you change them.",
        "The check of 2 Nov 2025 found 1.11 times for the bond and 0.90 times for the lock-in.",
    ]


@pytest.mark.django_db
def test_the_rules_page_says_it_beside_the_weights():
    client = Client()
    client.force_login(UserFactory(role="admin", language="en"), backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/settings/rules/")
    assert page.status_code == 200
    assert "checked once a year" in page.content.decode()
