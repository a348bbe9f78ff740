"""Give the mails of a mailing another time, some thousands at a time.

The campaign's own time changes at once and alone decides when it starts, and it does not start while its mails are
being moved (`campaigns.launching`): so none goes at the old time, and none is over by it. What a sender still holds is
moved with the others.
"""

import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import Error, connection, transaction

from campaigns.models import Campaign, Move, Run

CHUNK = 10_000
SECONDS = 3.0

# By the unique index over run and hash: every mail that may still go has one, and it never changes.
MOVE = """
UPDATE campaigns_delivery SET not_before = not_before + %(by)s, not_after = not_after + %(by)s
WHERE run_id = %(run)s AND email_hash >= %(first)s AND email_hash < %(behind)s AND state IN ('planned', 'claimed')
"""


def move(campaign: Campaign, by: timedelta) -> None:
    """Have the windows of all mails of a campaign that have not gone moved. In the transaction that moves its time."""
    Move.objects.bulk_create(Move(run=run, by=by) for run in Run.objects.filter(campaign=campaign).order_by("pk"))


def begin(campaign_id: int) -> None:
    """Move the first chunk, which is all of most mailings. What goes wrong now, the planner does."""
    with suppress(Error):
        step(campaign_id)


def move_due(seconds: float = SECONDS) -> int:
    """Move mails for some seconds, or until none is left to be moved. Returns how many were moved. Safe to repeat."""
    end, moved = time.monotonic() + seconds, 0
    while (number := step()) is not None:
        moved += number
        if time.monotonic() > end:
            break
    return moved


@transaction.atomic
def step(campaign_id: int | None = None) -> int | None:
    """Move one chunk of the oldest move (of a campaign), with how far it came in the same transaction.

    Returns how many mails moved; None if there is nothing to do, or somebody else is at it.
    """
    waiting = Move.objects.filter(run__campaign=campaign_id) if campaign_id else Move.objects.all()
    found = waiting.order_by("pk").values_list("pk", "run__campaign").first()
    if found is None:
        return None
    # Whoever cancels a campaign locks it before its mails, and so does this: otherwise the two could block each other.
    held = Campaign.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=found[1])
    campaign = held.only("expected_recipients").first()
    mine = Move.objects.filter(pk=found[0]).first() if campaign else None
    if campaign is None or mine is None:
        return None
    size = max(1, min(Move.SLICES, Move.SLICES * CHUNK // max(campaign.expected_recipients or 1, 1)))
    behind = mine.slices + size
    parameters: dict[str, Any] = {
        "run": mine.run_id,
        "by": mine.by,
        "first": f"{mine.slices:03x}",
        "behind": f"{behind:03x}" if behind < Move.SLICES else "g",
    }
    with connection.cursor() as cursor:
        cursor.execute(MOVE, parameters)
        moved = cursor.rowcount
    if behind < Move.SLICES:
        Move.objects.filter(pk=mine.pk).update(slices=behind)
    else:
        mine.delete()
    return moved
