"""Each guard, and what happens without it: the same forced interleaving with the guard and with it taken out.

Were one of the guarded cases green for another reason than its guard, its control would be green as well and fail here.
"""

import os
import signal
import subprocess
import time
from datetime import date
from pathlib import Path

import pytest
from django.db import connection
from django.utils.timezone import now

from campaigns import planning
from campaigns.models import Delivery
from crm import consent, invariants, plugins
from tests.campaigns.people import open_shop, person
from tests.system.installation import STALLED_S
from tests.system.storm import Storm, crowd

pytestmark = pytest.mark.slow

LONG = {"SEND_LEASE_S": "60", "SEND_GRACE_S": "600"}


@pytest.fixture(autouse=True)
def mail_server(storm: Storm) -> None:
    storm.open_mail_server()


def until_stopped(process: subprocess.Popen[bytes]) -> None:
    """Wait until a sender stopped at the place it was made to stop at."""
    end = time.monotonic() + STALLED_S
    while Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert process.poll() is None and time.monotonic() < end, "the sender did not come to its place"
        time.sleep(0.05)


def wake(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGCONT)


def settle_down(storm: Storm, *processes: subprocess.Popen[bytes]) -> None:
    """Let senders end what they have in hand, and end."""
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    for process in processes:
        process.wait(STALLED_S)


def twice(storm: Storm) -> int:
    return sum(times - 1 for times in storm.taken().values())


@pytest.mark.parametrize(
    ("edits", "expected"), [((), 0), (("no_skip_locked",), 0), (("no_skip_locked", "no_fence"), 50)]
)
def test_two_senders_that_claim_at_the_same_moment(storm: Storm, edits: tuple[str, ...], expected: int) -> None:
    """SKIP LOCKED gives them different rows; without it the fence lets one of the two through; without both: twice."""
    crowd(60)
    one = storm.sabotaged("hold_claim", "no_own_clock", *edits, **LONG)
    assert one.stdout and b"holding\n" in iter(one.stdout.readline, b"")
    two = storm.sabotaged("no_own_clock", *edits, **LONG)
    storm.until(lambda: storm.number_taken() >= 60 + expected, "not everything was sent")
    storm.until_quiet()
    settle_down(storm, one, two)
    assert twice(storm) == expected and len(storm.taken()) == 60


@pytest.mark.parametrize(("edits", "expected"), [((), 0), (("no_own_clock",), 0), (("no_own_clock", "no_fence"), 20)])
def test_a_sender_that_slept_through_its_lease(storm: Storm, edits: tuple[str, ...], expected: int) -> None:
    """Its claim went to another one. Its own clock would stop it, and so does the database by lease and token."""
    crowd(20)
    sleeper = storm.sabotaged("stop_after_claim", *edits)
    until_stopped(sleeper)
    other = storm.sender()
    storm.until(lambda: storm.states() == {"sent": 20}, "nobody took the rows over")
    wake(sleeper)
    if expected:
        storm.until(lambda: storm.number_taken() >= 20 + expected, "the sabotage did nothing")
    settle_down(storm, sleeper, other)
    assert twice(storm) == expected


@pytest.mark.parametrize(("grace", "expected"), [("600", 0), ("0", 1)])
def test_a_sender_paused_in_the_middle_of_a_mail(storm: Storm, grace: str, expected: int) -> None:
    """The relay reports every mail, so a missing report counts; only the grace waits for who may still wake up."""
    crowd(40)
    sleeper = storm.sabotaged("stop_in_text", SEND_GRACE_S=grace)
    until_stopped(sleeper)
    other = storm.sender(SEND_GRACE_S=grace)

    def others_are_through() -> bool:
        storm.report()
        return storm.states().get("sent") == 40 if expected else storm.states().get("sent") == 39

    storm.until(others_are_through, "the others were not sent")
    if not expected:
        time.sleep(9)  # three leases: long past the one of this mail
        assert storm.states() == {"sent": 39, "sending": 1}
    wake(sleeper)
    storm.until(lambda: storm.number_taken() >= 40 + expected, "the sleeper did not go on")
    storm.until_quiet()
    settle_down(storm, sleeper, other)
    assert twice(storm) == expected and storm.states() == {"sent": 40}


@pytest.mark.parametrize(("edits", "expected"), [((), 0), (("no_deadline",), 1)])
def test_a_sender_that_slept_between_the_gate_and_the_mail(storm: Storm, edits: tuple[str, ...], expected: int) -> None:
    """Longer than lease and grace, so its mail went again. What it may still send has a time of its own."""
    crowd(40)
    sleeper = storm.sabotaged("stop_after_gate", *edits, SEND_GRACE_S="0")
    until_stopped(sleeper)
    other = storm.sender(SEND_GRACE_S="0")

    def everybody_is_served() -> bool:
        storm.report()
        return storm.states() == {"sent": 40}

    storm.until(everybody_is_served, "the others were not sent")
    wake(sleeper)
    if expected:
        storm.until(lambda: storm.number_taken() > 40, "the sabotage did nothing")
    settle_down(storm, sleeper, other)
    assert twice(storm) == expected and storm.states() == {"sent": 40}


@pytest.mark.parametrize(("edits", "expected"), [((), 0), (("resend_interrupted",), 1)])
def test_a_sender_killed_between_answer_and_note(storm: Storm, edits: tuple[str, ...], expected: int) -> None:
    """What a crash leaves in `sending` is not planned again: nobody can know, and here it did arrive."""
    crowd(5)
    victim = storm.sabotaged("stop_after_answer")
    until_stopped(victim)
    storm.processes.kill(victim)
    other = storm.sabotaged(*edits)
    end_state = {"sent": 5} if expected else {"sent": 4, "unknown": 1}
    storm.until(lambda: storm.states() == end_state, "the others were not sent")
    assert twice(storm) == expected
    storm.report()
    assert storm.until_settled() == {"sent": 5}
    settle_down(storm, other)


@pytest.mark.parametrize(("edits", "expected"), [((), 0), (("no_consent",), 10)])
def test_a_withdrawal_after_the_claim(
    storm: Storm, edits: tuple[str, ...], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate asks again, even where nobody took the claimed row away; the invariants see what it would let through."""
    monkeypatch.setattr(plugins._registry, "plugins", [])
    crowd(10)
    sender = storm.sabotaged("stop_after_claim", "no_own_clock", *edits, **LONG)
    until_stopped(sender)
    for pk in Delivery.objects.values_list("customer_id", flat=True):
        consent.withdraw(pk, ["newsletter"], consent.How("staff"))
    monkeypatch.undo()
    time.sleep(5.5)  # what verify_invariants allows for a transaction that was open
    wake(sender)
    storm.until(lambda: not storm.open_rows(), "the sender does not go on")
    settle_down(storm, sender)
    assert storm.number_taken() == expected
    assert bool([name for name, count in invariants.verify() if count]) == bool(expected)


@pytest.mark.parametrize("guarded", [True, False])
def test_a_day_planned_again_and_again(storm: Storm, guarded: bool) -> None:
    """One row for each key, because the table says so."""
    open_shop()
    for _ in range(20):
        person("", "birthday", birth_month=5, birth_day=17)
    names = ("campaigns_delivery_once", "campaigns_delivery_one_per_mailbox", "campaigns_delivery_one_per_cause")
    kept = {name: constraint_or_index(name) for name in names}
    if not guarded:
        forget(kept)
    try:
        for _ in range(3):
            planning.plan_occasions(date(now().year + 1, 5, 17))
        assert Delivery.objects.count() == 20 if guarded else Delivery.objects.count() > 20
    finally:
        if not guarded:
            Delivery.objects.all().delete()
            remember(kept)


def constraint_or_index(name: str) -> str:
    """The statement that makes a uniqueness of deliveries anew."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
        return str(cursor.fetchone()[0])


def forget(kept: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        for name in kept:
            cursor.execute(f"ALTER TABLE campaigns_delivery DROP CONSTRAINT IF EXISTS {name}")
            cursor.execute(f"DROP INDEX IF EXISTS {name}")


def remember(kept: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        for statement in kept.values():
            cursor.execute(statement)
