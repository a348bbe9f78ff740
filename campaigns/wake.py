"""Wake a Celery worker that something can be sent. It may get lost: senders look into the table by themselves."""

from threading import Lock, Thread

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)
_on_its_way = Lock()


def on_commit() -> None:
    """Send the wake-up after the current transaction, if there is a broker. Never raises, never waits."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    # A broker that is away or hangs costs seconds; no request shall pay them. One wake-up at a time is plenty.
    if _on_its_way.acquire(blocking=False):
        Thread(target=_send, daemon=True).start()


def _send() -> None:
    try:
        current_app.send_task("campaigns.tasks.send_due", retry=False, ignore_result=True)
    except Exception as error:
        log.warning("wake_up_lost", error=type(error).__name__)
    finally:
        _on_its_way.release()
