"""The worked example of docs/scoring.md, recomputed: the document and the judgement must say the same."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loyalty.models import RuleSet
from tests.factories import (
    AnswerFactory,
    BarrierFactFactory,
    CustomerFactory,
    InteractionFactory,
    PurchaseFactory,
    UserFactory,
)
from tests.loyalty.shop import DAY, judged

EXAMPLE = Path(__file__).parents[2].joinpath("docs/scoring.md").read_text().split("## A worked example")[1]


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def bold() -> list[str]:
    return re.findall(r"\*\*([^*]+)\*\*", EXAMPLE)


@pytest.mark.django_db
def test_the_worked_example_is_right():
    RuleSet.objects.create(version=2, values={"default_cycle_days": 45})
    customer, contact = CustomerFactory(), UserFactory()
    for amount, on in ((40, at(6, 20)), (60, at(7, 20)), (50, at(9, 18))):
        PurchaseFactory(customer=customer, gross=amount, ordered_at=on)
    sheet = "7b0a8d3e-5d5f-4f0e-9a51-0d7f6f1c2b11"
    for item, value in {"csat": 8, "disconfirmation": 1, "trust": 9, "commitment": 8, "comparison": 1}.items():
        AnswerFactory(customer=customer, response=sheet, item=item, value=value, answered_at=at(10, 23))
    for day, rating in ((1, 8), (2, 9), (3, 7)):
        InteractionFactory(customer=customer, staff=contact, rating=rating, occurred_at=at(10, day))
    for signal in ("custom_configuration", "recurring_delivery"):
        BarrierFactFactory(customer=customer, signal=signal, recorded_at=at(1, 5))

    found = judged(customer)

    said = [
        f"{found.expected_interval:.0f}",
        f"{found.overdue_ratio_on(DAY):.2f}",
        found.status_on(DAY),
        f"{found.attitude:.2f}",
        f"{found.relative_attitude:.2f}",
        found.stage,
        f"{found.score('social'):.0f}",
        f"{found.lock_in:.2f}",
        f"{found.bond:.2f}",
        f"{found.voluntary_share:.2f}",
        found.bond_type,
    ]
    assert said == bold()
    assert found.active_until == date(2026, 11, 24)
