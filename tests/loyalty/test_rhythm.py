"""Base cycle and thresholds from the shop's own history."""

from collections import Counter

import pytest

from loyalty.cycles import percentile, winsorised_mean
from loyalty.models import Calibration, RuleSet
from tests.loyalty.shop import after_gaps, judged


def test_percentiles_lie_between_neighbours_in_proportion():
    assert percentile({1: 1, 2: 1, 3: 1, 4: 1}, 0.5) == 2.5
    assert percentile({10: 19, 110: 1}, 0.95) == pytest.approx(10 + 100 * 0.05)
    assert percentile({7: 1}, 0.95) == 7


def test_what_lies_above_the_percentile_counts_as_the_percentile():
    assert winsorised_mean(Counter({10: 19, 110: 1}), 0.95) == (19 * 10 + 15) / 20


@pytest.mark.django_db
def test_thresholds_come_from_the_shops_own_gaps_where_there_are_enough():
    # A shop of 800 days and 200 gaps of 40 and 80 days in turn. E comes from the gaps before only.
    customers = [after_gaps([40, 80, 40, 80, 40, 80, 40, 80, 40, 80], 200) for _ in range(20)]
    judged(customers[0])
    kept = Calibration.objects.get()
    assert kept.self_calibrated
    base = kept.days
    first = [40 / base, 80 / ((3 * base + 40) / 4)]
    assert 1.25 <= kept.active <= max(1.25, first[1]) and kept.active < kept.overdue < kept.at_risk
    assert (kept.overdue, kept.at_risk) == (2, 4)  # at their lower bounds: these customers are punctual


@pytest.mark.django_db
@pytest.mark.parametrize(("customers", "gaps"), [(19, [80] * 10), (20, [60] * 10)])
def test_too_few_gaps_or_too_short_a_history_keep_the_preset(customers, gaps):
    found = [after_gaps(gaps, 10) for _ in range(customers)]
    judged(found[0])
    kept = Calibration.objects.get()
    assert (kept.self_calibrated, kept.active, kept.overdue, kept.at_risk) == (False, 1.5, 3, 6)


@pytest.mark.django_db
def test_thresholds_stay_apart_when_all_customers_are_alike():
    RuleSet.objects.create(
        version=2, values={"active_bounds": [0.5, 0.6], "overdue_bounds": [0.55, 0.65], "at_risk_bounds": [0.6, 0.7]}
    )
    found = [after_gaps([80] * 10, 10) for _ in range(20)]
    judged(found[0])
    kept = Calibration.objects.get()
    assert kept.active < kept.overdue < kept.at_risk
