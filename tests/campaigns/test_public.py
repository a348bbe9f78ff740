"""The unsubscribe link in any hands: a mail program's, a scanner's, a person's, a forger's."""

import re
from uuid import uuid4

import pytest
from django.test import Client

from campaigns.composing import UNSUBSCRIBE, unsubscribe_url
from crm import links
from crm.models import ConsentEvent, ConsentState, Customer, Shop, Suppression
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


@pytest.fixture
def anna() -> Customer:
    return person("anna@example.test", "newsletter", "birthday")


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True, headers={"accept-language": "en"})


def path_of(customer: Customer, purpose: str = "newsletter") -> str:
    return unsubscribe_url(customer.person_key, purpose).removeprefix("http://localhost:8000")


def state(customer: Customer, purpose: str = "newsletter") -> str:
    return ConsentState.objects.get(customer=customer, purpose_id=purpose, channel="email").state


@pytest.mark.parametrize(
    "body",
    [
        {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"},
        {"data": {"List-Unsubscribe": "One-Click"}},  # multipart
    ],
)
def test_one_click_ends_it_at_once_and_may_be_repeated(
    anna: Customer, browser: Client, body: dict[str, object]
) -> None:
    for _ in range(2):
        response = browser.post(path_of(anna), **body)  # type: ignore[arg-type]
        assert response.status_code == 200 and not response.cookies
    assert state(anna) == "withdrawn" and state(anna, "birthday") == "given"
    assert ConsentEvent.objects.filter(action="withdrawn").count() == 1
    assert ConsentEvent.objects.get(action="withdrawn").trace.ip == "127.0.0.1"


@pytest.mark.parametrize("method", ["get", "head"])
def test_opening_the_link_changes_nothing(anna: Customer, browser: Client, method: str) -> None:
    response = getattr(browser, method)(path_of(anna))
    assert response.status_code == 200 and not response.cookies
    assert state(anna) == "given"
    assert response["Referrer-Policy"] == "no-referrer" and response["Cache-Control"] == "no-store"


def test_the_page_has_a_button_that_works_without_a_cookie(anna: Customer, browser: Client) -> None:
    page = browser.get(path_of(anna)).content.decode()
    assert 'method="post"' in page and "One-Click" in page
    assert "unsubscribed" in browser.post(path_of(anna), {"List-Unsubscribe": "One-Click"}).content.decode()


def test_everything_can_be_ended_from_the_same_page(anna: Customer, browser: Client) -> None:
    assert browser.post(path_of(anna), {"everything": "1"}).status_code == 200
    assert state(anna) == state(anna, "birthday") == "objected"
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-3] + "AAA", lambda t: t[:10], lambda t: "x", lambda t: t + "A", lambda t: "ü"]
)
def test_a_forged_or_torn_link_helps_and_changes_nothing(anna: Customer, browser: Client, spoil: object) -> None:
    token = path_of(anna).split("/")[2]
    response = browser.post(f"/u/{spoil(token)}/", {"List-Unsubscribe": "One-Click"})  # type: ignore[operator]
    assert response.status_code == 404 and "Nothing was changed" in response.content.decode()
    assert state(anna) == "given"


def test_a_link_for_another_use_or_person_changes_nothing(anna: Customer, browser: Client) -> None:
    for token in (
        links.sign("preferences", anna.person_key, "newsletter"),
        links.sign(UNSUBSCRIBE, uuid4(), "newsletter"),
    ):
        assert browser.post(f"/u/{token}/").status_code == 404
    assert state(anna) == "given"


def test_a_link_signed_with_a_former_key_still_works(anna: Customer, browser: Client, settings: object) -> None:
    path = path_of(anna)
    settings.LINK_KEY_FALLBACKS, settings.LINK_KEY = [settings.LINK_KEY], "n" * 48  # type: ignore[attr-defined]
    assert browser.post(path).status_code == 200 and state(anna) == "withdrawn"


def test_a_merged_record_leads_to_the_kept_one(anna: Customer, browser: Client) -> None:
    kept = person("anna@example.test", "newsletter")
    path = path_of(anna)
    Customer.objects.filter(pk=anna.pk).update(merged_into=kept)
    browser.post(path)
    assert state(kept) == "withdrawn"


def test_the_token_says_nothing_about_the_person(anna: Customer) -> None:
    assert not any(part in path_of(anna) for part in ("anna", "example", str(anna.pk) + "/"))


def test_whoever_unsubscribes_gets_nothing_of_a_running_mailing(
    anna: Customer, browser: Client, smtp_sink: SmtpSink
) -> None:
    launched()
    browser.post(path_of(anna))
    deliver()
    assert smtp_sink.messages == [] and states() == {"suppressed": 1}


def test_a_buyer_who_unsubscribes_is_not_mailed_as_a_buyer_either(browser: Client) -> None:
    from crm import permission
    from tests.factories import CustomerFactory, EmailFactory, PurchaseFactory

    buyer = CustomerFactory()
    buyer.refresh_from_db()
    EmailFactory(customer=buyer, purchase=PurchaseFactory(customer=buyer), notice_version="1")
    assert permission.may_send(buyer.pk, "advertising", "newsletter").allowed
    browser.post(path_of(buyer))
    assert permission.may_send(buyer.pk, "advertising", "newsletter").code == "withdrawn"


def test_every_advertising_mail_leads_to_the_preferences_of_its_reader(
    anna: Customer, browser: Client, smtp_sink: SmtpSink
) -> None:
    launched()
    deliver()
    text = smtp_sink.messages[0].get_body(("plain",)).get_content()
    path = re.search(r"http://localhost:8000(/preferences/[\w-]{27}/)", text)
    assert path and "http://localhost:8000/legal/privacy/" in text
    assert browser.get(path[1]).status_code == 200
    browser.post(path[1], {"part": "everything"})
    assert state(anna) == "objected"


def test_the_page_speaks_the_language_that_is_asked_for(anna: Customer, browser: Client) -> None:
    assert '<html lang="de"' in browser.get(path_of(anna) + "?lang=de").content.decode()
    assert '<html lang="en"' in browser.get(path_of(anna)).content.decode()
