"""The privacy desk in a browser: readable in both languages, themes and widths, by anybody, and usable."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from crm import consent
from crm.models import ConsentEvent, ContactPoint, Customer, ErasureLog, PurchaseLine, Purpose, Wording
from crm.privacy import rectify, requests
from tests.factories import (
    AnswerFactory,
    ComplaintFactory,
    CustomerFactory,
    EmailFactory,
    InteractionFactory,
    PurchaseFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Sie sucht Bohnen, die auch nach dem zweiten Aufguss noch nach etwas schmecken. " * 3


@pytest.fixture
def anna() -> Customer:
    """Somebody with a bit of everything."""
    Purpose.objects.bulk_create(
        [Purpose(code="newsletter", label_de="Newsletter", label_en="Newsletter")], ignore_conflicts=True
    )
    user = UserFactory(role="admin", first_name="Mirjam", last_name="Kästner")
    anna = CustomerFactory(given_name="Anna", family_name="Müller-Beispielhausen", birth_day=3, birth_month=4, city="Köln")
    EmailFactory(customer=anna, value="anna@example.test", normal="anna@example.test")
    ContactPoint.objects.create(customer=anna, kind="post", value="Beispielweg 1, Köln", normal="Beispielweg 1, Köln")
    for number in range(3):
        bought = PurchaseFactory(customer=anna, external_id=f"B-20441{number}", gross=24.5, place="Laden Köln")
        PurchaseLine.objects.create(
            purchase=bought, position=1, description="Bohnen, gemahlen", quantity=2, unit_price=12.25, net=24.5
        )
        InteractionFactory(customer=anna, note=LONG, staff=user)
    ComplaintFactory(customer=anna, text="Die Mühle mahlt ungleichmäßig.")
    AnswerFactory(customer=anna, comment="Immer freundlich")
    wording = Wording.objects.create(
        purpose_id="newsletter", version=901, language="de", text="Ja, schreibt mir, was es Neues gibt.\nAbmelden geht jederzeit."
    )
    asked = consent.How("web", now() - timedelta(days=9), wording_id=wording.pk, ip="192.0.2.7", user_agent="Browser/1.0")
    consent.give(anna.pk, ["newsletter"], asked)
    consent.confirm(anna.pk, ["newsletter"], consent.How("mail_link", now() - timedelta(days=8), ip="192.0.2.7"))
    rectify.rectify(anna.pk, {"given_name": "Anne"}, user.pk)
    requests.record(anna.pk, "access", now() - timedelta(days=40), user.pk)
    requests.record(anna.pk, "erase", now(), user.pk)
    return anna


def pages(anna: Customer) -> dict[str, str]:
    desk = f"/customers/{anna.pk}/privacy/"
    return {
        "desk": desk,
        "data": f"{desk}data/",
        "rectify": f"{desk}rectify/",
        "erase": f"{desk}erase/",
        "proof": f"{desk}proof/newsletter/email/",
        "requests": "/privacy/",
        "retention": "/privacy/retention/",
        "trail": "/privacy/trail/",
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_is_readable_by_everybody(
    anna: Customer, page_as: Callable[..., Any], axe: Any, overflow: Any, screenshot: Any, theme: str, width: int
) -> None:
    lang = "de" if theme == "light" else "en"
    page = page_as("admin", None, lang=lang, theme=theme, width=width)
    for name, path in pages(anna).items():
        page.goto(path)
        screenshot(page, f"privacy-{name}-{theme}-{width}")
        assert axe(page) == [], name
        assert overflow(page) == [], name


def test_a_person_is_erased_by_typing_the_number(
    anna: Customer, page_as: Callable[..., Any], axe: Any, overflow: Any, screenshot: Any, problems: Any
) -> None:
    page = page_as("admin", f"/customers/{anna.pk}/", lang="en", width=390)
    page.get_by_role("link", name="Privacy: show, put right, erase").click()
    page.get_by_role("link", name="Preview of the erasure").click()
    page.get_by_label("Type the customer's number").fill("K-0")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("Nothing was erased")).to_be_visible()
    assert Customer.objects.filter(pk=anna.pk).exists()
    page.get_by_label("Type the customer's number").fill(anna.number)
    page.get_by_role("button", name="Erase for good").click()
    page.get_by_role("heading", name=f"{anna.number} is erased").wait_for()
    assert ErasureLog.objects.get().customer_number == anna.pk
    assert axe(page) == [] and overflow(page) == []
    screenshot(page, "privacy-erased-390")
    page.get_by_role("listitem").filter(has_text="Invoices").get_by_role("button", name="Open").click()
    page.get_by_role("dialog").get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("heading", name="Sealed record").wait_for()
    expect(page.get_by_text("Beispielweg 1, Köln")).to_be_visible()
    assert axe(page) == [] and overflow(page) == []
    screenshot(page, "privacy-sealed-390")
    problems.clear()  # a refused form (422) and the page of somebody erased (410) are told on the console


def test_an_objection_is_asked_back_and_recorded(anna: Customer, page_as: Callable[..., Any], axe: Any) -> None:
    page = page_as("admin", f"/customers/{anna.pk}/privacy/", lang="en")
    page.get_by_role("button", name="Record the objection").first.click()
    assert axe(page) == []
    page.get_by_role("dialog").get_by_role("button", name="Record the objection").click()
    page.get_by_text("Objected to all advertising on").wait_for()
    assert ConsentEvent.objects.filter(action="objected").exists()


def test_a_request_is_closed_from_the_list(anna: Customer, page_as: Callable[..., Any]) -> None:
    page = page_as("admin", "/privacy/", lang="en", width=390)
    expect(page.get_by_text("overdue")).to_have_count(1)
    page.get_by_role("button", name="Close", exact=True).first.click()
    page.get_by_label("Outcome").first.select_option("identity")
    page.get_by_role("button", name="Close the request").first.click()
    page.get_by_text("The request is closed.").wait_for()
    expect(page.get_by_text("overdue")).to_have_count(0)


def test_a_wrong_birthday_is_told_beside_its_field(anna: Customer, page_as: Callable[..., Any], axe: Any, problems: Any) -> None:
    page = page_as("admin", f"/customers/{anna.pk}/privacy/rectify/", lang="en")
    page.get_by_label("Birthday: day").fill("31")
    page.get_by_label("Month").fill("2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This day does not exist in that month.")).to_be_visible()
    assert page.get_by_label("Birthday: day").get_attribute("aria-invalid") == "true" and axe(page) == []
    problems.clear()
