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

from crm import consent, keyed, prospects, wordings
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
from crm.privacy import rectify
from crm.sync_people import normal_email

BYTES = 20
SHAPE = re.compile(r"[A-Za-z0-9_-]{27}").fullmatch
VALID = timedelta(days=7)
KEPT = timedelta(days=30)
MAILS, PER = 3, timedelta(hours=24)
ADDRESS_LOCK = 0x646F6900  # "doi": the first half of the advisory lock, the address's hash is the second
# These end when the mailbox's holder confirms a new request of their own; a spam report and a dead mailbox do not.
ENDED_BY_CONFIRMATION = (Suppression.Reason.OBJECTED, Suppression.Reason.ERASED)
SILENT = (Suppression.Reason.SPAM_REPORT, Suppression.Reason.HARD_BOUNCE, Suppression.Reason.MANUAL)


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
    meanwhile, or the address changed) or "unknown". `purposes` and `language` are the request's; `moves`: it makes the
    mailbox somebody's new address (`crm.address_change`).
    """

    state: str
    purposes: tuple[str, ...] = ()
    language: str = ""
    customer_id: int | None = None
    moves: bool = False


@dataclass(frozen=True)
class Name:
    """What somebody said of themselves when they signed up. Whatever was left out is "" (or "none")."""

    salutation: str = "none"
    given_name: str = ""
    family_name: str = ""


@transaction.atomic
def request(
    email: str,
    purposes: Iterable[str],
    language: str,
    how: How,
    customer: Customer | None = None,
    name: Name = Name(),
) -> Requested:
    """Record that somebody agreed, and have the mailbox asked. Without `customer` the address says who it is.

    `name` is taken over when the mailbox answers, and only where nothing is known yet: a stranger renames nobody.

    The customer is the one with this primary address; if nobody has it, or several share it, a nameless one of its
    own (`crm.prospects`), for nobody can tell which of them agreed. Over the limit nothing at all is recorded.
    Raises ConsentError: malformed_address, no_purpose, unknown_purpose, inactive_purpose, in_future, no_address.
    """
    wanted = _checked(purposes)
    normal = normal_email(email.strip())[0]
    if not normal:
        raise ConsentError("malformed_address", _("This is no e-mail address. Please check the spelling."))
    address_hash = lock_address(normal)
    if refusal := refusal_for(address_hash, how.method):
        return refusal
    found = customer or prospects.of_address(email.strip(), normal, language)
    if not ContactPoint.objects.filter(customer=found, kind="email", normal=normal, is_primary=True).exists():
        raise ConsentError("no_address", _("This is not the address to which mail for this customer goes."))
    consent.give(found.pk, wanted, replace(how, address=how.address or email.strip()))
    return open_request(found.pk, wanted, language, how, address_hash, name=name)


@transaction.atomic
def ask(customer_id: int, purposes: Iterable[str], language: str, how: How) -> Requested:
    """Have a customer's primary address asked to confirm what is already in the ledger (pending). Raises as `request`."""
    wanted = _checked(purposes)
    point = ContactPoint.objects.filter(customer_id=customer_id, kind="email", is_primary=True).first()
    if point is None:
        raise ConsentError("no_address", _("This customer has no e-mail address. Record one first."))
    address_hash = lock_address(point.normal)
    refused = refusal_for(address_hash, how.method)
    return refused or open_request(customer_id, wanted, language, how, address_hash)


@transaction.atomic
def ask_for(customer_id: int, purposes: Iterable[str], moved: Iterable[str], language: str, how: How) -> Requested:
    """As `ask`; of these, `moved` were given for another address and are declared anew for the one in use."""
    wanted, anew = list(purposes), list(moved)
    asked = ask(customer_id, wanted, language, how)
    if asked.state == "pending" and anew:
        consent.give(customer_id, anew, replace(how, wordings=wordings.shown(customer_id, anew)))
    return asked


def ask_again(token: str, how: How) -> Requested:
    """A new mail to the mailbox of an expired or lost link; the old one stays as it is. "silent" for an unknown link."""
    asked = of_token(token)
    if asked is None or asked.confirmed_at or asked.moves_id:
        return Requested("silent")
    proof = replace(how, wordings=asked.wordings, form=asked.form, notice_version=asked.notice_version)
    try:
        return ask(asked.customer_id, asked.purposes, asked.language, proof)
    except ConsentError:
        return Requested("silent")


def look(token: str) -> Answer:
    """What the link stands for; changes nothing, so that a scanner may open it."""
    asked = of_token(token)
    if asked is None:
        return Answer("unknown")
    state = "done" if asked.confirmed_at else "expired" if asked.expires_at <= now() else "open"
    return answer(state, asked)


@transaction.atomic
def confirm(token: str, how: How) -> Answer:
    """Record the confirmation, once: a second click, even at the same moment, is answered "done".

    An objection to advertising from before the request ends for this address; one from after it stays.
    """
    asked = of_token(token)
    if asked is None or asked.moves_id:
        return Answer("unknown")
    # The customer first, as everywhere, so that two clicks and a withdrawal wait for each other in one order.
    customer = Customer.objects.select_for_update(of=["self"]).get(pk=asked.customer_id)
    asked = DoubleOptIn.objects.select_for_update().get(pk=asked.pk)
    if asked.confirmed_at:
        return answer("done", asked)
    if asked.expires_at <= now():
        return answer("expired", asked)
    mailbox = _mailbox(customer.pk, asked)
    if not mailbox:
        return answer("ended", asked)
    proof = replace(
        how, wordings=asked.wordings, form=asked.form, notice_version=asked.notice_version,
        address=mailbox, address_hash=asked.address_hash, token_hash=asked.token_hash, message_id=asked.message_id, content_hash=asked.content_hash,
    )  # fmt: skip
    states = consent.confirm(customer.pk, asked.purposes, proof)
    if ConsentState.State.GIVEN not in states.values():
        return answer("ended", asked)
    settle(asked)
    _take_name(customer, asked)
    return answer("confirmed", asked)


def settle(asked: DoubleOptIn) -> None:
    """Note that the mailbox answered. Its objections from before the request end, for it agreed since."""
    DoubleOptIn.objects.filter(pk=asked.pk).update(confirmed_at=now())
    lifted = Suppression.objects.filter(
        address_hash=asked.address_hash,
        reason__in=ENDED_BY_CONFIRMATION,
        lifted_at=None,
        created_at__lt=asked.requested_at,
    )
    if asked.purposes:
        lifted.update(lifted_at=now())


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


def of_token(token: str) -> DoubleOptIn | None:
    if not SHAPE(token):
        return None
    return DoubleOptIn.objects.filter(token_hash=_digest(token), customer__erased_at=None).first()


def answer(state: str, asked: DoubleOptIn) -> Answer:
    return Answer(state, tuple(asked.purposes), asked.language, asked.customer_id, asked.moves_id is not None)


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


def refusal_for(address_hash: str, method: str) -> Requested | None:
    """Why no mail may go to this address now; None if one may. Who objected is asked only on their own request."""
    silent = SILENT if method == ConsentEvent.Method.WEB else (*SILENT, *ENDED_BY_CONFIRMATION)
    if Suppression.objects.filter(address_hash=address_hash, reason__in=silent, lifted_at=None).exists():
        return Requested("silent")
    since = now() - PER
    recent = DoubleOptIn.objects.filter(address_hash=address_hash, requested_at__gt=since).order_by("-requested_at")
    times = list(recent.values_list("requested_at", flat=True)[:MAILS])
    return Requested("limited", retry_at=times[-1] + PER) if len(times) == MAILS else None


def open_request(
    customer_id: int,
    purposes: list[str],
    language: str,
    how: How,
    address_hash: str,
    *,
    moves: Customer | None = None,
    name: Name = Name(),
) -> Requested:
    """Store the request and announce it; the mail follows by itself. Call it under `lock_address`."""
    nonce = secrets.token_hex(BYTES)
    current = now()
    asked = DoubleOptIn.objects.create(
        customer_id=customer_id,
        purposes=purposes,
        moves=moves,
        salutation=name.salutation,
        given_name=name.given_name,
        family_name=name.family_name,
        ip=how.ip if moves else None,
        user_agent=how.user_agent[:300] if moves else "",
        wordings=wordings.shown(moves.pk if moves else customer_id, purposes)
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
    kind = "address.change_requested" if moves else "consent.requested"
    Event.objects.create(kind=kind, customer_id=customer_id, detail=detail, occurred_at=current)
    return Requested("pending", customer_id, asked.pk)


def _mailbox(customer_id: int, asked: DoubleOptIn) -> str:
    """The mailbox that was asked, if it still is the one that mail for this customer goes to; else ""."""
    point = ContactPoint.objects.filter(customer_id=customer_id, kind="email", is_primary=True).first()
    return point.value if point and keyed.address_hash(point.normal) == asked.address_hash else ""


def _take_name(customer: Customer, asked: DoubleOptIn) -> None:
    """What was said at sign-up, where nothing is known yet."""
    said: dict[str, str] = {}
    if not (customer.given_name or customer.family_name or customer.company_name):
        said = {"given_name": asked.given_name, "family_name": asked.family_name}
    if customer.salutation == Customer.Salutation.NONE:
        said["salutation"] = asked.salutation
    rectify.rectify(customer.pk, {field: value for field, value in said.items() if value}, None)


def _forget(customer_id: int, moment: datetime) -> dict[str, int]:
    if not Customer.objects.select_for_update(of=["self"]).filter(pk=customer_id).exists():
        return {"requests": 0, "expired": 0, "prospects": 0}
    theirs = DoubleOptIn.objects.filter(customer_id=customer_id)
    old = theirs.filter(requested_at__lt=moment - KEPT)
    asked = _named(old.filter(confirmed_at=None)) - _named(theirs.filter(requested_at__gte=moment - KEPT))
    waiting = ConsentState.objects.filter(customer_id=customer_id, channel="email", purpose__in=asked, state="pending")
    lapsed = waiting.filter(since__lt=moment - KEPT).select_related("evidence").order_by("purpose_id")
    by_address: dict[str, list[str]] = {}
    for state in lapsed:
        by_address.setdefault(state.evidence.address_hash, []).append(state.purpose_id)
    deleted, _by_model = old.delete()
    for address_hash, purposes in by_address.items():
        consent.expire(customer_id, purposes, How(ConsentEvent.Method.MAIL_LINK, address_hash=address_hash))
    gone = prospects.delete_if_nothing_else(customer_id)
    return {"requests": deleted, "expired": sum(map(len, by_address.values())), "prospects": int(gone)}


def _named(requests: QuerySet[DoubleOptIn]) -> set[str]:
    return {purpose for listed in requests.values_list("purposes", flat=True) for purpose in listed}
