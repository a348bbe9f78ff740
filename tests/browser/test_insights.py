"""The insights over time in a browser: readable for everybody, on paper too, and every number leads to its people."""

import pytest
from playwright.sync_api import expect

from loyalty import months, scoring
from tests.campaigns.people import open_shop
from tests.factories import BarrierFactFactory, CustomerFactory
from tests.loyalty.shop import ago, buyer, fond

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 390), ("de", "light", 320)]
PAGES = ["stages", "migration", "bond"]


@pytest.fixture
def shop():
    """Customers with half a year of history, some of them held."""
    open_shop(language="de", name="Rösterei Amsel")
    for n in range(3):
        buyer(*range(20 + n, 200, 30 + 9 * n))
        buyer(40 + 31 * n)
    fond(buyer(5, 45, 85), 8, days_ago=70)
    captive = fond(buyer(5, 45, 85, customer=CustomerFactory(family_name="Krause")), 2, days_ago=70)
    for signal in ("exit_fee", "prepaid_term", "owns_system", "only_supplier"):
        BarrierFactFactory(customer=captive, signal=signal, recorded_at=ago(80))
    BarrierFactFactory(customer=captive, signal="remaining_months", value=24, recorded_at=ago(80))
    scoring.score_all()
    months.fill()


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_page_is_readable_for_everybody(shop, page_as, axe, overflow, screenshot, lang, theme, width):
    page = page_as("marketer", None, lang=lang, theme=theme, width=width)
    for name in PAGES:
        page.goto(f"/insights/{name}/")
        expect(page.locator("[style]")).to_have_count(0)
        for fold in page.locator("main details > summary").all():
            fold.click()
        screenshot(page, f"insights-{name}-{lang}-{theme}-{width}")
        assert axe(page) == [], name
        assert overflow(page) == [], name


@pytest.mark.parametrize("width", [1440, 390])
def test_a_chart_is_named_and_drawn_once_for_its_place(shop, page_as, width):
    page = page_as("marketer", "/insights/migration/", lang="en", width=width)
    for figure in page.locator("figure").all():
        charts = figure.locator("svg[role=img]:visible")
        expect(charts).to_have_count(1)
        assert figure.locator("h2").inner_text() in charts.first.get_attribute("aria-label")
        expect(figure.locator("table")).to_have_count(1)
        assert charts.first.locator("text").first.evaluate("e => e.getBoundingClientRect().height") >= 11


def test_a_number_of_the_matrix_leads_to_its_people(shop, page_as):
    page = page_as("marketer", "/insights/migration/?span=3", lang="en")
    link = page.locator("td a").first
    number = int(link.evaluate("e => e.firstChild.textContent"))
    link.click()
    expect(page.locator("tbody tr")).to_have_count(number)
    expect(page.locator("#id_moved")).to_contain_text("→")


def test_pages_work_without_scripts_and_by_keyboard(shop, page_as):
    page = page_as("marketer", "/insights/stages/", lang="en", scripts=False)
    fold = page.locator("main details > summary").first
    fold.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main details table").first).to_be_visible()


def test_on_paper_every_table_is_open_and_the_way_about_is_gone(shop, page_as):
    page = page_as("marketer", "/insights/stages/", lang="en")
    page.emulate_media(media="print")
    expect(page.locator("main details table").first).to_be_visible()
    expect(page.locator(".insights-tabs")).to_be_hidden()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_shop_says_how_to_begin(page_as, axe, page):
    open_shop()
    shown = page_as("admin", f"/insights/{page}/", lang="en")
    expect(shown.locator(".sk-empty")).to_have_count(1)
    assert axe(shown) == []
