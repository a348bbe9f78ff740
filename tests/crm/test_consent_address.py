"""A consent belongs to the address it was given for, and to nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from crm import consent, double_opt_in, keyed, permission, sync
from crm.consent import How
from crm.models import ConsentEvent, ConsentState, ContactPoint, Customer, DoubleOptIn, Suppression
from crm.privacy import erasure, rectify
from tests.campaigns.people import open_shop
from tests.crm.shop_rows import purchase
from tests.factories import CustomerFactory, EmailFactory, SourceFactory

pytestmark = pytest.mark.django_db
CLICK = How("mail_link", ip="192.0.2.8")


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def person(email: str, **more: Any) -> Customer:
    customer = CustomerFactory(**more)
    EmailFactory(customer=customer, value=email, normal=email.lower())
    customer.refresh_from_db()
    return customer


def ruling(customer: Customer, purpose: str = "newsletter") -> str:
    return permission.may_send(customer.pk, "advertising", purpose).code


def move(customer: Customer, email: str) -> None:
    rectify.rectify(customer.pk, {"email": email}, None)


def test_a_new_address_inherits_nothing_and_the_former_one_keeps_what_was_given_for_it() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter"], How("paper"))
    assert ruling(anna) == "consent"
    move(anna, "new@example.test")
    assert ruling(anna) == "other_address"
    assert ConsentState.objects.get().state == "moved"
    move(anna, "anna@example.test")
    assert ruling(anna) == "consent", "it was given for this very address, and never ended"


def test_going_back_revives_nothing_that_was_ended_meanwhile() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter", "birthday"], How("paper"))
    move(anna, "new@example.test")
    consent.withdraw(anna.pk, ["newsletter"], How("staff"))
    move(anna, "anna@example.test")
    assert (ruling(anna), ruling(anna, "birthday")) == ("withdrawn", "consent")


def test_each_address_stands_for_itself() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter"], How("paper"))
    move(anna, "new@example.test")
    consent.give(anna.pk, ["birthday"], How("paper"))
    assert (ruling(anna), ruling(anna, "birthday")) == ("other_address", "consent")
    move(anna, "anna@example.test")
    assert (ruling(anna), ruling(anna, "birthday")) == ("consent", "other_address")


def test_the_gate_compares_addresses_itself_even_if_nobody_derived_the_state_anew() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter"], How("paper"))
    ContactPoint.objects.filter(customer=anna).update(value="other@example.test", normal="other@example.test")
    assert ConsentState.objects.get().state == "given" and ruling(anna) == "other_address"


def test_an_address_that_a_shop_system_changes_inherits_nothing() -> None:
    source = SourceFactory()
    start = datetime(2026, 5, 1, 9, tzinfo=UTC)

    def send(email: str, day: int) -> None:
        at = (start + timedelta(days=day)).isoformat()
        row = {"external_id": "anna", "email": email, "version": at}
        [answer] = sync.apply(source, [purchase(f"p{day}", customer=row, at=at)]).purchases
        assert answer.status == "created", answer

    send("anna@example.test", 1)
    anna = Customer.objects.get()
    consent.give(anna.pk, ["newsletter"], How("paper"))
    assert ruling(anna) == "consent"
    send("new@example.test", 2)
    assert (ruling(anna), ConsentState.objects.get().state) == ("other_address", "moved")
    send("anna@example.test", 3)
    assert (ruling(anna), ConsentState.objects.get().state) == ("consent", "given")


def test_staff_may_have_the_new_address_asked_and_only_its_answer_counts() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter"], How("paper"))
    move(anna, "new@example.test")
    became = double_opt_in.ask_for(anna.pk, ["newsletter"], ["newsletter"], "de", How("staff"))
    assert became.state == "pending" and ruling(anna) == "unconfirmed"
    asked = DoubleOptIn.objects.get()
    assert double_opt_in.confirm(double_opt_in.token_of(asked), CLICK).state == "confirmed"
    assert ruling(anna) == "consent"
    proof = ConsentEvent.objects.get(action="confirmed")
    assert proof.address_hash == keyed.address_hash("new@example.test") and proof.trace.address == "new@example.test"


def test_a_link_that_went_to_the_former_address_confirms_nothing_for_the_new_one() -> None:
    anna = person("anna@example.test")
    request = double_opt_in.request("anna@example.test", ["newsletter"], "de", How("web"))
    move(anna, "new@example.test")
    token = double_opt_in.token_of(DoubleOptIn.objects.get(pk=request.request_id))
    assert double_opt_in.confirm(token, CLICK).state == "ended"
    assert not ConsentEvent.objects.filter(action="confirmed").exists() and ruling(anna) == "unconfirmed"
    move(anna, "anna@example.test")
    assert double_opt_in.confirm(token, CLICK).state == "confirmed" and ruling(anna) == "consent"


def test_a_request_for_one_address_and_a_confirmation_from_another_make_no_consent() -> None:
    anna = person("anna@example.test")
    consent.give(anna.pk, ["newsletter"], How("web", address="anna@example.test"))
    consent.confirm(anna.pk, ["newsletter"], How("mail_link", address="other@example.test"))
    assert ruling(anna) == "unconfirmed"


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        ("ANNA@Example.Test", "anna@example.test"),
        ("anna@köln.example", "anna@xn--kln-sna.example"),
        ("anna+shop@example.test", "anna+shop@example.test"),
    ],
)
def test_spellings_of_one_address_are_one_address(declared: str, used: str) -> None:
    anna = person(used)
    consent.give(anna.pk, ["newsletter"], How("paper", address=declared))
    assert ruling(anna) == "consent"


def test_an_address_with_a_plus_part_is_another_one() -> None:
    anna = person("anna+shop@example.test")
    consent.give(anna.pk, ["newsletter"], How("paper", address="anna@example.test"))
    assert ruling(anna) == "other_address"


def test_a_consent_for_the_phone_belongs_to_its_number() -> None:
    anna = person("anna@example.test")
    number = ContactPoint.objects.create(customer=anna, kind="phone", value="1", normal="+493023125700")
    consent.give(anna.pk, ["newsletter"], How("paper"), channel="phone")
    assert permission.may_send(anna.pk, "advertising", "newsletter", "phone").code == "consent"
    number.normal = "+493023125701"
    number.save()
    assert permission.may_send(anna.pk, "advertising", "newsletter", "phone").code == "other_address"


def test_a_letter_needs_no_consent_at_any_address_until_the_person_objects() -> None:
    anna = person("anna@example.test")
    ContactPoint.objects.create(customer=anna, kind="post", value="Weg 1", normal="Weg 1")
    consent.give(anna.pk, ["newsletter"], How("paper"), channel="post")
    ContactPoint.objects.filter(kind="post").update(normal="Weg 2")
    assert permission.may_send(anna.pk, "advertising", "newsletter", "post").code == "legitimate_interest"
    consent.object_to_advertising(anna.pk, How("phone"), "post")
    assert not permission.may_send(anna.pk, "advertising", "newsletter", "post").allowed


class TestTwoPersonsWithOneMailbox:
    """A consent is one person's, a suppression the mailbox's: one end must not leave mail that the law forbids."""

    @pytest.fixture
    def both(self) -> tuple[Customer, Customer]:
        anna, ben = person("family@example.test"), person("family@example.test")
        for one in (anna, ben):
            consent.give(one.pk, ["newsletter"], How("paper"))
        return anna, ben

    def test_one_withdrawal_ends_that_persons_consent_alone(self, both: tuple[Customer, Customer]) -> None:
        anna, ben = both
        consent.withdraw(anna.pk, ["newsletter"], How("mail_link"))
        assert (ruling(anna), ruling(ben)) == ("withdrawn", "consent")

    def test_one_objection_silences_the_mailbox(self, both: tuple[Customer, Customer]) -> None:
        anna, ben = both
        consent.object_to_advertising(anna.pk, How("mail_link"))
        assert (ruling(anna), ruling(ben)) == ("suppressed", "suppressed")
        Suppression.objects.update(lifted_at=now())  # as Ben's own new confirmation does
        assert (ruling(anna), ruling(ben)) == ("objected", "consent"), "hers stays whatever he does"

    def test_one_erasure_silences_the_mailbox(self, both: tuple[Customer, Customer]) -> None:
        anna, ben = both
        erasure.erase(anna.pk)
        assert ruling(ben) == "suppressed"

    def test_who_moves_away_takes_their_consent_along_for_nobody(self, both: tuple[Customer, Customer]) -> None:
        anna, ben = both
        move(anna, "anna@example.test")
        assert (ruling(anna), ruling(ben)) == ("other_address", "consent")
