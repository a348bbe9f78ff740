"""Celery's way to do what the sender does by itself: wake-ups without data, each safe to repeat and to lose."""

import os
import socket

import structlog
from celery import shared_task
from django.db import close_old_connections

from campaigns import mailbox, planning, resolving
from campaigns.heartbeat import beat
from campaigns.sending import Sender

SLICE_S, READ_S = 20, 50
log = structlog.get_logger(__name__)
_senders: dict[int, Sender] = {}


@shared_task
def plan_due() -> int:
    """Plan what happened and what the calendar brings. Returns how many events were taken."""
    return planning.plan_due()


@shared_task
def send_due() -> int:
    """Send for up to 20 s. Returns how many rows were taken up."""
    close_old_connections()
    # A worker's processes are forked: each keeps a mail connection of its own.
    sender = _senders.setdefault(os.getpid(), Sender(f"worker@{socket.gethostname()}:{os.getpid()}"))
    planning.plan_due()
    beat(sender.name, sender.sent)
    handled = sender.work(SLICE_S)
    beat(sender.name, sender.sent)
    return handled


@shared_task
def resolve_unknown() -> dict[str, int]:
    """Put stuck rows where they belong. Returns how many were moved, by kind."""
    return resolving.resolve()


@shared_task
def read_mailbox() -> dict[str, int]:
    """Read the mailbox of returned mails for up to 50 s. Returns how many there were, by kind."""
    close_old_connections()
    try:
        return mailbox.read(READ_S)
    except mailbox.TROUBLE as error:
        log.error("mailbox_closed", error=type(error).__name__)
        return {}
