"""People withdraw while their mails go out: nothing passes the gate after the withdrawal is committed."""

import http.client
import os
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from campaigns import composing, gating, sending
from campaigns.composing import unsubscribe_url
from campaigns.models import Delivery
from crm import consent
from crm.models import Customer, Shop
from tests.campaigns import test_races
from tests.campaigns.people import open_shop
from tests.campaigns.test_races import Side, claimed_order
from tests.system.storm import Storm, crowd

pytestmark = pytest.mark.slow

RECIPIENTS = int(os.environ.get("WITHDRAWAL_RECIPIENTS", "10000"))
WITHDRAWALS = RECIPIENTS // 5
ROUNDS = int(os.environ.get("RACE_ROUNDS", "200"))
# Between the 200 and the last MAIL FROM: what a mail needs that passed the gate before the withdrawal.
ON_THE_WIRE_S = 1.0
CALLERS = 6


class Web:
    """The public pages, served by gunicorn."""

    def __init__(self, storm: Storm) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.master: subprocess.Popen[bytes] = storm.processes.start(
            "-m", "gunicorn", "--config", "config/gunicorn.py", "config.wsgi", PORT=str(self.port), WEB_PROCESSES="1"
        )
        storm.until(self.answers, "the web process does not start")

    def answers(self) -> bool:
        assert self.master.poll() is None
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def unsubscribe(self, url: str) -> float:
        """What a mail program's button does (RFC 8058). Returns when the answer came."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"Host": "localhost", "Content-Type": "application/x-www-form-urlencoded"}
        line.request("POST", urlsplit(url).path, "List-Unsubscribe=One-Click", headers)
        answer = line.getresponse()
        answer.read()
        line.close()
        assert answer.status == 200, answer.status
        return time.time()


def test_withdrawals_while_mails_go_out(storm: Storm) -> None:
    storm.installation.note_commit_times()
    storm.open_mail_server()
    crowd(RECIPIENTS)
    web = Web(storm)
    chosen = random.Random(8).sample(list(Customer.objects.values_list("pk", "person_key")), WITHDRAWALS)
    answered: dict[int, float] = {}
    lock = threading.Lock()

    def withdraw(number: int) -> None:
        """At a moment of its own: when the run has come so far."""
        pk, person_key = chosen[number]
        while len(storm.lines) < number * RECIPIENTS * 0.7 / WITHDRAWALS and not over.is_set():
            time.sleep(0.02)
        at = web.unsubscribe(unsubscribe_url(person_key, "newsletter"))
        with lock:
            answered[pk] = at

    over = threading.Event()
    for _ in range(3):
        storm.sender()
    with ThreadPoolExecutor(CALLERS) as callers:
        calls = [callers.submit(withdraw, number) for number in range(WITHDRAWALS)]
        try:
            storm.until(
                lambda: storm.number_taken() >= 0 and all(call.done() for call in calls), "nothing moves", pause=0.1
            )
        finally:
            over.set()
        for call in calls:
            call.result()
    states = storm.until_quiet()

    assert len(answered) == WITHDRAWALS and states.keys() == {"sent", "suppressed"}
    assert sum(states.values()) == RECIPIENTS
    storm.assert_nobody_twice()
    storm.assert_nothing_lost()
    of_withdrawn = Counter(Delivery.objects.filter(customer__in=answered).values_list("state", flat=True))
    assert of_withdrawn["suppressed"] == states["suppressed"], "somebody who did not withdraw got no mail"
    # By the database's own clock: when the gate opened, and when the withdrawal was committed.
    before_after = storm.ask(
        """SELECT delivery.sending_at < pg_xact_commit_timestamp(event.xmin), count(*) FROM crm_consentevent event
        JOIN crm_customer customer USING (person_key)
        JOIN campaigns_delivery delivery ON delivery.customer_id = customer.id AND delivery.sending_at IS NOT NULL
        WHERE event.action = 'withdrawn' GROUP BY 1"""
    )
    people = {str(pk): customer for pk, customer in Delivery.objects.values_list("pk", "customer_id")}
    late = [
        line["mail_at"] - answered[people[line["delivery_id"]]]
        for line in storm.lines
        if people[line["delivery_id"]] in answered
    ]
    print(
        f"{WITHDRAWALS} of {RECIPIENTS} withdrew:",
        dict(of_withdrawn),
        f"last MAIL FROM {max(late):.3f} s after the 200",
    )
    assert before_after == [(True, of_withdrawn["sent"])], "a mail passed the gate after the withdrawal was committed"
    assert max(late) <= ON_THE_WIRE_S
    assert min(of_withdrawn.values()) >= WITHDRAWALS // 50, "the storm is too mild to prove anything"
    storm.assert_sound()


class TestBothOrders:
    """The forced races of `test_races`, many times, and the free one."""

    @pytest.fixture(autouse=True)
    def many(self, storm: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        open_shop()
        monkeypatch.setattr(test_races, "ROUNDS", ROUNDS)

    def test_withdrawal_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        forced = test_races.TestWithdrawalAgainstGate()
        forced.test_withdrawal_first_and_the_gate_stays_shut(False, monkeypatch)

    def test_gate_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        test_races.TestWithdrawalAgainstGate().test_gate_first_and_the_withdrawal_waits_for_the_mail(monkeypatch)

    def test_whoever_comes_first(self) -> None:
        """Let go at one moment, each order happens; whatever happens, the books and the gate say the same."""
        seen: Counter[str] = Counter()
        chance = random.Random(9)
        for _ in range(ROUNDS):
            order, claim = claimed_order()
            barrier = threading.Barrier(2)
            early = chance.uniform(-0.06, 0.02)

            def gate(order: composing.Order = order, token: object = claim.token) -> str:
                barrier.wait()
                time.sleep(max(0.0, early))
                return gating.gate(order, token, Shop.current())  # type: ignore[arg-type]

            def withdraw(order: composing.Order = order) -> object:
                barrier.wait()
                time.sleep(max(0.0, -early))
                return consent.withdraw(order.customer_id, ["newsletter"], consent.How("staff"))

            one, two = Side(gate), Side(withdraw)
            said = str(one.ended(30))
            if said == "go":
                sent = {
                    "id": order.id,
                    "token": claim.token,
                    "state": "sent",
                    "reason": None,
                    "reply": "",
                    "provider_id": "",
                }
                sending.change(sending.SETTLE, sent)
            two.ended(30)
            seen[said] += 1
            state = Delivery.objects.get(pk=order.id).state
            assert (said, state) in {("go", "sent"), ("", "suppressed"), ("withdrawn", "suppressed")}
            Delivery.objects.filter(pk=order.id).delete()
        print("the gate said:", dict(seen))
        assert seen["go"] and len(seen) > 1
