"""Give, confirm, withdraw, object: the only writer of the consent ledger and of the state that follows from it.

The state follows from the ledger, whatever order its entries arrive in:
- What counts is what was declared after the last end (withdrawal or objection); at the same instant the end wins.
- A consent holds once it is confirmed, or at once if signed on paper or brought with its proof of double opt-in;
  until then it is pending. A confirmation needs a request after the last end.
- A request that was not confirmed in time expires; a later one is pending anew. Uses are noted and change nothing.
- A consent is proved for one address (AG Düsseldorf 23 C 3876/13). Request and confirmation must name the same one, and
  it holds while that is the primary one of its channel. An end is the person's: it ends what was given for any address.
The state is a function of the ledger and of the primary addresses: `refresh` it where one of these changes.
Source: BGH I ZR 164/09 (proof of each declaration), Art. 7 and 21 GDPR; `docs/consent.md`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import changed, keyed, plugins
from crm.models import (
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    ContactPoint,
    Customer,
    Event,
    Purpose,
    Suppression,
    Wording,
)
from crm.permission import CONTACT_KIND
from crm.sync_people import normal_email

Action = ConsentEvent.Action
Method = ConsentEvent.Method
ENDS = (Action.WITHDRAWN, Action.OBJECTED)
CLOCK_TOLERANCE = timedelta(minutes=5)

Addresses = Mapping[tuple[int, str], tuple[str, str]]


class ConsentError(ValueError):
    """A declaration that cannot be recorded; `code` is for machines, the text says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class How:
    """How a declaration was made: the proof. `address`, `ip`, `user_agent` and `note` go where they can be erased.

    `wordings` names the wording per purpose where they differ; `notice_version` the privacy notice; `form` name and
    version of the form. `token_hash`, `message_id` and `content_hash` tell of the mail whose link was followed.
    `occurred_at` is now if left out. `double_opt_in`: the declaration brings its own proof of double opt-in.
    A consent to e-mail is bound to `address`, or to the one of `address_hash`; without either to the customer's primary
    address at the time of recording, as one for another channel always is.
    """

    method: str
    occurred_at: datetime | None = None
    wording_id: int | None = None
    source_id: int | None = None
    actor_id: int | None = None
    double_opt_in: bool = False
    note: str = ""
    address: str = ""
    address_hash: str = ""
    ip: str | None = None
    user_agent: str = ""
    wordings: Mapping[str, int] = field(default_factory=dict)
    notice_version: str = ""
    form: str = ""
    token_hash: str = ""
    message_id: str = ""
    content_hash: str = ""

    def wording_of(self, purpose: str) -> int | None:
        return self.wordings.get(purpose, self.wording_id)


def give(customer_id: int, purposes: Iterable[str], how: How, channel: str = "email") -> dict[str, str]:
    """Record that the person agreed. Returns the state of each purpose now, as ConsentState has it; '' for none.

    Raises ConsentError for an unknown customer or purpose, or a declaration dated in the future.
    """
    return _record(customer_id, list(purposes), channel, Action.GIVEN, how)


def confirm(customer_id: int, purposes: Iterable[str], how: How, channel: str = "email") -> dict[str, str]:
    """Record the second half of a double opt-in. Returns and raises as `give`."""
    return _record(customer_id, list(purposes), channel, Action.CONFIRMED, how)


def expire(customer_id: int, purposes: Iterable[str], how: How, channel: str = "email") -> dict[str, str]:
    """Record that what was asked for was not confirmed in time. Returns and raises as `give`."""
    return _record(customer_id, list(purposes), channel, Action.EXPIRED, how)


def use(customer_id: int, purposes: Iterable[str], how: How, channel: str = "phone") -> dict[str, str]:
    """Record that a permission was used, as § 7a UWG asks for every call. A mail's use is noted by the gate."""
    return _record(customer_id, list(purposes), channel, Action.USED, how)


def withdraw(customer_id: int, purposes: Iterable[str], how: How, channel: str = "email") -> dict[str, str]:
    """End the permission for these purposes; what is planned stops in the same transaction.

    After it is committed this waits up to 2 s for mails of this person that are on the wire. Returns as `give`.
    A future date is taken as now: an end is never refused for its date.
    """
    return _record(customer_id, list(purposes), channel, Action.WITHDRAWN, how)


def object_to_advertising(customer_id: int, how: How, channel: str = "email") -> dict[str, str]:
    """Record the objection to all advertising (Art. 21(2) GDPR) and silence the person's addresses for good."""
    purposes = list(Purpose.objects.values_list("code", flat=True))
    with transaction.atomic():
        _lock(customer_id)
        silence(customer_id, Suppression.Reason.OBJECTED, channel)
        return _record(customer_id, purposes, channel, Action.OBJECTED, how)


def silence(customer_id: int, reason: str, channel: str = "email") -> None:
    """Suppress every address of a customer on a channel, known by its keyed hash alone. Safe to repeat."""
    normals = ContactPoint.objects.filter(customer_id=customer_id, kind=CONTACT_KIND[channel])
    Suppression.objects.bulk_create(
        [
            Suppression(address_hash=keyed.address_hash(normal), reason=reason)
            for normal in normals.values_list("normal", flat=True)
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def _record(customer_id: int, purposes: list[str], channel: str, action: str, how: How) -> dict[str, str]:
    at = _checked_time(action, how.occurred_at)
    check_purposes(purposes)
    customer = _lock(customer_id)
    before = _states(customer_id, channel)
    hashes = wording_hashes([how])
    how = bound(how, customer_id, channel, action, primary_addresses([customer_id]))
    events = [event_of(customer.person_key, purpose, channel, action, at, how, hashes) for purpose in purposes]
    ConsentEvent.objects.bulk_create(events)
    ConsentTrace.objects.bulk_create([trace for event in events for trace in traces_of(event, how)])
    refresh([customer_id])
    after = _states(customer_id, channel)
    if before != after:
        changed.mark([customer_id])
    tell(customer_id, purposes, channel, action, at, after)
    return {purpose: after.get(purpose, "") for purpose in purposes}


def primary_addresses(customer_ids: Iterable[int]) -> Addresses:
    """{(customer, kind of contact point): (as written, as compared)}. One query."""
    points = ContactPoint.objects.filter(customer__in=list(customer_ids), is_primary=True)
    return {row[:2]: row[2:] for row in points.values_list("customer_id", "kind", "value", "normal")}


def bound(how: How, customer_id: int, channel: str, action: str, known: Addresses) -> How:
    """The same with the address that the declaration is bound to. What ends, ends for all addresses."""
    if action in ENDS or action == Action.USED or how.address_hash:
        return how
    value, normal = known.get((customer_id, CONTACT_KIND[channel]), ("", ""))
    if channel == "email" and how.address:
        value, normal = how.address, normal_email(how.address.strip())[0]
    hashed = keyed.address_hash(normal) if normal else ""
    return replace(how, address=value if normal else how.address, address_hash=hashed)


def wording_hashes(hows: Iterable[How]) -> dict[int, str]:
    """SHA-256 of the wordings that these declarations name, by their ids."""
    named = {pk for how in hows for pk in (how.wording_id, *how.wordings.values()) if pk}
    return dict(Wording.objects.filter(pk__in=named).values_list("pk", "hash")) if named else {}


def event_of(
    person_key: UUID, purpose: str, channel: str, action: str, at: datetime, how: How, hashes: Mapping[int, str]
) -> ConsentEvent:
    """The entry of the ledger for one declaration, not stored yet."""
    wording = how.wording_of(purpose)
    return ConsentEvent(
        person_key=person_key,
        purpose_id=purpose,
        channel=channel,
        action=action,
        method=how.method,
        wording_id=wording,
        wording_hash=hashes.get(wording or 0, ""),
        address_hash="" if action in ENDS or action == Action.USED else how.address_hash,
        notice_version=how.notice_version[:40],
        form=how.form[:80],
        source_id=how.source_id,
        actor_id=how.actor_id,
        double_opt_in=how.double_opt_in,
        token_hash=how.token_hash,
        message_id=how.message_id,
        content_hash=how.content_hash,
        occurred_at=at,
    )


def traces_of(event: ConsentEvent, how: How) -> list[ConsentTrace]:
    """What identifies the person behind an entry; nothing if nothing is known."""
    known = {"address": how.address, "ip": how.ip, "user_agent": how.user_agent[:300], "note": how.note[:200]}
    return [ConsentTrace(event=event, **known)] if any(known.values()) else []


def tell(
    customer_id: int, purposes: Sequence[str], channel: str, action: str, at: datetime, states: dict[str, str]
) -> None:
    """Stop what is planned for the purposes that ended, and let the rest of the product know."""
    ended = [purpose for purpose in purposes if states.get(purpose) in ENDS]
    if action not in ENDS or not ended:
        return
    detail = {"purposes": ended, "channel": channel, "action": action}
    Event.objects.create(kind="consent.withdrawn", customer_id=customer_id, detail=detail, occurred_at=at)
    for plugin in plugins.registered():
        plugin.on_withdraw(customer_id, ended, channel)
    transaction.on_commit(lambda: _after(customer_id))


def _after(customer_id: int) -> None:
    for plugin in plugins.registered():
        plugin.after_withdraw(customer_id)


def _lock(customer_id: int) -> Customer:
    # The gate locks the same row before it reads the state, so either the mail was on its way or it never goes.
    customer = Customer.objects.select_for_update(of=["self"]).filter(pk=customer_id).first()
    if customer is None:
        raise ConsentError("unknown_customer", _("There is no customer with this number."))
    return customer


def _checked_time(action: str, occurred_at: datetime | None) -> datetime:
    current = now()
    if occurred_at is None or (action in ENDS and occurred_at > current):
        return current
    if occurred_at > current + CLOCK_TOLERANCE:
        raise ConsentError("in_future", _("A consent cannot be given in the future. Check date and time zone."))
    return occurred_at


def check_purposes(purposes: list[str]) -> None:
    """Raise ConsentError for a purpose that does not exist, naming those that do."""
    known = set(Purpose.objects.values_list("code", flat=True))
    for purpose in purposes:
        if purpose not in known:
            raise ConsentError(
                "unknown_purpose",
                _("“%(purpose)s” is no purpose. Known are: %(known)s.")
                % {"purpose": purpose, "known": ", ".join(sorted(known))},
            )


def _states(customer_id: int, channel: str) -> dict[str, str]:
    rows = ConsentState.objects.filter(customer_id=customer_id, channel=channel)
    return dict(rows.values_list("purpose_id", "state"))


# `here`: the primary addresses of today of whoever ever declared something; most never did. What was given for another
# one is known, and holds nowhere.
REFRESH = f"""
WITH entry AS MATERIALIZED (
  SELECT customer.id AS customer_id, event.*
  FROM crm_customer customer JOIN crm_consentevent event USING (person_key)
  WHERE customer.id = ANY(%(ids)s)
), here AS (
  SELECT point.customer_id, channel.name AS channel, point.normal,
         {keyed.address_hash_sql("point.normal")} AS address_hash
  FROM crm_contactpoint point
  JOIN (VALUES {", ".join(f"('{name}', '{kind}')" for name, kind in CONTACT_KIND.items())}) AS channel (name, kind)
    USING (kind)
  WHERE point.customer_id IN (SELECT customer_id FROM entry) AND point.is_primary
), ended AS (
  SELECT DISTINCT ON (customer_id, purpose_id, channel) *
  FROM entry WHERE action IN ('withdrawn', 'objected')
  ORDER BY customer_id, purpose_id, channel, occurred_at DESC, action = 'objected' DESC, id
), later AS (
  SELECT entry.* FROM entry LEFT JOIN ended USING (customer_id, purpose_id, channel)
  WHERE entry.action IN ('given', 'confirmed', 'expired')
    AND (ended.occurred_at IS NULL OR entry.occurred_at > ended.occurred_at)
), lapsed AS (
  SELECT DISTINCT ON (customer_id, purpose_id, channel, address_hash) *
  FROM later WHERE action = 'expired'
  ORDER BY customer_id, purpose_id, channel, address_hash, occurred_at DESC, id
), asked AS (
  SELECT DISTINCT ON (customer_id, purpose_id, channel, address_hash) *
  FROM later WHERE action = 'given'
  ORDER BY customer_id, purpose_id, channel, address_hash, occurred_at, id
), valid AS (
  SELECT DISTINCT ON (customer_id, purpose_id, channel, address_hash) later.*
  FROM later JOIN asked USING (customer_id, purpose_id, channel, address_hash)
  WHERE (later.action = 'given'
         AND (later.method = 'paper' OR (later.double_opt_in AND later.method IN ('import', 'api'))))
     OR (later.action = 'confirmed' AND later.occurred_at >= asked.occurred_at)
  ORDER BY customer_id, purpose_id, channel, address_hash, later.occurred_at, later.id
), waiting AS (
  SELECT DISTINCT ON (customer_id, purpose_id, channel, address_hash) later.*
  FROM later LEFT JOIN lapsed USING (customer_id, purpose_id, channel, address_hash)
  WHERE later.action = 'given' AND (lapsed.occurred_at IS NULL OR later.occurred_at > lapsed.occurred_at)
  ORDER BY customer_id, purpose_id, channel, address_hash, later.occurred_at, later.id
)
INSERT INTO crm_consentstate (customer_id, purpose_id, channel, state, since, evidence_id, address)
SELECT customer_id, purpose_id, channel, state, occurred_at, id, address FROM (
  SELECT DISTINCT ON (customer_id, purpose_id, channel) possible.*, CASE WHEN rank <= 2 THEN here.normal ELSE '' END AS address
  FROM (
    SELECT 1 AS rank, true AS bound, customer_id, purpose_id, channel, 'given' AS state, occurred_at, id, address_hash
    FROM valid
    UNION ALL SELECT 2, true, customer_id, purpose_id, channel, 'pending', occurred_at, id, address_hash FROM waiting
    UNION ALL SELECT 3, false, customer_id, purpose_id, channel, action, occurred_at, id, '' FROM ended
    UNION ALL SELECT 4, false, customer_id, purpose_id, channel, 'moved', occurred_at, id, '' FROM valid
    UNION ALL SELECT 5, true, customer_id, purpose_id, channel, action, occurred_at, id, address_hash FROM lapsed
    UNION ALL SELECT 6, false, customer_id, purpose_id, channel, 'pending', occurred_at, id, '' FROM waiting
    UNION ALL SELECT 7, false, customer_id, purpose_id, channel, action, occurred_at, id, '' FROM lapsed
  ) possible LEFT JOIN here USING (customer_id, channel, address_hash)
  WHERE NOT bound OR here.normal IS NOT NULL
  ORDER BY customer_id, purpose_id, channel, rank, occurred_at DESC, id
) derived
ORDER BY customer_id, purpose_id, channel
ON CONFLICT (customer_id, purpose_id, channel) DO UPDATE
  SET state = excluded.state, since = excluded.since, evidence_id = excluded.evidence_id, address = excluded.address
  WHERE (crm_consentstate.state, crm_consentstate.since, crm_consentstate.evidence_id, crm_consentstate.address)
    IS DISTINCT FROM (excluded.state, excluded.since, excluded.evidence_id, excluded.address)
"""


def refresh(customer_ids: Iterable[int]) -> int:
    """Derive the states of these customers from ledger and addresses, in one statement. Returns how many rows changed."""
    parameters: dict[str, Any] = keyed.hash_parameters() | {"ids": list(customer_ids)}
    with connection.cursor() as cursor:
        cursor.execute(REFRESH, parameters)
        return cursor.rowcount
