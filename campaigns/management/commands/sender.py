import os
import signal
import socket
import time
from argparse import ArgumentParser
from threading import Event
from types import FrameType
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from campaigns import heartbeat, planning, reasons, resolving, sending
from loyalty import scoring

IDLE_S = 2.0
SLICE_S = 5.0
RESOLVE_EVERY_S = 15.0
FINISH_S = 20

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Plan and send mails, in the foreground, needing nothing but PostgreSQL and a mail server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--until-idle", action="store_true", help="End when nothing is left to do now.")

    def handle(self, *args: Any, until_idle: bool, **options: Any) -> None:
        stop = Event()
        sender = sending.Sender(f"sender@{socket.gethostname()}:{os.getpid()}", stop=stop)
        self._obey_signals(stop, sender)
        self.stdout.write(f"{sender.name} is sending through {sender.mail.name}.")
        if closed := reasons.why_closed():
            self.stdout.write(self.style.WARNING(closed))
        last_resolved = 0.0
        while not stop.is_set():
            busy = 0
            try:
                close_old_connections()
                if time.monotonic() - last_resolved > RESOLVE_EVERY_S:
                    resolving.resolve()
                    last_resolved = time.monotonic()
                resolving.reap()
                busy = one_round(sender)
            except (DatabaseError, InterfaceError) as error:
                if not sending.passes_by_itself(error) or connection.in_atomic_block:
                    raise
                log.warning("database_away", error=type(error).__name__)
                connection.close()
                stop.wait(1)
                continue
            if not busy:
                if until_idle:
                    break
                stop.wait(IDLE_S)
        sender.close()
        self.stdout.write(f"{sender.name} sent {sender.sent} mails.")

    def _obey_signals(self, stop: Event, sender: sending.Sender) -> None:
        """On SIGTERM or Ctrl-C finish the mail in hand, for 20 s at most, and give the claimed rows back."""

        def finish(number: int, frame: FrameType | None) -> None:
            stop.set()
            signal.alarm(FINISH_S)

        def give_up(number: int, frame: FrameType | None) -> None:
            if sender.on_wire:
                raise TimeoutError("told to stop")

        signal.signal(signal.SIGTERM, finish)
        signal.signal(signal.SIGINT, finish)
        signal.signal(signal.SIGALRM, give_up)


def one_round(sender: sending.Sender) -> int:
    """Judge what changed, plan, send for a slice. Returns how much there was to do."""
    heartbeat.beat(sender.name, sender.sent)
    # Whoever's facts changed is judged here too, so that nothing depends on Celery's beat.
    return scoring.score_changed() + planning.plan_due() + sender.work(SLICE_S)
