"""A shop in which a test says what happened to a customer, in days before NOW."""

from datetime import date, timedelta
from uuid import uuid4

from crm.models import Customer
from loyalty import scoring
from loyalty.models import Assessment
from tests.factories import NOW, AnswerFactory, CustomerFactory, PurchaseFactory

DAY: date = NOW.date()


def ago(days: float):
    return NOW - timedelta(days=days)


def buyer(*days_ago: float, customer: Customer | None = None, **purchase: object) -> Customer:
    """A customer who bought that many days ago, once for each."""
    customer = customer or CustomerFactory()
    for days in days_ago:
        PurchaseFactory(customer=customer, ordered_at=ago(days), **purchase)
    return customer


def after_gaps(gaps: list[int], last: int, **purchase: object) -> Customer:
    """A customer with these gaps between orders, the last of them `last` days ago."""
    days = [last]
    for gap in reversed(gaps):
        days.append(days[-1] + gap)
    return buyer(*days, **purchase)


def answers(customer: Customer, days_ago: float = 10, form: str = "", origin: str = "customer_self", **items: float):
    """One sheet of answers."""
    sheet = uuid4()
    for item, value in items.items():
        AnswerFactory(
            customer=customer, response=sheet, item=item, value=value, form=form, origin=origin,
            answered_at=ago(days_ago),
        )  # fmt: skip


def fond(customer: Customer, score: float = 8, days_ago: float = 10) -> Customer:
    """A customer who answered satisfaction, trust and commitment alike: attitude is ten times the score."""
    answers(customer, days_ago, csat=score, trust=score, commitment=score)
    return customer


def judged(customer: Customer) -> Assessment:
    """The customer's assessment after everybody was judged as of NOW."""
    scoring.score_all()
    return Assessment.objects.get(customer=customer)
