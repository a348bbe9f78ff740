"""Sign-up, confirmation, objection and legal texts in the hands of people, machines and forgers."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import signing
from django.db import ProgrammingError, connection, transaction
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import double_opt_in, links, permission, texts
from crm.forms_public import SALT
from crm.models import (
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    DoubleOptIn,
    LegalText,
    LinkToken,
    Purpose,
    Shop,
    Suppression,
    Wording,
)
from crm.views.public import objection
from tests.crm.public import filled, open_shop, person, preference_path, stranger

pytestmark = pytest.mark.django_db

FORMS = ("/sign-up/", "/sign-up/embedded/")


@pytest.fixture(autouse=True)
def shop(monkeypatch) -> Shop:
    monkeypatch.setattr("crm.forms_public.LEAST_SECONDS", -1)  # nobody waits in tests, but one
    return open_shop()


def confirm_path() -> str:
    return double_opt_in.url_of(DoubleOptIn.objects.latest("pk")).removeprefix("http://localhost:8000")


def facts() -> tuple:
    """Everything a public page could change."""
    return (
        list(ConsentEvent.objects.values_list("pk", flat=True)),
        list(ConsentState.objects.order_by("pk").values_list("pk", "state")),
        list(Customer.objects.order_by("pk").values_list("pk", "language", "mails_per_fortnight", "birth_day")),
        list(DoubleOptIn.objects.order_by("pk").values_list("pk", "confirmed_at")),
        Suppression.objects.count(),
    )


# Sign-up


@pytest.mark.parametrize("path", FORMS)
def test_a_stranger_signs_up_and_confirms(path):
    browser = stranger()
    answer = browser.post(path, filled(browser, path, purpose=["newsletter", "survey"]))
    assert answer.status_code == 200 and "mailbox" in answer.content.decode() and not answer.cookies
    newcomer = ContactPoint.objects.get(normal="neu@example.test").customer
    assert set(ConsentState.objects.values_list("purpose_id", "state")) == {
        ("newsletter", "pending"),
        ("survey", "pending"),
    }
    assert not permission.may_send(newcomer.pk, "advertising", "newsletter").allowed
    assert "I confirm" in browser.get(confirm_path()).content.decode()
    assert browser.post(confirm_path()).status_code == 200
    assert set(ConsentState.objects.values_list("state", flat=True)) == {"given"}


def test_the_ledger_keeps_what_the_person_saw(shop):
    browser = stranger("de")
    browser.post("/sign-up/", filled(browser, "/sign-up/"), headers={"user-agent": "Testbrowser"})
    declared = ConsentEvent.objects.get(action="given")
    assert declared.wording.text == "Ja zu newsletter." and declared.wording.language == "de"
    assert declared.notice_version == "1 de" and declared.form == "sign-up 2" and declared.method == "web"
    assert declared.trace.ip == "127.0.0.1" and declared.trace.user_agent == "Testbrowser"
    assert declared.trace.address == "neu@example.test"


def test_the_answer_is_the_same_for_known_unknown_silent_and_flooded_addresses():
    known = person("alt@example.test", "newsletter")
    gone = person("fort@example.test")
    from crm import keyed

    Suppression.objects.create(address_hash=keyed.address_hash("fort@example.test"), reason="spam_report")
    browser, seen = stranger(), set()
    for email in ("alt@example.test", "neu@example.test", "fort@example.test", "Neu@Example.test"):
        seen.add(browser.post("/sign-up/", filled(browser, "/sign-up/", email=email)).content)
    assert len(seen) == 1 and b"@" not in seen.pop()
    assert not DoubleOptIn.objects.filter(customer=gone).exists()
    assert DoubleOptIn.objects.filter(customer=known).count() == 1


def test_no_box_is_ticked_beforehand_and_the_wording_is_shown_in_full():
    for language, words, version in (("en", "Yes to survey.", "Version 1"), ("de", "Ja zu survey.", "Fassung 1")):
        page = stranger().get(f"/sign-up/?lang={language}").content.decode()
        assert words in page and version in page and f'<html lang="{language}"' in page
        assert "checked" not in page and 'href="/legal/privacy/' in page


def test_what_is_not_worded_in_a_language_is_not_asked_in_it():
    texts.publish_wording(Purpose.objects.get(pk="survey"), {"de": "Nur deutsch."}, None)
    assert "survey" not in stranger("en").get("/sign-up/").content.decode()
    assert "Nur deutsch." in stranger("de").get("/sign-up/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "kein@"}, "no e-mail address"),
        ({"email": ""}, "required"),
        ({"purpose": []}, "Tick at least one"),
        ({"purpose": ["tracking"]}, "not one of the available"),
        ({"stamp": "forged"}, "open for too long"),
        ({"stamp": ""}, "open for too long"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(wrong, words):
    browser = stranger()
    answer = browser.post("/sign-up/", filled(browser, "/sign-up/", **wrong))
    assert answer.status_code == 422 and words in answer.content.decode()
    assert not ConsentEvent.objects.exists() and not DoubleOptIn.objects.exists()


def test_a_machine_that_fills_everything_in_gets_the_same_answer_and_no_mail():
    browser = stranger()
    person_answer = browser.post("/sign-up/", filled(browser, "/sign-up/"))
    asked = DoubleOptIn.objects.count()
    answer = browser.post("/sign-up/", filled(browser, "/sign-up/", website="https://spam.test"))
    assert answer.content == person_answer.content and DoubleOptIn.objects.count() == asked


def test_too_fast_is_asked_once_more_and_then_taken(monkeypatch):
    monkeypatch.setattr("crm.forms_public.LEAST_SECONDS", 60)
    browser = stranger()
    form = filled(browser, "/sign-up/")
    assert "very fast" in browser.post("/sign-up/", form).content.decode()
    assert not DoubleOptIn.objects.exists()
    monkeypatch.setattr("crm.forms_public.LEAST_SECONDS", -1)
    assert browser.post("/sign-up/", form).status_code == 200 and DoubleOptIn.objects.count() == 1


def test_a_page_left_open_for_a_day_is_shown_anew(monkeypatch):
    browser = stranger()
    form = filled(browser, "/sign-up/")
    monkeypatch.setattr("crm.forms_public.LONGEST", timedelta(seconds=-1))
    answer = browser.post("/sign-up/", form)
    assert answer.status_code == 422 and "open for too long" in answer.content.decode()


def test_who_read_a_former_wording_reads_the_new_one_first():
    browser = stranger()
    form = filled(browser, "/sign-up/")
    texts.publish_wording(Purpose.objects.get(pk="newsletter"), {"de": "Neu.", "en": "New words."}, None)
    answer = browser.post("/sign-up/", form)
    assert answer.status_code == 422 and "worded anew" in answer.content.decode()
    assert not ConsentEvent.objects.exists()


def test_a_stamp_of_another_use_is_none():
    forged = signing.TimestampSigner(salt="other").sign_object({"w": {}, "n": "", "l": "en"})
    genuine = signing.TimestampSigner(salt=SALT).sign_object({"w": {}, "n": "", "l": "en"})
    browser = stranger()
    for stamp in (forged, genuine[:-2] + "xx"):
        assert browser.post("/sign-up/", filled(browser, "/sign-up/", stamp=stamp)).status_code == 422


def test_one_computer_may_not_flood_and_is_told_to_wait():
    browser = stranger()
    form = filled(browser, "/sign-up/")
    codes = [browser.post("/sign-up/", form | {"email": f"p{n}@example.test"}).status_code for n in range(7)]
    assert codes == [200] * 5 + [429] * 2
    assert browser.get("/sign-up/").status_code == 200, "looking is free"
    assert DoubleOptIn.objects.count() == 5


# The frame


def test_only_named_pages_may_show_the_form_in_a_frame(shop):
    def policy(path: str) -> tuple[str, str]:
        answer = stranger().get(path)
        found = answer["Content-Security-Policy"]
        return next(part for part in found.split("; ") if part.startswith("frame-ancestors")), answer.get(
            "X-Frame-Options", ""
        )

    assert policy("/sign-up/embedded/") == ("frame-ancestors 'none'", "DENY")
    Shop.objects.update(embed_origins="https://shop.example\nhttps://www.shop.example")
    assert policy("/sign-up/embedded/") == ("frame-ancestors https://shop.example https://www.shop.example", "")
    assert policy("/sign-up/") == ("frame-ancestors 'none'", "DENY")


@pytest.mark.parametrize(
    "wrong", ["shop.example", "http://shop.example", "https://a.b/path", "*", "https://*", "https://a;script-src *", "'self'"]
)
def test_what_is_no_origin_is_refused_in_the_settings(wrong, as_staff):
    browser = as_staff("admin")
    form = browser.get("/settings/").context["form"]
    values = {name: form[name].value() or "" for name in form.fields}
    answer = browser.post("/settings/", values | {"embed_origins": wrong})
    assert answer.status_code == 422 and "no origin" in answer.content.decode()
    Shop.objects.update(embed_origins=wrong)
    assert "frame-ancestors 'none'" in stranger().get("/sign-up/embedded/")["Content-Security-Policy"]


# Confirmation


def test_a_second_press_says_that_all_is_well():
    browser = stranger()
    browser.post("/sign-up/", filled(browser, "/sign-up/"))
    path = confirm_path()
    assert [browser.post(path).status_code for _ in range(2)] == [200, 200]
    assert ConsentEvent.objects.filter(action="confirmed").count() == 1


def test_an_expired_link_helps_and_changes_nothing():
    browser = stranger()
    browser.post("/sign-up/", filled(browser, "/sign-up/"))
    path = confirm_path()
    DoubleOptIn.objects.update(expires_at=now())
    before = facts()
    assert browser.get(path).status_code == 410 and browser.post(path).status_code == 410
    assert facts() == before
    assert browser.post(path, {"again": "1"}).status_code == 200
    assert DoubleOptIn.objects.count() == 2 and confirm_path() != path


# Objection


def test_the_objection_ends_everything_on_every_channel_and_may_be_repeated():
    anna = person("anna@example.test", "newsletter", "birthday")
    path = objection.url(anna.person_key).removeprefix("http://localhost:8000")
    browser = stranger()
    before = facts()
    assert "at all?" in browser.get(path).content.decode() and facts() == before
    for _ in range(2):
        answer = browser.post(path)
        assert answer.status_code == 200 and not answer.cookies and "No more advertising" in answer.content.decode()
    assert set(ConsentState.objects.values_list("channel", flat=True)) == {"email", "phone", "post", "message"}
    assert set(ConsentState.objects.values_list("state", flat=True)) == {"objected"}
    assert ConsentEvent.objects.filter(action="objected").count() == 4 * Purpose.objects.count()
    assert not permission.may_send(anna.pk, "advertising", "newsletter", "post").allowed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 200), bit=st.integers(0, 5), data=st.data())
def test_no_link_with_a_flipped_bit_or_another_purpose_does_anything(position, bit, data):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def flipped(token: str) -> str:
        at = position % (len(token) - 1)  # the last sign has bits that belong to nothing
        kept = alphabet.index(token[at]) if token[at] in alphabet else 0
        return token[:at] + alphabet[kept ^ (1 << bit)] + token[at + 1 :]

    with transaction.atomic():
        anna = person("anna@example.test", "newsletter")
        signed, stored = links.sign(objection.USE, anna.person_key), preference_path(anna).split("/")[2]
        double_opt_in.request("anna@example.test", ["survey"], "en", texts_how())
        asked = confirm_path().split("/")[2]
        other = data.draw(
            st.sampled_from([links.sign("unsubscribe", anna.person_key, "newsletter"), links.sign("object", uuid4()), stored])
        )
        browser, before = stranger(), facts()
        for path in (
            f"/o/{flipped(signed)}/",
            f"/o/{other}/",
            f"/preferences/{flipped(stored)}/",
            f"/preferences/{signed}/",
            f"/preferences/{asked}/",
            f"/confirm/{flipped(asked)}/",
            f"/confirm/{stored}/",
        ):
            answer = browser.post(path, {"part": "everything", "everything": "1"})
            assert answer.status_code in (404, 429), path
            if answer.status_code == 404:
                assert "Nothing was changed" in answer.content.decode()
        assert facts() == before
        transaction.set_rollback(True)


def texts_how():
    from crm.consent import How

    return How("web")


# Scanners


def test_a_scanner_that_opens_every_link_changes_nothing():
    anna = person("anna@example.test", "newsletter")
    browser = stranger()
    browser.post("/sign-up/", filled(browser, "/sign-up/"))
    paths = [
        *FORMS,
        confirm_path(),
        preference_path(anna),
        objection.url(anna.person_key).removeprefix("http://localhost:8000"),
        "/legal/privacy/",
    ]
    before, opened = facts(), LinkToken.objects.count()
    for path in paths:
        for method in (browser.get, browser.head):
            answer = method(path, {"lang": "de", "everything": "1", "again": "1", "part": "everything"})
            assert answer.status_code == 200 and not answer.cookies, path
            assert answer["Referrer-Policy"] == "no-referrer" and answer["Cache-Control"] == "no-store", path
    assert facts() == before and LinkToken.objects.count() == opened


def test_the_token_in_the_database_opens_nothing():
    anna = person("anna@example.test")
    path = preference_path(anna)
    assert stranger().get(path).status_code == 200
    assert stranger().get(f"/preferences/{LinkToken.objects.get().digest}/").status_code == 404


# Legal texts


def test_an_admin_publishes_versions_that_everybody_reads(as_staff):
    browser = as_staff("admin")
    assert "not published" in browser.get("/settings/texts/").content.decode()
    assert stranger().get("/legal/terms/").status_code == 404
    for number in (1, 2):
        assert browser.post("/settings/texts/terms/", {"de": f"Fassung {number}", "en": ""}).status_code == 302
    assert list(LegalText.objects.filter(kind="terms").values_list("version", "language")) == [(1, "de"), (2, "de")]
    page = stranger("en").get("/legal/terms/").content.decode()
    assert "Fassung 2" in page and '<div class="public-text" lang="de">' in page
    assert "/legal/terms/" in stranger().get("/sign-up/").content.decode()


def test_the_same_text_once_more_is_no_new_version(as_staff):
    browser = as_staff("admin")
    for _ in range(2):
        browser.post("/settings/texts/ask-newsletter/", {"de": "Ja.\r\nWirklich.", "en": ""})
    assert Wording.objects.filter(purpose="newsletter", language="de").count() == 2  # the shop's first, and this one


def test_a_purpose_without_words_is_offered_a_proposal(as_staff):
    page = as_staff("admin").get("/settings/texts/ask-win_back/").content.decode()
    assert "Rösterei Beispiel darf mir" in page and "proposal" in page
    assert not Wording.objects.filter(purpose="win_back").exists()


def test_a_legal_text_is_never_edited():
    text = LegalText.objects.first()
    for statement in ("UPDATE crm_legaltext SET text = 'x'", "DELETE FROM crm_legaltext"):
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    text.refresh_from_db()
    assert text.text in ("Hinweise.", "Notice.")


def test_nobody_writes_markup_into_a_public_page():
    texts.publish_legal("imprint", {"en": "<script>alert(1)</script>\n\nSecond"}, None)
    page = stranger().get("/legal/imprint/").content.decode()
    assert "<script>alert" not in page and "&lt;script&gt;" in page and "<p>Second</p>" in page


@pytest.mark.parametrize("path", ["/legal/none/", "/settings/texts/none/", "/settings/texts/ask-none/"])
def test_what_does_not_exist_is_not_found(path, as_staff):
    assert as_staff("admin").get(path).status_code == 404


# Names at sign-up


@pytest.mark.parametrize("path", FORMS)
def test_the_form_asks_for_names_only_if_the_shop_wants_it(path):
    assert 'name="given_name"' not in stranger().get(path).content.decode()
    browser = stranger()
    browser.post(path, filled(browser, path, given_name="Nora", salutation="ms"))
    assert DoubleOptIn.objects.get().given_name == "", "what is not asked for is not taken"
    Shop.objects.update(sign_up_names=True, sign_up_salutation=True)
    for language, words in (("en", ("Ms", "Mr", "neutral", "not given")), ("de", ("Frau", "Herr", "neutral", "keine Angabe"))):
        page = stranger(language).get(path).content.decode()
        assert all(f">{word}</option>" in page for word in words), page[page.index("<select") :][:600]
        assert 'name="family_name"' in page and "selected" in page.split(words[3])[0].rsplit("<option", 1)[1]


def test_a_name_counts_once_the_mailbox_answered_and_never_replaces_one():
    Shop.objects.update(sign_up_names=True, sign_up_salutation=True)
    anna, browser = person("anna@example.test"), stranger()
    names = {"given_name": " Nora ", "family_name": "Neu", "salutation": "ms"}
    for email in ("neu@example.test", "anna@example.test"):
        browser.post("/sign-up/", filled(browser, "/sign-up/", email=email, **names))
        assert Customer.objects.filter(family_name="Neu").count() == (email == "anna@example.test")
        browser.post(confirm_path())
    newcomer = Customer.objects.get(family_name="Neu")
    assert (newcomer.given_name, newcomer.salutation) == ("Nora", "ms")
    before = anna.family_name
    anna.refresh_from_db()
    assert anna.family_name == before and anna.salutation == "ms", "she had said nothing about that yet"


@pytest.mark.parametrize("wrong", [{"given_name": "www.evil.test"}, {"family_name": "x" * 81}, {"salutation": "lord"}])
def test_a_name_that_is_none_is_refused_in_words(wrong):
    Shop.objects.update(sign_up_names=True, sign_up_salutation=True)
    browser = stranger()
    assert browser.post("/sign-up/", filled(browser, "/sign-up/", **wrong)).status_code == 422
    assert not DoubleOptIn.objects.exists()
