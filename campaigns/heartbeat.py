"""Senders say that they live, by the database's clock."""

from datetime import timedelta

from django.utils.timezone import now

from campaigns.ledger import change


def beat(name: str, sent: int) -> None:
    """Say that this sender lives. sent: mails since it began."""
    change(
        "INSERT INTO campaigns_senderheartbeat (name, at, sent) VALUES (%s, clock_timestamp(), %s) "
        "ON CONFLICT (name) DO UPDATE SET at = excluded.at, sent = excluded.sent",
        [name, sent],
    )


def forget_old_senders() -> None:
    """Those of which nothing was heard for a day."""
    change("DELETE FROM campaigns_senderheartbeat WHERE at < %s", [now() - timedelta(days=1)])
