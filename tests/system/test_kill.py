"""Senders, workers and the clock killed at random, again and again: nobody is mailed twice, nothing is lost in silence."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils.timezone import now

from campaigns.models import Delivery
from crm.models import ApiKey
from tests.factories import SourceFactory
from tests.system.storm import Storm, crowd

pytestmark = pytest.mark.slow

RECIPIENTS = int(os.environ.get("KILL_RECIPIENTS", "10000"))
KILLS = int(os.environ.get("KILLS", "60"))
SENDERS = 3


class Staff:
    """Three senders, a worker of two processes and the clock, of which one after the other is killed while mails go out."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        for kind in ["sender"] * SENDERS + ["worker", "beat"]:
            self.hire(kind)
        self.in_doubt = 0

    def hire(self, kind: str) -> None:
        start: dict[str, Callable[[], subprocess.Popen[bytes]]] = {
            "sender": self.storm.sender, "worker": self.storm.worker, "beat": self.storm.beat,
        }  # fmt: skip
        self.running.append((kind, start[kind]()))

    def kill_one(self, after: int) -> None:
        """Kill a random one after at most so many mails: a kill of processes that still start would prove nothing."""
        before = self.storm.number_taken()
        mails = self.storm.chance.randint(after // 3, after)
        self.storm.until(lambda: self.storm.number_taken() >= before + mails, "no mail goes out", pause=0.05)
        kind, victim = self.running.pop(self.storm.chance.randrange(len(self.running)))
        children = pool_of(victim) if kind == "worker" else []
        if children and self.storm.chance.random() < 0.5:
            # One of a worker's processes, which it replaces by itself.
            os.kill(self.storm.chance.choice(children), signal.SIGKILL)
            self.running.append((kind, victim))
        else:
            self.storm.processes.kill(victim)
            self.hire(kind)
        self.storm.kills += 1
        self.in_doubt += {"sender": 1, "worker": 2, "beat": 0}[kind]


def pool_of(worker: subprocess.Popen[bytes]) -> list[int]:
    """The processes in which a Celery worker does its work."""
    return [int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()]


def test_a_kill_storm_mails_nobody_twice_and_loses_nothing(storm: Storm) -> None:
    storm.open_mail_server("--delay", "0.01")
    run = crowd(RECIPIENTS)
    staff = Staff(storm)
    began = time.monotonic()
    for _ in range(KILLS):
        staff.kill_one(after=RECIPIENTS // (KILLS + 20))
    states = storm.until_quiet()
    unknown = states.get("unknown", 0)
    arrived = storm.number_taken() - states["sent"]
    print(
        f"{KILLS} kills, {RECIPIENTS} recipients, {time.monotonic() - began:.0f} s: {states}, {arrived} unknown arrived"
    )
    storm.assert_nobody_twice()
    storm.assert_nothing_lost()
    assert states.keys() <= {"sent", "unknown"} and sum(states.values()) == RECIPIENTS
    assert unknown <= staff.in_doubt
    _key, key = ApiKey.issue(SourceFactory(), ["reports:read"], now() + timedelta(days=1))
    answer = Client().get(f"/api/v1/runs/{run.pk}/", headers={"Authorization": f"Bearer {key}"}).json()
    assert {row["id"] for row in answer["unknown"]} == storm.ids("unknown"), "whoever asks is shown each of them"

    # With receipts nothing stays unknown, and still nobody is mailed twice.
    assert storm.until_settled() == {"sent": RECIPIENTS}
    storm.assert_nobody_twice()
    assert len(storm.taken()) == RECIPIENTS
    storm.assert_sound()


def test_told_to_stop_a_sender_gives_everything_back(storm: Storm) -> None:
    storm.open_mail_server("--delay", "0.02")
    crowd(400)
    sender = storm.sender()
    storm.until(lambda: storm.number_taken() >= 30, "no mail goes out", pause=0.05)
    storm.processes.kill(sender, signal.SIGTERM)
    assert sender.returncode == 0
    states = storm.states()
    assert states.keys() <= {"sent", "planned"} and states["sent"] == len(storm.taken())
    assert set(Delivery.objects.filter(state="planned").values_list("attempts", flat=True)) == {0}


@pytest.mark.parametrize("alone", ["sender", "celery"])
def test_either_alone_delivers_everything(storm: Storm, alone: str) -> None:
    storm.open_mail_server()
    crowd(200)
    if alone == "sender":
        storm.processes.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody listens there
        storm.sender()
    else:
        storm.worker()
        storm.beat()
    assert storm.until_quiet() == {"sent": 200}
    assert Counter(storm.taken().values()) == {1: 200}
