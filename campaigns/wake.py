"""Wake a Celery worker that something can be sent. It may get lost: senders look into the table by themselves."""

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)


def on_commit() -> None:
    """Send the wake-up after the current transaction, if there is a broker. Never raises."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    try:
        current_app.send_task("campaigns.tasks.send_due", retry=False, ignore_result=True)
    except Exception as error:
        log.warning("wake_up_lost", error=type(error).__name__)
