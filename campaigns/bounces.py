"""What is told about a mail after it went, whoever tells it, and what follows from that. One door: `take`.

A report only ever restricts: it settles a mail as gone, silences an address, or ends a permission; nothing makes a mail
go. Each kind of news counts once for a mail, so reports may be repeated, doubled by two sources, and come in any order.
They belong to a mail by its number alone, never by an address: nobody can silence somebody else.
Source: `docs/sending.md`, RFC 3463 (status codes), RFC 5965 (spam reports).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.utils.timezone import now

from campaigns import breaker, composing
from campaigns.models import Delivery, Receipt
from crm import consent, keyed, tokens
from crm.models import ConsentState, ContactPoint, Customer, Purpose, Suppression

log = structlog.get_logger(__name__)

Status = Receipt.Status
ENDS = (Status.SPAM_REPORT, Status.UNSUBSCRIBED)
RELAY = "receipts"

# Mails that came back for now: each weighs 1 and half of it a week later; a delivered mail wipes those before it.
HALF_LIFE_DAYS, LOOK_BACK_DAYS = 7, 28
REST_MAILS, REST_WEIGHT, REST_DAYS = 3, 1.5, 30

ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
NO_SUCH_MAILBOX = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}


@dataclass(frozen=True)
class Report:
    """One piece of news about one mail. `at`: when it happened, a future time counts as now. `source` and `code` as
    Receipt has them. `provider_id` finds the mail where `delivery_id` is unknown."""

    status: str
    at: datetime
    source: str
    delivery_id: UUID | None = None
    code: str = ""
    provider_id: str = ""


def judged(text: str) -> tuple[str, str]:
    """(status, code) of a final refusal, by what the server said or a DSN's Status.

    For good only where the code says that the mailbox does not exist. 5.7.x refuses us or the text, not the mailbox, and
    says nothing about the address. All else (full, too big, no answer for days, no code at all) is for now.
    """
    found = ENHANCED.search(text)
    code = found[0] if found else ""
    if code in NO_SUCH_MAILBOX:
        return Status.BOUNCED, code
    return (Status.REJECTED if code.startswith("5.7.") else Status.SOFT_BOUNCED), code


def refused(delivery_id: UUID, reply: str, source: str) -> int:
    """Take what a server answered (5xx) to one mail of ours. Returns as `take`."""
    status, code = judged(reply)
    return take([Report(status, now(), source, delivery_id, code)])


@transaction.atomic
def take(reports: Iterable[Report]) -> int:
    """Keep what was reported, and draw the conclusions in the same transaction. Returns how many reports are news.

    Safe to repeat. Reports of mails that are not ours are left out, but those of a relay that may know them before us.
    """
    kept = _keep(_one_each(_named(list(reports))))
    if not kept:
        return 0
    # Customers before addresses before mails, as imports, erasures and the gate lock them.
    _end([row for row in kept if row["status"] in ENDS])
    _close([row for row in kept if row["status"] == Status.BOUNCED])
    weigh([row["id"] for row in kept if row["status"] in (Status.SOFT_BOUNCED, Status.DELIVERED)])
    _settle([row["id"] for row in kept])
    breaker.came_back([row["id"] for row in kept if row["status"] == Status.BOUNCED and row["new"]])
    return sum(row["new"] for row in kept)


# Which mails


def _named(reports: Sequence[Report]) -> list[Report]:
    """Those that belong to a mail of ours, each with its number."""
    ids = {report.delivery_id for report in reports if report.delivery_id}
    numbers = {report.provider_id for report in reports if not report.delivery_id and report.provider_id}
    ours = set(Delivery.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    found: dict[str, list[UUID]] = {}
    if numbers:
        for number, pk in Delivery.objects.filter(provider_id__in=numbers).values_list("provider_id", "pk"):
            found.setdefault(number, []).append(pk)
    named = []
    for report in reports:
        one = found.get(report.provider_id, [])
        if report.delivery_id in ours or (report.delivery_id and report.source == RELAY):
            named.append(report)
        elif not report.delivery_id and len(one) == 1:
            named.append(replace(report, delivery_id=one[0]))
    return named


def _one_each(reports: Sequence[Report]) -> list[Report]:
    """The latest report of each kind for each mail, in an order in which two transactions cannot lock each other."""
    latest: dict[tuple[str, str], Report] = {}
    current = now()
    for report in reports:
        key, one = (str(report.delivery_id), report.status), replace(report, at=min(report.at, current))
        if key not in latest or latest[key].at < one.at:
            latest[key] = one
    return [latest[key] for key in sorted(latest)]


KEEP = """
INSERT INTO campaigns_receipt AS known (delivery_id, status, at, source, code)
SELECT * FROM unnest(%(ids)s::uuid[], %(statuses)s::text[], %(times)s::timestamptz[], %(sources)s::text[], %(codes)s::text[])
ON CONFLICT (delivery_id, status) DO UPDATE SET at = excluded.at WHERE excluded.at > known.at
RETURNING delivery_id, status, at, source, xmax = 0
"""


def _keep(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Store what is new, or newer than what is known. Returns these rows."""
    if not reports:
        return []
    parameters: dict[str, Any] = {
        "ids": [str(report.delivery_id) for report in reports],
        "statuses": [str(report.status) for report in reports],
        "times": [report.at for report in reports],
        "sources": [report.source[:30] for report in reports],
        "codes": [report.code[:20] for report in reports],
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP, parameters)
        names = ("id", "status", "at", "source", "new")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# What follows

SETTLE = """
UPDATE campaigns_delivery SET state = 'sent', settled_at = now(), token = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM campaigns_delivery WHERE id = ANY(%(ids)s::uuid[]) AND state IN ('unknown', 'sending')
             ORDER BY id FOR UPDATE) AND state IN ('unknown', 'sending')
"""
# The addresses these mails went to, as far as a customer still has them.
BOXES = f"""
SELECT DISTINCT point.normal, delivery.email_hash FROM campaigns_delivery delivery
JOIN crm_contactpoint point ON point.customer_id = delivery.customer_id AND point.kind = 'email'
WHERE delivery.id = ANY(%(ids)s::uuid[]) AND delivery.email_hash = {keyed.address_hash_sql("point.normal")}
"""
CLOSE = f"""
UPDATE crm_contactpoint SET state = 'hard_bounced', bounced_at = %(at)s, rests_until = NULL
WHERE id IN (SELECT point.id FROM crm_contactpoint point JOIN ({BOXES}) box USING (normal)
             WHERE point.kind = 'email' AND point.state <> 'hard_bounced' ORDER BY point.id FOR UPDATE OF point)
"""
# A statement of its own, so that the next one sees what whoever held the locks has reported.
HOLD = f"""
SELECT FROM crm_contactpoint point JOIN ({BOXES}) box USING (normal)
WHERE point.kind = 'email' ORDER BY point.id FOR UPDATE OF point
"""
# Worked out from the reports alone and as of the last of them, so their order makes no difference.
WEIGH = f"""
WITH box AS ({BOXES}), news AS (
  SELECT box.normal, delivery.id, receipt.status, receipt.at
  FROM box JOIN crm_contactpoint holder ON holder.kind = 'email' AND holder.normal = box.normal
  JOIN campaigns_delivery delivery ON delivery.customer_id = holder.customer_id AND delivery.email_hash = box.email_hash
  JOIN campaigns_receipt receipt ON receipt.delivery_id = delivery.id
  WHERE receipt.status IN ('soft_bounced', 'delivered')
), returned AS (
  SELECT news.*, max(news.at) OVER (PARTITION BY normal) AS last FROM news
  WHERE status = 'soft_bounced' AND NOT EXISTS (
    SELECT FROM news later WHERE later.normal = news.normal AND later.status = 'delivered' AND later.at > news.at
    AND later.id <> news.id)
), weighed AS (
  SELECT normal, last, count(*) AS mails, sum(power(0.5, extract(epoch FROM last - at) / 86400 / {HALF_LIFE_DAYS})) AS weight
  FROM returned WHERE at > last - interval '{LOOK_BACK_DAYS} days' GROUP BY normal, last
), ruled AS (
  SELECT box.normal, weighed.last, CASE WHEN mails >= {REST_MAILS} AND weight >= {REST_WEIGHT}
    AND last + interval '{REST_DAYS} days' > now() THEN last + interval '{REST_DAYS} days' END AS until
  FROM box LEFT JOIN weighed USING (normal)
), touched AS (
  SELECT point.id, ruled.last, ruled.until FROM crm_contactpoint point JOIN ruled USING (normal)
  WHERE point.kind = 'email' AND point.state IN ('usable', 'soft_bounced')
    AND (point.rests_until, point.bounced_at) IS DISTINCT FROM (ruled.until, ruled.last)
  ORDER BY point.id FOR UPDATE OF point
)
UPDATE crm_contactpoint point SET rests_until = touched.until, bounced_at = touched.last,
  state = CASE WHEN touched.until IS NULL THEN 'usable' ELSE 'soft_bounced' END
FROM touched WHERE point.id = touched.id
"""
WAKE = """
UPDATE crm_contactpoint SET state = 'usable', rests_until = NULL WHERE id IN (
  SELECT id FROM crm_contactpoint WHERE state = 'soft_bounced' AND rests_until <= now() ORDER BY id FOR UPDATE SKIP LOCKED)
"""
SILENCE = """
INSERT INTO crm_suppression (address_hash, reason, source)
SELECT DISTINCT ON (delivery.email_hash) delivery.email_hash, %(reason)s, told.source
FROM unnest(%(ids)s::uuid[], %(sources)s::text[]) told (id, source) JOIN campaigns_delivery delivery USING (id)
WHERE delivery.email_hash IS NOT NULL ORDER BY 1 ON CONFLICT DO NOTHING
"""


def _change(statement: str, **parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, keyed.hash_parameters() | parameters)
        return cursor.rowcount


def _settle(ids: Sequence[UUID]) -> None:
    _change(SETTLE, ids=list(map(str, ids)))


def _close(rows: Sequence[dict[str, Any]]) -> None:
    """The mailboxes do not exist: nothing to them any more, whoever names them."""
    if rows:
        _silence(rows, Suppression.Reason.HARD_BOUNCE)
        _change(CLOSE, ids=[str(row["id"]) for row in rows], at=max(row["at"] for row in rows))


def _silence(rows: Sequence[dict[str, Any]], reason: str) -> None:
    sources = [row["source"] for row in rows]
    _change(SILENCE, ids=[str(row["id"]) for row in rows], sources=sources, reason=reason)


def weigh(ids: Sequence[UUID]) -> int:
    """Work out anew whether the addresses of these mails rest. Returns how many contact points changed."""
    if not ids:
        return 0
    wanted = list(map(str, ids))
    _change(HOLD, ids=wanted)
    return _change(WEIGH, ids=wanted)


def wake() -> int:
    """End the rests whose time is over. Returns how many."""
    return _change(WAKE)


def _end(rows: Sequence[dict[str, Any]]) -> None:
    """End the permissions of those who unsubscribed or called a mail spam."""
    if not rows:
        return
    _silence([row for row in rows if row["status"] == Status.SPAM_REPORT], Suppression.Reason.SPAM_REPORT)
    found = Delivery.objects.filter(pk__in=[row["id"] for row in rows]).select_related("customer")
    mails = {mail.pk: mail for mail in found}
    told = [(mails[row["id"]], row) for row in rows if row["id"] in mails]
    for mail, row in sorted(told, key=lambda pair: (pair[0].customer_id, pair[1]["at"])):
        customer = tokens.in_use(mail.customer)
        if customer.erased_at is None:
            _end_one(mail, customer, row)


def _end_one(mail: Delivery, customer: Customer, row: dict[str, Any]) -> None:
    spam = row["status"] == Status.SPAM_REPORT
    how = consent.How(
        consent.Method.REPORT if spam or row["source"] != "mailbox" else consent.Method.MAIL,
        occurred_at=row["at"],
        message_id=composing.message_id(mail.pk),
        note=f"{row['source']}: {row['status']}",
    )
    states = ConsentState.objects.filter(customer=customer, channel="email")
    if not spam:
        purposes = Purpose.objects.filter(pk=mail.purpose)
        if purposes.exists() and not states.filter(purpose=mail.purpose, state__in=consent.ENDS).exists():
            consent.withdraw(customer.pk, [mail.purpose], how)
    elif _has_address(customer, mail.email_hash):
        if states.filter(state="objected").count() < Purpose.objects.count():
            consent.object_to_advertising(customer.pk, how)


def _has_address(customer: Customer, hashed: str | None) -> bool:
    """Whether the mailbox that complained is still the person's: a former one speaks for itself only."""
    normals = ContactPoint.objects.filter(customer=customer, kind="email").values_list("normal", flat=True)
    return any(keyed.address_hash(normal) == hashed for normal in normals)
