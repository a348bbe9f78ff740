"""Counting clicks: as totals for everybody, for a person only while she agrees to it (§ 25 TDDDG, Art. 6(1)(a) GDPR).

Off unless the merchant switches it on. Then the links of advertising lead through an address of ours:

- Who has not agreed to the purpose `tracking` gets the same address as everybody else; no person and no mail can be
  told from it, there is no pixel, and what is kept is one number per link and day.
- Who has agreed, for this very mailbox, gets a signed address and a pixel; each opening is a row of its own, for as
  long as the consent from which the mail went still holds.

The gate settles which of the two it is. Legal links, links to pages of ours, links made from values and transactional
mails are never counted.
"""

import re
import secrets
from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import localdate, now

from campaigns.models import BlockKind, Delivery, Link, MailUse, TemplateVersion, TrackingSwitch
from crm import links
from crm.models import User
from crm.privacy import audit

PURPOSE = "tracking"
CODE_BYTES = 12
CODE = re.compile(r"[A-Za-z0-9_-]{16}").fullmatch
LEADS_ON = timedelta(days=400)
RENEW_AFTER = timedelta(days=30)
MOST_USES = 200
NOTED_DAYS = 395
CLICK, OPEN = "click", "open"

LINK = "{{ link_%d }}"
PIXEL = (
    "{% if pixel_url != '' %}"
    '<img src="{{ pixel_url }}" width="1" height="1" alt="" style="border:0;display:block">{% endif %}'
)
IMAGE = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_ON = "EXISTS (SELECT FROM campaigns_trackingswitch WHERE counts)"
# Where the ledger knows for which mailbox the person agreed, it has to be the one the mail goes to.
_SAME_MAILBOX = """coalesce((
    SELECT bool_or(lower(trace.address) IN (point.normal, lower(point.value)))
    FROM crm_customer person
    JOIN crm_consentevent declared ON declared.person_key = person.person_key AND declared.purpose_id = 'tracking'
      AND declared.channel = 'email' AND declared.action IN ('given', 'confirmed')
    JOIN crm_consenttrace trace ON trace.event_id = declared.id AND trace.address <> ''
    JOIN crm_contactpoint point ON point.id = {point}
    WHERE person.id = {customer} AND NOT EXISTS (
      SELECT FROM crm_consentevent ended WHERE ended.person_key = person.person_key
      AND ended.purpose_id = 'tracking' AND ended.channel = 'email' AND ended.action IN ('withdrawn', 'objected')
      AND ended.occurred_at >= declared.occurred_at)), true)"""
_AGREED = """EXISTS (
    SELECT FROM crm_consentstate agreed WHERE agreed.customer_id = {customer} AND agreed.purpose_id = 'tracking'
    AND agreed.channel = 'email' AND agreed.state = 'given')"""

COUNT = f"""
WITH link AS (SELECT id, target FROM campaigns_link WHERE code = %(code)s AND good_until > now()), counted AS (
  INSERT INTO campaigns_linkcount AS known (link_id, day, clicks, machine)
  SELECT id, %(day)s, 1, %(machine)s::int FROM link WHERE {_ON}
  ON CONFLICT (link_id, day) DO UPDATE
    SET clicks = known.clicks + excluded.clicks, machine = known.machine + excluded.machine
)
SELECT id, target FROM link
"""
# Whoever withdraws locks the same row: either this sees it, or what is noted here goes with the withdrawal.
HOLD = """
SELECT FROM crm_customer customer WHERE customer.id = (SELECT customer_id FROM campaigns_delivery WHERE id = %(delivery)s)
FOR KEY SHARE SKIP LOCKED
"""
NOTE = f"""
INSERT INTO campaigns_mailuse (delivery_id, link_id, kind, at, by_machine)
SELECT delivery.id, %(link)s, %(kind)s, clock_timestamp(), %(machine)s
FROM campaigns_delivery delivery
JOIN crm_customer customer ON customer.id = delivery.customer_id AND customer.merged_into_id IS NULL
  AND customer.erased_at IS NULL AND customer.restricted_at IS NULL
JOIN crm_consentstate agreed ON agreed.customer_id = customer.id AND agreed.purpose_id = 'tracking'
  AND agreed.channel = 'email' AND agreed.state = 'given' AND agreed.since <= delivery.sending_at
WHERE delivery.id = %(delivery)s AND delivery.tracking = 'person' AND {_ON}
  AND delivery.sending_at > now() - interval '{NOTED_DAYS} days'
  AND (SELECT count(*) FROM campaigns_mailuse known WHERE known.delivery_id = delivery.id) < {MOST_USES}
"""


def decision(customer: str, point: str) -> str:
    """SQL for how the links of a mail are counted, as Delivery.Tracking has it; it needs `gate_class`.

    customer, point: columns with the ids of the customer and of the address that the mail goes to
    """
    agreed = _AGREED.format(customer=customer)
    same = _SAME_MAILBOX.format(customer=customer, point=point)
    return f"""CASE WHEN %(gate_class)s = 'transactional' OR NOT {_ON} THEN ''
      WHEN NOT {agreed} THEN 'totals' WHEN {same} THEN 'person' ELSE 'totals' END"""


def is_on() -> bool:
    """Whether the merchant counts clicks."""
    return TrackingSwitch.objects.filter(counts=True).exists()


@transaction.atomic
def switch(on: bool, by: User) -> None:
    """Start or stop counting, for mails that go from now on; off, nothing more is counted of earlier ones either."""
    given: dict[str, Any] = {"counts": on, "changed_at": now(), "changed_by": by}
    TrackingSwitch.objects.update_or_create(pk=1, defaults=given)
    audit.record(by.pk, "tracking_switched_on" if on else "tracking_switched_off", "shop", 1)


def countable(version: TemplateVersion) -> dict[int, str]:
    """The links of a text that may be counted, by the position of their block."""
    return {
        at: block["url"]
        for at, block in enumerate(version.blocks)
        if block["kind"] != BlockKind.LEGAL and _leads_away(block.get("url") or "")
    }


def _leads_away(url: str) -> bool:
    """Whether it is a plain address of the web, the same for everybody, and not one of our own pages."""
    if "{{" in url or "{%" in url or len(url) > 500:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    ours = urlsplit(settings.PUBLIC_BASE_URL).netloc
    return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.netloc.lower() != ours.lower()


def defaults(targets: Mapping[int, str]) -> dict[str, str]:
    """The values of a text whose links are not counted."""
    return {"pixel_url": "", **{f"link_{at}": target for at, target in targets.items()}}


def codes(campaign_id: int, version: TemplateVersion) -> dict[int, str]:
    """The codes of a campaign's links by position; made when first asked for, and kept good while mails go out."""
    targets = countable(version)
    if not targets:
        return {}
    good_until = now() + LEADS_ON
    known = _known(campaign_id, targets)
    stale = [link.pk for link in known.values() if link.good_until < good_until - RENEW_AFTER]
    if stale:
        Link.objects.filter(pk__in=stale).update(good_until=good_until)
    missing = [
        Link(code=_code(), campaign_id=campaign_id, position=at, target=target, good_until=good_until)
        for at, target in targets.items()
        if at not in known
    ]
    if missing:
        Link.objects.bulk_create(missing, ignore_conflicts=True)
        known = _known(campaign_id, targets)
    return {at: link.code for at, link in known.items()}


def _known(campaign_id: int, targets: Mapping[int, str]) -> dict[int, Link]:
    rows = Link.objects.filter(campaign=campaign_id, position__in=list(targets))
    return {link.position: link for link in rows if targets[link.position] == link.target}


def _code() -> str:
    return secrets.token_urlsafe(CODE_BYTES)


def values(delivery_id: UUID, tracking: str, link_codes: Mapping[int, str]) -> dict[str, str]:
    """What a mail's text is filled in with, so that its links are counted; nothing if they are not."""
    base = settings.PUBLIC_BASE_URL
    if tracking == Delivery.Tracking.TOTALS:
        return {f"link_{at}": f"{base}/l/{code}/" for at, code in link_codes.items()}
    if tracking == Delivery.Tracking.PERSON:
        own = {f"link_{at}": f"{base}/l/{links.sign(CLICK, delivery_id, code)}/" for at, code in link_codes.items()}
        return own | {"pixel_url": f"{base}/o/{links.sign(OPEN, delivery_id)}.gif"}
    return {}


def follow(token: str, *, machine: bool = False) -> str | None:
    """Count one opening of a link. Returns where it leads; None for an address that was not made here or is too old.

    machine: the request itself says that no person made it
    """
    delivery_id, code = None, token
    if not CODE(token):
        named = links.read(CLICK, token)
        if named is None:
            return None
        delivery_id, code = named
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"code": code, "day": localdate(), "machine": machine})
        found = cursor.fetchone()
    if found is None:
        return None
    if delivery_id:
        _note(delivery_id, MailUse.Kind.CLICK, found[0], machine)
    return found[1]


def opened(token: str, *, machine: bool = False) -> None:
    """Note that the pixel of a mail was loaded; nothing for one that was not made here."""
    if named := links.read(OPEN, token):
        _note(named[0], MailUse.Kind.OPEN, None, machine)


@transaction.atomic
def _note(delivery_id: UUID, kind: str, link_id: int | None, machine: bool) -> None:
    parameters: dict[str, Any] = {"delivery": delivery_id, "kind": kind, "link": link_id, "machine": machine}
    with connection.cursor() as cursor:
        cursor.execute(HOLD, parameters)
        if cursor.rowcount:
            cursor.execute(NOTE, parameters)
