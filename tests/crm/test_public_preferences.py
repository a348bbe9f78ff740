"""The preference centre: what a person turns on and off, and who may do it for them (nobody)."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from crm import consent, permission, texts, tokens
from crm.models import (
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    LinkToken,
    MailLog,
    PrivacyRequest,
    Purpose,
    Shop,
    Suppression,
)
from tests.crm.public import boxes, open_shop, person, preference_path, stranger

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop(quiet_from="00:00", quiet_until="00:00", mails_per_fortnight=3)


@pytest.fixture
def anna() -> Customer:
    return person("anna@example.test", "newsletter", language="en")


def state(customer: Customer, purpose: str, channel: str = "email") -> str:
    return ConsentState.objects.get(customer=customer, purpose=purpose, channel=channel).state


def details(**changed: object) -> dict[str, object]:
    return {"part": "details", "language": "en", "mails": "", "birth_day": "", "birth_month": ""} | changed


def test_it_shows_what_holds_and_never_the_address(anna):
    page = stranger().get(preference_path(anna)).content.decode()
    assert 'value="email:newsletter" id="on-email-newsletter" aria-describedby="wording-newsletter" checked' in page
    assert page.count(" checked") == 1 and "Yes to survey." in page
    assert "a•••@e•••" in page and "anna@" not in page and anna.family_name not in page


def test_what_is_ticked_holds_at_once_and_what_is_not_ends(anna):
    path, browser = preference_path(anna), stranger()
    answer = browser.post(path, boxes(browser, path) | {"on": ["email:survey"]})
    assert answer.status_code == 200 and not answer.cookies and "Saved" in answer.content.decode()
    assert (state(anna, "newsletter"), state(anna, "survey")) == ("withdrawn", "given")
    assert permission.may_send(anna.pk, "advertising", "survey").allowed
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "withdrawn"


def test_the_proof_of_a_grant_names_wording_notice_mailbox_and_link(anna):
    path, browser = preference_path(anna), stranger()
    browser.post(path, boxes(browser, path) | {"on": ["email:newsletter", "email:survey"]})
    for event in ConsentEvent.objects.filter(purpose="survey"):
        assert event.method == "mail_link" and event.wording.text == "Yes to survey."
        assert event.notice_version == "1 en" and event.form == "preferences 2"
        assert event.token_hash == LinkToken.objects.get().digest and event.trace.address == "anna@example.test"
    assert set(ConsentEvent.objects.filter(purpose="survey").values_list("action", flat=True)) == {"given", "confirmed"}


def test_saving_what_was_there_writes_nothing(anna):
    path, browser = preference_path(anna), stranger()
    before = ConsentEvent.objects.count()
    assert "Nothing was different" in browser.post(path, boxes(browser, path)).content.decode()
    assert ConsentEvent.objects.count() == before


def test_a_box_that_was_not_on_the_page_is_left_alone(anna):
    path, browser = preference_path(anna), stranger()
    form = boxes(browser, path)
    consent.give(anna.pk, ["profiling"], consent.How("paper"))
    texts.publish_wording(Purpose.objects.get(pk="survey"), {"en": "Something else."}, None)
    browser.post(path, form | {"on": ["email:newsletter", "email:survey"]})
    assert state(anna, "profiling") == "given"
    assert not ConsentState.objects.filter(purpose="survey").exists(), "nobody agrees to words not read"


def test_other_channels_can_be_ended_but_not_begun_by_mail(anna):
    consent.give(anna.pk, ["newsletter"], consent.How("paper"), "phone")
    path, browser = preference_path(anna), stranger()
    form = boxes(browser, path)
    assert "phone:newsletter" in form["on"] and not any(seen.startswith("post:") for seen in form["seen"])
    browser.post(path, form | {"on": ["email:newsletter", "phone:survey"]})
    assert state(anna, "newsletter", "phone") == "withdrawn"
    assert not ConsentState.objects.filter(channel="phone", purpose="survey").exists()


def test_who_objected_may_come_back_by_their_own_hand(anna):
    path, browser = preference_path(anna), stranger()
    assert "no more advertising" in browser.post(path, {"part": "everything"}).content.decode()
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "suppressed"
    browser.post(path, boxes(browser, path) | {"on": ["email:newsletter"]})
    assert permission.may_send(anna.pk, "advertising", "newsletter").allowed


def test_a_spam_report_is_not_lifted_by_a_tick(anna):
    from crm import keyed

    Suppression.objects.create(address_hash=keyed.address_hash("anna@example.test"), reason="spam_report")
    path, browser = preference_path(anna), stranger()
    browser.post(path, boxes(browser, path) | {"on": ["email:newsletter", "email:survey"]})
    assert permission.may_send(anna.pk, "advertising", "survey").code == "suppressed"


def test_fewer_mails_are_the_gates_limit(anna):
    path, browser = preference_path(anna), stranger()
    assert browser.post(path, details(mails="1")).status_code == 200
    MailLog.objects.create(customer=anna, message_class="advertising", at=now() - timedelta(days=1))
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "frequency_cap"
    browser.post(path, details(mails=""))
    assert permission.may_send(anna.pk, "advertising", "newsletter").allowed
    assert browser.post(path, details(mails="99")).status_code == 422, "more than the shop allows is not on offer"


def test_language_and_birthday_are_the_persons_own(anna):
    path, browser = preference_path(anna), stranger()
    browser.post(path, details(language="de", birth_day="29", birth_month="2"))
    anna.refresh_from_db()
    assert (anna.language, anna.birth_day, anna.birth_month, anna.birth_year) == ("de", 29, 2, None)
    browser.post(path, details(language="de"))
    anna.refresh_from_db()
    assert anna.birth_day is None and anna.birth_month is None


def test_a_year_that_is_known_stays_when_the_day_does(anna):
    Customer.objects.filter(pk=anna.pk).update(birth_day=3, birth_month=4, birth_year=1980)
    stranger().post(preference_path(anna), details(language="de", birth_day="3", birth_month="4"))
    anna.refresh_from_db()
    assert anna.birth_year == 1980 and anna.language == "de"


@pytest.mark.parametrize(
    ("day", "month", "words"), [("30", "2", "does not exist"), ("3", "", "leave both out"), ("32", "1", "Nothing was saved")]
)
def test_an_impossible_birthday_is_refused_in_words(anna, day, month, words):
    answer = stranger().post(preference_path(anna), details(birth_day=day, birth_month=month, mails="1"))
    assert answer.status_code == 422 and words in answer.content.decode()
    anna.refresh_from_db()
    assert anna.birth_day is None and anna.mails_per_fortnight is None


@pytest.mark.parametrize("kind", ["access", "rectify", "erase"])
def test_a_request_about_ones_data_starts_its_clock_once(anna, kind):
    path, browser = preference_path(anna), stranger()
    for _ in range(2):
        assert "answer at the latest on" in browser.post(path, {"part": "data", "kind": kind}).content.decode()
    asked = PrivacyRequest.objects.get()
    assert (asked.customer_number, asked.kind, asked.state) == (anna.pk, kind, "open")
    assert Customer.objects.filter(pk=anna.pk).exists(), "nothing is erased by a link alone"


def test_an_unknown_part_changes_nothing(anna):
    path = preference_path(anna)
    assert stranger().post(path, {"part": "data", "kind": "all"}).status_code == 422
    assert stranger().post(path, {"part": "nonsense"}).status_code == 200
    assert not PrivacyRequest.objects.exists() and state(anna, "newsletter") == "given"


def test_an_old_link_no_longer_opens(anna):
    path = preference_path(anna)
    LinkToken.objects.update(expires_at=now())
    assert stranger().get(path).status_code == 404 and stranger().post(path, {"part": "everything"}).status_code == 404
    assert state(anna, "newsletter") == "given"


def test_a_link_in_a_former_mailbox_no_longer_opens(anna):
    path = preference_path(anna)
    ContactPoint.objects.filter(customer=anna).update(value="new@example.test", normal="new@example.test")
    assert stranger().get(path).status_code == 404


def test_a_merged_record_leads_to_the_kept_one(anna):
    kept, path = person("Anna@example.test", "newsletter"), preference_path(anna)
    Customer.objects.filter(pk=anna.pk).update(merged_into=kept)
    stranger().post(path, {"part": "everything"})
    assert state(kept, "newsletter") == "objected" and state(anna, "newsletter") == "given"


def test_the_link_of_a_mail_is_the_same_on_every_attempt_and_stored_once(anna):
    first, second = tokens.of_mail("delivery 1"), tokens.of_mail("delivery 1")
    assert first == second != tokens.of_mail("delivery 2")
    for _ in range(2):
        tokens.remember([(first, anna.pk, "anna@example.test")])
    assert LinkToken.objects.count() == 1 and stranger().get(f"/preferences/{first}/").status_code == 200
    assert first not in str(LinkToken.objects.values())


def test_many_tries_from_one_computer_are_slowed_down(anna):
    path, browser = preference_path(anna), stranger()
    codes = [browser.post(path, {"part": "nonsense"}).status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]


def test_the_page_costs_as_much_for_many_boxes_as_for_few(anna, count_queries):
    path, browser = preference_path(anna), stranger()
    few = count_queries(lambda: browser.get(path))
    for number in range(40):
        purpose = Purpose.objects.create(code=f"p{number}", label_de="x", label_en="x", position=50)
        texts.publish_wording(purpose, {"en": f"Words {number}."}, None)
    assert count_queries(lambda: browser.get(path)) == few
