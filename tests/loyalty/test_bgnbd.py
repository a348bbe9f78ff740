"""The model of purchases: published figures, known limits, and parameters found again in simulated shops."""

import os
import random
from math import exp, isfinite, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import bgnbd, gamma_gamma
from loyalty.bgnbd import Model, hypergeometric, likelihood
from loyalty.gamma_gamma import Spending

# Fader, Hardie & Lee 2005: the fit of the CDNOW customers. Weeks; calibrated on 39 of them.
PUBLISHED = Model(r=0.243, alpha=4.414, a=0.793, b=2.426)


def as_published(model: Model, t: float, x: int, t_x: float, T: float) -> float:
    """E[Y(t)] as the paper writes it, without our transformation."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    series = hypergeometric(r + x, b + x, a + b + x - 1, t / (alpha + T + t))
    above = (a + b + x - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * series)
    return above / (1 + (a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0))


def simulated(model: Model, customers: int, weeks: float, seed: int) -> list[bgnbd.History]:
    """Histories of customers who came over time, drawn from the very story that the model tells."""
    dice, found = random.Random(seed), []
    for _ in range(customers):
        T = weeks * dice.uniform(0.4, 1)
        rate, leaving = dice.gammavariate(model.r, 1 / model.alpha), dice.betavariate(model.a, model.b)
        at, times = 0.0, []
        while rate > 1e-12:
            at += dice.expovariate(rate)
            if at > T:
                break
            times.append(at)
            if dice.random() < leaving:
                break
        found.append((len(times), round((times or [0])[-1] * 7) / 7, round(T * 7) / 7))
    return found


# What is published


def test_the_published_conditional_expectation_is_reproduced():
    assert PUBLISHED.purchases(39, x=2, t_x=30.43, T=38.86) == pytest.approx(1.226, abs=0.0005)


def test_the_published_spending_expectation_is_reproduced():
    # Fader & Hardie, note 025: p 6.25, q 3.74, γ 15.44; two repeat purchases of 22.35 on average.
    published = Spending(p=6.25, q=3.74, gamma=15.44)
    assert published.expected(2, 22.35) == pytest.approx(24.66, abs=0.005)
    assert published.mean == pytest.approx(35.22, abs=0.005)
    assert published.expected(0, 0) == published.mean


@pytest.mark.slow
@pytest.mark.skipif("STAMMKUNDE_CDNOW" not in os.environ, reason="STAMMKUNDE_CDNOW names no file of x, t_x and T")
def test_the_published_fit_is_reproduced():
    """The file: one customer a line, the last three numbers being x, t_x and T in weeks; other lines are passed over."""
    histories = []
    with open(os.environ["STAMMKUNDE_CDNOW"]) as file:
        for line in file:
            try:
                x, t_x, T = map(float, line.replace(",", " ").split()[-3:])
            except ValueError:
                continue
            histories.append((int(x), t_x, T))
    found = bgnbd.fit(histories)
    assert len(histories) == 2357
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.001)


# The formulas


@settings(max_examples=50, deadline=None)
@given(
    r=st.floats(0.05, 5), alpha=st.floats(0.5, 50), a=st.floats(0.05, 5), b=st.floats(0.1, 10),
    x=st.integers(0, 30), share=st.floats(0, 1), T=st.floats(1, 200), t=st.floats(0.5, 100),
)  # fmt: skip
def test_the_transformed_formula_is_the_published_one(r, alpha, a, b, x, share, T, t):
    if abs(a - 1) < 0.01 or abs(a + b + x - 1) < 0.05:
        return  # there the published form loses its digits
    model, t_x = Model(r, alpha, a, b), share * T if x else 0.0
    expected = as_published(model, t, x, t_x, T)
    # It is a small difference of large numbers: compared by the size of those.
    scale = abs((a + b + x - 1) / (a - 1))
    assert model.purchases(t, x, t_x, T) == pytest.approx(expected, rel=1e-6, abs=1e-7 * max(1, scale))


@settings(max_examples=50, deadline=None)
@given(x=st.integers(0, 200), share=st.floats(0, 1), T=st.floats(0.2, 500), t=st.floats(0.1, 200), a=st.floats(0.05, 4))
def test_probabilities_are_probabilities_and_more_time_brings_more_orders(x, share, T, t, a):
    model, t_x = Model(0.243, 4.414, a, 2.426), share * T if x else 0.0
    assert 0 <= model.alive(x, t_x, T) <= 1
    assert 0 <= model.none(t, x, t_x, T) <= 1
    soon, late = model.purchases(t, x, t_x, T), model.purchases(2 * t, x, t_x, T)
    assert 0 <= soon <= late + 1e-9
    # Whoever makes at least one order with probability p makes at least p orders on average.
    assert soon >= 1 - model.none(t, x, t_x, T) - 1e-9


@pytest.mark.parametrize("x", range(1, 12))
def test_more_orders_and_a_later_last_one_promise_more(x):
    T = 52.0
    assert PUBLISHED.purchases(26, x + 1, T, T) > PUBLISHED.purchases(26, x, T, T)
    assert PUBLISHED.purchases(26, x, 50, T) > PUBLISHED.purchases(26, x, 20, T)
    assert PUBLISHED.alive(x, 50, T) > PUBLISHED.alive(x, 20, T)


def test_the_model_calls_every_one_time_buyer_alive_but_expects_ever_less_of_them():
    assert PUBLISHED.alive(0, 0, 500) == 1
    assert PUBLISHED.none(52, 0, 0, 500) > PUBLISHED.none(52, 0, 0, 5) > 0
    assert PUBLISHED.purchases(52, 0, 0, 500) < PUBLISHED.purchases(52, 0, 0, 5)


def test_the_limit_at_a_of_one_lies_between_its_neighbours():
    below, at, above = (Model(0.3, 5, a, 2).purchases(40, 3, 20, 30) for a in (0.999, 1.0, 1.001))
    assert above < at < below
    assert at == pytest.approx((below + above) / 2, rel=1e-4)


def test_a_below_one_and_the_pole_of_one_time_buyers_give_sound_numbers():
    for model in (Model(0.3, 5, 0.3, 2), Model(0.3, 5, 0.4, 0.6), Model(0.3, 5, 0.2, 0.3)):
        values = [model.purchases(t, 0, 0, 10) for t in (0, 1, 10, 100)]
        assert values[0] == 0 and values == sorted(values) and all(map(isfinite, values))


def test_without_leaving_the_expectation_is_that_of_a_gamma_poisson():
    steady = Model(r=0.5, alpha=5, a=1e-9, b=1)
    assert steady.purchases(10, 4, 20, 30) == pytest.approx((0.5 + 4) / (5 + 30) * 10, rel=1e-6)


def test_customers_who_all_leave_with_the_same_chance_overflow_nothing():
    # A fit drives a and b up together where customers do not differ: then only a / (a + b) counts.
    huge, large = Model(0.5, 4.7, 25_894, 1_200_087), Model(0.5, 4.7, 25.894, 1_200.087)
    for x, t_x, T in ((0, 0, 0.3), (0, 0, 300), (4, 20, 30), (60, 100, 110)):
        assert huge.purchases(39, x, t_x, T) == pytest.approx(large.purchases(39, x, t_x, T), rel=0.05)


def test_fifty_thousand_purchases_overflow_nothing():
    assert PUBLISHED.purchases(52, 50_000, 900, 900) > 2_000
    assert PUBLISHED.alive(50_000, 300, 900) == 0 or PUBLISHED.alive(50_000, 300, 900) < 1e-100


def test_discounting_by_nothing_is_the_plain_expectation():
    plain = PUBLISHED.if_alive(12 * 4.348, 3, 40)
    assert PUBLISHED.discounted(3, 40, 12, 4.348, 0) == pytest.approx(plain)
    assert PUBLISHED.discounted(3, 40, 12, 4.348, 0.01) < plain


def test_the_likelihood_is_that_of_the_paper():
    """One history, worked out from the two terms of the specification."""
    from math import lgamma

    def beta(a, b):
        return exp(lgamma(a) + lgamma(b) - lgamma(a + b))

    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    x, t_x, T = 3, 10.0, 30.0
    gammas = exp(lgamma(r + x) - lgamma(r)) * alpha**r
    first = beta(a, b + x) / beta(a, b) * gammas / (alpha + T) ** (r + x)
    second = beta(a + 1, b + x - 1) / beta(a, b) * gammas / (alpha + t_x) ** (r + x)
    lost = likelihood([((x, t_x, T), 1)])
    assert lost([log(r), log(alpha), log(a), log(b)]) == pytest.approx(-log(first + second))


# Fits


def test_parameters_are_found_again():
    histories = simulated(PUBLISHED, 8_000, 78, seed=5)
    found = bgnbd.fit(histories)
    assert found.r == pytest.approx(PUBLISHED.r, rel=0.12)
    assert found.alpha == pytest.approx(PUBLISHED.alpha, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(0.793 / (0.793 + 2.426), rel=0.15)


def test_a_fit_needs_histories():
    with pytest.raises(ValueError):
        bgnbd.fit([])


def test_customers_who_are_all_alike_break_nothing():
    found = bgnbd.fit([(3, 30.0, 40.0)] * 500)
    assert isfinite(found.purchases(10, 3, 30, 40))


def test_spending_is_found_again():
    dice, rows = random.Random(3), []
    p, q, gamma = 6.25, 3.74, 15.44
    for _ in range(4_000):
        scale, x = 1 / dice.gammavariate(q, 1 / gamma), dice.randint(1, 6)
        rows.append((x, sum(dice.gammavariate(p, scale) for _ in range(x)) / x))
    found = gamma_gamma.fit(rows)
    assert found.mean == pytest.approx(p * gamma / (q - 1), rel=0.05)
    assert found.expected(2, 22.35) == pytest.approx(24.66, rel=0.05)


@settings(max_examples=30, deadline=None)
@given(x=st.integers(1, 60), mean=st.floats(0.01, 10_000))
def test_expected_spending_lies_between_the_customer_and_the_shop(x, mean):
    spending = Spending(6.25, 3.74, 15.44)
    low, high = sorted((mean, spending.mean))
    assert low - 1e-9 <= spending.expected(x, mean) <= high + 1e-9


def test_a_tail_without_a_mean_is_said_to_have_none():
    assert Spending(2, 0.9, 10).mean is None
    assert Spending(0.1, 0.2, 10).expected(1, 20) is None


@pytest.mark.parametrize("row", [(0, 10.0), (2, 0.0), (2, -4.0)])
def test_amounts_must_be_above_zero(row):
    with pytest.raises(ValueError):
        gamma_gamma.fit([row])
