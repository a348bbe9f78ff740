"""Lifetime value: when it is shown and when it is hidden, and that the set-based figures are those of the model."""

import random
from datetime import timedelta

import pytest

from crm.models import Customer
from loyalty import lifetime_value, scoring
from loyalty.bgnbd import Model
from loyalty.gamma_gamma import Spending
from loyalty.lifetime_value import WEEKS_A_MONTH, failed, month_rate, refit, refit_once_a_day, too_little
from loyalty.models import LifetimeFit, LifetimeValue, Metrics, RuleSet
from tests.factories import NOW
from tests.loyalty.crowd import crowd, shoppers

pytestmark = pytest.mark.django_db


def shop(customers=450, days=900, seed=1, spread=True, **how):
    """A shop whose customers do what the model says, with amounts of their own; judged as of NOW."""
    histories = shoppers(customers, days, seed, **how)
    dice = random.Random(seed)
    means = [10 * dice.paretovariate(3) for _ in histories]
    net = [
        [round(max(0.01, mean * dice.uniform(0.5, 1.5)), 2) if spread else 20 for _ in days]
        for mean, days in zip(means, histories)
    ]
    made = crowd(histories, net)
    scoring.score_all()
    return made


def codes(reasons):
    return [reason["code"] for reason in reasons]


# Guard rails


@pytest.mark.parametrize(
    ("customers", "repeaters", "days", "cycle", "expected"),
    [
        (300, 100, 90, 30, []),
        (299, 100, 90, 30, ["customers"]),
        (300, 99, 90, 30, ["repeaters"]),
        (300, 100, 89, 30, ["history"]),
        (0, 0, 0, 90, ["customers", "repeaters", "history"]),
    ],
)
def test_there_must_be_enough_to_fit_on(customers, repeaters, days, cycle, expected):
    assert codes(too_little(customers, repeaters, days, cycle)) == expected


@pytest.mark.parametrize(
    ("predicted", "actual", "hidden"),
    [(70, 100, False), (130, 100, False), (69.9, 100, True), (130.1, 100, True), (5, 0, True)],
)
def test_a_back_test_far_off_hides_the_model(predicted, actual, hidden):
    assert bool(failed(predicted, actual)) is hidden


def test_an_empty_shop_says_what_is_missing():
    scoring.score_all()
    fit = refit()
    assert codes(fit.hidden) == ["customers", "repeaters", "history"]
    assert not fit.shown and not fit.value_shown and fit.parameters is None
    assert not LifetimeValue.objects.exists()


def test_a_shop_that_behaves_as_the_model_says_is_shown():
    shop()
    fit = refit()
    assert fit.shown and fit.value_shown, (fit.hidden, fit.value_hidden)
    assert 0.7 <= fit.ratio <= 1.3
    assert LifetimeValue.objects.count() == 450
    assert not LifetimeValue.objects.filter(value=None).exists()


def test_a_shop_that_suddenly_stops_selling_hides_the_model_and_what_it_said():
    shop()
    assert refit().shown
    Customer.objects.all().delete()
    # The same customers, but nobody has bought for the last quarter of the time.
    crowd([[ago + 300 for ago in days] for days in shoppers(450, 600)] + [[900, 1]])
    scoring.score_all()
    fit = refit()
    assert codes(fit.hidden) == ["back_test"]
    assert fit.predicted and fit.actual == 1
    assert not LifetimeValue.objects.exists()


def test_amounts_that_go_with_the_number_of_orders_hide_the_value_but_not_the_orders():
    histories = shoppers(450, 900)
    net = [[10.0 * len(days) for _ in days] for days in histories]
    crowd(histories, net)
    scoring.score_all()
    fit = refit()
    assert fit.shown and not fit.value_shown
    assert codes(fit.value_hidden) == ["correlation"] and abs(fit.correlation) >= 0.3
    kept = LifetimeValue.objects.all()
    assert kept.count() == 450 and not kept.exclude(value=None, order_value=None).exists()


def test_without_a_difference_in_frequency_independence_cannot_be_checked():
    crowd([[day, day - 40] for day in range(50, 850, 2)], 12)
    scoring.score_all()
    fit = refit()
    assert not fit.value_shown
    if fit.shown:
        assert codes(fit.value_hidden) == ["no_correlation"]


# What is stored is what the model says


def test_stored_figures_are_those_of_the_model():
    RuleSet.objects.create(version=2, values={"margin": 0.4, "discount_rate": 0.08, "lifetime_months": 18})
    shop(seed=4)
    fit = refit()
    assert fit.value_shown, (fit.hidden, fit.value_hidden)
    model, spending, weeks = Model(**fit.parameters), Spending(**fit.spending), 18 * WEEKS_A_MONTH
    rate = month_rate(0.08)
    checked = 0
    for metrics in Metrics.objects.filter(orders__gt=0).select_related("customer")[:60]:
        kept = LifetimeValue.objects.get(customer=metrics.customer)
        x, first = metrics.orders - 1, metrics.first_order_on
        t_x, T = (metrics.last_order_on - first).days / 7, (NOW.date() - first).days / 7
        assert kept.orders == pytest.approx(model.purchases(weeks, x, t_x, T), abs=1e-4)
        assert kept.chance == pytest.approx(1 - model.none(weeks, x, t_x, T), abs=1e-4)
        assert (kept.alive is None) == (x == 0)
        repeat = [p.net for p in metrics.customer.purchases.filter(ordered_on__gt=first)]
        amount = spending.expected(x, float(sum(repeat)) / x) if x else spending.mean
        assert float(kept.order_value) == pytest.approx(amount, abs=0.006)
        # Discounted month by month, as the specification writes it.
        steps = [model.purchases(at * WEEKS_A_MONTH, x, t_x, T) for at in range(19)]
        value = 0.4 * amount * sum((steps[at] - steps[at - 1]) / (1 + rate) ** at for at in range(1, 19))
        assert float(kept.value) == pytest.approx(value, abs=0.006)
        checked += x > 0
    assert checked > 10


def test_who_bought_once_is_never_called_certainly_alive():
    shop()
    assert refit().shown
    once = LifetimeValue.objects.filter(customer__metrics__orders=1)
    assert once.exists() and not once.exclude(alive=None).exists()
    assert not once.filter(chance=1).exists()


def test_purchases_of_one_day_are_one_order_and_returns_lower_the_amount():
    made = shop()
    first = made[0]
    days = first.metrics.order_days
    crowd_day = first.purchases.order_by("ordered_on").last()
    crowd_day.pk, crowd_day.external_id = None, "again"
    crowd_day.save()
    scoring.score_all()
    refit()
    assert Metrics.objects.get(customer=first).order_days == days


# When it runs


def test_it_runs_once_a_day_after_everybody_was_judged_and_again_for_new_rules():
    assert refit_once_a_day() is None
    shop()
    assert refit_once_a_day().shown
    assert refit_once_a_day() is None
    RuleSet.objects.create(version=2, values={"margin": 0.5})
    assert refit_once_a_day().margin == 0.5
    assert LifetimeFit.objects.count() == 1


def test_a_later_fit_replaces_the_values_and_forgets_who_is_gone():
    made = shop()
    refit()
    before = LifetimeValue.objects.get(customer=made[0]).orders
    made[1].purchases.update(status="cancelled")
    RuleSet.objects.create(version=2, values={"lifetime_months": 24})
    scoring.score_all()
    refit()
    assert LifetimeValue.objects.get(customer=made[0]).orders > before
    assert not LifetimeValue.objects.filter(customer=made[1]).exists()


def test_the_first_order_of_today_is_a_history_of_no_time():
    shop()
    newest = crowd([[0]])[0]
    scoring.score_all()
    assert refit().shown
    assert 0 < LifetimeValue.objects.get(customer=newest).chance < 1


def test_a_purchase_before_1970_leaves_the_reason_readable():
    shop(customers=450)
    crowd([[22_000]])
    scoring.score_all()
    fit = refit()
    assert fit.since == NOW.date() - timedelta(days=22_000)
    assert not fit.shown and codes(fit.hidden)[0].startswith("test_")


def test_the_back_test_stands_on_a_sample_in_a_large_shop(monkeypatch):
    shop(customers=500)
    whole = refit()
    monkeypatch.setattr(lifetime_value, "SAMPLE", 300)
    fit = refit()
    assert (whole.every, fit.every) == (1, 2)
    assert fit.shown and LifetimeValue.objects.count() == 500
    assert fit.test_customers < whole.test_customers
