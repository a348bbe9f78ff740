"""Senders killed at random, again and again: nobody is mailed twice, nothing is lost in silence."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from django.test import Client
from django.utils.timezone import now

from campaigns import planning
from campaigns.api import signature
from campaigns.models import Delivery, Run
from crm import consent, keyed
from crm.models import ContactPoint, Customer
from tests.campaigns.people import AGREED_AT, launched, open_shop

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parents[2]
RECIPIENTS = int(os.environ.get("KILL_RECIPIENTS", "2000"))
KILLS = int(os.environ.get("KILLS", "20"))
SENDERS = 3


class Processes:
    """The processes of one test, all ended with it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        # A group of its own, so that a kill takes a worker's children along.
        started = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, start_new_session=True
        )
        self.running.append(started)
        return started

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        if process.poll() is None:
            os.killpg(process.pid, number)
        process.wait(30)
        if process in self.running:
            self.running.remove(process)

    def end(self) -> None:
        for process in list(self.running):
            self.kill(process)


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """The mail server's own record: a line for each mail it took."""
    return tmp_path / "mails.jsonl"


@pytest.fixture
def processes(process_environment: dict[str, str], mails: Path) -> Iterator[Processes]:
    """A mail server that takes 20 ms for each mail is up; senders may be started."""
    made = Processes(process_environment)
    sink = made.start("-m", "tests.smtp_sink", "--port", "0", "--log", str(mails), "--delay", "0.02")
    assert sink.stdout
    port = int(sink.stdout.readline())
    made.environment |= {
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "SEND_LEASE_S": "3",
        "SEND_GRACE_S": "3",
        "LOG_LEVEL": "ERROR",
    }
    yield made
    made.end()


def crowd(size: int) -> Run:
    """A mailing to `size` people, launched."""
    open_shop()
    people = Customer.objects.bulk_create([Customer(family_name=f"Beispiel{n}") for n in range(size)])
    ids = [customer.pk for customer in people]
    ContactPoint.objects.bulk_create(
        [
            ContactPoint(customer_id=pk, kind="email", value=f"p{pk}@example.test", normal=f"p{pk}@example.test")
            for pk in ids
        ]
    )
    from crm.models import ConsentEvent

    keys = Customer.objects.filter(pk__in=ids).values_list("person_key", "pk")
    ConsentEvent.objects.bulk_create(
        ConsentEvent(
            person_key=key, purpose_id="newsletter", channel="email", action="given", method="paper",
            occurred_at=AGREED_AT, address_hash=keyed.address_hash(f"p{pk}@example.test"),
        )
        for key, pk in keys
    )  # fmt: skip
    consent.refresh(ids)
    return launched()


def taken(mails: Path) -> Counter[str]:
    """How often the mail server took each delivery."""
    if not mails.exists():
        return Counter()
    lines = mails.read_text().splitlines()
    return Counter(json.loads(line)["delivery_id"] for line in lines)


def report_all(mails: Path) -> None:
    """What a relay's log tailer does: report every mail that was taken, over HTTP."""
    rows = [{"delivery_id": pk, "status": "delivered", "at": now().isoformat()} for pk in taken(mails)]
    body = orjson.dumps(rows)
    answer = Client().post(
        "/webhooks/receipts/", body, content_type="application/json", headers={"x-signature": signature(body, now())}
    )
    assert answer.status_code == 200, answer.content


class Senders:
    """A few senders, of which one after the other is killed while mails go out."""

    def __init__(self, processes: Processes, mails: Path) -> None:
        self.processes, self.mails = processes, mails
        self.chance = random.Random(7)
        self.running = [processes.start("manage.py", "sender") for _ in range(SENDERS)]

    def kill_one(self, seconds: float = 60) -> None:
        """Kill a random one. Waits until mails go out: a kill of senders that still start would prove nothing."""
        end = time.monotonic() + seconds
        before = sum(taken(self.mails).values())
        while sum(taken(self.mails).values()) <= before:
            assert time.monotonic() < end, "no mail goes out"
            time.sleep(0.1)
        time.sleep(self.chance.uniform(0.0, 1.0))
        victim = self.running.pop(self.chance.randrange(SENDERS))
        self.processes.kill(victim)
        self.running.append(self.processes.start("manage.py", "sender"))


def wait_until_quiet(run: Run, seconds: float, *, with_unknown: bool = False) -> dict[str, int]:
    """The run's counts once nothing is open any more."""
    end = time.monotonic() + seconds
    while True:
        counts = planning.counts(run)
        open_rows = (
            counts["planned"] + counts["claimed"] + counts["sending"] + (counts["unknown"] if with_unknown else 0)
        )
        if not open_rows:
            return counts
        assert time.monotonic() < end, counts
        time.sleep(0.5)


def test_a_kill_storm_mails_nobody_twice_and_loses_nothing(processes: Processes, mails: Path) -> None:
    run = crowd(RECIPIENTS)
    senders = Senders(processes, mails)
    for _ in range(KILLS):
        senders.kill_one()
    counts = wait_until_quiet(run, 300)
    seen = taken(mails)
    print("after the storm:", counts, "mails taken:", len(seen))
    assert max(seen.values()) == 1
    # Whatever did not arrive is `unknown`, and whatever is `sent` did arrive.
    sent = {str(pk) for pk in Delivery.objects.filter(state="sent").values_list("pk", flat=True)}
    unknown = {str(pk) for pk in Delivery.objects.filter(state="unknown").values_list("pk", flat=True)}
    assert sent <= set(seen) and sent | unknown == {str(pk) for pk in Delivery.objects.values_list("pk", flat=True)}
    assert len(unknown) <= KILLS
    assert counts["quarantined"] == counts["failed"] == 0

    # With receipts nothing stays unknown, and still nobody is mailed twice.
    report_all(mails)
    end = time.monotonic() + 60
    while Delivery.objects.exclude(state="sent").exists() and time.monotonic() < end:
        time.sleep(0.5)
        report_all(mails)
    seen = taken(mails)
    print("with receipts:", planning.counts(run), "mails taken:", len(seen))
    assert planning.counts(run)["sent"] == RECIPIENTS == len(seen)
    assert max(seen.values()) == 1


def test_without_the_two_states_a_kill_storm_mails_people_twice(processes: Processes, mails: Path) -> None:
    """Positive control: a sender that calls an interrupted mail unsent, as many do, mails some people twice."""
    crowd(RECIPIENTS)
    senders = Senders(processes, mails)
    for _ in range(3 * KILLS):
        senders.kill_one()
        Delivery.objects.filter(state="sending").update(state="planned", token=None, lease_until=None)
        if max(taken(mails).values()) > 1:
            return
    pytest.fail("the storm is too mild to prove anything")


def test_told_to_stop_a_sender_gives_everything_back(processes: Processes, mails: Path) -> None:
    crowd(400)
    sender = processes.start("manage.py", "sender")
    end = time.monotonic() + 60
    while sum(taken(mails).values()) < 30:
        assert time.monotonic() < end
        time.sleep(0.05)
    started = time.monotonic()
    processes.kill(sender, signal.SIGTERM)
    assert time.monotonic() - started < 20 and sender.returncode == 0
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert set(states) <= {"sent", "planned"} and states["sent"] == len(taken(mails))
    assert set(Delivery.objects.filter(state="planned").values_list("attempts", flat=True)) == {0}


@pytest.mark.parametrize("alone", ["sender", "celery"])
def test_either_alone_delivers_everything(processes: Processes, mails: Path, tmp_path: Path, alone: str) -> None:
    run = crowd(200)
    if alone == "sender":
        processes.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody listens there
        processes.start("manage.py", "sender")
    else:
        processes.start("-m", "celery", "--app", "config", "worker", "--concurrency", "2", "--loglevel", "ERROR")
        schedule = str(tmp_path / "schedule")
        processes.start("-m", "celery", "--app", "config", "beat", "--schedule", schedule, "--loglevel", "ERROR")
    counts = wait_until_quiet(run, 120)
    assert counts["sent"] == 200
    assert max(taken(mails).values()) == 1
