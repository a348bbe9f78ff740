"""Purposes and wordings: versions that nobody can change, and who agreed to which."""

import hashlib
from typing import Any

import psycopg2
import pytest
from django.db import Error, connection, transaction

from crm import consent, double_opt_in, wordings
from crm.consent import How
from crm.models import AuditEntry, ConsentState, Customer, DoubleOptIn, Purpose, Wording
from tests.campaigns.people import open_shop, person

pytestmark = pytest.mark.django_db
YES = {"de": "Ja, die Rösterei darf mir mailen.", "en": "Yes, the roastery may mail me."}


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def test_versions_count_up_and_the_same_text_is_no_new_one() -> None:
    first = wordings.publish("newsletter", YES, None)
    assert {one.version for one in first.values()} == {1}
    assert wordings.publish("newsletter", {"de": f" {YES['de']}\r\n", "en": YES["en"]}, None) == first
    second = wordings.publish("newsletter", {"de": "Ja, gern."}, None)
    assert list(second) == ["de"] and second["de"].version == 2 and Wording.objects.count() == 3
    assert first["de"].hash == hashlib.sha256(YES["de"].encode()).hexdigest()
    assert AuditEntry.objects.filter(action="published").count() == 2


@pytest.mark.parametrize("texts", [{}, {"de": "  "}, {"de": "x" * 100_001}])
def test_an_empty_or_endless_text_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(wordings.WordingError):
        wordings.publish("newsletter", texts, None)


@pytest.mark.parametrize("statement", ["UPDATE crm_wording SET text = 'x'", "DELETE FROM crm_wording"])
def test_a_wording_in_use_stays_as_it_is(statement: str) -> None:
    shown = wordings.publish("newsletter", YES, None)
    for wording in shown.values():
        consent.give(person("").pk, ["newsletter"], How("paper", wording_id=wording.pk))
    with pytest.raises(Error, match="publish a new version"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_the_application_cannot_edit_wordings_at_all(app_cursor: Any) -> None:
    open_shop()
    wordings.publish("newsletter", YES, None)
    for statement in ("UPDATE crm_wording SET text = 'x'", "TRUNCATE crm_wording CASCADE"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            app_cursor.execute(statement)
        app_cursor.connection.rollback()
    app_cursor.execute("DELETE FROM crm_wording")
    assert app_cursor.rowcount == 2, "what nobody agreed to may go"


def test_who_agreed_to_which_version() -> None:
    old = wordings.publish("newsletter", YES, None)["de"]
    both = [person(""), person("")]
    for customer in both:
        consent.give(customer.pk, ["newsletter"], How("paper", wording_id=old.pk))
    new = wordings.publish("newsletter", {"de": "Ja, gern."}, None)["de"]
    consent.withdraw(both[0].pk, ["newsletter"], How("staff"))
    found = {one.wording: (one.agreed, one.hold) for one in wordings.agreements()["newsletter"]}
    assert found[old] == (2, 1) and found[new] == (0, 0)


def test_a_purpose_of_ones_own() -> None:
    wordings.add_purpose("tasting", " Verkostung ", "Tasting", None)
    made = Purpose.objects.get(pk="tasting")
    assert (made.label_de, made.active, Purpose.objects.last()) == ("Verkostung", True, made)
    for code, label in (("Tasting", "x"), ("tasting", "x"), ("ok_code", " ")):
        with pytest.raises(wordings.WordingError):
            wordings.add_purpose(code, label, "x", None)


def test_who_agreed_need_not_agree_again_to_what_is_no_longer_asked() -> None:
    customer = person("anna@example.test", "survey")
    wordings.change_purpose("survey", "Umfrage", "Survey", active=False, actor_id=None)
    assert ConsentState.objects.get(customer=customer).state == "given"


def test_an_administrator_adds_and_renames_a_purpose(as_staff: Any) -> None:
    browser = as_staff("admin")
    added = {"code": "tasting", "label_de": "Verkostung", "label_en": "Tasting"}
    assert browser.post("/settings/purposes/", added).url == "/settings/purposes/tasting/"
    assert browser.post("/settings/purposes/", added).status_code == 422
    browser.post("/settings/purposes/tasting/", {"label_de": "Probe", "label_en": "Sample"})
    assert Purpose.objects.filter(pk="tasting", label_de="Probe", active=False).exists()
    assert as_staff("support").get("/settings/purposes/").status_code == 403


def test_the_pages_show_each_version_with_its_counts(as_staff: Any, count_queries: Any) -> None:
    shown = wordings.publish("newsletter", YES, None)
    consent.give(person("").pk, ["newsletter"], How("paper", wording_id=shown["de"].pk))
    browser = as_staff("admin")
    page = browser.get("/settings/purposes/newsletter/").content.decode()
    assert YES["de"] in page and YES["en"] in page and shown["de"].hash[:16] in page
    few = count_queries(lambda: browser.get("/settings/purposes/"))
    for number in range(20):
        wordings.add_purpose(f"own_{number}", "x", "x", None)
        wordings.publish(f"own_{number}", {"de": "x"}, None)
    assert count_queries(lambda: browser.get("/settings/purposes/")) == few


def waiting() -> Customer:
    customer = person("anna@example.test")
    consent.give(customer.pk, ["newsletter"], How("phone"))
    return customer


def test_staff_have_the_mailbox_asked(as_staff: Any) -> None:
    customer = waiting()
    browser = as_staff("support")
    url = f"/customers/{customer.pk}/consents/ask/"
    assert url in browser.get(f"/customers/{customer.pk}/").content.decode()
    answers = [browser.post(url, follow=True).content.decode() for _number in range(4)]
    assert "on its way" in answers[0] and "within 24 hours" in answers[3]
    assert DoubleOptIn.objects.count() == double_opt_in.MAILS
    assert as_staff("marketer").post(url).status_code == 403


def test_there_is_nothing_to_ask_where_nothing_waits(as_staff: Any) -> None:
    customer = person("anna@example.test", "newsletter")
    browser, url = as_staff("support"), f"/customers/{customer.pk}/consents/ask/"
    assert url not in browser.get(f"/customers/{customer.pk}/").content.decode()
    browser.post(url)
    assert not DoubleOptIn.objects.exists()
