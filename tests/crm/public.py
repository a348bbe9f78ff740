"""People, texts and browsers as the tests of public pages speak of them."""

import re
from typing import Any

from django.test import Client

from crm import consent, texts, tokens
from crm.models import Customer, LinkToken, Purpose, Shop
from tests.factories import CustomerFactory, EmailFactory

PURPOSES = ("newsletter", "birthday", "survey")


def open_shop(**more: Any) -> Shop:
    """A shop with a privacy notice and three purposes that ask in both languages."""
    Purpose.objects.bulk_create(
        [
            Purpose(code=code, label_de=f"{code} (de)", label_en=f"{code} (en)", position=at)
            for at, code in enumerate(PURPOSES)
        ],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["label_de", "label_en", "position"],
    )
    Shop.current()
    Shop.objects.update(**{"name": "Rösterei Beispiel"} | more)
    for purpose in Purpose.objects.filter(pk__in=PURPOSES):
        asked = {"de": f"Ja zu {purpose.pk}.", "en": f"Yes to {purpose.pk}."}
        texts.publish_wording(purpose, asked, None)
    texts.publish_legal("privacy", {"de": "Hinweise.", "en": "Notice."}, None)
    return Shop.current()


def person(email: str, *agreed: str, **more: Any) -> Customer:
    """A customer with this address who agreed to these purposes on signed paper."""
    customer = CustomerFactory(**more)
    customer.refresh_from_db()
    EmailFactory(customer=customer, value=email, normal=email.lower())
    if agreed:
        consent.give(customer.pk, agreed, consent.How("paper"))
    return customer


def preference_path(customer: Customer) -> str:
    """The link to the preferences as it stands in a mail to this customer."""
    address = customer.contact_points.get(kind="email", is_primary=True).value
    return f"/preferences/{tokens.issue(LinkToken.Use.PREFERENCES, customer.pk, address)}/"


def stranger(language: str = "en") -> Client:
    """A browser that has no cookie and is checked for forged forms."""
    return Client(enforce_csrf_checks=True, headers={"accept-language": language})


def filled(browser: Client, path: str, **given: Any) -> dict[str, Any]:
    """The form of a sign-up page as a person sends it."""
    page = browser.get(path).content.decode()
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    return {"stamp": stamp[1] if stamp else "", "email": "neu@example.test", "purpose": ["newsletter"]} | given


def boxes(browser: Client, path: str) -> dict[str, Any]:
    """The boxes of a preference centre: what was seen, and what is ticked."""
    page = browser.get(path).content.decode()
    return {
        "part": "permissions",
        "seen": re.findall(r'name="seen" value="([^"]+)"', page),
        "on": re.findall(r'name="on" value="([^"]+)"[^>]* checked', page),
    }
