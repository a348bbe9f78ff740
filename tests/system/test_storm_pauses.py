"""Processes that stand still, and people who pause, resume and cancel: nobody is mailed twice, nobody is forgotten."""

import os
import signal
import subprocess
import time

import pytest

from campaigns import planning
from campaigns.models import Campaign
from tests.system.installation import GRACE_S, LEASE_S
from tests.system.storm import Storm, crowd
from tests.system.test_kill import Staff

pytestmark = pytest.mark.slow

RECIPIENTS = int(os.environ.get("PAUSE_RECIPIENTS", "3000"))
ROUNDS = int(os.environ.get("PAUSE_ROUNDS", "8"))
# Three of four are within twice the lease and the grace, which protects them. The fourth is longer than both; then it is
# the sender's own deadline that keeps it from sending on.
PAUSES_S = (3 * LEASE_S, 3 * LEASE_S, 3 * LEASE_S, 2 * LEASE_S + GRACE_S + 4)
# What passes the gate at the moment when somebody pauses still arrives.
ON_ITS_WAY_S = 4


def test_processes_that_stand_still(storm: Storm) -> None:
    """Everything is reported, so a missing report counts, and a mail could be sent again: the temptation is real."""
    storm.open_mail_server("--delay", "0.06")
    crowd(RECIPIENTS * 2 // 3)
    senders = [storm.sender() for _ in range(4)]
    asleep: dict[subprocess.Popen[bytes], float] = {}
    pauses = 0

    def disturb() -> bool:
        """Two of the four stand still at any time."""
        nonlocal pauses
        storm.report()
        for sleeper in [one for one, until in asleep.items() if until < time.monotonic()]:
            os.kill(sleeper.pid, signal.SIGCONT)
            del asleep[sleeper]
        awake = [one for one in senders if one not in asleep]
        if len(asleep) < 2 and pauses < 2 * ROUNDS and storm.number_taken() > 50:
            victim = storm.chance.choice(awake)
            os.kill(victim.pid, signal.SIGSTOP)
            asleep[victim] = time.monotonic() + PAUSES_S[pauses % 4]
            pauses += 1
        return not asleep and (pauses == 2 * ROUNDS or not storm.open_rows())

    storm.until(disturb, "nothing moves", pause=0.2)
    states = storm.until_settled()
    print(f"{pauses} pauses:", states)
    assert pauses >= ROUNDS // 2, "everything was sent before there was a storm"
    assert states == {"sent": RECIPIENTS * 2 // 3}
    storm.assert_nobody_twice()
    assert len(storm.taken()) == RECIPIENTS * 2 // 3
    storm.assert_sound()


def test_pause_resume_and_cancel_under_kills(storm: Storm) -> None:
    storm.open_mail_server("--delay", "0.01")
    run = crowd(RECIPIENTS)
    staff = Staff(storm)
    step = RECIPIENTS // (4 * ROUNDS)
    for _ in range(ROUNDS):
        staff.kill_one(after=step)
        planning.pause(run.campaign_id)
        [(paused_at,)] = storm.ask("SELECT clock_timestamp()")
        staff.kill_one(after=0)
        time.sleep(ON_ITS_WAY_S + 1)
        late = storm.ask(
            "SELECT count(*) FROM campaigns_delivery WHERE sending_at > %s + %s * interval '1 second'",
            paused_at, ON_ITS_WAY_S,
        )  # fmt: skip
        assert late == [(0,)], "mails passed the gate of a paused campaign"
        planning.resume(run.campaign_id)
    staff.kill_one(after=step)
    stopped = planning.cancel(run.campaign_id)
    storm.until_quiet()
    states = storm.until_settled()
    print(f"{storm.kills} kills; {stopped} mails stopped by cancelling:", states)
    assert stopped and states["suppressed"] >= stopped and sum(states.values()) == RECIPIENTS
    assert states.keys() == {"sent", "suppressed"} and states["sent"] == len(storm.taken())
    assert Campaign.objects.get(pk=run.campaign_id).status == "cancelled"
    storm.assert_nobody_twice()
    storm.assert_sound()
