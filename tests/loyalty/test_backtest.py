"""The status on a real shop's year. Set STAMMKUNDE_ONLINE_RETAIL to the path of online-retail.csv.gz (UCI, CC BY 4.0)."""

import os
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from benchmarks.backtest import FALLING, Outcome, auc, backtest, line, table
from crm.models import Shop
from tests.loyalty.shop import buyer

FILE = os.environ.get("STAMMKUNDE_ONLINE_RETAIL", "")
DAY = date(2011, 9, 9)


@pytest.mark.slow
@pytest.mark.skipif(not FILE, reason="STAMMKUNDE_ONLINE_RETAIL names no file")
@pytest.mark.django_db(transaction=True)
def test_who_bought_in_the_13_weeks_after_falls_from_active_to_lapsed():
    Shop.current()
    Shop.objects.update(currency="GBP", time_zone="Europe/London", language="en")
    call_command("import_purchases", FILE, profile="online-retail", stdout=StringIO(), stderr=StringIO())
    early, tested = backtest(DAY - timedelta(days=120)), backtest(DAY)
    print("\n".join([*table(tested), line(early), line(tested)]))
    assert tested.reachable and tested.filled and tested.falls
    assert tested.auc and tested.auc > 0.65
    assert not early.reachable
    active, lapsed = (tested.bought[status] for status in (FALLING[0], FALLING[-1]))
    assert active[0] / active[1] > 2 * lapsed[0] / lapsed[1]


def test_the_auc_counts_pairs_in_the_right_order_and_ties_by_half():
    assert auc([(3, True), (2, True), (1, False)]) == 1
    assert auc([(1, True), (2, False)]) == 0
    assert auc([(1, True), (1, False)]) == 0.5
    assert auc([(4, True), (3, False), (2, True), (1, False)]) == 0.75
    assert auc([(1, True)]) is None and auc([]) is None


@pytest.mark.parametrize(
    ("history", "lapsed", "word"),
    [(300, 40, "long enough"), (200, 40, "lapsing needs 240 days"), (300, 29, "fewer than 30")],
)
def test_a_history_is_long_enough_when_somebody_can_have_lapsed_and_each_status_has_people(history, lapsed, word):
    bought = {"active": [30, 40], "overdue": [20, 40], "at_risk": [10, 40], "lapsed": [1, lapsed]}
    assert word in line(Outcome(DAY, history, 40, 6, bought, 0.7))


@pytest.mark.django_db
def test_only_orders_of_the_weeks_after_the_day_count():
    from tests.factories import NOW

    buyer(300, 200, 105, 100)  # in the 13 weeks after the day
    buyer(300, 200, 8)  # later than that
    buyer(300, 200)
    tested = backtest(NOW.date() - timedelta(days=110))
    assert sum(part for part, _whole in tested.bought.values()) == 1
    assert sum(whole for _part, whole in tested.bought.values()) == 3
