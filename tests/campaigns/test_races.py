"""Two things at once, in both orders, with real transactions; each guard with a control that goes red without it."""

import time
from collections.abc import Callable, Iterator
from threading import Barrier, Event, Thread
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import now

from campaigns import composing, gating, planning, prepared, sending, wake
from campaigns.models import Delivery
from campaigns.sending import Sender
from crm import consent, plugins
from crm.models import MailLog, Shop
from tests.campaigns.people import buys, deliver, launched, mailing, open_shop, person, states
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


class Side(Thread):
    """One of two things at once, on a connection of its own. `result` is what it returned or raised."""

    def __init__(self, job: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.job = job
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.job()
        except Exception as error:
            self.result = error
        finally:
            connection.close()

    def ended(self, seconds: float = 10) -> object:
        self.join(seconds)
        assert not self.is_alive(), "it still waits"
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def wait_until(true: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def claimed_order() -> tuple[composing.Order, sending.Claim]:
    person("", "newsletter")
    launched()
    claim = Sender("test").claim(1)
    [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current()).values()
    return order, claim


def withdraw(order: composing.Order) -> object:
    return consent.withdraw(order.customer_id, ["newsletter"], consent.How("staff"))


class TestWithdrawalAgainstGate:
    @pytest.mark.parametrize("silent_upper_apps", [False, True])
    def test_withdrawal_first_and_the_gate_stays_shut(
        self, silent_upper_apps: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even where nothing stopped the row itself, the gate reads the state after the lock."""
        if silent_upper_apps:
            monkeypatch.setattr(plugins._registry, "plugins", [])
        for _ in range(ROUNDS):
            order, claim = claimed_order()
            with transaction.atomic():
                withdraw(order)
                gate = Side(lambda: gating.gate(order, claim.token, Shop.current()))
                wait_until(somebody_waits_for_a_lock)
            assert gate.ended() == ("withdrawn" if silent_upper_apps else "")
            assert Delivery.objects.get(pk=order.id).state == "suppressed"

    def test_gate_first_and_the_withdrawal_waits_for_the_mail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(ROUNDS):
            order, claim = claimed_order()
            with transaction.atomic():
                assert gating.gate(order, claim.token, Shop.current()) == "go"
                withdrawal = Side(lambda: withdraw(order))
                wait_until(somebody_waits_for_a_lock)
            time.sleep(0.1)
            assert withdrawal.is_alive()  # committed by now, but this person's mail is on the wire
            sent = {
                "id": order.id,
                "token": claim.token,
                "state": "sent",
                "reason": None,
                "reply": "",
                "provider_id": "",
            }
            sending.change(sending.SETTLE, sent)
            withdrawal.ended(2)
            assert Delivery.objects.get(pk=order.id).state == "sent"

    def test_it_waits_two_seconds_at_most(self) -> None:
        order, claim = claimed_order()
        assert gating.gate(order, claim.token, Shop.current()) == "go"
        started = time.monotonic()
        withdraw(order)
        assert 1.9 < time.monotonic() - started < 3.5

    def test_without_the_lock_a_mail_would_pass_after_the_withdrawal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Positive control: the withdrawal is committed while the gate is still open."""
        monkeypatch.setattr(gating, "GATE_LOCK", "SELECT %(customer)s")
        # Noting the use of a permission locks its row as well, and so guards a second time.
        monkeypatch.setattr(gating, "GATE", gating.GATE.replace("ruled.code = 'consent' AND crm", "false AND crm"))
        monkeypatch.setattr(plugins._registry, "plugins", [])
        order, claim = claimed_order()
        with transaction.atomic():
            assert gating.gate(order, claim.token, Shop.current()) == "go"
            Side(lambda: withdraw(order)).ended(5)

    def test_with_the_lock_it_cannot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plugins._registry, "plugins", [])
        order, claim = claimed_order()
        with transaction.atomic():
            assert gating.gate(order, claim.token, Shop.current()) == "go"
            withdrawal = Side(lambda: withdraw(order))
            with pytest.raises(AssertionError, match="still waits"):
                withdrawal.ended(0.5)
        withdrawal.ended()


class TestTwoSenders:
    def overlap(self) -> set[object]:
        """What two senders both claimed, the second while the first's transaction is open."""
        for _ in range(6):
            person("", "newsletter")
        launched()
        with transaction.atomic():
            mine = Sender("one").claim(3)
            theirs = Side(lambda: Sender("two").claim(3))
            time.sleep(0.3)
        other: sending.Claim = theirs.ended()  # type: ignore[assignment]
        assert len(mine.rows) == 3 and len(other.rows) == 3
        return {row[0] for row in mine.rows} & {row[0] for row in other.rows}

    def test_claim_different_rows(self) -> None:
        assert self.overlap() == set()

    def test_would_claim_the_same_rows_without_the_guard(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Positive control."""
        bare = sending.CLAIM.replace(" FOR UPDATE SKIP LOCKED", "").replace(
            "(SELECT id FROM due) AND state = 'planned'", "(SELECT id FROM due)"
        )
        monkeypatch.setattr(sending, "CLAIM", bare)
        assert len(self.overlap()) == 3

    def test_deliver_everything_once(self, smtp_sink: SmtpSink) -> None:
        for _ in range(60):
            person("", "newsletter")
        launched()
        start = Barrier(3)

        def work() -> None:
            start.wait()
            sender = Sender(str(uuid4()))
            while sender.work(20):
                pass
            sender.close()

        for side in [Side(work) for _ in range(3)]:
            side.ended(60)
        assert sorted(smtp_sink.delivery_ids()) == sorted(map(str, Delivery.objects.values_list("pk", flat=True)))
        assert states() == {"sent": 60}

    def test_keep_the_cap_for_one_person_exactly(self, smtp_sink: SmtpSink) -> None:
        Shop.objects.update(mails_per_fortnight=2)
        anna = person("anna@example.test", "newsletter")
        for _ in range(8):
            buys(anna)
        planning.plan_due()
        for side in [Side(lambda: deliver(str(uuid4()))) for _ in range(4)]:
            side.ended(60)
        assert len(smtp_sink.messages) == MailLog.objects.count() == 2
        assert states() == {"sent": 2, "suppressed": 6}


class TestTwoPlanners:
    def test_plan_an_event_once(self) -> None:
        for _ in range(20):
            buys(person("", "newsletter"))
        start = Barrier(4)

        def plan() -> int:
            start.wait()
            return planning.plan_due()

        assert sum(side.ended(30) for side in [Side(plan) for _ in range(4)]) == 20  # type: ignore[misc]
        assert Delivery.objects.count() == 20

    def test_greet_once(self) -> None:
        from datetime import date

        for _ in range(5):
            person("", "birthday", birth_month=5, birth_day=17)
        for side in [Side(lambda: planning.plan_occasions(date(2027, 5, 17))) for _ in range(6)]:
            side.ended(30)
        assert Delivery.objects.count() == 5


class TestPostgresAway:
    def test_the_answer_in_hand_is_not_lost(self, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
        """The connection is cut between the mail server's yes and its recording."""
        person("anna@example.test", "newsletter")
        launched()
        settled = sending.SETTLE
        cut = Event()
        change = sending.change

        def cutting(statement: str, parameters: object) -> int:
            if statement == settled and not cut.is_set():
                cut.set()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return change(statement, parameters)

        monkeypatch.setattr(sending, "change", cutting)
        deliver()
        assert cut.is_set() and states() == {"sent": 1} and len(smtp_sink.messages) == 1

    def test_a_gate_cut_off_sends_nothing_and_blames_nobody(
        self, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person("anna@example.test", "newsletter")
        launched()
        cut = Event()
        fetch = prepared.fetch

        def cutting(*steps: tuple[str, dict[str, object]]) -> object:
            rows = fetch(*steps)
            if len(steps) == 2 and not cut.is_set():
                cut.set()
                fetch(("SELECT pg_terminate_backend(pg_backend_pid()) WHERE %(yes)s", {"yes": True}), *steps)
            return rows

        monkeypatch.setattr(prepared, "fetch", cutting)
        deliver()
        assert cut.is_set() and states() == {"sent": 1} and len(smtp_sink.messages) == 1
        assert Delivery.objects.get().attempts == 1


class TestRedisGone:
    @pytest.fixture
    def no_broker(self) -> Iterator[None]:
        from config.celery import app

        before = app.conf.broker_url
        app.conf.broker_url = "redis://127.0.0.1:1/0"
        app.amqp._producer_pool = None
        app.pool.force_close_all()
        app._pool = None
        yield
        app.conf.broker_url = before
        app._pool = app.amqp._producer_pool = None

    def test_a_launch_works_and_the_sender_delivers(self, no_broker: None, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        started = time.monotonic()
        campaign = mailing(send_at=now())
        planning.launch(campaign.pk, 1)
        assert time.monotonic() - started < 3
        planning.advance_campaigns()
        deliver()
        assert len(smtp_sink.messages) == 1

    def test_a_lost_wake_up_is_noted_and_the_next_one_tried(self, no_broker: None) -> None:
        for _ in range(2):
            assert wake._on_its_way.acquire(timeout=20)
            wake._send()


def test_settings_name_this_deployment() -> None:
    assert settings.DEPLOYMENT_ID == Shop.current().armed_for
