"""Read a mail that came back: what it says about which mail of ours.

The mail is found by the address it was returned to (`BOUNCE_ADDRESS` with the delivery's number), else by X-Delivery-ID
or Message-ID of the mail inside; never by the address that is said to have failed.
Sources: RFC 3464 (delivery reports), RFC 5965 (spam reports), RFC 3834 (automatic replies), RFC 2369 (unsubscribing by
mail); `flufl.bounce` for what mail servers wrote before these.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from flufl.bounce import all_failures

from campaigns import return_path
from campaigns.bounces import ENHANCED, Report, Status, judged

MESSAGE_ID = re.compile(r"<?\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@([A-Za-z0-9.:\[\]-]+)")
DELIVERY_ID = re.compile(r"^X-Delivery-ID:[ \t]*([0-9a-f-]{36})[ \t]*\r?$", re.I | re.M)
SENT_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", "Cc")
ANSWERS_TO = ("In-Reply-To", "References")
FROM_MACHINE = re.compile(r"mailer-daemon|postmaster|mail delivery|mdaemon", re.I)
ACTIONS = {"delayed": Status.DEFERRED, "delivered": Status.DELIVERED, "relayed": Status.SENT, "expanded": Status.SENT}
COMPLAINTS = {"abuse": Status.SPAM_REPORT, "fraud": Status.SPAM_REPORT, "virus": Status.SPAM_REPORT}
COMPLAINTS["opt-out"] = Status.UNSUBSCRIBED
TEXT_LIMIT = 20_000
OLDEST = timedelta(days=30)


@dataclass(frozen=True)
class Finding:
    """What a mail is: returned, spam_report, unsubscribe, auto_reply or other; and the reports in it."""

    kind: str
    reports: Sequence[Report] = ()


def read(raw: bytes, arrived: datetime, source: str = "mailbox") -> Finding:
    """What a mail says. `arrived`: when it came into the mailbox. May raise anything for a mail that is broken."""
    mail = message_from_bytes(raw)
    for reader in (_complaint, _report, _unsubscribe, _old_bounce, _auto_reply):
        found = reader(mail)
        if found is not None:
            kind, status, code = found
            number = _number(mail, raw)
            at = _dated(mail, arrived)
            return Finding(kind, [Report(status, at, source, number, code)] if number and status else [])
    return Finding("other")


# What it is: kind, status and code, or None


def _complaint(mail: Message) -> tuple[str, str, str] | None:
    for part in _parts(mail, "message/feedback-report"):
        kind = re.search(r"^Feedback-Type:[ \t]*([\w-]+)", _text(part), re.I | re.M)
        status = COMPLAINTS.get(kind[1].lower() if kind else "", "")
        return "spam_report" if status == Status.SPAM_REPORT else "other", status, ""
    return None


def _report(mail: Message) -> tuple[str, str, str] | None:
    for part in _parts(mail, "message/delivery-status"):
        text = _text(part)
        action = re.search(r"^Action:[ \t]*([\w-]+)", text, re.I | re.M)
        if action and action[1].lower() in ACTIONS:
            return "returned", ACTIONS[action[1].lower()], ""
        said = re.search(r"^Diagnostic-Code:([^\n]*(?:\n[ \t][^\n]*)*)", text, re.I | re.M)
        named = re.search(r"^Status:[ \t]*([\d.]+)", text, re.I | re.M)
        status = named[1] if named else ""
        # x.0.0 says nothing; the server's own words may.
        words = [said[1] if said else "", status] if status.endswith(".0.0") else [status, said[1] if said else ""]
        return "returned", *judged(" ".join(words))
    return None


def _unsubscribe(mail: Message) -> tuple[str, str, str] | None:
    return ("unsubscribe", Status.UNSUBSCRIBED, "") if any(out for _number, out in _addressed(mail)) else None


def _old_bounce(mail: Message) -> tuple[str, str, str] | None:
    """Formats from before RFC 3464, sent by a mail server."""
    sender = f"{mail.get('From', '')} {mail.get('Return-Path', '')}"
    if not FROM_MACHINE.search(sender) and "<>" not in sender and not mail.get("X-Failed-Recipients"):
        return None
    for_now, for_good = all_failures(mail)
    if for_good or (FROM_MACHINE.search(sender) and ENHANCED.search(_body(mail))):
        return "returned", *judged(_body(mail))
    return ("returned", Status.DEFERRED, "") if for_now else None


def _auto_reply(mail: Message) -> tuple[str, str, str] | None:
    said = str(mail.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    older = str(mail.get("Precedence", "")).strip().lower() in ("auto_reply", "auto-reply")
    if said != "no" or older or any(mail.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder")):
        return "auto_reply", Status.AUTO_REPLY, ""
    return None


# Which mail it is about


def _number(mail: Message, raw: bytes) -> UUID | None:
    for number, _out in _addressed(mail):
        return number
    for name in ANSWERS_TO:
        if found := number_in_message_id(str(mail.get(name, ""))):
            return found
    for text in (raw.decode("latin-1"), *(_text(part) for part in mail.walk() if not part.is_multipart())):
        if (named := DELIVERY_ID.search(text)) and (found := uuid_of(named[1])):
            return found
    return number_in_message_id(raw.decode("latin-1"))


def _addressed(mail: Message) -> Iterator[tuple[UUID, bool]]:
    """(delivery, whether the address asks to unsubscribe) of each address of ours that the mail went to."""
    for name in SENT_TO:
        for value in mail.get_all(name, []):
            yield from return_path.named_in(str(value))


def number_in_message_id(text: str) -> UUID | None:
    """The delivery in the first Message-ID of this installation that a text holds."""
    host = urlsplit(settings.PUBLIC_BASE_URL).hostname or ""
    for found in MESSAGE_ID.finditer(text):
        if found[2].lower().rstrip(".") == host.lower():
            return uuid_of(found[1])
    return None


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# Its parts


def _parts(mail: Message, kind: str) -> Iterator[Message]:
    return (part for part in mail.walk() if part.get_content_type() == kind)


def _text(part: Message) -> str:
    """A part as text, whatever its charset claims to be. At most 20,000 characters."""
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload[: TEXT_LIMIT * 4].decode("utf-8", "replace")[:TEXT_LIMIT].replace("\r\n", "\n")
    inside = part.get_payload()
    if isinstance(inside, list):
        lines = (f"{name}: {value}" for one in inside if isinstance(one, Message) for name, value in one.items())
        return "\n".join(lines)[:TEXT_LIMIT].replace("\r\n", "\n")
    return str(inside or "")[:TEXT_LIMIT]


def _body(mail: Message) -> str:
    """What the server wrote, without the mail it returns."""
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            return re.split(
                r"(?m)^(?:-{3,}.*(?:copy|original|returned)|Received: |Return-path: )",
                _text(part),
                maxsplit=1,
                flags=re.I,
            )[0]
    return ""


def _dated(mail: Message, arrived: datetime) -> datetime:
    """The mail's own date, so that reading it twice tells the same; when it came if that is none."""
    try:
        given = parsedate_to_datetime(str(mail.get("Date", "")))
    except (ValueError, TypeError, IndexError):
        return arrived
    given = given if given.tzinfo else given.replace(tzinfo=UTC)
    return given if arrived - OLDEST < given <= arrived else arrived
