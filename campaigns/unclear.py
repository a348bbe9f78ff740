"""Mails of which nobody knows whether they went: what staff, who know the person or the mail server, decide.

Both decisions are one fenced UPDATE: a row that was settled meanwhile stays as it is, and a sender that still holds the
old token cannot write over the decision. Who decided is written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns import wake
from campaigns.models import Campaign, Delivery
from crm.models import User
from crm.privacy import audit

SHOWN = 50

# A receipt is better evidence than a person's guess, and what is over is over: a late greeting is worse than none.
SEND_AGAIN = """
UPDATE campaigns_delivery unclear SET state = 'planned', reason = '', token = NULL, lease_until = NULL,
  settled_at = NULL
FROM campaigns_campaign campaign
WHERE unclear.campaign_id = %(campaign)s AND campaign.id = unclear.campaign_id AND campaign.status <> 'cancelled'
  AND unclear.state = 'unknown' AND unclear.not_after > now() AND (%(all)s OR unclear.id = ANY(%(ids)s::uuid[]))
  AND NOT EXISTS (SELECT FROM campaigns_receipt receipt WHERE receipt.delivery_id = unclear.id)
"""
MARK_SENT = """
UPDATE campaigns_delivery SET state = 'sent', token = NULL, lease_until = NULL, settled_at = clock_timestamp()
WHERE campaign_id = %(campaign)s AND state = 'unknown' AND (%(all)s OR id = ANY(%(ids)s::uuid[]))
"""


@dataclass(frozen=True)
class Decided:
    """`changed` mails were decided; `left` of those asked for stay unclear, or were settled meanwhile."""

    changed: int
    left: int


def shown(campaign: Campaign) -> QuerySet[Delivery]:
    """The latest unclear mails of a campaign, as many as a page lists, with their customers."""
    rows = Delivery.objects.filter(campaign=campaign, state=Delivery.State.UNKNOWN).select_related("customer")
    return rows.order_by("-sending_at", "pk")[:SHOWN]


def send_again(campaign: Campaign, ids: Sequence[UUID] | None, by: User | None) -> Decided:
    """Put unclear mails back in the queue; `ids` None means all of the campaign. Some may arrive twice.

    Mails whose time is over, mails of a cancelled campaign, and mails that a relay reported as delivered are left.
    """
    return _decide(SEND_AGAIN, "sent_again", campaign, ids, by)


def mark_sent(campaign: Campaign, ids: Sequence[UUID] | None, by: User | None) -> Decided:
    """Call unclear mails sent; `ids` None means all of the campaign. Whoever got none gets none."""
    return _decide(MARK_SENT, "marked_sent", campaign, ids, by)


@transaction.atomic
def _decide(statement: str, action: str, campaign: Campaign, ids: Sequence[UUID] | None, by: User | None) -> Decided:
    asked: dict[str, Any] = {"campaign": campaign.pk, "all": ids is None, "ids": [str(pk) for pk in ids or []]}
    unclear = Delivery.objects.filter(campaign=campaign, state=Delivery.State.UNKNOWN)
    wanted = unclear.count() if ids is None else len(set(ids))
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        changed = cursor.rowcount
    audit.record(by.pk if by else None, action, "mailing", campaign.pk)
    wake.on_commit()
    return Decided(changed, max(0, wanted - changed))
