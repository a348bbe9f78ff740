"""The registry, the seal, the clock, corrections and retention."""

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils.timezone import now

from crm import consent, sync
from crm.models import (
    AuditEntry,
    ConsentEvent,
    ConsentTrace,
    Customer,
    CustomerChange,
    DoubleOptIn,
    ErasureLog,
    LinkToken,
    PrivacyRequest,
    Purpose,
    Quarantine,
    SealedRecord,
)
from crm.privacy import audit, erasure, export, proof, rectify, registry, requests, retention, sealed, sealing
from crm.privacy.registry import Data, Fate, Table
from tests.crm.shop_rows import purchase
from tests.factories import (
    CustomerFactory,
    EmailFactory,
    InteractionFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def purposes() -> None:
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=code, label_en=code) for code in ("newsletter", "birthday")], ignore_conflicts=True
    )


# ---- the registry


def test_every_field_of_every_model_is_classified():
    assert registry.gaps() == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({Data.CONTENT: "field old", Data.TECHNICAL: "at"}, "crm.CustomerChange.new is not classified"),
        ({Data.CONTENT: "field old new", Data.TECHNICAL: "at gone"}, "crm.CustomerChange.gone is no field"),
        ({Data.CONTENT: "field old new at", Data.TECHNICAL: "at"}, "crm.CustomerChange.at is classified twice"),
    ],
)
def test_a_gap_is_told_by_name(changed, told):
    table = Table("crm.CustomerChange", Fate.DELETE, changed, "x", person="customer")
    assert [found for found in registry._gaps_of(CustomerChange, table) if found.startswith(told)]


def test_a_model_that_nobody_classified_is_told(alone):
    """Without its plugin, loyalty's models are in no table."""
    assert "loyalty.Assessment is not classified" in registry.gaps()


def test_a_table_about_customers_says_how_they_are_found():
    table = Table("crm.Hold", Fate.DELETE, {Data.BEHAVIOUR: "reason created_at until lifted_at"})
    assert registry._gaps_of(apps.get_model("crm.Hold"), table) == ["crm.Hold points to customers but says no path to them"]


def test_a_table_that_would_outlive_its_customer_is_told():
    """Purchases keep their row when the customer goes (SET NULL), so they cannot be said to be deleted."""
    table = Table("crm.Purchase", Fate.DELETE, {}, "x", person="customer")
    told = registry._gaps_of(apps.get_model("crm.Purchase"), table)
    assert "crm.Purchase would stay: a link on its path to the customer is not CASCADE" in told


# ---- the seal


def test_what_is_sealed_opens_for_its_own_record_only():
    used, content = sealing.seal("Anna Beispiel", "record 1")
    assert b"Anna" not in content
    assert sealing.unseal(used, content, "record 1") == "Anna Beispiel"
    for wrong in ((used, content, "record 2"), (used, content[:-1] + b"\0", "record 1"), ("00000000", content, "record 1")):
        with pytest.raises(sealing.SealError):
            sealing.unseal(*wrong)


def test_a_new_key_opens_nothing_until_the_former_one_is_a_fallback(settings):
    settings.SEAL_KEY = "a" * 40
    used, content = sealing.seal("text", "r")
    settings.SEAL_KEY = "b" * 40
    with pytest.raises(sealing.SealError, match="no SEAL_KEY"):
        sealing.unseal(used, content, "r")
    settings.SEAL_KEY_FALLBACKS = ["a" * 40]
    assert sealing.unseal(used, content, "r") == "text"


def test_records_are_sealed_anew_with_the_current_key(settings):
    settings.SEAL_KEY = "a" * 40
    customer = CustomerFactory(family_name="Siegel")
    PurchaseFactory(customer=customer)
    log = erasure.erase(customer.pk)
    settings.SEAL_KEY, settings.SEAL_KEY_FALLBACKS = "b" * 40, []
    with pytest.raises(CommandError, match="SEAL_KEY_FALLBACKS"):
        call_command("purge_sealed", "--reseal")
    settings.SEAL_KEY_FALLBACKS = ["a" * 40]
    call_command("purge_sealed", "--reseal")
    settings.SEAL_KEY_FALLBACKS = []
    assert sealed.opened(log.sealed.get(), None)["customer"][0]["family_name"] == "Siegel"


def test_a_sealed_record_whose_purge_day_was_moved_does_not_open():
    customer = CustomerFactory()
    PurchaseFactory(customer=customer)
    record = erasure.erase(customer.pk).sealed.get()
    record.purge_on += timedelta(days=365)
    with pytest.raises(sealing.SealError, match="changed"):
        sealed.opened(record, None)


# ---- the clock


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 11, 2), date(2026, 12, 2)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_a_request_is_due_one_month_later(received, due):
    assert requests.due_on(received) == due


def test_overdue_requests_come_first_and_closed_ones_last():
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC)):
        old, new, done = (
            requests.record(number, "access", now() - timedelta(days=days), None)
            for number, days in ((1, 40), (2, 1), (3, 60))
        )
        assert requests.close(done, None)
        assert not requests.close(done, None, "identity"), "closed twice"
        assert list(requests.in_order()) == [old, new, done]


def test_a_request_is_extended_once():
    made = requests.record(1, "access", datetime(2026, 11, 2, 12, tzinfo=UTC), None)
    assert requests.extend(made, None) and not requests.extend(made, None)
    made.refresh_from_db()
    assert made.due_on == date(2027, 2, 2)


def test_a_refusal_says_why():
    made = requests.record(1, "erase", now(), None)
    requests.close(made, None, PrivacyRequest.Refusal.IDENTITY)
    made.refresh_from_db()
    assert (made.state, made.refusal) == ("refused", "identity")
    with pytest.raises(DatabaseError), transaction.atomic():
        PrivacyRequest.objects.filter(pk=made.pk).update(refusal="")


# ---- the audit


@pytest.mark.parametrize("statement", ["UPDATE crm_auditentry SET action = 'x'", "DELETE FROM crm_auditentry"])
def test_the_audit_can_only_grow(statement):
    audit.record(None, "exported", "customer", 1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 1


def test_a_correction_cannot_be_edited_but_goes_with_the_customer():
    customer = CustomerFactory(given_name="Ana")
    rectify.rectify(customer.pk, {"given_name": "Anna"}, None)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        CustomerChange.objects.update(old="Bea")
    erasure.erase(customer.pk)
    assert not CustomerChange.objects.exists()


@pytest.mark.parametrize("table", ["crm_auditentry", "crm_consentevent"])
def test_the_application_may_neither_edit_nor_delete_what_was_done(app_cursor, table):
    import psycopg2

    app_cursor.execute("SET stammkunde.purge = %s", [table])
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        app_cursor.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("function", ["f_purge_proof", "f_purge_audit"])
def test_the_application_may_let_go_what_has_had_its_time(app_cursor, function):
    app_cursor.execute(f"SELECT public.{function}()")
    assert app_cursor.fetchone() == (0,)


def test_the_nightly_task_applies_the_rules():
    from crm.tasks import retention_nightly

    Quarantine.objects.create(source=SourceFactory(), position=1, external_id="p", payload={}, errors=[])
    Quarantine.objects.update(received_at=now() - timedelta(days=31))
    retention_nightly()
    assert not Quarantine.objects.exists()


# ---- put right


def test_a_correction_is_kept_with_what_it_said_before_and_who_did_it():
    user = UserFactory(role="admin")
    customer = CustomerFactory(given_name="Ana", salutation="mr")
    made = requests.record(customer.pk, "rectify", now(), user.pk)
    assert set(rectify.rectify(customer.pk, {"given_name": "Anna", "salutation": "ms"}, user.pk)) == {
        "given_name",
        "salutation",
    }
    customer.refresh_from_db()
    made.refresh_from_db()
    assert (customer.given_name, customer.salutation, made.state) == ("Anna", "ms", "done")
    change = CustomerChange.objects.get(field="given_name")
    assert (change.old, change.new, change.actor) == ("Ana", "Anna", user)
    assert rectify.rectify(customer.pk, {"given_name": "Anna"}, user.pk) == []


def sync_one(source, version, **customer):
    row = purchase(customer={"external_id": "anna", "version": version} | customer, version=version)
    return sync.apply(source, [row], historic=True).purchases[0].status


def test_what_was_wrong_stays_wrong_and_what_is_new_is_taken():
    source = SourceFactory()
    sync_one(source, "2026-02-01T10:00:00Z", given_name="Ana", email="ana@example.test")
    customer = Customer.objects.get()
    rectify.rectify(customer.pk, {"given_name": "Anna", "email": "anna@example.test"}, None)
    later = now().isoformat()
    sync_one(source, later, given_name="Ana", email="ana@example.test")
    customer.refresh_from_db()
    assert customer.given_name == "Anna"
    assert customer.contact_points.get(kind="email", is_primary=True).normal == "anna@example.test"
    with time_machine.travel(now() + timedelta(hours=1)):
        sync_one(source, now().isoformat(), given_name="Annabell", email="annabell@example.test")
    customer.refresh_from_db()
    assert customer.given_name == "Annabell"
    assert customer.contact_points.get(kind="email", is_primary=True).normal == "annabell@example.test"


def test_a_birthday_and_an_address_are_put_right():
    customer = CustomerFactory(birth_day=3, birth_month=4, birth_year=1980)
    EmailFactory(customer=customer, value="old@example.test", normal="old@example.test")
    given = {"birthday": "05-24", "email": "New@Example.test", "postal": "Beispielweg 1, 12345 Musterstadt"}
    rectify.rectify(customer.pk, given, None)
    customer.refresh_from_db()
    assert (customer.birth_year, customer.birth_month, customer.birth_day) == (None, 5, 24)
    assert rectify.values_of(customer) | given == rectify.values_of(customer)
    assert list(customer.contact_points.filter(kind="email").values_list("normal", flat=True)) == ["new@example.test"]
    rectify.rectify(customer.pk, {"birthday": "", "email": ""}, None)
    customer.refresh_from_db()
    assert customer.birth_day is None and not customer.contact_points.filter(kind="email").exists()


# ---- proof


def test_the_proof_says_what_the_ledger_says():
    """Every order of three declarations: the sheet holds exactly where the state is `given`."""
    acts = {
        "asked": lambda pk, how: consent.give(pk, ["newsletter"], how("web")),
        "signed": lambda pk, how: consent.give(pk, ["newsletter"], how("paper")),
        "confirmed": lambda pk, how: consent.confirm(pk, ["newsletter"], how("mail_link")),
        "ended": lambda pk, how: consent.withdraw(pk, ["newsletter"], how("web")),
    }
    start = datetime(2026, 3, 1, 9, tzinfo=UTC)
    for order in product(acts, repeat=3):
        customer = CustomerFactory()
        EmailFactory(customer=customer, value="anna@example.test")
        customer.refresh_from_db()
        for day, name in enumerate(order):
            acts[name](customer.pk, lambda method, at=start + timedelta(days=day): consent.How(method, occurred_at=at))
        state = customer.consents.values_list("state", flat=True).first()
        sheet = proof.sheet([customer.person_key], "newsletter", "email", "anna@example.test")
        elsewhere = proof.sheet([customer.person_key], "newsletter", "email", "former@example.test")
        assert not elsewhere.holds and bool(elsewhere.confirmed) == sheet.holds
        assert sheet.holds == (state == "given"), order


# ---- export


def opened(customer):
    packed = zipfile.ZipFile(io.BytesIO(export.archive(customer)))
    return {name: packed.read(name).decode("utf-8-sig") for name in packed.namelist()}


def test_no_cell_is_a_formula():
    customer = CustomerFactory(given_name="=1+1", family_name="@SUM(A1)", city="-2", country="+49", title="\tx")
    InteractionFactory(customer=customer, note='=HYPERLINK("http://example.test")')
    files = opened(customer)
    row = next(csv.DictReader(io.StringIO(files["customer.csv"])))
    assert [row[name] for name in ("given_name", "family_name", "city", "country", "title")] == [
        "'=1+1",
        "'@SUM(A1)",
        "'-2",
        "'+49",
        "'\tx",
    ]
    assert next(csv.DictReader(io.StringIO(files["interaction.csv"])))["note"].startswith("'=")
    assert json.loads(files["data.json"])["sections"]["customer"][0]["given_name"] == "=1+1", "JSON as it is stored"


def test_numbers_stay_numbers():
    assert export.safe(-5) == -5 and export.safe("-5") == "'-5"


def test_the_export_takes_as_many_queries_for_a_long_history_as_for_a_short_one(count_queries):
    def history(length):
        customer = CustomerFactory()
        EmailFactory(customer=customer)
        for _ in range(length):
            PurchaseFactory(customer=customer)
            InteractionFactory(customer=customer)
        consent.give(customer.pk, ["newsletter"], consent.How("paper"))
        return customer

    short, long = history(2), history(40)
    assert count_queries(lambda: export.collect(short)) == count_queries(lambda: export.collect(long))
    assert count_queries(lambda: erasure.preview(short)) == count_queries(lambda: erasure.preview(long))


def test_a_merged_record_is_handed_out_with_the_one_in_use():
    kept = CustomerFactory(family_name="Kept")
    CustomerFactory(family_name="Duplicate", merged_into=CustomerFactory(family_name="Between", merged_into=kept))
    names = {row["family_name"] for row in json.loads(opened(kept)["data.json"])["sections"]["customer"]}
    assert names == {"Kept", "Between", "Duplicate"}


# ---- retention


def test_refused_rows_go_after_thirty_days():
    source = SourceFactory()
    old, new = (
        Quarantine.objects.create(source=source, position=1, external_id="p", payload={}, errors=[]) for _ in range(2)
    )
    Quarantine.objects.filter(pk=old.pk).update(received_at=now() - timedelta(days=31))
    found = {one.rule.code: one.due for one in retention.report()}
    assert found["quarantine"] == 1 and Quarantine.objects.count() == 2, "a report changes nothing"
    assert retention.run()["quarantine"] == 1
    assert list(Quarantine.objects.all()) == [new]


def test_unconfirmed_requests_and_ended_links_go():
    customer = CustomerFactory()
    LinkToken.objects.create(digest="a", use="preferences", customer=customer, address="x", expires_at=now())
    for days, digest in ((31, "b"), (29, "c")):
        DoubleOptIn.objects.create(
            customer=customer, purposes=[], nonce="n", token_hash=digest, address_hash="h", language="de",
            requested_at=now() - timedelta(days=days), expires_at=now() - timedelta(days=days - 7),
        )  # fmt: skip
    done = retention.run()
    assert (done["double_opt_in"], done["links"]) == (1, 1)
    assert DoubleOptIn.objects.get().token_hash == "c" and not LinkToken.objects.exists()


def test_a_sealed_record_goes_after_its_day():
    customer = CustomerFactory()
    PurchaseFactory(customer=customer, ordered_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    erasure.erase(customer.pk)
    assert SealedRecord.objects.get().purge_on == date(2034, 12, 31)
    with time_machine.travel(datetime(2034, 12, 31, 12, tzinfo=UTC)):
        assert retention.run()["sealed"] == 0
    with time_machine.travel(datetime(2035, 1, 1, 12, tzinfo=UTC)):
        assert retention.run()["sealed"] == 1
    assert not SealedRecord.objects.exists()


def test_traces_of_a_consent_are_blanked_three_full_years_after_its_end():
    ended, holding = CustomerFactory(), CustomerFactory()
    for customer in (ended, holding):
        customer.refresh_from_db()
        how = consent.How("web", occurred_at=datetime(2020, 5, 1, tzinfo=UTC), ip="192.0.2.7", user_agent="Browser")
        consent.give(customer.pk, ["newsletter"], how)
    consent.withdraw(ended.pk, ["newsletter"], consent.How("web", occurred_at=datetime(2021, 5, 1, tzinfo=UTC)))
    with time_machine.travel(datetime(2024, 12, 31, 12, tzinfo=UTC)):
        assert retention.run()["traces"] == 0
    with time_machine.travel(datetime(2025, 1, 2, 12, tzinfo=UTC)):
        assert retention.run()["traces"] == 1
    kept = ConsentTrace.objects.exclude(ip=None).get()
    assert kept.event.person_key == holding.person_key and kept.user_agent == "Browser"


def test_the_proof_of_an_erased_person_goes_when_its_time_is_over_and_nobody_elses():
    erased, living = CustomerFactory(), CustomerFactory()
    for customer in (erased, living):
        consent.give(customer.pk, ["newsletter"], consent.How("paper"))
    log = erasure.erase(erased.pk)
    assert log.proof_until == date(now().year + 3, 12, 31)
    assert retention.run()["proof"] == 0
    ErasureLog.objects.update(proof_until=now().date() - timedelta(days=1))
    assert retention.run()["proof"] == 2, "given and withdrawn"
    living.refresh_from_db()
    assert set(ConsentEvent.objects.values_list("person_key", flat=True)) == {living.person_key}
    log.refresh_from_db()
    assert log.person_key is None


def test_old_audit_entries_go():
    connection.cursor().execute(
        "INSERT INTO crm_auditentry (at, action, kind) VALUES (now() - interval '401 days', 'shown', 'customer'),"
        " (now() - interval '399 days', 'shown', 'customer')"
    )
    assert retention.run()["audit"] == 1 and AuditEntry.objects.count() == 1


def test_who_was_not_heard_of_for_three_years_is_proposed_and_never_erased():
    long_ago = now() - timedelta(days=4 * 365)
    silent, buying, agreed, new = (CustomerFactory(created_at=long_ago) for _ in range(4))
    Customer.objects.filter(pk=new.pk).update(created_at=now())
    PurchaseFactory(customer=silent, ordered_at=long_ago)
    PurchaseFactory(customer=buying, ordered_at=now() - timedelta(days=30))
    EmailFactory(customer=agreed)
    consent.give(agreed.pk, ["newsletter"], consent.How("paper", occurred_at=long_ago))
    assert list(retention.inactive()) == [silent]
    retention.run()
    assert Customer.objects.filter(pk=silent.pk, erased_at=None).exists()


def test_the_command_counts_before_it_does(capsys):
    Quarantine.objects.create(source=SourceFactory(), position=1, external_id="p", payload={}, errors=[])
    Quarantine.objects.update(received_at=now() - timedelta(days=31))
    call_command("retention", "--dry-run")
    assert "quarantine: 1 due, oldest" in capsys.readouterr().out and Quarantine.objects.exists()
    call_command("retention")
    assert "quarantine: 1 done" in capsys.readouterr().out and not Quarantine.objects.exists()
