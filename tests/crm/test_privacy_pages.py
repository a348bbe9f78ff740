"""The pages of the privacy desk: who may open them, what they say, and what they do."""

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils.timezone import now

from crm import consent
from crm.models import (
    AuditEntry,
    ConsentState,
    Customer,
    ErasureLog,
    Event,
    PrivacyRequest,
    Purpose,
    SealedRecord,
    Wording,
)
from crm.privacy import requests
from tests.factories import (
    NOW,
    CustomerFactory,
    EmailFactory,
    InteractionFactory,
    PurchaseFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def purposes() -> None:
    Purpose.objects.bulk_create([Purpose(code="newsletter", label_de="n", label_en="n")], ignore_conflicts=True)


@pytest.fixture
def admin(as_staff):
    return as_staff("admin")


@pytest.fixture
def anna() -> Customer:
    customer = CustomerFactory(given_name="Anna", family_name="Beispiel", birth_day=3, birth_month=4)
    customer.refresh_from_db()
    EmailFactory(customer=customer, value="anna@example.test")
    return customer


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def page(name: str, *args) -> str:
    return reverse(f"privacy_{name}", args=args)


RECTIFY = {"salutation": "ms", "given_name": "Anna", "family_name": "Muster", "email": "anna@example.test"}


@pytest.mark.parametrize("role", ["support", "marketer"])
def test_only_administrators_open_the_desk(as_staff, role, anna):
    browser = as_staff(role)
    for name in ("desk", "data", "rectify", "erase"):
        assert browser.get(page(name, anna.pk)).status_code == 403
    for name in ("download", "restrict", "object", "erase", "record"):
        assert browser.post(page(name, anna.pk)).status_code == 403
    assert browser.get("/privacy/").status_code == 403 and not AuditEntry.objects.exists()
    assert "/privacy/" not in browser.get(f"/customers/{anna.pk}/").content.decode()


def test_the_profile_leads_administrators_to_the_desk(admin, anna):
    assert page("desk", anna.pk) in admin.get(f"/customers/{anna.pk}/").content.decode()


def test_everything_is_shown_and_handed_out_and_written_down(admin, anna):
    InteractionFactory(customer=anna, note="likes <b>tea</b>", staff=admin.user)
    shown = admin.get(page("data", anna.pk))
    assert "likes &lt;b&gt;tea&lt;/b&gt;" in shown.content.decode() and "anna@example.test" in text_of(shown)
    packed = admin.post(page("download", anna.pk))
    assert packed["Content-Type"] == "application/zip" and packed["Cache-Control"] == "no-store"
    assert f'filename="K-{anna.pk}-' in packed["Content-Disposition"]
    assert b"likes <b>tea</b>" in zipfile.ZipFile(io.BytesIO(packed.content)).read("data.json")
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "object_id", "actor")) == [
        ("shown", anna.pk, admin.user.pk),
        ("exported", anna.pk, admin.user.pk),
    ]


def test_the_desk_takes_as_many_queries_for_much_as_for_little(admin, count_queries):
    def history(length):
        customer = CustomerFactory()
        for _ in range(length):
            consent.give(customer.pk, ["newsletter"], consent.How("paper"))
            requests.record(customer.pk, "access", now(), admin.user.pk)
        return customer

    short, long = history(2), history(40)
    for name in ("desk", "data", "erase"):
        admin.get(page(name, short.pk))
        assert count_queries(lambda n=name: admin.get(page(n, short.pk))) == count_queries(
            lambda n=name: admin.get(page(n, long.pk))
        )


def test_a_merged_record_leads_to_the_desk_of_the_one_in_use(admin, anna):
    merged = CustomerFactory(merged_into=anna)
    assert admin.get(page("desk", merged.pk)).url == page("desk", anna.pk)
    assert admin.get(page("desk", anna.pk + 999)).status_code == 404


# ---- put right


def test_a_name_is_put_right(admin, anna):
    answer = admin.post(page("rectify", anna.pk), RECTIFY | {"birth_day": 29, "birth_month": 2, "birth_year": 1980})
    assert answer.url == page("desk", anna.pk)
    anna.refresh_from_db()
    assert (anna.family_name, anna.salutation, anna.birth_year) == ("Muster", "ms", 1980)
    shown = text_of(admin.get(page("desk", anna.pk)))
    assert "Beispiel" in shown and "→ Muster" in shown


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({"birth_day": 31, "birth_month": 2}, "birth_day", "does not exist"),
        ({"birth_day": 29, "birth_month": 2, "birth_year": 1981}, "birth_day", "does not exist"),
        ({"birth_day": 32, "birth_month": 1}, "birth_day", "less than or equal to 31"),
        ({"birth_day": 3}, "birth_day", "needs day and month"),
        ({"birth_year": 1980}, "birth_day", "needs day and month"),
        ({"birth_day": 3, "birth_month": 4, "birth_year": 80}, "birth_year", "four digits"),
        ({"birth_day": 31, "birth_month": 12, "birth_year": 2026}, "birth_year", "in the future"),
        ({"email": "anna at example"}, "email", "no e-mail address"),
        ({"phone": "call me"}, "phone", "no phone number"),
        ({"salutation": "sir"}, "salutation", "not one of the available choices"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_saved(admin, anna, given, field, told):
    with time_machine.travel(datetime(2026, 11, 2, 12, tzinfo=UTC), tick=False):
        answer = admin.post(page("rectify", anna.pk), RECTIFY | given)
    assert answer.status_code == 422 and told in text_of(answer)
    assert f'id="id_{field}"' in answer.content.decode() and "aria-invalid" in answer.content.decode()
    anna.refresh_from_db()
    assert anna.family_name == "Beispiel"


# ---- restrict and object


def test_restricted_data_gets_no_advertising_until_it_is_lifted(admin, anna):
    made = requests.record(anna.pk, "restrict", now(), None)
    admin.post(page("restrict", anna.pk), {"restricted": "1"})
    anna.refresh_from_db()
    made.refresh_from_db()
    assert anna.restricted_at and made.state == "done"
    assert "Restricted since" in text_of(admin.get(page("desk", anna.pk)))
    admin.post(page("restrict", anna.pk), {"restricted": "0"})
    anna.refresh_from_db()
    assert anna.restricted_at is None
    assert list(AuditEntry.objects.exclude(kind="request").order_by("pk").values_list("action", flat=True)) == [
        "restricted",
        "unrestricted",
    ]


def test_an_objection_ends_every_permission_on_every_channel(admin, anna):
    consent.give(anna.pk, ["newsletter"], consent.How("paper"))
    consent.give(anna.pk, ["newsletter"], consent.How("paper"), "phone")
    admin.post(page("object", anna.pk))
    assert set(ConsentState.objects.values_list("state", flat=True)) == {"objected"}
    assert Event.objects.filter(kind="consent.withdrawn").exists()
    assert "Objected to all advertising" in text_of(admin.get(page("desk", anna.pk)))


# ---- erase


def test_an_erasure_needs_the_number_typed(admin, anna):
    shown = text_of(admin.get(page("erase", anna.pk)))
    assert "Goes, for good" in shown and "Master data" in shown
    answer = admin.post(page("erase", anna.pk), {"number": "K-1"})
    assert answer.status_code == 422 and "Nothing was erased" in text_of(answer)
    assert Customer.objects.filter(pk=anna.pk).exists()


def test_after_an_erasure_the_desk_says_what_stayed(admin, anna):
    PurchaseFactory(customer=anna, external_id="B-77")
    consent.give(anna.pk, ["newsletter"], consent.How("paper"))
    assert admin.post(page("erase", anna.pk), {"number": f"k-{anna.pk}"}).url == page("desk", anna.pk)
    answer = admin.get(page("desk", anna.pk))
    shown = text_of(answer)
    assert answer.status_code == 410 and f"K-{anna.pk} is erased" in shown
    assert f"Invoices of {NOW.year}" in shown
    assert "Beispiel" not in answer.content.decode()
    for name in ("data", "erase"):
        assert admin.get(page(name, anna.pk)).status_code == 410
    assert admin.post(page("download", anna.pk)).status_code == 410
    again = admin.post(page("erase", anna.pk), {"number": f"K-{anna.pk}"})
    assert again.status_code == 410 and ErasureLog.objects.count() == 1
    assert admin.get(page("rectify", anna.pk)).status_code == 404
    assert admin.post(page("object", anna.pk)).status_code == 404
    assert admin.get(f"/customers/{anna.pk}/").status_code == 404
    proof = text_of(admin.get(page("proof", anna.pk, "newsletter", "email")))
    assert "erased; the proof is kept" in proof and "The permission ended" in proof


def test_a_sealed_record_is_opened_by_a_post_that_is_written_down(admin, anna):
    PurchaseFactory(customer=anna, external_id="B-77")
    admin.post(page("erase", anna.pk), {"number": f"K-{anna.pk}"})
    record = SealedRecord.objects.get()
    assert admin.get(page("sealed", record.pk)).status_code == 405
    assert "Beispiel" in text_of(admin.post(page("sealed", record.pk)))
    assert AuditEntry.objects.filter(action="sealed_opened", actor=admin.user).count() == 1


def test_a_seal_whose_key_is_missing_says_so(admin, anna, settings):
    PurchaseFactory(customer=anna)
    admin.post(page("erase", anna.pk), {"number": f"K-{anna.pk}"})
    settings.SEAL_KEY = "x" * 40
    answer = admin.post(page("sealed", SealedRecord.objects.get().pk), follow=True)
    assert "It does not open: no SEAL_KEY with the id" in text_of(answer)


# ---- proof


def test_the_proof_has_wording_version_method_actor_and_utc_times(admin, anna):
    wording = Wording.objects.create(purpose_id="newsletter", version=7, language="de", text="Ja, schreibt mir.")
    asked = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    trace = {"ip": "192.0.2.7", "user_agent": "Browser 1", "address": "anna@example.test"}
    consent.give(anna.pk, ["newsletter"], consent.How("web", occurred_at=asked, wording_id=wording.pk, **trace))
    shown = text_of(admin.get(page("proof", anna.pk, "newsletter", "email")))
    assert "never confirmed" in shown
    how = consent.How("mail_link", occurred_at=asked + timedelta(minutes=5), actor_id=admin.user.pk, ip="192.0.2.8")
    consent.confirm(anna.pk, ["newsletter"], how)
    shown = text_of(admin.get(page("proof", anna.pk, "newsletter", "email")))
    for words in (
        "The permission holds", "Ja, schreibt mir.", "version 7", "192.0.2.7", "192.0.2.8", "Browser 1",
        "2026-03-01T09:30:00+00:00", "2026-03-01T09:35:00+00:00", "web form", "link in a mail", str(admin.user),
        str(anna.person_key),
    ):  # fmt: skip
        assert words in shown, words
    assert admin.get(page("proof", anna.pk, "newsletter", "phone")).status_code == 404


# ---- requests and lists


def test_a_request_starts_its_clock_and_is_closed_once(admin, anna):
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC)):
        admin.force_login(admin.user, backend="django.contrib.auth.backends.ModelBackend")
        admin.post(page("record", anna.pk), {"kind": "access", "received_on": "2026-10-01"})
        made = PrivacyRequest.objects.get()
        assert (made.due_on, made.taken_by) == (date(2026, 11, 1), admin.user)
        shown = text_of(admin.get("/privacy/"))
        assert "overdue" in shown and "Anna Beispiel" in shown
        admin.post(page("extend", made.pk))
        assert "overdue" not in text_of(admin.get("/privacy/"))
        admin.post(page("close", made.pk), {"refusal": "identity"})
        admin.post(page("close", made.pk), {"refusal": ""})
    made.refresh_from_db()
    assert (made.state, made.refusal) == ("refused", "identity")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "access", "received_on": "2999-01-01"}, "still to come"),
        ({"kind": "access", "received_on": "yesterday"}, "valid date"),
        ({"kind": "everything", "received_on": "2026-10-01"}, "not one of the available choices"),
        ({"kind": "access", "received_on": "1999-10-01"}, "25 May 2018"),
    ],
)
def test_a_request_that_cannot_be_is_refused(admin, anna, given, told):
    answer = admin.post(page("record", anna.pk), given)
    assert answer.status_code == 422 and told in text_of(answer) and not PrivacyRequest.objects.exists()


def test_the_lists_are_there_when_nothing_is(admin):
    assert "No requests" in text_of(admin.get("/privacy/"))
    assert "Nobody." in text_of(admin.get("/privacy/retention/"))
    assert "Nothing yet." in text_of(admin.get("/privacy/trail/"))


def test_the_retention_page_counts_and_proposes(admin, anna):
    Customer.objects.filter(pk=anna.pk).update(created_at=now() - timedelta(days=1500))
    shown = text_of(admin.get("/privacy/retention/"))
    assert "Anna Beispiel" in shown and "Refused rows" in shown and "Answers of mail servers" in shown
    assert Customer.objects.filter(pk=anna.pk).exists()


def test_the_trail_names_who_did_what(admin, anna):
    admin.get(page("data", anna.pk))
    shown = text_of(admin.get("/privacy/trail/"))
    assert "data shown" in shown and f"K-{anna.pk}" in shown and str(admin.user) in shown


def test_the_lists_take_as_many_queries_for_many_rows_as_for_few(admin, count_queries):
    def more(count):
        for _ in range(count):
            customer = CustomerFactory()
            Customer.objects.filter(pk=customer.pk).update(created_at=now() - timedelta(days=1500))
            requests.record(customer.pk, "access", now(), admin.user.pk)

    more(2)
    addresses = ("/privacy/", "/privacy/retention/", "/privacy/trail/")
    for address in addresses:
        admin.get(address)
    few = [count_queries(lambda at=address: admin.get(at)) for address in addresses]
    more(38)
    assert [count_queries(lambda at=address: admin.get(at)) for address in addresses] == few
