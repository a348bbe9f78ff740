"""The ledger of what people allowed, and the state that follows from it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from django.db import Error, connection, transaction
from django.utils import translation
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import consent, keyed, permission, plugins
from crm.models import (
    ChangedCustomer,
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    Customer,
    Event,
    Purpose,
    Suppression,
)
from tests.factories import CustomerFactory, EmailFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def purposes() -> None:
    Purpose.objects.bulk_create(
        [Purpose(code=code, label_de=code, label_en=code) for code in ("newsletter", "birthday")], ignore_conflicts=True
    )


@pytest.fixture
def english() -> Iterator[None]:
    """Messages are compared in the language of the code."""
    with translation.override("en"):
        yield


@pytest.fixture
def anna() -> Customer:
    customer = CustomerFactory()
    EmailFactory(customer=customer, value="Anna@example.test", normal="anna@example.test")
    customer.refresh_from_db()
    return customer


def at(days: float, method: str = "web", **more: object) -> consent.How:
    return consent.How(method, occurred_at=START + timedelta(days=days), **more)  # type: ignore[arg-type]


def state(customer: Customer, purpose: str = "newsletter") -> str:
    return ConsentState.objects.get(customer=customer, purpose_id=purpose, channel="email").state


def test_a_web_form_alone_is_pending_until_it_is_confirmed(anna: Customer) -> None:
    assert consent.give(anna.pk, ["newsletter"], at(0)) == {"newsletter": "pending"}
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "unconfirmed"
    assert consent.confirm(anna.pk, ["newsletter"], at(1, "mail_link")) == {"newsletter": "given"}
    held = ConsentState.objects.get(customer=anna)
    assert held.since == START + timedelta(days=1) and held.evidence.action == "confirmed"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (at(0, "paper"), "given"),
        (at(0, "import", double_opt_in=True), "given"),
        (at(0, "api", double_opt_in=True), "given"),
        (at(0, "import"), "pending"),
        (at(0, "phone"), "pending"),
        (at(0, "staff"), "pending"),
        (at(0, "web", double_opt_in=True), "pending"),
    ],
)
def test_what_counts_without_double_opt_in(anna: Customer, how: consent.How, expected: str) -> None:
    assert consent.give(anna.pk, ["newsletter"], how) == {"newsletter": expected}


def test_a_tie_goes_to_withdrawn(anna: Customer) -> None:
    consent.withdraw(anna.pk, ["newsletter"], at(1))
    assert consent.give(anna.pk, ["newsletter"], at(1, "paper")) == {"newsletter": "withdrawn"}
    assert consent.give(anna.pk, ["newsletter"], at(1.001, "paper")) == {"newsletter": "given"}


def test_a_late_older_entry_does_not_overrule_a_newer_one(anna: Customer) -> None:
    consent.withdraw(anna.pk, ["newsletter"], at(5))
    assert consent.give(anna.pk, ["newsletter"], at(2, "paper")) == {"newsletter": "withdrawn"}
    consent.give(anna.pk, ["newsletter"], at(9, "paper"))
    assert consent.withdraw(anna.pk, ["newsletter"], at(7)) == {"newsletter": "given"}
    assert not Event.objects.filter(kind="consent.withdrawn", occurred_at=START + timedelta(days=7)).exists()


def test_a_confirmation_does_not_revive_a_request_from_before_the_withdrawal(anna: Customer) -> None:
    consent.give(anna.pk, ["newsletter"], at(0))
    consent.withdraw(anna.pk, ["newsletter"], at(1))
    assert consent.confirm(anna.pk, ["newsletter"], at(2)) == {"newsletter": "withdrawn"}


def test_the_order_of_arrival_does_not_matter() -> None:
    steps = [("give", 0, "paper"), ("withdraw", 1, "staff"), ("give", 2, "web"), ("confirm", 3, "mail_link")]
    for order in permutations(steps):
        customer = CustomerFactory()
        EmailFactory(customer=customer)
        for step, day, method in order:
            getattr(consent, step)(customer.pk, ["newsletter"], at(day, method))
        assert state(customer) == "given", order


Entry = tuple[str, str, bool, int, str]


def plain_state(entries: list[Entry]) -> str:
    """The rules of the ledger once more: (action, method, proof, hour, address)."""
    ends = [(hour, action == "objected", action) for action, _m, _p, hour, _a in entries if action in consent.ENDS]
    last = max(ends)[0] if ends else -1
    later = [entry for entry in entries if entry[3] > last]
    here, other = plain_address([one for one in later if one[4] == HERE]), [one for one in later if one[4] == FORMER]
    if here in ("given", "pending"):
        return here
    elsewhere = plain_address(other)
    if ends:
        return max(ends)[2]
    if elsewhere == "given":
        return "moved"
    return here or elsewhere


def plain_address(later: list[Entry]) -> str:
    """What was declared for one address after the last end."""
    asked = [hour for action, _m, _p, hour, _a in later if action == "given"]
    enough = any(
        action == "given" and (method == "paper" or (proof and method in ("import", "api")))
        for action, method, proof, _hour, _a in later
    )
    if enough or (asked and any(action == "confirmed" and hour >= min(asked) for action, _m, _p, hour, _a in later)):
        return "given"
    lapses = [hour for action, _m, _p, hour, _a in later if action == "expired"]
    if asked and max(asked) > max(lapses, default=-1):
        return "pending"
    return "expired" if lapses else ""


HERE, FORMER = "anna@example.test", "former@example.test"
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["given", "given", "confirmed", "withdrawn", "objected", "expired", "used"]),
        st.sampled_from(["web", "paper", "import", "staff"]),
        st.booleans(),
        st.integers(0, 6),
        st.sampled_from([HERE, FORMER]),
    ),
    min_size=1,
    max_size=7,
)


@given(entries=ENTRIES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_state_is_a_pure_function_of_ledger_and_address(entries: list[Entry]) -> None:
    customer = CustomerFactory()
    EmailFactory(customer=customer, value=HERE)
    customer.refresh_from_db()
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            person_key=customer.person_key, purpose_id="newsletter", channel="email", action=action, method=method,
            double_opt_in=proof, occurred_at=START + timedelta(hours=hour), address_hash=keyed.address_hash(address),
        )
        for action, method, proof, hour, address in entries
    )  # fmt: skip
    consent.refresh([customer.pk])
    found = ConsentState.objects.filter(customer=customer).first()
    assert (found.state if found else "") == plain_state(entries)
    assert found is None or found.address == (HERE if found.state == "given" else found.address)
    assert consent.refresh([customer.pk]) == 0


def test_objecting_silences_every_purpose_and_the_address_for_good(anna: Customer) -> None:
    consent.give(anna.pk, ["newsletter", "birthday"], at(0, "paper"))
    consent.object_to_advertising(anna.pk, at(1, "phone"))
    assert state(anna) == state(anna, "birthday") == "objected"
    assert Suppression.objects.get().address_hash == keyed.address_hash("anna@example.test")
    again = CustomerFactory()
    EmailFactory(customer=again, value="anna@example.test")
    consent.give(again.pk, ["newsletter"], at(2, "paper"))
    assert permission.may_send(again.pk, "advertising", "newsletter").code == "suppressed"
    assert "anna" not in str(Suppression.objects.values().get())


def test_a_withdrawal_is_an_event_and_a_change(anna: Customer) -> None:
    consent.give(anna.pk, ["newsletter"], at(0, "paper"))
    ChangedCustomer.objects.all().delete()
    consent.withdraw(anna.pk, ["newsletter"], at(1, "mail_link"))
    event = Event.objects.get(kind="consent.withdrawn")
    assert event.customer == anna and event.detail["purposes"] == ["newsletter"]
    assert ChangedCustomer.objects.filter(customer_id=anna.pk).exists()


def test_what_identifies_the_person_stands_apart_and_can_be_erased(anna: Customer) -> None:
    consent.give(anna.pk, ["newsletter"], at(0, address="anna@example.test", ip="192.0.2.7", user_agent="Mail/1"))
    assert ConsentTrace.objects.get().ip == "192.0.2.7"
    assert "anna@example.test" not in str(ConsentEvent.objects.values().get())
    ConsentTrace.objects.all().delete()
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize("statement", ["UPDATE crm_consentevent SET action = 'given'", "DELETE FROM crm_consentevent"])
def test_the_ledger_cannot_be_rewritten(anna: Customer, statement: str) -> None:
    consent.withdraw(anna.pk, ["newsletter"], at(0))
    with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.usefixtures("english")
def test_a_consent_from_the_future_is_refused_and_a_withdrawal_counts_now(anna: Customer) -> None:
    tomorrow = consent.How("api", occurred_at=now() + timedelta(days=1))
    with pytest.raises(consent.ConsentError, match="future") as refused:
        consent.give(anna.pk, ["newsletter"], tomorrow)
    assert refused.value.code == "in_future"
    consent.withdraw(anna.pk, ["newsletter"], tomorrow)
    assert ConsentState.objects.get().since <= now()


@pytest.mark.usefixtures("english")
def test_unknown_purpose_and_unknown_person_are_named(anna: Customer) -> None:
    with pytest.raises(consent.ConsentError, match="sweets.*newsletter") as refused:
        consent.give(anna.pk, ["newsletter", "sweets"], at(0))
    assert refused.value.code == "unknown_purpose" and not ConsentEvent.objects.exists()
    with pytest.raises(consent.ConsentError) as unknown:
        consent.give(0, ["newsletter"], at(0))
    assert unknown.value.code == "unknown_customer"


class Listener(plugins.Plugin):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_withdraw(self, customer_id: int, purposes: object, channel: str) -> None:
        self.heard.append((customer_id, purposes, channel, connection.in_atomic_block))

    def after_withdraw(self, customer_id: int) -> None:
        self.heard.append(customer_id)


def test_upper_apps_hear_of_a_withdrawal_in_it_and_after_it(
    anna: Customer, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    listener = Listener()
    monkeypatch.setattr(plugins._registry, "plugins", [listener])
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        consent.withdraw(anna.pk, ["newsletter"], at(0))
    assert listener.heard == [(anna.pk, ["newsletter"], "email", True), anna.pk]
