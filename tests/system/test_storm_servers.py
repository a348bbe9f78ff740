"""Redis emptied and stopped, PostgreSQL ended hard, while mails go out: the senders go on by themselves."""

import os
import signal
import time

import pytest
import redis

from tests.system.storm import Storm, crowd

pytestmark = pytest.mark.slow

RECIPIENTS = int(os.environ.get("SERVER_RECIPIENTS", "3000"))
ROUNDS = int(os.environ.get("SERVER_ROUNDS", "6"))
REDIS_AWAY_S = 15
# The longest time in which no mail goes out although only Redis is away.
GAP_S = 15


def longest_gap(storm: Storm) -> float:
    """The longest time in seconds between two mails."""
    storm.number_taken()
    moments = sorted(line["at"] for line in storm.lines)
    return max((later - earlier for earlier, later in zip(moments, moments[1:], strict=False)), default=0.0)


def go_on(storm: Storm, mails: int) -> None:
    """Let so many further mails go out."""
    before = storm.number_taken()
    storm.until(lambda: storm.number_taken() >= before + mails, "no mail goes out", pause=0.05)


def test_redis_emptied_and_stopped(storm: Storm) -> None:
    """Celery's messages are lost again and again; the senders do not notice, and in the end the worker works again."""
    storm.open_mail_server("--delay", "0.02")
    crowd(RECIPIENTS)
    senders = [storm.sender() for _ in range(2)]
    worker = storm.worker()
    storm.beat()
    broker = redis.Redis(unix_socket_path=str(storm.installation.redis.socket_file))
    step = RECIPIENTS // (4 * ROUNDS)
    for _ in range(ROUNDS):
        go_on(storm, step)
        server = storm.installation.redis_process()
        broker.flushall()
        go_on(storm, step)
        os.kill(server, signal.SIGKILL)  # its guard starts it again at once
    go_on(storm, step)
    with storm.installation.without_redis():
        away_until = time.monotonic() + REDIS_AWAY_S
        while time.monotonic() < away_until and storm.open_rows() > RECIPIENTS // 6:
            time.sleep(0.1)
    gap = longest_gap(storm)
    # What is left is for the worker alone: it has to have found its way back.
    for sender in senders:
        storm.processes.kill(sender, signal.SIGTERM)
    left = storm.open_rows()
    print(f"longest gap {gap:.1f} s; left for the worker: {left}")
    assert left, "the senders were too fast to prove anything of the worker"

    def supervise() -> None:
        """Celery sometimes ends when its broker is killed; whatever runs it in earnest starts it again."""
        nonlocal worker
        if worker.poll() is not None:
            print("the worker had ended")
            worker = storm.worker()

    assert storm.until_quiet(supervise) == {"sent": RECIPIENTS}
    storm.assert_nobody_twice()
    assert len(storm.taken()) == RECIPIENTS
    assert gap <= GAP_S
    storm.assert_sound()


def test_postgres_ended_hard(storm: Storm) -> None:
    """A sender keeps the mail server's answer until PostgreSQL takes it: nothing is twice, lost, or even unknown."""
    storm.open_mail_server("--delay", "0.01")
    crowd(RECIPIENTS)
    senders = [storm.sender() for _ in range(3)]
    for number in range(ROUNDS):
        go_on(storm, RECIPIENTS // (ROUNDS + 2))
        began = time.monotonic()
        storm.installation.crash(signal.SIGQUIT if number % 2 else signal.SIGKILL)
        go_on(storm, 5)
        print(f"mails go out again {time.monotonic() - began:.1f} s after the end of PostgreSQL")
    states = storm.until_quiet()
    assert all(sender.poll() is None for sender in senders), "a sender gave up"
    assert states == {"sent": RECIPIENTS}
    storm.assert_nobody_twice()
    assert len(storm.taken()) == RECIPIENTS
    storm.assert_sound()
