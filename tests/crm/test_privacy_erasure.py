"""Erasing a person leaves nothing that names them, keeps what the law keeps, and survives whatever else is going on."""

import io
import json
import logging
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import translation
from django.utils.timezone import now

from campaigns.models import Delivery
from crm import address_change, consent, keyed, permission, plugins, sync
from crm.models import (
    AuditEntry,
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    CustomerKey,
    DoubleOptIn,
    ErasedKey,
    ErasureLog,
    Event,
    Hold,
    LinkToken,
    MotivatorEvidence,
    PrivacyRequest,
    Purchase,
    PurchaseLine,
    Purpose,
    Quarantine,
    Return,
    ReturnLine,
    SealedRecord,
    Source,
    Suppression,
)
from crm.privacy import erasure, export, rectify, requests, retention, sealed
from loyalty import scoring
from tests.crm.shop_rows import purchase
from tests.factories import (
    AdvocacyActFactory,
    AnswerFactory,
    BarrierFactFactory,
    CampaignFactory,
    ComplaintFactory,
    CustomerFactory,
    DeliveryFactory,
    EmailFactory,
    InteractionFactory,
    ParticipationFactory,
    PurchaseFactory,
    SourceFactory,
    UserFactory,
)

CANARIES = 60


@pytest.fixture(autouse=True)
def purposes(db: None) -> None:
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=code, label_en=code) for code in ("newsletter", "birthday")], ignore_conflicts=True
    )


# ---- canaries


class Canaries:
    """Strings that stand nowhere else: each is one place where something about a person is kept."""

    def __init__(self) -> None:
        self.sung: list[str] = []

    def __call__(self, place: str = "") -> str:
        word = f"kanari{len(self.sung):02d}vogel{place}"
        self.sung.append(word)
        return word


def plant() -> tuple[Customer, list[str]]:
    """One person with a canary in every place that can hold one."""
    say = Canaries()
    shop = SourceFactory()
    customer = CustomerFactory(
        given_name=say(), family_name=say(), company_name=say(), title=say(), city=say(), country=say(),
        attributes={say(): say(), "list": [say()]}, birth_day=3, birth_month=4, language="de",
    )  # fmt: skip
    customer.refresh_from_db()
    CustomerKey.objects.create(source=shop, external_id=say(), customer=customer)
    bought = PurchaseFactory(source=shop, customer=customer, external_id="order-1", place="Laden")
    for kind, value in (("email", f"{say()}@example.test"), ("phone", "+4922147101234"), ("post", say()), ("social", say())):
        ContactPoint.objects.create(
            customer=customer, kind=kind, value=value, normal=value.lower(), source=shop, purchase=bought,
            notice_version=say("")[:40],
        )  # fmt: skip
    PurchaseLine.objects.create(purchase=bought, position=1, description=say(), quantity=1, unit_price=10, net=10)
    back = Return.objects.create(
        source=shop, external_id="return-1", customer=customer, purchase=bought, returned_at=now(),
        returned_on=now().date(), currency="EUR", version=now(),
    )  # fmt: skip
    ReturnLine.objects.create(parent=back, position=1, description=say(), quantity=1, unit_price=10, net=10)
    for _ in range(3):
        InteractionFactory(customer=customer, note=say())
    ComplaintFactory(customer=customer, text=say(), resolution=say())
    Hold.objects.create(customer=customer, reason="complaint", complaint=customer.complaints.get())
    for item in ("csat", "nps", "trust"):
        AnswerFactory(customer=customer, item=item, comment=say())
    for motivator in ("belonging", "freedom"):
        MotivatorEvidence.objects.create(
            customer=customer, motivator=motivator, importance=8, origin="staff_note", note=say(), recorded_at=now()
        )
    AdvocacyActFactory(customer=customer, note=say())
    BarrierFactFactory(customer=customer, note=say(), origin=say())
    BarrierFactFactory(customer=customer, signal="auto_renewal", note=say())
    ParticipationFactory(customer=customer, title=say())
    for kind in ("purchase.created", "stage.changed", "note.made"):
        Event.objects.create(kind=kind, customer=customer, detail={"said": say(), say(): [say()]}, occurred_at=now())
    for purpose in ("newsletter", "birthday"):
        consent.give(customer.pk, [purpose], consent.How(
            "web", address=f"{say()}@example.test", ip="192.0.2.9", user_agent=say(), note=say(),
        ))  # fmt: skip
    key, mail = CustomerKey.objects.get().external_id, customer.contact_points.get(kind="email")
    for row in (
        {"customer": {"external_id": key, "given_name": say()}},
        {"customer": {"external_id": "other", "email": mail.value.upper(), "note": say()}},
        {"customer": None, "lines": [{"description": say()}]},
    ):
        external_id = "order-1" if row["customer"] is None else "order-2"
        errors = [{"code": "x", "field": "y", "message": say()}]
        Quarantine.objects.create(source=shop, position=1, external_id=external_id, payload=row, errors=errors)
    rectify.rectify(customer.pk, {"given_name": say(), "family_name": say()}, UserFactory().pk)
    DeliveryFactory(
        customer=customer, state="sent", cause=say(), message_id=say(), provider_id=say(), smtp_reply=say(),
        dedupe_key=say(), email_hash="0" * 64, settled_at=now(),
    )  # fmt: skip
    LinkToken.objects.create(
        digest="d", use="preferences", customer=customer, address=f"{say()}@example.test", expires_at=now() + timedelta(9)
    )
    DoubleOptIn.objects.create(
        customer=customer, purposes=["newsletter"], form=say(), nonce="n", token_hash="t", address_hash="h",
        requested_at=now(), expires_at=now() + timedelta(days=7), given_name=say(), family_name=say(), user_agent=say(),
    )  # fmt: skip
    address_change.request(customer.pk, f"{say()}@example.test", "de", consent.How("mail_link", user_agent=say()))
    ConsentState.objects.filter(customer=customer).update(address=f"{say()}@example.test")
    scoring.score_all()
    return customer, say.sung


def database_dump() -> str:
    """All rows of all tables, as a backup would hold them."""
    found = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
        for (table,) in cursor.fetchall():
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', found)
    return found.getvalue()


def pg_dump() -> str:
    """What the server's own backup program writes; "" where it is not at hand."""
    from config.embedded.postgres import Postgres

    if os.environ.get("DATABASE_URL"):
        return ""
    server = Postgres(Path(os.environ["STAMMKUNDE_VAR"]))
    found = connection.settings_dict
    command = [str(server.binaries() / "pg_dump"), "-h", found["HOST"], "-U", "owner", "--data-only", found["NAME"]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def redis_dump() -> str:
    client = cache._cache.get_client()
    return "".join(f"{key!r}{client.dump(key)!r}" for key in client.scan_iter())


def files() -> str:
    """Logs and everything else that the installation writes; the servers' own pages are what pg_dump reads."""
    root = Path(os.environ["STAMMKUNDE_VAR"])
    kept = [path for path in root.rglob("*") if path.is_file() and "postgres" not in path.relative_to(root).parts[:-1]]
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in kept)


def left(canaries: list[str], *places: str) -> list[str]:
    found = "".join(places).lower()
    return [one for one in canaries if one in found]


@pytest.mark.django_db(transaction=True)
def test_of_sixty_canaries_the_export_sings_all_and_after_the_erasure_none(caplog):
    customer, canaries = plant()
    assert len(canaries) >= CANARIES and len(set(canaries)) == len(canaries)
    packed = zipfile.ZipFile(io.BytesIO(export.archive(customer)))
    handed_out = packed.read("data.json").decode()
    assert left(canaries, handed_out) == canaries, set(canaries) - set(left(canaries, handed_out))
    in_tables = "".join(packed.read(name).decode() for name in packed.namelist() if name.endswith(".csv"))
    assert left(canaries, in_tables) == canaries
    assert left(canaries, database_dump()) == canaries, "they were there before"
    assert os.environ.get("DATABASE_URL") or left(canaries, pg_dump()) == canaries

    with caplog.at_level(logging.DEBUG):
        erasure.erase(customer.pk, UserFactory(role="admin").pk)
    scoring.score_all()
    places = (database_dump(), pg_dump(), redis_dump(), files(), caplog.text)
    assert left(canaries, *places) == []
    assert "192.0.2.9" not in "".join(places) and "22147101234" not in "".join(places)
    assert not Customer.objects.filter(erased_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_another_persons_data_is_untouched():
    planted, _canaries = plant()
    other = CustomerFactory(family_name="Nachbarin")
    EmailFactory(customer=other, value="nachbarin@example.test")
    InteractionFactory(customer=other, note="likes tea")
    PurchaseFactory(customer=other, external_id="order-9")
    before = export.archive(other)
    erasure.erase(planted.pk)
    sections = [json.loads(zipfile.ZipFile(io.BytesIO(packed)).read("data.json"))["sections"] for packed in (before, export.archive(other))]
    assert sections[0] == sections[1]


# ---- what stays


@pytest.mark.django_db
def test_purchases_stay_under_a_random_number_and_the_sums_are_right():
    customer = CustomerFactory()
    EmailFactory(customer=customer)
    for number in range(3):
        PurchaseFactory(customer=customer, external_id=f"o{number}", gross=10 + number)
    erasure.erase(customer.pk)
    shell = Customer.objects.get()
    assert shell.pk != customer.pk and shell.pk >= erasure.SHELL_NUMBERS
    assert not shell.given_name and not shell.family_name and shell.person_key != customer.person_key
    assert shell.erased_at == shell.created_at == datetime(now().year, 1, 1, tzinfo=UTC), "tells no erasure apart"
    assert sorted(Purchase.objects.filter(customer=shell).values_list("gross", flat=True)) == [10, 11, 12]
    assert str(shell.pk) not in str(list(ErasureLog.objects.values())), "nothing leads from the person to the shell"


@pytest.mark.django_db
def test_somebody_who_bought_nothing_leaves_no_shell():
    erasure.erase(CustomerFactory().pk)
    assert not Customer.objects.exists() and not SealedRecord.objects.exists()


@pytest.mark.django_db
def test_the_invoices_are_sealed_by_year_as_long_as_the_law_keeps_them():
    customer = CustomerFactory(given_name="Anna", family_name="Beispiel", city="Köln")
    ContactPoint.objects.create(customer=customer, kind="post", value="Weg 1, Köln", normal="Weg 1, Köln")
    for key, year, status in (("a", 2026, "paid"), ("b", 2026, "completed"), ("c", 2024, "refunded"), ("d", 2025, "cancelled"), ("e", 2015, "paid")):
        PurchaseFactory(customer=customer, external_id=key, status=status, ordered_at=datetime(year, 5, 5, tzinfo=UTC))
    PurchaseLine.objects.create(purchase=Purchase.objects.get(external_id="a"), position=1, description="Gravur Anna", quantity=1, unit_price=10, net=10)
    log = erasure.erase(customer.pk)
    records = {record.year: record for record in log.sealed.all()}
    assert {year: record.purge_on for year, record in records.items()} == {2024: date(2032, 12, 31), 2026: date(2034, 12, 31)}
    content = sealed.opened(records[2026], None)
    assert content["customer"][0]["family_name"] == "Beispiel" and content["addresses"] == ["Weg 1, Köln"]
    assert [bought["external_id"] for bought in content["purchases"]] == ["a", "b"]
    assert content["purchases"][0]["lines"][0]["description"] == "Gravur Anna"
    assert AuditEntry.objects.filter(action="sealed_opened", object_id=log.pk).count() == 1
    assert not PurchaseLine.objects.exclude(description="").exists()


@pytest.mark.django_db
def test_the_ledger_stays_as_proof_and_says_that_it_ended():
    customer = CustomerFactory()
    customer.refresh_from_db()
    EmailFactory(customer=customer, value="anna@example.test", normal="anna@example.test")
    consent.give(customer.pk, ["newsletter"], consent.How("paper", note="at the counter", address="anna@example.test"))
    log = erasure.erase(customer.pk)
    ledger = ConsentEvent.objects.filter(person_key=customer.person_key).order_by("pk")
    assert [event.action for event in ledger] == ["given", "withdrawn"]
    assert log.person_key == customer.person_key and not hasattr(ledger[0], "trace")
    assert Suppression.objects.get(reason="erased").address_hash == keyed.address_hash("anna@example.test")


@pytest.mark.django_db
def test_the_preview_says_what_the_erasure_then_does():
    customer, _canaries = plant()
    with translation.override("en"):
        lines = {str(line.title): line for line in erasure.preview(customer)}
    assert lines["Contacts and notes of the staff"].count == 3
    assert lines["Purchases"].fate == "pseudonymise" and lines["Purchases"].why and lines["Purchases"].until
    assert lines["Name and address on the invoices of a year"].until == str(now().year + 8)
    assert lines["Rows that could not be taken"].count == 3
    log = erasure.erase(customer.pk)
    assert log.counts["crm.Interaction"] == 3 and log.counts["crm.Quarantine"] == 3 and log.counts["crm.Purchase"] == 1


@pytest.mark.django_db
def test_mails_that_wait_never_go_and_the_campaign_still_counts_those_that_went():
    customer = CustomerFactory()
    campaign = CampaignFactory()
    for number, state in enumerate(("sent", "planned", "suppressed")):
        DeliveryFactory(campaign=campaign, customer=customer, state=state, dedupe_key=f"{customer.pk}:{number}")
    erasure.erase(customer.pk)
    states = sorted(Delivery.objects.filter(campaign=campaign).values_list("state", "reason"))
    assert states == [("sent", ""), ("suppressed", ""), ("suppressed", "erased")]
    assert not Delivery.objects.filter(customer_id=customer.pk).exists()
    assert str(customer.pk) + ":" not in str(list(Delivery.objects.values("dedupe_key")))


@pytest.mark.django_db
def test_merged_records_go_with_the_one_in_use():
    kept = CustomerFactory()
    merged = CustomerFactory(merged_into=kept, family_name="Duplicate")
    PurchaseFactory(customer=merged)
    log = erasure.erase(kept.pk)
    assert not Customer.objects.filter(family_name="Duplicate").exists()
    assert set(ErasureLog.objects.values_list("customer_number", flat=True)) == {kept.pk, merged.pk}
    assert log.customer_number == kept.pk and Purchase.objects.get().customer_id >= erasure.SHELL_NUMBERS


@pytest.mark.django_db
def test_whoever_brought_them_is_judged_again():
    friend, customer = CustomerFactory(), CustomerFactory()
    AdvocacyActFactory(customer=friend, kind="referred_order", referred=customer)
    scoring.score_all()
    erasure.erase(customer.pk)
    scoring.score_changed()
    friend.metrics.refresh_from_db()
    assert customer.pk not in (friend.metrics.referred or [])


@pytest.mark.django_db
def test_the_request_is_answered_by_the_erasure():
    customer = CustomerFactory()
    made = requests.record(customer.pk, "erase", now(), None)
    other = requests.record(customer.pk, "access", now(), None)
    erasure.erase(customer.pk)
    states = dict(PrivacyRequest.objects.values_list("pk", "state"))
    assert states == {made.pk: "done", other.pk: "open"}


# ---- twice, and again


@pytest.mark.django_db
def test_erasing_twice_says_when_it_was_done():
    customer = CustomerFactory()
    first = erasure.erase(customer.pk)
    with pytest.raises(erasure.AlreadyErased) as refused:
        erasure.erase(customer.pk)
    assert refused.value.log == first and ErasureLog.objects.count() == 1
    with pytest.raises(Customer.DoesNotExist):
        erasure.erase(customer.pk + 1000)


def bought(external_id, at, **more):
    customer = {"external_id": "anna", "given_name": "Anna", "email": "anna@example.test"} | more
    return purchase(external_id, customer=customer, at=at.isoformat(), status="paid") | {"version": now().isoformat()}


@pytest.mark.django_db
def test_a_reimport_brings_nobody_back_and_counts_nothing_twice():
    source, before = SourceFactory(), now() - timedelta(days=20)
    rows = [bought("p1", before), bought("p2", before + timedelta(days=1))]
    sync.apply(source, rows, historic=True)
    erasure.erase(Customer.objects.get().pk)
    rows.append(bought("p3", before + timedelta(days=2)))
    answers = sync.apply(source, rows)
    assert [answer.status for answer in answers.purchases] == ["unchanged", "unchanged", "created"]
    assert not Customer.objects.filter(erased_at=None).exists() and not CustomerKey.objects.exists()
    assert not ContactPoint.objects.exists()
    assert Purchase.objects.count() == 3 and Purchase.objects.get(external_id="p3").customer is None
    cancelled = rows[0] | {"status": "cancelled", "version": now().isoformat()}
    assert sync.apply(source, [cancelled]).purchases[0].status == "updated"
    assert not Customer.objects.filter(erased_at=None).exists()


@pytest.mark.django_db
def test_whoever_buys_again_is_a_new_customer_whose_address_stays_silent():
    source = SourceFactory()
    sync.apply(source, [bought("p1", now() - timedelta(days=20))], historic=True)
    old = Customer.objects.get()
    erasure.erase(old.pk)
    ErasureLog.objects.update(erased_at=now() - timedelta(days=10))
    ErasedKey.objects.update(erased_at=now() - timedelta(days=10))
    sync.apply(source, [bought("p1", now() - timedelta(days=20)), bought("p2", now() - timedelta(days=1))])
    new = Customer.objects.get(erased_at=None)
    assert new.pk != old.pk and list(new.purchases.values_list("external_id", flat=True)) == ["p2"]
    assert permission.may_send(new.pk, "advertising", "newsletter").code == "suppressed"


@pytest.mark.django_db
def test_another_source_may_use_the_same_key_for_somebody_else():
    sync.apply(SourceFactory(), [bought("p1", now() - timedelta(days=20))], historic=True)
    erasure.erase(Customer.objects.get().pk)
    other = Source.objects.create(name="other")
    sync.apply(other, [bought("q1", now() - timedelta(days=20), email="else@example.test")], historic=True)
    assert Customer.objects.get(erased_at=None).given_name == "Anna"


# ---- after a restore


@pytest.mark.django_db
def test_erasures_are_repeated_in_a_restored_database(tmp_path, settings, django_capture_on_commit_callbacks):
    settings.ERASURE_LOG = str(tmp_path / "erasures.jsonl")
    customer, other = CustomerFactory(family_name="Beispiel"), CustomerFactory()
    customer.refresh_from_db()
    undo = transaction.savepoint()
    with django_capture_on_commit_callbacks(execute=True):
        erased_at = erasure.erase(customer.pk).erased_at
    transaction.savepoint_rollback(undo)
    assert Customer.objects.filter(family_name="Beispiel").exists(), "the backup is back"
    call_command("replay_erasures", settings.ERASURE_LOG)
    assert list(Customer.objects.all()) == [other]
    log = ErasureLog.objects.get()
    assert log.erased_at == erased_at and log.replayed_at
    call_command("replay_erasures", settings.ERASURE_LOG)
    assert ErasureLog.objects.count() == 1, "safe to repeat"
    assert "Beispiel" not in Path(settings.ERASURE_LOG).read_text()


@pytest.mark.django_db
def test_a_number_that_somebody_else_has_by_now_is_spared(tmp_path):
    customer = CustomerFactory()
    line = {"customer_number": customer.pk, "person_key": "00000000-0000-4000-8000-000000000000", "erased_at": "2026-01-01T00:00:00+00:00"}
    file = tmp_path / "erasures.jsonl"
    file.write_text(json.dumps(line) + "\nnonsense\n")
    with pytest.raises(CommandError, match="Line 2"):
        call_command("replay_erasures", file)
    assert Customer.objects.filter(pk=customer.pk).exists()
    with pytest.raises(CommandError, match="There is no file"):
        call_command("replay_erasures", tmp_path / "none")


# ---- while others are at work


def in_another_session(work) -> tuple[threading.Thread, list[BaseException]]:
    troubles: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as trouble:
            troubles.append(trouble)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, troubles


@pytest.fixture
def synced(transactional_db: None) -> Iterator[tuple[Source, Customer]]:
    Purpose.objects.bulk_create([Purpose(code="newsletter", label_de="n", label_en="n")], ignore_conflicts=True)
    source = SourceFactory()
    sync.apply(source, [bought("p1", now() - timedelta(days=20))], historic=True)
    yield source, Customer.objects.get()


def test_an_erasure_waits_for_a_batch_and_takes_what_it_brought(synced):
    source, customer = synced
    with transaction.atomic():
        sync.apply(source, [bought("p2", now() - timedelta(days=3), family_name="Spaet")])
        thread, troubles = in_another_session(lambda: erasure.erase(customer.pk))
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the batch"
    thread.join(20)
    assert not troubles and not Customer.objects.filter(erased_at=None).exists()
    assert Purchase.objects.count() == 2 and "Spaet" not in database_dump()


def test_a_batch_waits_for_an_erasure_and_brings_nobody_back(synced):
    source, customer = synced
    rows = [bought("p2", now() - timedelta(days=3), family_name="Spaet")]
    with transaction.atomic():
        erasure.erase(customer.pk)
        thread, troubles = in_another_session(lambda: sync.apply(Source.objects.get(pk=source.pk), rows))
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the erasure"
    thread.join(20)
    assert not troubles, troubles
    assert not Customer.objects.filter(erased_at=None).exists() and "Spaet" not in database_dump()


def test_two_erasures_at_once_do_it_once(synced):
    _source, customer = synced
    started = [in_another_session(lambda: erasure.erase(customer.pk)) for _ in range(3)]
    for thread, _troubles in started:
        thread.join(30)
    troubles = [trouble for _thread, found in started for trouble in found]
    assert len(troubles) == 2 and all(isinstance(trouble, erasure.AlreadyErased) for trouble in troubles)
    assert ErasureLog.objects.count() == 1


def test_erasing_under_a_stream_of_batches_ends_in_silence(synced):
    source, customer = synced
    stop = threading.Event()

    def stream() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            sync.apply(Source.objects.get(pk=source.pk), [bought(f"s{number}", now() - timedelta(days=3), family_name="Strom")])

    streams = [in_another_session(stream) for _ in range(2)]
    threading.Event().wait(0.3)
    erasure.erase(customer.pk)
    threading.Event().wait(0.3)
    stop.set()
    for thread, _troubles in streams:
        thread.join(30)
    assert [trouble for _thread, found in streams for trouble in found] == []
    assert not Customer.objects.filter(erased_at=None).exists() and "Strom" not in database_dump()


def test_a_failed_erasure_leaves_everything_as_it_was(synced, monkeypatch):
    _source, customer = synced
    before = database_dump()

    class Broken(plugins.Plugin):
        def erase(self, customer_ids, shell_id):
            raise RuntimeError("an upper app fails")

    kept = plugins.registered()
    plugins.register(Broken())
    try:
        with pytest.raises(RuntimeError):
            erasure.erase(customer.pk)
    finally:
        plugins._registry.plugins = list(kept)
    assert database_dump() == before


# ---- business letters


class TestBusinessLetters:
    @pytest.fixture(autouse=True)
    def database(self, db: None) -> None:
        pass

    def complainer(self, *, bought: bool = True) -> Customer:
        customer = CustomerFactory(family_name="Beispiel")
        EmailFactory(customer=customer, value="anna@example.test")
        if bought:
            PurchaseFactory(customer=customer)
        ended = datetime(2026, 2, 3, tzinfo=UTC)
        ComplaintFactory(
            customer=customer, text="Beutel war offen", resolution="Neuer Beutel", state="closed",
            opened_at=datetime(2025, 12, 30, tzinfo=UTC), closed_at=ended,
        )  # fmt: skip
        for channel, note in (("mail", "Wir senden Ersatz"), ("phone", "Rief kurz an")):
            InteractionFactory(customer=customer, channel=channel, touchpoint="complaint", note=note, occurred_at=ended)
        return customer

    def test_complaints_and_written_answers_of_a_buyer_are_sealed_for_six_years(self) -> None:
        log = erasure.erase(self.complainer().pk)
        [record] = log.sealed.filter(kind="letters")
        assert (record.year, record.purge_on) == (2026, date(2032, 12, 31))
        content = sealed.opened(record, None)
        assert content["customer"][0]["family_name"] == "Beispiel" and content["addresses"] == ["anna@example.test"]
        assert {letter["kind"] for letter in content["letters"]} == {"complaint", "answer"}
        told = str(content["letters"])
        assert "Beutel war offen" in told and "Neuer Beutel" in told and "Wir senden Ersatz" in told
        assert "Rief kurz an" not in told, "a note about a call is no letter"
        dump = database_dump()
        assert not any(words in dump for words in ("Beutel", "Wir senden Ersatz", "Rief kurz an"))

    def test_nobody_who_never_bought_wrote_a_business_letter(self) -> None:
        assert not erasure.erase(self.complainer(bought=False).pk).sealed.exists()

    def test_the_preview_says_what_is_sealed_and_until_when(self) -> None:
        lines = [(line.fate, line.until, line.count) for line in erasure.preview(self.complainer())]
        assert ("seal", "2032", 2) in lines

    def test_what_asks_for_a_confirmation_is_no_business_letter_and_any_other_transactional_mail_is(self) -> None:
        customer = self.complainer()
        for recipe in ("double_opt_in", "address_change", "parcel"):
            DeliveryFactory(
                customer=customer, message_class="transactional", recipe=recipe, state="sent",
                dedupe_key=recipe, settled_at=datetime(2026, 5, 1, tzinfo=UTC),
            )  # fmt: skip
        record = erasure.erase(customer.pk).sealed.get(kind="letters")
        kinds = sorted(letter["kind"] for letter in sealed.opened(record, None)["letters"])
        assert kinds == ["answer", "complaint", "parcel"]

    def test_letters_are_purged_before_invoices(self) -> None:
        log = erasure.erase(self.complainer().pk)
        with time_machine.travel(datetime(2033, 1, 1, 12, tzinfo=UTC)):
            retention.run()
        assert set(log.sealed.values_list("kind", flat=True)) == {"invoices"}
