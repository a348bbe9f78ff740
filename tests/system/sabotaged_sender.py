"""A sender with some of its guards taken out, or that stops where an interleaving is to be forced.

    python -m tests.system.sabotaged_sender no_fence stop_after_claim

The edits are made in this process alone. Each fails loudly if what it takes out is not there any more: then it must
follow the product. A sender that stops waits for SIGCONT, as one does whose machine was suspended.
"""

import math
import os
import re
import signal
import smtplib
import sys
import time
from collections.abc import Callable
from typing import Any

import django


def without(text: str, pattern: str, instead: str = "") -> str:
    """The text with a pattern taken out. Raises AssertionError if it is not there."""
    changed, times = re.subn(pattern, instead, text)
    assert times, f"the guard {pattern!r} is not there"
    return changed


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


# Guards taken out


def no_skip_locked() -> None:
    """Claims what others are claiming at this moment."""
    from campaigns import sending

    bare = without(sending.CLAIM, r"\s+FOR UPDATE SKIP LOCKED")
    sending.CLAIM = without(bare, r"(WHERE id IN \(SELECT id FROM due\)) AND state = 'planned'", r"\1")


def no_fence() -> None:
    """The gate opens for whoever ever claimed the row, whoever holds it now and whatever became of it."""
    from campaigns import gating

    bare = without(gating.GATE, r"delivery\.token = %\(token\)s AND delivery\.state = 'claimed'", "true")
    bare = without(bare, r"AND delivery\.token = %\(token\)s AND delivery\.state = ruled\.state")
    bare = without(bare, r"AND delivery\.lease_until > clock_timestamp\(\)")
    gating.GATE = without(bare, r"token = CASE WHEN ruling = 'go' THEN delivery\.token END", "token = %(token)s")


def no_own_clock() -> None:
    """Does not look how long it has held a claim, or worked."""
    from campaigns.sending import Sender

    Sender._over = lambda self, end: self.stop.is_set()


def no_deadline() -> None:
    """Sends a mail whenever it comes to it."""
    from campaigns.transport import SmtpTransport

    send = SmtpTransport.send
    SmtpTransport.send = lambda self, message, *given, **more: send(self, message, math.inf)


def no_consent() -> None:
    """The gate does not ask for permission any more."""
    from campaigns import gating

    gating.GATE = without(
        gating.GATE, r"WHEN NOT verdict\.allowed THEN verdict\.code", "WHEN NOT verdict.allowed THEN 'go'"
    )


def resend_interrupted() -> None:
    """Calls an interrupted mail unsent, as many systems do."""
    from campaigns import resolving

    resolving.WONDER = without(
        resolving.WONDER,
        r"state = 'unknown'",
        "state = 'planned', token = NULL, lease_until = NULL",
    )


# Where it stops


def stop_after_claim() -> None:
    """Stops once, with its first claim in hand."""
    from campaigns.sending import Sender

    claim = Sender.claim

    def claim_and_stop(*given: Any, **more: Any) -> Any:
        taken = claim(*given, **more)
        if taken.rows:
            Sender.claim = claim
            stop()
        return taken

    Sender.claim = claim_and_stop


def stop_after_gate() -> None:
    """Stops once, when its first mail has passed the gate and not a byte of it is sent."""
    from campaigns import gating

    gate = gating.gate

    def gate_and_stop(*given: Any, **more: Any) -> str:
        ruling = gate(*given, **more)
        if ruling == "go":
            gating.gate = gate
            stop()
        return ruling

    gating.gate = gate_and_stop


def hold_claim() -> None:
    """Says "holding", and commits its first claim only after another sender has claimed, or waits for it."""
    from django.db import connection, transaction

    from campaigns import sending

    fetch = sending.fetch
    others = """SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted) OR EXISTS (
      SELECT FROM campaigns_delivery WHERE state <> 'planned' AND token IS DISTINCT FROM %s)"""

    def held(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        if statement != sending.CLAIM:
            return fetch(statement, parameters)
        with transaction.atomic():
            rows = fetch(statement, parameters)
            if rows:
                sending.fetch = fetch
                print("holding", flush=True)
                while not fetch(others, [parameters["token"]])[0][0]:
                    time.sleep(0.05)
        connection.close()
        return rows

    sending.fetch = held


def stop_in_text() -> None:
    """Stops once when half of a mail's text has gone out."""
    from campaigns import transport

    def send(self: Any, s: Any) -> None:
        if isinstance(s, bytes):
            transport._Watched.send = whole
            self.sock.sendall(s[: len(s) // 2])
            stop()
            self.sock.sendall(s[len(s) // 2 :])
            self.dot_sent = True
        else:
            smtplib.SMTP.send(self, s)

    whole = transport._Watched.send
    transport._Watched.send = send


def stop_after_answer() -> None:
    """Stops when the mail server has taken its first mail, before it can note so."""
    from campaigns.sending import Sender

    settle = Sender._settle

    def stop_and_settle(*given: Any) -> None:
        Sender._settle = settle
        stop()
        settle(*given)

    Sender._settle = stop_and_settle


def impatient() -> None:
    """Waits 8 s for a mail server instead of a minute."""
    from django.conf import settings

    settings.EMAIL_TIMEOUT = 8


EDITS: dict[str, Callable[[], None]] = {
    edit.__name__: edit
    for edit in (
        no_skip_locked, no_fence, no_own_clock, no_deadline, no_consent, resend_interrupted,
        stop_after_claim, stop_after_gate, hold_claim, stop_in_text, stop_after_answer, impatient,
    )
}  # fmt: skip


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for name in sys.argv[1:]:
        EDITS[name]()
    from django.core.management import call_command

    call_command("sender")


if __name__ == "__main__":
    main()
