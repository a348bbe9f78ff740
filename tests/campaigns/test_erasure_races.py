"""An erasure while its person's mails are planned or sent: both orders, with real transactions."""

from typing import Any

import pytest
from django.db import transaction

from campaigns import gating, planning, sending
from campaigns.models import Delivery
from campaigns.sending import Sender
from crm import consent, double_opt_in, permission
from crm.consent import How
from crm.models import ConsentState, ContactPoint, Customer, DoubleOptIn, ErasureLog, Event, Shop
from crm.privacy import erasure, rectify
from tests.campaigns.people import buys, deliver, open_shop, person
from tests.campaigns.test_races import ROUNDS, Side, claimed_order, somebody_waits_for_a_lock, wait_until
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def living() -> int:
    return Customer.objects.filter(erased_at=None).count()


class TestErasureAgainstGate:
    def test_erased_first_and_the_gate_finds_nobody(self, smtp_sink: SmtpSink) -> None:
        for _ in range(ROUNDS):
            order, claim = claimed_order()
            with transaction.atomic():
                erasure.erase(order.customer_id)
                gate = Side(lambda: gating.gate(order, claim.token, Shop.current()))
                wait_until(somebody_waits_for_a_lock)
            assert gate.ended() == ""
            row = Delivery.objects.get(pk=order.id)
            assert (row.state, row.email_hash) == ("suppressed", None) and row.customer_id != order.customer_id
        assert not smtp_sink.messages and living() == 0

    def test_gate_first_and_the_erasure_waits_for_the_mail(self) -> None:
        for _ in range(ROUNDS):
            order, claim = claimed_order()
            with transaction.atomic():
                assert gating.gate(order, claim.token, Shop.current()) == "go"
                erased = Side(lambda: erasure.erase(order.customer_id))
                wait_until(somebody_waits_for_a_lock)
            wait_until(lambda: not Customer.objects.filter(pk=order.customer_id).exists())
            assert erased.is_alive(), "committed, but this person's mail is on the wire"
            sent = {"id": order.id, "token": claim.token, "state": "sent", "reason": None, "reply": "250 anna", "provider_id": ""}
            sending.change(sending.SETTLE, sent)
            erased.ended(5)
            row = Delivery.objects.get(pk=order.id)
            assert row.state == "sent" and row.customer_id != order.customer_id and row.email_hash is None
        assert living() == 0


class TestErasureAgainstPlanning:
    def test_planned_first_and_nothing_stays_of_the_person(self) -> None:
        anna, ben = person("anna@example.test", "newsletter"), person("ben@example.test", "newsletter")
        for one in (anna, ben):
            buys(one)
        with transaction.atomic():
            planning.plan_events()
            erased = Side(lambda: erasure.erase(anna.pk))
            wait_until(somebody_waits_for_a_lock)
        erased.ended()
        planning.plan_events()
        assert set(Delivery.objects.filter(state="planned").values_list("customer", flat=True)) == {ben.pk}
        assert Delivery.objects.get(state="suppressed").email_hash is None
        assert not Event.objects.filter(planned_at=None).exists(), "nobody else's mail was lost by it"

    def test_erased_first_and_the_planner_leaves_that_person_out(self) -> None:
        anna, ben = person("anna@example.test", "newsletter"), person("ben@example.test", "newsletter")
        for one in (anna, ben):
            buys(one)
        with transaction.atomic():
            erasure.erase(anna.pk)
            planner = Side(planning.plan_due)
            planner.join(0.5)
        planner.ended()
        assert set(Delivery.objects.filter(state="planned").values_list("customer", flat=True)) == {ben.pk}
        assert not Customer.objects.filter(pk=anna.pk).exists()

    def test_the_planner_itself_is_not_stopped_by_an_erasure(self) -> None:
        """An error here would end the sender's process."""
        people = [person(f"p{number}@example.test", "newsletter") for number in range(12)]
        for one in people:
            buys(one)
        erasures = [Side(lambda one=one: erasure.erase(one.pk)) for one in people[:4]]

        planners = [Side(planning.plan_due) for _ in range(2)]
        for side in [*erasures, *planners]:
            side.ended(60)
        planning.plan_due()
        planned = set(Delivery.objects.filter(state="planned").values_list("customer", flat=True))
        assert planned == {one.pk for one in people[4:]} and ErasureLog.objects.count() == 4

    def test_two_erasures_of_one_person_are_one(self) -> None:
        anna = person("anna@example.test", "newsletter")

        def erase() -> str:
            try:
                erasure.erase(anna.pk)
            except erasure.AlreadyErased:
                return "before"
            return "now"

        sides = [Side(erase) for _ in range(4)]
        assert sorted(str(side.ended(30)) for side in sides) == ["before"] * 3 + ["now"]
        assert ErasureLog.objects.count() == 1


class TestAddressAgainstGate:
    """A mail that was planned for the address of before must not go to, or by the consent of, another one."""

    def test_changed_first_and_the_gate_refuses(self) -> None:
        order, claim = claimed_order()
        with transaction.atomic():
            rectify.rectify(order.customer_id, {"email": "new@example.test"}, None)
            gate = Side(lambda: gating.gate(order, claim.token, Shop.current()))
            wait_until(somebody_waits_for_a_lock)
        assert gate.ended() == "other_address"
        assert Delivery.objects.get(pk=order.id).state == "suppressed"

    def test_gate_first_and_the_change_waits(self) -> None:
        order, claim = claimed_order()
        with transaction.atomic():
            assert gating.gate(order, claim.token, Shop.current()) == "go"
            change = Side(lambda: rectify.rectify(order.customer_id, {"email": "new@example.test"}, None))
            wait_until(somebody_waits_for_a_lock)
        change.ended()
        assert ContactPoint.objects.get(customer=order.customer_id).value == "new@example.test"
        assert permission.may_send(order.customer_id, "advertising", "newsletter").code == "other_address"


def test_withdrawal_and_confirmation_at_once_end_withdrawn() -> None:
    for _ in range(ROUNDS):
        asked = double_opt_in.request(f"p{_}@example.test", ["newsletter"], "de", How("web"))
        token = double_opt_in.token_of(DoubleOptIn.objects.get(pk=asked.request_id))
        customer_id = asked.customer_id
        assert customer_id
        sides = [
            Side(lambda token=token: double_opt_in.confirm(token, How("mail_link")).state),
            Side(lambda pk=customer_id: consent.withdraw(pk, ["newsletter"], How("mail_link"))),
        ]
        for side in sides:
            side.ended(10)
        assert ConsentState.objects.get(customer=customer_id).state == "withdrawn", "whichever came first"


def test_a_withdrawal_in_the_middle_of_a_run_stops_the_rest(smtp_sink: SmtpSink) -> None:
    from tests.campaigns.people import launched

    people = [person("", "newsletter") for _ in range(20)]
    launched()
    claim: Any = Sender("held").claim(20)
    assert len(claim.rows) == 20
    for one in people[:10]:
        consent.withdraw(one.pk, ["newsletter"], How("mail_link"))
    sending.change(sending.RELEASE, {"token": claim.token})
    deliver()
    assert len(smtp_sink.messages) == 10
    assert Delivery.objects.filter(state="suppressed", reason="withdrawn").count() == 10
