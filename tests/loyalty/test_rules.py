"""The merchant's own rules: what is accepted, what is refused, and that they reach the judgement."""

import pytest

from loyalty.models import RuleSet
from loyalty.rules import Rules, RulesError, current, parse
from tests.loyalty.shop import buyer, judged

pytestmark = pytest.mark.django_db


def test_defaults_are_version_one():
    assert current() == Rules()
    assert current().version == 1


def test_the_latest_version_counts_and_keeps_what_it_does_not_name():
    RuleSet.objects.create(version=2, values={"active": 1.4})
    RuleSet.objects.create(version=3, values={"weights": {"technical": 0.5}})
    rules = current()
    assert (rules.version, rules.active, rules.weights["technical"], rules.weights["contractual"]) == (3, 1.5, 0.5, 1.0)


@pytest.mark.parametrize(
    "values",
    [
        {"aktive": 1},
        {"version": 7},
        {"active": "1.5"},
        {"active": True},
        {"active": -1},
        {"active": float("nan")},
        {"regular_orders": 2.5},
        {"regular_orders": 0},
        {"active": 4},
        {"overdue": 6},
        {"attitude_mid": 70},
        {"active_bounds": [3, 1]},
        {"active_bounds": [2, 3]},
        {"active_bounds": 2},
        {"attitude": {"trust": 0, "satisfaction": 0, "commitment": 0, "nev": 0, "involvement": 0}},
        {"attitude": {"charm": 10}},
        {"attitude": 10},
        {"weights": {"contractual": 1.5}},
        {"weights": dict.fromkeys(["contractual", "technical", "monetary_loss", "procedural", "situational"], 0)},
        {"weights": {"social": 0.95}},
        {"further_share": 1.1},
        {"half_life_days": 0},
    ],
)
def test_what_cannot_be_a_rule_is_refused(values):
    with pytest.raises(RulesError):
        parse(values, 2)


def test_another_version_judges_otherwise_and_is_named():
    customer = buyer(10, 400)
    assert judged(customer).score("procedural") == round(13 / 24 * 20, 2)
    RuleSet.objects.create(version=2, values={"points": {"tenure": 0}})
    found = judged(customer)
    assert (found.score("procedural"), found.rules_version) == (0, 2)
