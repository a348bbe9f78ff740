"""Double opt-in: a mailbox is asked whether it agrees, and only its answer makes a consent hold.

Whoever asks for it (a form, a member of staff, a REST client), the mail is the same and goes through the gate like any
other: `campaigns/recipes/double_opt_in`, caused by the event `consent.requested`. One row of DoubleOptIn is one mail.
The token in its link is HMAC-SHA256 over 160 random bits, cut to 160 bits. The database holds those random bits and the
token's SHA-256; the key is LINK_KEY, so the renderer can make the token again and who reads the database cannot.
Source: BGH I ZR 164/09; OLG Celle 13 U 15/14 (ad-free mail); `docs/consent.md`.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import changed, consent, keyed, prospects, wordings
from crm.consent import ConsentError, How
from crm.models import (
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    DoubleOptIn,
    Event,
    Purpose,
    Suppression,
)
from crm.sync_people import normal_email

BYTES = 20
SHAPE = re.compile(r"[A-Za-z0-9_-]{27}").fullmatch
VALID = timedelta(days=7)
KEPT = timedelta(days=30)
MAILS, PER = 3, timedelta(hours=24)
ADDRESS_LOCK = 0x646F6900  # "doi": the first half of the advisory lock, the address's hash is the second
# These end when the mailbox's holder confirms a new request of their own; a spam report and a dead mailbox do not.
ENDED_BY_CONFIRMATION = (Suppression.Reason.OBJECTED, Suppression.Reason.ERASED)
SILENT = (Suppression.Reason.SPAM_REPORT, Suppression.Reason.HARD_BOUNCE)


@dataclass(frozen=True)
class Requested:
    """What became of a request. `state`: "pending" (a mail goes out), "limited" (too many mails to this address within
    24 hours; `retry_at` says when the next may go) or "silent" (this address gets none). Strangers are told none of it.
    """

    state: str
    customer_id: int | None = None
    request_id: int | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """What a link leads to. `state`: "open", "confirmed", "done" (was confirmed before), "expired", "ended" (taken back
    meanwhile, or the address changed) or "unknown". `purposes` and `language` are the request's.
    """

    state: str
    purposes: tuple[str, ...] = ()
    language: str = ""
    customer_id: int | None = None


@transaction.atomic
def request(
    email: str, purposes: Iterable[str], language: str, how: How, customer: Customer | None = None
) -> Requested:
    """Record that somebody agreed, and have the mailbox asked. Without `customer` the address says who it is.

    The customer is the one with this primary address; if nobody has it, or several share it, a nameless one of its
    own (`crm.prospects`), for nobody can tell which of them agreed. Over the limit nothing at all is recorded.
    Raises ConsentError: malformed_address, no_purpose, unknown_purpose, inactive_purpose, in_future, no_address.
    """
    wanted = _checked(purposes)
    normal = normal_email(email.strip())[0]
    if not normal:
        raise ConsentError("malformed_address", _("This is no e-mail address. Please check the spelling."))
    address_hash = lock_address(normal)
    if refusal := _refusal(address_hash, how.method):
        return refusal
    found = customer or prospects.of_address(email.strip(), normal, language)
    if not ContactPoint.objects.filter(customer=found, kind="email", normal=normal, is_primary=True).exists():
        raise ConsentError("no_address", _("This is not the address to which mail for this customer goes."))
    consent.give(found.pk, wanted, replace(how, address=how.address or email.strip()))
    return _ask(found.pk, wanted, language, how, address_hash)


@transaction.atomic
def ask(customer_id: int, purposes: Iterable[str], language: str, how: How) -> Requested:
    """Have a customer's primary address asked to confirm what is already in the ledger (pending). Raises as `request`."""
    wanted = _checked(purposes)
    point = ContactPoint.objects.filter(customer_id=customer_id, kind="email", is_primary=True).first()
    if point is None:
        raise ConsentError("no_address", _("This customer has no e-mail address. Record one first."))
    address_hash = lock_address(point.normal)
    return _refusal(address_hash, how.method) or _ask(customer_id, wanted, language, how, address_hash)


def ask_again(token: str, how: How) -> Requested:
    """A new mail to the mailbox of an expired or lost link; the old one stays as it is. "silent" for an unknown link."""
    asked = _of_token(token)
    if asked is None or asked.confirmed_at:
        return Requested("silent")
    proof = replace(how, wordings=asked.wordings, form=asked.form, notice_version=asked.notice_version)
    try:
        return ask(asked.customer_id, asked.purposes, asked.language, proof)
    except ConsentError:
        return Requested("silent")


def look(token: str) -> Answer:
    """What the link stands for; changes nothing, so that a scanner may open it."""
    asked = _of_token(token)
    if asked is None:
        return Answer("unknown")
    state = "done" if asked.confirmed_at else "expired" if asked.expires_at <= now() else "open"
    return _answer(state, asked)


@transaction.atomic
def confirm(token: str, how: How) -> Answer:
    """Record the confirmation, once: a second click, even at the same moment, is answered "done".

    An objection to advertising from before the request ends for this address; one from after it stays.
    """
    asked = _of_token(token)
    if asked is None:
        return Answer("unknown")
    # The customer first, as everywhere, so that two clicks and a withdrawal wait for each other in one order.
    customer = Customer.objects.select_for_update(of=["self"]).get(pk=asked.customer_id)
    asked = DoubleOptIn.objects.select_for_update().get(pk=asked.pk)
    if asked.confirmed_at:
        return _answer("done", asked)
    if asked.expires_at <= now():
        return _answer("expired", asked)
    if not _still_theirs(customer.pk, asked):
        return _answer("ended", asked)
    proof = replace(
        how, wordings=asked.wordings, form=asked.form, notice_version=asked.notice_version,
        token_hash=asked.token_hash, message_id=asked.message_id, content_hash=asked.content_hash,
    )  # fmt: skip
    states = consent.confirm(customer.pk, asked.purposes, proof)
    if ConsentState.State.GIVEN not in states.values():
        return _answer("ended", asked)
    DoubleOptIn.objects.filter(pk=asked.pk).update(confirmed_at=now())
    lifted = Suppression.objects.filter(
        address_hash=asked.address_hash,
        reason__in=ENDED_BY_CONFIRMATION,
        lifted_at=None,
        created_at__lt=asked.requested_at,
    )
    lifted.update(lifted_at=now())
    return _answer("confirmed", asked)


def clean_up(at: datetime | None = None) -> dict[str, int]:
    """Forget requests older than 30 days. What was never confirmed expires, and who is known by it alone is deleted.

    Returns {"requests": rows deleted, "expired": permissions that expired, "prospects": customers deleted}.
    Safe to repeat and to run twice at once: each customer is a transaction of its own.
    """
    moment = at or now()
    old = DoubleOptIn.objects.filter(requested_at__lt=moment - KEPT)
    counts = {"requests": 0, "expired": 0, "prospects": 0}
    for customer_id in list(old.values_list("customer_id", flat=True).distinct()):
        with transaction.atomic():
            found = _forget(customer_id, moment)
        counts = {name: counts[name] + found[name] for name in counts}
    return counts


def token_of(asked: DoubleOptIn) -> str:
    """The token in the mail of this request. Raises ValueError if it was made with a key that is gone."""
    for key in keyed.keys():
        made = _token(key, asked.nonce)
        if hmac.compare_digest(_digest(made), asked.token_hash):
            return made
    raise ValueError("LINK_KEY was changed without keeping the former one in LINK_KEY_FALLBACKS")


def url_of(asked: DoubleOptIn) -> str:
    """The link in the mail."""
    return f"{settings.PUBLIC_BASE_URL}/confirm/{token_of(asked)}/"


def remember_mail(request_id: int, message_id: str, content: str) -> None:
    """Keep number and SHA-256 of the mail that carries the link, for the proof."""
    DoubleOptIn.objects.filter(pk=request_id).update(
        message_id=message_id, content_hash=hashlib.sha256(content.encode()).hexdigest()
    )


def _token(key: str, nonce: str) -> str:
    made = hmac.digest(keyed.subkey(key, "double-opt-in"), nonce.encode(), "sha256")[:BYTES]
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _of_token(token: str) -> DoubleOptIn | None:
    if not SHAPE(token):
        return None
    return DoubleOptIn.objects.filter(token_hash=_digest(token), customer__erased_at=None).first()


def _answer(state: str, asked: DoubleOptIn) -> Answer:
    return Answer(state, tuple(asked.purposes), asked.language, asked.customer_id)


def _checked(purposes: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(purposes))
    if not wanted:
        raise ConsentError("no_purpose", _("Choose at least one kind of mail."))
    consent.check_purposes(wanted)
    for code in Purpose.objects.filter(pk__in=wanted, active=False).values_list("pk", flat=True):
        raise ConsentError("inactive_purpose", _("“%(purpose)s” is not asked for any more.") % {"purpose": code})
    return wanted


def lock_address(normal: str) -> str:
    lock_addresses([normal])
    return keyed.address_hash(normal)


def lock_addresses(normals: Iterable[str]) -> None:
    """Let one request for an address work at a time, so that limits and prospects are exact. Call it once, for all."""
    numbers = sorted({int(keyed.address_hash(normal)[:8], 16) - 2**31 for normal in normals})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, n) FROM unnest(%s::int[]) n", [ADDRESS_LOCK, numbers])


def _refusal(address_hash: str, method: str) -> Requested | None:
    """Why no mail may go to this address now; None if one may. Who objected is asked only on their own request."""
    silent = SILENT if method == ConsentEvent.Method.WEB else (*SILENT, *ENDED_BY_CONFIRMATION)
    if Suppression.objects.filter(address_hash=address_hash, reason__in=silent, lifted_at=None).exists():
        return Requested("silent")
    since = now() - PER
    recent = DoubleOptIn.objects.filter(address_hash=address_hash, requested_at__gt=since).order_by("-requested_at")
    times = list(recent.values_list("requested_at", flat=True)[:MAILS])
    return Requested("limited", retry_at=times[-1] + PER) if len(times) == MAILS else None


def _ask(customer_id: int, purposes: list[str], language: str, how: How, address_hash: str) -> Requested:
    nonce = secrets.token_hex(BYTES)
    current = now()
    asked = DoubleOptIn.objects.create(
        customer_id=customer_id,
        purposes=purposes,
        wordings=wordings.shown(customer_id, purposes)
        | {code: pk for code in purposes if (pk := how.wording_of(code))},
        form=how.form[:80],
        notice_version=how.notice_version[:40],
        language=language,
        nonce=nonce,
        token_hash=_digest(_token(keyed.keys()[0], nonce)),
        address_hash=address_hash,
        requested_at=current,
        expires_at=current + VALID,
    )
    detail = {"double_opt_in": asked.pk, "purposes": purposes, "language": language}
    Event.objects.create(kind="consent.requested", customer_id=customer_id, detail=detail, occurred_at=current)
    return Requested("pending", customer_id, asked.pk)


def _still_theirs(customer_id: int, asked: DoubleOptIn) -> bool:
    """Whether the mailbox that was asked is still the customer's: a consent holds for an address."""
    normals = ContactPoint.objects.filter(customer_id=customer_id, kind="email").values_list("normal", flat=True)
    return asked.address_hash in map(keyed.address_hash, normals)


def _forget(customer_id: int, moment: datetime) -> dict[str, int]:
    if not Customer.objects.select_for_update(of=["self"]).filter(pk=customer_id).exists():
        return {"requests": 0, "expired": 0, "prospects": 0}
    theirs = DoubleOptIn.objects.filter(customer_id=customer_id)
    old = theirs.filter(requested_at__lt=moment - KEPT)
    asked = _named(old.filter(confirmed_at=None)) - _named(theirs.filter(requested_at__gte=moment - KEPT))
    waiting = ConsentState.objects.filter(customer_id=customer_id, channel="email", purpose__in=asked, state="pending")
    lapsed = sorted(waiting.filter(since__lt=moment - KEPT).values_list("purpose_id", flat=True))
    deleted, _by_model = old.delete()
    if lapsed:
        consent.expire(customer_id, lapsed, How(ConsentEvent.Method.MAIL_LINK))
        changed.mark([customer_id])
    gone = prospects.delete_if_nothing_else(customer_id)
    return {"requests": deleted, "expired": len(lapsed), "prospects": int(gone)}


def _named(requests: QuerySet[DoubleOptIn]) -> set[str]:
    return {purpose for listed in requests.values_list("purposes", flat=True) for purpose in listed}
