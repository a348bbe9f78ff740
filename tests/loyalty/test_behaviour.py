"""Repurchase, intervals, cross-buying, recency-frequency-value, cohorts and share of wallet, worked out by hand."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.answers import record_response
from crm.models import Customer
from loyalty import behaviour_filters, scoring
from loyalty.cohorts import cohorts
from loyalty.cross_buying import cross_buying
from loyalty.estimates import Mean, difference, mean_of, median_ranks
from loyalty.figures import registry
from loyalty.intervals import intervals
from loyalty.models import Metrics
from loyalty.repurchase import observed, rates
from loyalty.rfm import rfm
from loyalty.wallet import allocation, wallet
from tests.factories import NOW
from tests.loyalty.crowd import crowd, judged_crowd
from tests.loyalty.shop import answers, buyer

pytestmark = pytest.mark.django_db


def filtered(name, value):
    return set(behaviour_filters.filters()[name].filter(Customer.objects.all(), value).values_list("pk", flat=True))


# Repurchase


def test_each_rate_by_its_own_formula():
    # Days ago: the first came back twice, the second once and long ago, the third never, the fourth is new.
    judged_crowd([700, 400, 20], [500, 480], [100], [5])
    found = rates()
    assert found["customers"] == [2, 4]
    assert found["orders"] == [3, 7]
    # Of the last 30 days: the first (bought before) and the fourth (new).
    assert found["periods"]["30"] == [1, 2]
    assert found["periods"]["365"] == [1, 3]


def test_the_example_of_the_specification_four_hundred_of_a_thousand():
    judged_crowd(*([[200, 10]] * 4), *([[10]] * 6))
    assert rates()["periods"]["90"] == [4, 10]


def test_purchases_of_one_day_are_no_repurchase():
    judged_crowd([50, 50])
    assert rates()["customers"] == [0, 1]


def test_a_cohort_counts_only_when_its_last_buyer_had_the_whole_time():
    assert observed(date(2026, 8, 1), 63, date(2026, 11, 2))  # 31 August + 63 days
    assert not observed(date(2026, 8, 1), 64, date(2026, 11, 2))
    judged_crowd([300, 271], [300, 269], [300], [20, 5])
    months = rates()["cohorts"]
    month = (NOW - timedelta(days=300)).date().replace(day=1).isoformat()
    assert months["30"] == [[month, 1, 3], *months["30"][1:]] and months["60"][0] == [month, 2, 3]
    assert all(entry[0] == month for entry in months["90"])


def test_the_people_behind_a_cohort_are_found():
    first, second, third = judged_crowd([300, 271], [300, 269], [300])
    month = (NOW - timedelta(days=300)).strftime("%Y-%m")
    assert filtered("came_back", f"{month}.30") == {first.pk}
    assert filtered("came_back", f"{month}.60") == {first.pk, second.pk}
    assert filtered("cohort", month) == {first.pk, second.pk, third.pk}
    assert filtered("cohort", f"{month}.1") == {first.pk, second.pk}
    assert filtered("bought", "again") == {first.pk, second.pk}
    assert filtered("bought", "once") == {third.pk}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cohort", "2026-13"), ("cohort", "gestern"), ("cohort", "2026-01.-1"), ("cohort", "9999-12.12"),
        ("came_back", "2026-01"), ("came_back", "2026-01.0"), ("bought", "never"), ("rfm", "x~1~2"), ("rfm", "m~a~b"),
        ("rfm", "f~1"), ("breadth", "-1"), ("breadth", "two"), ("stayed", "maybe"),
    ],
)  # fmt: skip
def test_an_address_that_no_page_wrote_is_refused_in_words(name, value):
    form = behaviour_filters.filters()[name].field
    with pytest.raises(ValidationError):
        form.clean(value)


def test_an_empty_shop_has_rates_of_nobody():
    scoring.score_all()
    found = rates()
    assert found["customers"] == [0, 0] and found["orders"] == [0, 0]
    assert found["periods"]["30"] == [0, 0] and found["cohorts"]["90"] == []


# Intervals


def test_intervals_completed_and_open():
    judged_crowd([100, 90, 70, 40], [30])
    found = intervals()
    assert found["completed"]["n"] == 3
    assert (found["completed"]["median"], found["completed"]["p75"], found["completed"]["p90"]) == (20, 25, 28)
    # P95 of 10, 20, 30 is 29: the mean counts 10, 20, 29.
    assert found["completed"]["winsorised"] == pytest.approx(59 / 3, abs=1e-4)
    assert found["completed"]["cv"] == pytest.approx(10 / 20)
    assert (found["completed"]["own_n"], found["completed"]["own_cv"]) == (1, pytest.approx(0.5))
    assert found["completed"]["error"] is None  # one customer says nothing of the others
    assert (found["open"]["n"], found["open"]["median"]) == (2, 35)


def test_without_a_second_order_there_is_no_interval_but_an_open_one():
    judged_crowd([30])
    found = intervals()
    assert found["completed"] == {"n": 0}
    assert found["open"]["median"] == 30


def test_the_mean_knows_that_gaps_of_one_customer_are_alike():
    # Two groups of customers, each perfectly regular: 10 independent customers, not 100 independent gaps.
    judged_crowd(*([list(range(100, -1, -10))] * 5), *([list(range(200, -1, -20))] * 5))
    found = intervals()["completed"]
    assert found["n"] == 100 and found["winsorised"] == pytest.approx(15)
    assert found["error"] == pytest.approx(5 * (10 / 9) ** 0.5 / 10**0.5)
    assert found["own_cv"] == 0


def test_gaps_older_than_the_rules_look_back_are_left_out():
    judged_crowd([2000, 1990, 20, 10])
    assert intervals()["completed"]["n"] == 2


# Cross-buying


def test_cross_buying_by_hand():
    crowd([[400, 30]], categories=[1])
    crowd([[400]], categories=[1, 2])
    crowd([[10]], categories=[1, 2])
    known = crowd([[500]], categories=[1])[0]
    buyer(20, customer=known, categories=[1, 3])
    crowd([[5]])
    scoring.score_all()
    found = cross_buying()
    assert found["all"] == [3, 5]
    assert found["repeaters"] == [1, 2]
    # Buyers of 365 days: the first (nothing new), the third (all new), the fourth (category 3), the fifth (none known).
    assert found["new"] == [2, 4]
    assert found["new_known"] == [1, 2]
    assert found["breadth"] == {"0": 1, "1": 1, "2": 3}
    assert filtered("breadth", "1") == set(Metrics.objects.filter(categories=1).values_list("customer_id", flat=True))


# Recency, frequency, monetary value


def test_fifths_of_ten_and_ties_share_a_class():
    made = judged_crowd(*[[day] for day in range(10, 110, 10)], net=[[amount] for amount in range(10, 110, 10)])
    found = rfm()
    assert found["n"] == 10
    assert [one["n"] for one in found["classes"]["r"]] == [2] * 5
    assert found["classes"]["r"][-1]["high"] == (NOW - timedelta(days=10)).date()
    # All bought once: one class, the lowest.
    assert [(one["code"], one["n"]) for one in found["classes"]["f"]] == [(1, 10)]
    assert found["classes"]["m"][0]["low"] == 10 and found["classes"]["m"][-1]["high"] == 100
    assert sum(one["n"] for one in found["cells"]) == 10
    top = found["classes"]["r"][-1]
    value = behaviour_filters.rfm_value(r=(top["low"], top["high"]), m=(Decimal(10), Decimal(20)))
    assert filtered("rfm", value) == {made[0].pk, made[1].pk}


def test_most_bought_once_so_the_second_class_of_frequency_stands_high():
    judged_crowd(*([[50]] * 6), *([[50, 10]] * 4))
    assert [(one["code"], one["n"], one["low"]) for one in rfm()["classes"]["f"]] == [(1, 6, 1), (4, 4, 2)]


def test_a_single_customer_is_the_lowest_fifth():
    judged_crowd([50])
    assert [(one["code"], one["n"]) for one in rfm()["classes"]["m"]] == [(1, 1)]


def test_who_brought_back_more_than_they_bought_has_a_value_below_zero():
    from crm.models import Return
    from tests.factories import SourceFactory

    customer = buyer(50)
    Return.objects.create(
        source=SourceFactory(), external_id="r1", customer=customer, returned_at=NOW, returned_on=NOW.date(),
        currency="EUR", net=25, unallocated=25, version=NOW,
    )  # fmt: skip
    scoring.score_all()
    assert rfm()["classes"]["m"][0]["low"] == -15


# Cohorts


def test_cohorts_count_customers_and_revenue_by_months_since():
    # NOW is 2 November 2026. First orders in September (33 to 62 days ago) and October.
    crowd([[60, 55, 25]], [[10, 20, 40]])
    crowd([[50]], [[5]])
    crowd([[20, 1]], [[7, 3]])
    scoring.score_all()
    found = cohorts()
    assert [(one["month"], one["n"]) for one in found] == [("2026-09", 2), ("2026-10", 1)]
    assert found[0]["bought"] == [2, 1, 0] and found[0]["revenue"] == [35, 40, 0]
    assert found[1]["bought"] == [1, 1] and found[1]["revenue"] == [7, 3]


def test_cohorts_of_an_empty_shop_and_of_a_test_customer_are_none():
    crowd([[30]])
    Customer.objects.update(is_test=True)
    scoring.score_all()
    assert cohorts() == []


def test_cancelled_purchases_and_the_future_are_in_no_cohort():
    made = crowd([[40, 10], [-3]])
    made[0].purchases.filter(ordered_on=(NOW - timedelta(days=10)).date()).update(status="cancelled")
    scoring.score_all()
    assert [(one["n"], one["bought"]) for one in cohorts()] == [(1, [1, 0, 0])]


# Share of wallet


def test_the_wallet_allocation_rule():
    assert allocation(1, 2) == pytest.approx(2 / 3)
    assert allocation(2, 3) == pytest.approx(1 / 3)
    assert allocation(1, 1) == 1
    for shops in (2, 5, 20):
        assert sum(allocation(rank, shops) for rank in range(1, shops + 1)) == pytest.approx(1)
    for rank, shops in ((0, 2), (3, 2)):
        with pytest.raises(ValueError):
            allocation(rank, shops)


def test_share_of_wallet_is_the_mean_of_the_latest_own_answers():
    one, two, three = buyer(5), buyer(5), buyer(5)
    answers(one, 100, wallet_share=10)
    answers(one, 10, wallet_share=60)
    answers(two, 10, wallet_share=20, wallet_rank=1, wallet_shops=2)
    answers(three, 10, origin="staff_estimate", wallet_share=90)
    answers(three, 400, wallet_share=90)
    found = wallet()
    assert (found["said"]["n"], found["said"]["value"]) == (2, pytest.approx(0.4))
    assert found["said"]["low"] == 0 and found["said"]["high"] == 1  # two answers say little
    assert (found["ranked"]["n"], found["ranked"]["value"]) == (1, pytest.approx(2 / 3))
    assert found["ranked"]["low"] is None


def test_nobody_asked_is_unknown_not_zero():
    found = wallet()["said"]
    assert (found["value"], found["n"]) == (None, 0)


@pytest.mark.parametrize(("item", "value"), [("wallet_share", 101), ("wallet_rank", 0), ("wallet_shops", 21)])
def test_wallet_answers_have_scales_of_their_own(item, value):
    customer = buyer(5)
    with pytest.raises(ValueError):
        record_response(customer, uuid4(), items={item: value})
    with pytest.raises(IntegrityError), transaction.atomic():
        answers(customer, **{item: value})


def test_a_share_of_a_hundred_is_accepted():
    assert record_response(buyer(5), uuid4(), items={"wallet_share": 100, "wallet_rank": 1, "wallet_shops": 1}) == 3


# Estimates


def test_means_have_intervals_and_single_values_have_none():
    found = mean_of(3, 6, 14)  # 1, 2, 3
    assert found.value == 2 and found.interval == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5))
    assert mean_of(1, 5, 25).interval is None and mean_of(0, 0, 0).value is None


def test_welchs_difference():
    found = difference(Mean(10, 1, 10), Mean(4, 2, 20))
    assert found.value == 6 and found.error == pytest.approx(5**0.5)
    assert found.n - 1 == int(25 / (1 / 9 + 16 / 19))
    assert difference(Mean(10, 1, 10), Mean(4, None, 1)).value is None


def test_the_median_lies_between_its_ranks():
    assert median_ranks(1) == (1, 1) and median_ranks(5) == (1, 5)
    low, high = median_ranks(100)
    assert (low, high) == (40, 61) and low + high == 101


# All figures


def test_every_figure_can_be_kept_and_an_empty_shop_breaks_none():
    from loyalty import figures

    scoring.score_all()
    assert figures.refresh_all() >= len(registry())
