"""Customers, profile, complaint and settings in a browser: readable for everybody, quick, and whole without scripts."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from crm import complaints, contacts, plugins
from crm.models import ApiKey, BarrierFact, ContactPoint, Customer, Interaction, Purpose, Quarantine
from crm.plugins import BarrierSignal, Plugin
from tests.factories import (
    CustomerFactory,
    EmailFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 1440), ("de", "dark", 390), ("en", "light", 390)]
LONG = "Freifrau von Hohenstein-Wittgenstein-Berleburg-Sayn-Donaudampfschifffahrt"


class Facts(Plugin):
    """What staff may record, as an upper app would ask for it."""

    def barrier_signals(self):
        return [
            BarrierSignal("test_term", "Remaining term", "months", "From the contract."),
            BarrierSignal("test_parts", "Needs our parts", "flag"),
        ]


@pytest.fixture
def facts_plugin():
    kept = plugins.registered()
    plugins.register(Facts())
    yield
    plugins._registry.plugins = list(kept)


@pytest.fixture
def jordis(facts_plugin) -> Customer:
    """A customer with something in every place of the page, in a shop with more than a page of others."""
    if not Purpose.objects.exists():  # emptied by an earlier test that was not rolled back
        Purpose.objects.create(code="newsletter", label_de="Newsletter", label_en="Newsletter")
    staff = UserFactory(first_name="Mirjam", last_name="Kästner")
    customer = CustomerFactory(
        title="Dr.", given_name="Jördis", family_name="Wüstenhagen-Özdemir", city="Göttingen", salutation="ms",
        birth_day=3, birth_month=12, assigned_to=staff,
    )  # fmt: skip
    CustomerFactory(given_name="Anna-Katharina-Elisabeth-Theodora", family_name=LONG)
    Customer.objects.bulk_create(Customer(given_name="Zoë", family_name=f"Reihe{n:02}") for n in range(55))
    EmailFactory(customer=customer, value="joerdis.wuestenhagen-oezdemir@rosendorf.beispiel.test")
    ContactPoint.objects.create(customer=customer, kind="phone", value="0551 4970 118", normal="+495514970118")
    now = timezone.now()
    for n in range(45):
        PurchaseFactory(customer=customer, external_id=f"B-{n}", ordered_at=now - timedelta(days=20 + 9 * n))
    contacts.record_interaction(
        customer,
        channel="phone",
        touchpoint="service",
        staff=staff,
        note="Asks for a part.",
        felt=["hurried", "stressed"],
    )
    complaints.open_complaint(
        customer, text="The grinder is uneven.", severity="high", owner=staff, due_at=now + timedelta(days=1)
    )
    BarrierFact.objects.create(customer=customer, signal="test_parts", value=1, recorded_at=now, recorded_by=staff)
    source = SourceFactory(name="Webshop")
    ApiKey.issue(source, ["purchases:write"], now + timedelta(days=9))
    Quarantine.objects.create(
        source=source, position=3, external_id="B-99", payload={}, errors=[{"field": "currency", "message": "XYZ?"}]
    )
    return customer


def addresses(customer: Customer) -> dict[str, str]:
    return {
        "list": "/customers/",
        "nobody": "/customers/?q=zzzz&kind=person",
        "profile": f"/customers/{customer.pk}/",
        "complaint": customer.complaints.get().get_absolute_url(),
        "settings": "/settings/",
        "sources": "/settings/sources/",
    }


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_page_is_accessible_and_fits(page_as, axe, overflow, screenshot, jordis, lang, theme, width):
    page = page_as("admin", None, lang=lang, theme=theme, width=width)
    for name, url in addresses(jordis).items():
        page.goto(url)
        for details in page.locator("main details").all():
            details.evaluate("one => one.open = true")
        assert axe(page) == [], name
        assert overflow(page) == [], name
        assert [one.evaluate("one => one.outerHTML.slice(0, 200)") for one in page.locator("[style]").all()] == [], name
        screenshot(page, f"{name}-{lang}-{theme}-{width}")


def test_the_empty_shop_is_accessible(page_as, axe, overflow, screenshot):
    page = page_as("admin", "/customers/", width=390)
    screenshot(page, "empty-shop")
    assert axe(page) == [] and overflow(page) == []


def test_typing_finds_customers_without_loading_the_page_anew(page_as, jordis):
    page = page_as("support", "/customers/", lang="en")
    page.evaluate("window.stillHere = true")
    page.locator("#id_q").press_sequentially("wuesten", delay=20)
    page.get_by_role("link", name="Dr. Jördis Wüstenhagen-Özdemir").wait_for()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/customers/\?q=wuesten$"))
    expect(page.locator("#id_q")).to_have_value("wuesten")
    page.locator("#id_q").fill("nobody at all")
    page.get_by_text("Nobody fits").wait_for()
    page.locator("#id_q").fill("")
    expect(page.locator("#rows tbody tr")).to_have_count(50)
    page.get_by_label("Complaint").select_option("open")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?complaint=open$"))
    assert page.evaluate("window.stillHere")


def test_search_filters_and_paging_work_without_scripts(page_as, jordis):
    page = page_as("support", "/customers/", lang="en", scripts=False)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#rows tbody tr")).to_have_count(7)
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("#rows tbody tr")).to_have_count(50)
    page.locator("#id_q").fill("Wüstenhagen")
    page.get_by_label("Complaint").select_option("open")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Dr. Jördis").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dr. Jördis Wüstenhagen-Özdemir")


def test_on_a_phone_the_filters_wait_behind_one_tap(page_as, jordis):
    page = page_as("support", "/customers/", lang="en", width=390)
    expect(page.get_by_label("Complaint")).to_be_hidden()
    page.get_by_text("Filters").click()
    expect(page.get_by_label("Complaint")).to_be_visible()


def test_a_contact_is_recorded_without_scripts(page_as, jordis, overflow):
    page = page_as("support", f"/customers/{jordis.pk}/", lang="en", width=390, scripts=False)
    form = page.locator("form#contact")
    form.get_by_text("Shop", exact=True).click()
    form.get_by_label("Note").fill("Tasted the new roast.")
    form.get_by_text("pleased", exact=True).click()
    form.get_by_text("all 20 emotions").click()
    form.get_by_text("happy", exact=True).first.click()
    form.get_by_text("said so").click()
    form.get_by_role("button", name="Record").click()
    page.get_by_text("The contact is recorded.").wait_for()
    contact = Interaction.objects.order_by("pk").last()
    assert (contact.channel, contact.note) == ("shop", "Tasted the new roast.")
    felt = contact.emotions.values_list("emotion", "origin")
    assert set(felt) == {("happy", "customer_self"), ("pleased", "customer_self")}
    expect(page.locator(".sk-timeline").get_by_text("Tasted the new roast.")).to_be_visible()


def test_the_history_grows_and_narrows_in_place(page_as, jordis):
    page = page_as("support", f"/customers/{jordis.pk}/", lang="en")
    page.evaluate("window.stillHere = true")
    moments = page.locator(".sk-timeline > li:not(.sk-month)")
    first = moments.count()
    page.get_by_role("link", name="Show older").click()
    expect(moments).not_to_have_count(first)
    headings = page.locator(".sk-month").all_inner_texts()
    assert len(headings) == len(set(headings))
    page.locator("#history").get_by_role("link", name="Purchases").click()
    expect(page.locator("#history a[aria-current]")).to_contain_text("Purchases")
    expect(page).to_have_url(re.compile(r"\?kind=purchase$"))
    assert page.evaluate("window.stillHere")
    page.get_by_role("link", name="Show older").click()
    expect(moments).to_have_count(40)
    page.get_by_role("link", name="Show older").click()
    expect(moments).to_have_count(45)
    expect(page.get_by_role("link", name="Show older")).to_have_count(0)


def test_a_complaint_is_taken_down_and_stands_on_top(page_as, jordis):
    page = page_as("support", f"/customers/{jordis.pk}/", lang="en")
    page.get_by_text("Take down a complaint").click()
    page.get_by_label("What happened").fill("The parcel came open.")
    page.get_by_role("button", name="Open the complaint").click()
    expect(page.locator(".sk-case").filter(has_text="The parcel came open.")).to_have_count(1)
    page.locator(".sk-case").filter(has_text="The parcel").get_by_role("link", name="Open the case").click()
    page.get_by_label("What was done").fill("Sent again.")
    page.get_by_role("button", name="Close the case").click()
    expect(page.locator(".sk-case").filter(has_text="The parcel came open.")).to_have_count(0)


def test_revoking_a_key_is_asked_first(page_as, jordis, axe):
    page = page_as("admin", "/settings/sources/", lang="en")
    page.get_by_role("button", name="Revoke").first.click()
    assert axe(page) == []
    page.get_by_role("button", name="Cancel").click()
    assert ApiKey.objects.get().usable
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_role("button", name="Revoke for good").click()
    page.get_by_text("no longer opens anything").wait_for()
    assert not ApiKey.objects.get().usable
