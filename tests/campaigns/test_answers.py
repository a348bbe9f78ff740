"""What became of a mail is written with the gate of the next: it waits for nobody, and no trouble of the two loses it."""

from threading import Event

import pytest
from django.db import transaction

from campaigns import gating, prepared
from campaigns.models import Delivery
from crm.models import Customer, Shop
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.campaigns.test_races import Side, somebody_waits_for_a_lock, wait_until
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)
CUT = ("SELECT pg_terminate_backend(pg_backend_pid()) WHERE %(yes)s", {"yes": True})


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def two_mails() -> list[Delivery]:
    """In the order in which they go."""
    person("anna@example.test", "newsletter")
    person("ben@example.test", "newsletter")
    launched()
    return sorted(Delivery.objects.all(), key=lambda row: (row.not_before, row.pk))


def state_of(delivery: Delivery) -> str:
    return Delivery.objects.get(pk=delivery.pk).state


class TestSomebodyHoldsTheNextPerson:
    def test_the_answer_is_written_before_the_gate_waits(self, smtp_sink: SmtpSink) -> None:
        first, second = two_mails()
        with transaction.atomic():
            Customer.objects.select_for_update(no_key=True).get(pk=second.customer_id)
            sender = Side(deliver)
            wait_until(somebody_waits_for_a_lock)
            assert (state_of(first), state_of(second)) == ("sent", "claimed") and len(smtp_sink.messages) == 1
        sender.ended()
        assert states() == {"sent": 2} and len(smtp_sink.messages) == 2

    def test_control_else_it_would_wait(self, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gating, "AT_ONCE", "")
        first, second = two_mails()
        with transaction.atomic():
            Customer.objects.select_for_update(no_key=True).get(pk=second.customer_id)
            sender = Side(deliver)
            wait_until(somebody_waits_for_a_lock)
            assert (state_of(first), state_of(second)) == ("sending", "claimed")
        sender.ended()
        assert states() == {"sent": 2} and len(smtp_sink.messages) == 2


@pytest.mark.parametrize("committed", [False, True])
def test_a_connection_cut_between_answer_and_gate(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """The answer is not lost, the next mail goes once, and nobody is blamed for it."""
    two_mails()
    cut = Event()
    fetch = prepared.fetch

    def cutting(*steps: tuple[str, dict[str, object]]) -> object:
        if len(steps) == 3 and not cut.is_set():
            cut.set()
            if committed:
                fetch(*steps)
            return fetch(CUT, *steps)
        return fetch(*steps)

    monkeypatch.setattr(prepared, "fetch", cutting)
    deliver()
    assert cut.is_set() and states() == {"sent": 2} and len(smtp_sink.messages) == 2
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_a_gate_that_fails_for_good_leaves_the_answer(smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of its own, such as a recipe's mistaken condition, is raised; the mail before it is `sent`."""
    first, second = two_mails()
    fetch = prepared.fetch

    def failing(*steps: tuple[str, dict[str, object]]) -> object:
        mine = steps[-1][1].get("id") == second.pk
        return fetch(*steps, ("SELECT 1 / %(zero)s", {"zero": 0})) if mine else fetch(*steps)

    monkeypatch.setattr(prepared, "fetch", failing)
    with pytest.raises(Exception, match="division by zero"):
        deliver()
    assert (state_of(first), state_of(second)) == ("sent", "planned") and len(smtp_sink.messages) == 1
