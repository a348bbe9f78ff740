"""Insights and a customer's standing in a browser: readable for everybody, every number leads to its people."""

import pytest
from playwright.sync_api import expect

from loyalty import scoring
from tests.campaigns.people import open_shop
from tests.factories import BarrierFactFactory, ComplaintFactory, CustomerFactory
from tests.loyalty.shop import buyer, fond

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 1440), ("de", "dark", 390), ("en", "light", 390), ("de", "light", 320)]


@pytest.fixture
def shop():
    """A few customers in every state that looks different. Returns them by what they are."""
    open_shop(language="de", name="Rösterei Amsel")
    people = {
        "bound": fond(buyer(5, 25, 45, customer=CustomerFactory(title="Dr.", family_name="Wüstenhagen-Özdemir")), 8),
        "captive": fond(buyer(5, 25, 45, customer=CustomerFactory(family_name="Krause")), 2),
        "lapsed": buyer(2500, 2600),
        "stranger": CustomerFactory(),
    }
    for signal in ("exit_fee", "prepaid_term", "owns_system", "only_supplier"):
        BarrierFactFactory(customer=people["captive"], signal=signal)
    BarrierFactFactory(customer=people["captive"], signal="remaining_months", value=24)
    ComplaintFactory(customer=people["bound"])
    scoring.score_all()
    people["unjudged"] = CustomerFactory()
    return people


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_insights_are_readable_for_everybody(shop, page_as, axe, overflow, screenshot, lang, theme, width):
    page = page_as("marketer", "/insights/", lang=lang, theme=theme, width=width)
    expect(page.locator("[style]")).to_have_count(0)
    screenshot(page, f"insights-{lang}-{theme}-{width}")
    assert axe(page) == []
    assert overflow(page) == []


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_where_a_customer_stands_is_readable_for_everybody(
    shop, page_as, axe, overflow, screenshot, lang, theme, width
):
    page = page_as("support", None, lang=lang, theme=theme, width=width)
    for name, customer in shop.items():
        page.goto(f"/customers/{customer.pk}/")
        expect(page.locator("[style]")).to_have_count(0)
        screenshot(page, f"standing-{name}-{lang}-{theme}-{width}")
        assert page.locator(".btn-primary").count() <= 1
        for reason in page.locator(".sk-reason summary, .loyalty-why summary").all():
            reason.click()
        assert axe(page) == []
        assert overflow(page) == []


def test_a_number_leads_to_its_people(shop, page_as):
    page = page_as("marketer", "/insights/", lang="en")
    page.get_by_text("is held, not bound").wait_for()
    page.locator("a[href*='bond=captive']").first.click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    assert "Krause" in rows.inner_text()


def test_the_button_of_a_complaint_leads_to_it(shop, page_as):
    page = page_as("support", f"/customers/{shop['bound'].pk}/", lang="en")
    page.locator(".profile-step .btn-primary").click()
    assert "/complaints/" in page.url


def test_an_empty_shop_says_how_to_begin(page_as, axe, screenshot):
    open_shop()
    page = page_as("admin", "/insights/", lang="en")
    screenshot(page, "insights-empty")
    expect(page.locator("main")).to_contain_text("import_purchases")
    assert axe(page) == []
