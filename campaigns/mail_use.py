"""What the counters of clicks and openings say, and how far they can be trusted.

A machine probably opened what its request admits, what was opened within seconds of the sending, and links of one mail
opened together within seconds. This is worked out on reading, so what is stored is never edited.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Sum

from campaigns.models import Link, LinkCount, MailUse
from crm.models import ConsentState, Customer

AT_ONCE_S = 5
AFTER_SENDING_S = 10

# `used` has every use of the mails asked about, with `machine`.
USED = f"""
SELECT one.id, one.delivery_id, one.kind, one.link_id, one.at, one.by_machine
  OR one.at < coalesce(delivery.settled_at, delivery.sending_at) + interval '{AFTER_SENDING_S} seconds'
  OR (one.kind = 'click' AND EXISTS (
    SELECT FROM campaigns_mailuse other WHERE other.delivery_id = one.delivery_id AND other.kind = 'click'
    AND other.link_id <> one.link_id
    AND other.at BETWEEN one.at - interval '{AT_ONCE_S} seconds' AND one.at + interval '{AT_ONCE_S} seconds')) AS machine
FROM campaigns_mailuse one JOIN campaigns_delivery delivery ON delivery.id = one.delivery_id
"""
OF_CAMPAIGN = f"""
WITH used AS ({USED} WHERE delivery.campaign_id = %(campaign)s), by_mail AS (
  SELECT delivery_id, bool_or(kind = 'open' AND NOT machine) AS opened, bool_or(kind = 'click' AND NOT machine) AS clicked
  FROM used GROUP BY 1
)
SELECT count(*) FILTER (WHERE tracking <> ''), count(*) FILTER (WHERE tracking = 'person'),
  count(*) FILTER (WHERE by_mail.opened), count(*) FILTER (WHERE by_mail.clicked)
FROM campaigns_delivery delivery LEFT JOIN by_mail ON by_mail.delivery_id = delivery.id
WHERE delivery.campaign_id = %(campaign)s AND delivery.state IN ('sent', 'unknown')
"""
OF_MAILS = f"""
SELECT delivery_id, min(at) FILTER (WHERE kind = 'open' AND NOT machine),
  count(*) FILTER (WHERE kind = 'click' AND NOT machine), bool_and(machine)
FROM ({USED} WHERE one.delivery_id = ANY(%(ids)s::uuid[])) used GROUP BY 1
"""
# One row for each mail and link, however often: a busy finger must not hide everything else on the timeline.
OF_PERSON = f"""
SELECT coalesce(min(used.at) FILTER (WHERE NOT used.machine), min(used.at)) AS first, used.kind, bool_and(used.machine),
  campaign.name, coalesce(link.target, ''), count(*) FILTER (WHERE NOT used.machine)
FROM ({USED} WHERE delivery.customer_id = %(customer)s) used
JOIN campaigns_delivery delivery ON delivery.id = used.delivery_id
JOIN campaigns_campaign campaign ON campaign.id = delivery.campaign_id
LEFT JOIN campaigns_link link ON link.id = used.link_id
GROUP BY used.delivery_id, used.kind, used.link_id, campaign.name, link.target
HAVING coalesce(min(used.at) FILTER (WHERE NOT used.machine), min(used.at)) < %(before)s
ORDER BY 1 DESC, used.delivery_id, used.link_id LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Clicks:
    """How often a link was opened by all recipients together; `machine` of them probably by no person."""

    target: str
    clicks: int
    machine: int

    @property
    def short(self) -> str:
        """The address without scheme and query, for a narrow column."""
        return short(self.target)


@dataclass(frozen=True)
class Totals:
    """What is known of a campaign's links: `mails` went with counted links, `agreed` of them to be noted by person;
    of these, `opened` and `clicked` probably were by a person."""

    links: Sequence[Clicks] = ()
    mails: int = 0
    agreed: int = 0
    opened: int = 0
    clicked: int = 0

    @property
    def clicks(self) -> int:
        return sum(link.clicks for link in self.links)

    @property
    def machine(self) -> int:
        return sum(link.machine for link in self.links)


@dataclass(frozen=True)
class Use:
    """What a person who agreed did with one mail: when it was first opened, how many clicks, or machines alone."""

    opened_at: datetime | None
    clicks: int
    only_machines: bool


@dataclass(frozen=True)
class Moment:
    """When a person first opened a mail, or a link in it, and how `often`; `machine`: probably never by herself.

    `target` is '' for an opening.
    """

    at: datetime
    kind: str
    machine: bool
    mail: str
    target: str
    often: int


def short(target: str) -> str:
    """An address without scheme and query."""
    parts = urlsplit(target)
    return f"{parts.netloc}{parts.path}".rstrip("/")


def totals(campaign_id: int) -> Totals:
    """The counters of one campaign. Two queries."""
    found = Link.objects.filter(campaign=campaign_id).order_by("position", "pk")
    counted = found.annotate(clicks=Sum("counts__clicks", default=0), machine=Sum("counts__machine", default=0))
    with connection.cursor() as cursor:
        cursor.execute(OF_CAMPAIGN, {"campaign": campaign_id})
        row = cursor.fetchone()
    return Totals([Clicks(one.target, one.clicks, one.machine) for one in counted], *row)


def clicks_since(campaign_ids: Iterable[int], day: date) -> dict[int, int]:
    """Clicks on the links of each campaign since a day, by everybody together. One query."""
    rows = LinkCount.objects.filter(link__campaign__in=list(campaign_ids), day__gte=day)
    summed: Any = rows.values_list("link__campaign").annotate(n=Sum("clicks")).order_by()
    return dict(summed)


def agrees(customer: Customer) -> bool:
    """Whether the person agrees right now that openings and clicks are noted."""
    return agreed_states().filter(customer=customer).exists()


def agreed_states() -> QuerySet[ConsentState]:
    return ConsentState.objects.filter(purpose="tracking", channel="email", state=ConsentState.State.GIVEN)


def of_mails(customer: Customer, delivery_ids: Sequence[UUID]) -> dict[UUID, Use]:
    """What the person did with these mails of hers; nothing unless she agrees right now. Two queries at most."""
    if not delivery_ids or not agrees(customer):
        return {}
    parameters: dict[str, Any] = {"ids": list(map(str, delivery_ids))}
    with connection.cursor() as cursor:
        cursor.execute(OF_MAILS, parameters)
        return {row[0]: Use(*row[1:]) for row in cursor.fetchall()}


def of_person(customer: Customer, before: datetime, limit: int) -> list[Moment]:
    """What a person who agrees right now did with her mails before an instant, newest first. Two queries at most."""
    if not agrees(customer):
        return []
    with connection.cursor() as cursor:
        cursor.execute(OF_PERSON, {"customer": customer.pk, "before": before, "limit": limit})
        return [Moment(*row) for row in cursor.fetchall()]


def number(customer: Customer) -> int:
    """How many mails and links a person who agrees right now opened. One query."""
    agreed = agreed_states().filter(customer=OuterRef("delivery__customer"))
    found = MailUse.objects.filter(Exists(agreed), delivery__customer=customer)
    return found.values("delivery", "kind", "link").distinct().count()


def forget(customer_id: int) -> int:
    """Delete what is noted about a person's mails. Returns how many rows."""
    return MailUse.objects.filter(delivery__customer=customer_id).delete()[0]


def without_consent() -> QuerySet[MailUse]:
    """What is noted about people who do not agree any more."""
    agreed = agreed_states().filter(customer=OuterRef("delivery__customer"))
    return MailUse.objects.filter(~Exists(agreed))
