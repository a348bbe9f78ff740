"""People and campaigns as the tests of sending speak of them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from campaigns import planning, recipes
from campaigns.models import Campaign, Delivery, Run
from campaigns.sending import Sender
from crm import consent
from crm.models import Customer, Event, Purchase, Purpose, Shop
from tests.factories import CustomerFactory, EmailFactory, PurchaseFactory

AGREED_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
PURPOSES = ("newsletter", "birthday", "survey", "win_back", "referral", "tracking", "profiling")


def open_shop(**more: Any) -> Shop:
    """A shop that may send, without quiet hours and with a cap that no test meets by accident."""
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=code, label_en=code) for code in PURPOSES], ignore_conflicts=True
    )
    Shop.current()
    given = {
        "name": "Rösterei Beispiel",
        "sender_name": "Kim Beispiel",
        "sender_email": "kim@shop.test",
        "reply_to": "antwort@shop.test",
        "imprint": "Rösterei Beispiel GmbH\nBeispielweg 1, 12345 Musterstadt",
        "armed_for": settings.DEPLOYMENT_ID,
        "quiet_from": time(0),
        "quiet_until": time(0),
        "mails_per_fortnight": 100,
    }
    Shop.objects.update(**given | more)
    return Shop.current()


def person(email: str = "", *purposes: str, **more: Any) -> Customer:
    """A customer with an address who agreed to these purposes on signed paper."""
    customer = CustomerFactory(**more)
    customer.refresh_from_db()
    given = {"value": email, "normal": email.lower()} if email else {}
    EmailFactory(customer=customer, **given)
    if purposes:
        consent.give(customer.pk, purposes, consent.How("paper", occurred_at=AGREED_AT))
    return customer


def mailing(send_at: datetime | None = None, **more: Any) -> Campaign:
    """A draft that was checked and is ready to be launched."""
    version = recipes.first_version(recipes.everything()["newsletter"])
    given = {
        "recipe": "newsletter",
        "name": "News",
        "status": "checked",
        "template_version": version,
        "send_at": send_at or now() - timedelta(minutes=1),
    }
    return Campaign.objects.create(**given | more)


def launched(**more: Any) -> Run:
    """A mailing to everybody who may get it, ready to go."""
    campaign = mailing(**more)
    run = planning.launch(campaign.pk, planning.preview(campaign).recipients)
    planning.advance_campaigns()
    return run


def deliver(name: str = "test", seconds: float = 30) -> Sender:
    """Let one sender work until nothing is due."""
    sender = Sender(name)
    sender.work(seconds)
    sender.close()
    return sender


def buys(customer: Customer, **more: Any) -> Purchase:
    """A live purchase with its event, as sync writes them."""
    purchase = PurchaseFactory(customer=customer, **more)
    Event.objects.create(
        kind="purchase.created", customer=customer, purchase=purchase, occurred_at=now() - timedelta(minutes=1)
    )
    return purchase


def states() -> dict[str, int]:
    """All deliveries by state."""
    found: dict[str, int] = {}
    for state in Delivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found
