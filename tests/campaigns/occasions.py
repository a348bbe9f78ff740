"""Recipes put to use, as their tests speak of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.timezone import now

from campaigns import planning, recipes
from campaigns.models import Campaign, Delivery
from crm.models import Customer, Event, User
from loyalty.models import Assessment, Metrics
from tests.factories import AssessmentFactory

BERLIN = ZoneInfo("Europe/Berlin")


def switched_on(code: str, **options: Any) -> Campaign:
    """The recipe's own campaign, on, with these settings."""
    campaign = recipes.standing_campaign(recipes.everything()[code])
    Campaign.objects.filter(pk=campaign.pk).update(switched_on=True, options=campaign.options | options)
    campaign.refresh_from_db()
    return campaign


def planned(code: str, day: date) -> int:
    """How many mails of a recipe the calendar plans on a day, refused ones included."""
    return planning.plan_occasions(day)[code]


def windows(code: str, zone: ZoneInfo = BERLIN) -> list[tuple[datetime, datetime]]:
    """From when to when each mail of a recipe may go, by the clock of a zone."""
    found = Delivery.objects.filter(recipe=code).order_by("not_before").values_list("not_before", "not_after")
    return [tuple(at.astimezone(zone).replace(tzinfo=None) for at in both) for both in found]  # type: ignore[misc]


def due_now(code: str) -> None:
    """Let the time of a recipe's mails have come."""
    Delivery.objects.filter(recipe=code).update(
        not_before=now() - timedelta(hours=1), not_after=now() + timedelta(hours=1)
    )


def bought(customer: Customer, first: date, last: date, **judged: Any) -> Assessment:
    """What loyalty knows of a customer who is active for 60 days after the last order, then overdue, then at risk."""
    facts = {field.name: 0 for field in Metrics._meta.fields if field.get_internal_type() == "PositiveIntegerField"}
    Metrics.objects.create(
        **facts | {"orders": 2},
        customer=customer,
        order_days=[first, last],
        first_order_on=first,
        previous_order_on=first,
        last_order_on=last,
        value=20,
        value_year=20,
        takes_part=False,
    )
    until = {"active_until": 60, "overdue_until": 90, "at_risk_until": 120}
    given = {name: last + timedelta(days=days) for name, days in until.items()}
    made: Assessment = AssessmentFactory(customer=customer, **{"last_order_on": last} | given | judged)
    return made


def rises(customer: Customer, old: str, new: str, at: datetime | None = None) -> Event:
    """A rise, or a fall, with its event and its transition as scoring writes them."""
    at = at or datetime(2026, 6, 1, 12, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loyalty_transition (customer_id, from_stage, to_stage, happened_on, inputs, rules_version,"
            " recorded_at) VALUES (%s, %s, %s, %s, '{}', 1, %s)",
            [customer.pk, old, new, at.date(), at],
        )
    return Event.objects.create(
        kind="stage.changed", customer=customer, detail={"from": old, "to": new}, occurred_at=at
    )


def colleague(**more: Any) -> User:
    """Somebody of the team with a name and an address."""
    given = {"username": "mara", "first_name": "Mara", "last_name": "Muster", "email": "mara@shop.test"}
    return User.objects.create(**given | more)
