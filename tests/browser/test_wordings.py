"""Purposes, their wordings and the button that asks a mailbox, in a browser: readable for everybody."""

import pytest
from playwright.sync_api import expect

from crm import consent, wordings
from crm.models import DoubleOptIn
from tests.campaigns.people import open_shop, person

pytestmark = pytest.mark.django_db(transaction=True)
SCREENS = [("de", "light", 1440), ("en", "dark", 390), ("de", "light", 320)]


@pytest.fixture
def shop():
    """A purpose in three versions of which two were agreed to, one of the merchant's own, one not asked for."""
    open_shop(language="de", name="Rösterei Amsel")
    for word in ("Neues", "Neuigkeiten", "Neuigkeiten und Einladungen"):
        shown = wordings.publish(
            "newsletter",
            {
                "de": f"Ja, die Rösterei Amsel darf mir {word} mailen. Ich kann das jederzeit beenden.",
                "en": "Yes, the roastery may mail me its news. I can end this at any time.",
            },
            None,
        )
        consent.give(person("").pk, ["newsletter"], consent.How("paper", wording_id=shown["de"].pk))
    wordings.add_purpose("tasting", "Verkostungen und Rösterabende im Laden", "Tastings and evenings in the shop", None)
    wordings.change_purpose("referral", "Empfehlung", "Referral", active=False, actor_id=None)


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_purposes_are_readable_for_everybody(shop, page_as, axe, overflow, screenshot, lang, theme, width):
    page = page_as("admin", None, lang=lang, theme=theme, width=width)
    for path in ("", "newsletter/", "tasting/"):
        page.goto(f"/settings/purposes/{path}")
        expect(page.locator("[style]")).to_have_count(0)
        screenshot(page, f"purposes-{path.strip('/') or 'all'}-{lang}-{theme}-{width}")
        assert axe(page) == []
        assert overflow(page) == []


def test_staff_have_a_mailbox_asked(shop, page_as, axe, screenshot):
    customer = person("anna@example.test")
    consent.give(customer.pk, ["newsletter"], consent.How("phone"))
    page = page_as("support", f"/customers/{customer.pk}/", lang="en")
    screenshot(page, "consents-waiting")
    page.get_by_role("button", name="Send confirmation mail").click()
    page.get_by_text("on its way").wait_for()
    assert DoubleOptIn.objects.get().customer == customer and axe(page) == []
