"""The one way by which consents come in from outside, many at a time: REST and files alike.

A declaration is known by person, purpose, channel, action, time and source: sent again, it changes nothing. Grants need
a wording; what a later or simultaneous end outranks is kept in the ledger and changes nothing. Ends are never refused
for their date. A grant holds at once only on signed paper or with its own proof of double opt-in.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import JSONField, Value
from django.utils.translation import gettext as _

from crm import changed, consent, double_opt_in, keyed, prospects, sql
from crm.consent import ConsentError, How
from crm.consent_rows import Checker, Row, named
from crm.models import (
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    ContactPoint,
    Customer,
    CustomerKey,
    Purpose,
    Quarantine,
    Shop,
    Source,
    Suppression,
)
from crm.sync_fields import Json, Problem

Action = ConsentEvent.Action
RECORDED, PENDING, UNCHANGED, STALE, INVALID = "recorded", "pending", "unchanged", "stale", "invalid"
STATUSES = (RECORDED, PENDING, UNCHANGED, STALE, INVALID)


@dataclass
class Answer:
    """What became of a row. `state` is where the customer stands now ("" if nobody is concerned); `mail` what became
    of the mail that asks for confirmation: "", requested, limited or silent.
    """

    status: str
    state: str = ""
    mail: str = ""
    errors: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One entry of the ledger that a row stands for."""

    row: Row
    customer_id: int
    purpose: str
    action: str
    at: datetime
    how: How


def apply(source: Source, rows: Sequence[Json], method: str = "api") -> list[Answer]:
    """Check and record rows in one transaction; one answer for each, in their order. Refused rows are kept 30 days.

    method: the ledger's name of the door, "api" or "import". Mails are asked for after everything is recorded.
    """
    return sql.in_transaction(lambda _exclusive: _apply(source, rows, method))


def _apply(source: Source, given: Sequence[Json], method: str) -> list[Answer]:
    checker = Checker(method)
    rows = [checker.row(position, row) for position, row in enumerate(given, start=1)]
    _find(source, rows)
    good = [row for row in rows if not row.problems]
    entries = [entry for row in good for entry in _entries(row, source.pk)]
    fresh = _record(entries, source.pk)
    mails = _ask([row for row in good if row.ask and row.position in fresh], source.pk)
    states = _states(row.customer_ids for row in good)
    _silence_strangers([row for row in good if not row.customer_ids])
    _keep_refused(source, [row for row in rows if row.problems])
    return [_answer(row, fresh, mails, states) for row in rows]


# Who is meant


def _find(source: Source, rows: Sequence[Row]) -> None:
    """Fill in `customer_ids`. An end by address concerns everybody who has it; a grant must mean one person."""
    keys = CustomerKey.objects.filter(source=source, external_id__in={row.customer for row in rows if row.customer})
    by_key = {
        key.external_id: key.customer.merged_into_id or key.customer_id for key in keys.select_related("customer")
    }
    _lock_addresses([row for row in rows if not row.problems], set(by_key.values()))
    by_address = _holders(rows)
    # An end for a stranger is kept, too, or a grant from before it would count when it arrives later.
    fresh = [
        row
        for row in rows
        if row.purpose and row.normal and not row.customer and not row.problems and not by_address[row.normal]
    ]
    for normal, made in prospects.make((row.email, row.normal, row.language) for row in fresh).items():
        by_address[normal] = [made.pk]
    for row in rows:
        if row.customer:
            _by_key(row, by_key)
        elif row.normal and not row.problems:
            _by_address(row, by_address)


def _lock_addresses(rows: Sequence[Row], named: set[int]) -> None:
    """Every address that may get a mail or a customer: before any customer is locked, as a sign-up does it."""
    points = ContactPoint.objects.filter(customer__in=named, kind="email", is_primary=True)
    asked = set(points.values_list("normal", flat=True)) if any(row.ask for row in rows) else set()
    double_opt_in.lock_addresses(asked | {row.normal for row in rows if row.purpose and row.normal})


def _holders(rows: Sequence[Row]) -> dict[str, list[int]]:
    """The living customers of each address."""
    found: dict[str, list[int]] = defaultdict(list)
    points = ContactPoint.objects.filter(kind="email", normal__in={row.normal for row in rows if row.normal})
    living = points.filter(customer__merged_into=None, customer__erased_at=None, customer__deceased_at=None)
    for normal, customer_id in living.order_by("customer_id").values_list("normal", "customer_id"):
        found[normal].append(customer_id)
    return found


def _by_key(row: Row, known: dict[str, int]) -> None:
    if row.customer in known:
        row.customer_ids = [known[row.customer]]
    else:
        message = _("Your system's customer %(key)s is not known here yet. Send the customer first.")
        row.problems.append(
            {"code": "unknown_customer", "field": "customer", "message": message % {"key": row.customer}}
        )


def _by_address(row: Row, known: dict[str, list[int]]) -> None:
    row.customer_ids = known[row.normal]
    if not row.grants:
        return
    if len(row.customer_ids) > 1:
        message = _("Several customers share this mailbox. Say by “customer” which of them agreed.")
        row.problems.append({"code": "shared_mailbox", "field": "email", "message": message})


# What is recorded


def _entries(row: Row, source_id: int) -> list[Entry]:
    how = row.how(source_id)
    every = row.action == Action.OBJECTED and not row.purpose
    purposes = list(Purpose.objects.values_list("pk", flat=True)) if every else [row.purpose]
    made = [
        Entry(row, pk, purpose, row.action, row.occurred_at, how) for pk in row.customer_ids for purpose in purposes
    ]
    if row.confirmed_at:
        proof = replace(how, occurred_at=row.confirmed_at, double_opt_in=True)
        made += [Entry(row, pk, row.purpose, Action.CONFIRMED, row.confirmed_at, proof) for pk in row.customer_ids]
    return made


def _record(entries: Sequence[Entry], source_id: int) -> set[int]:
    """Append what is new and derive the states. Returns the positions of rows that brought something new."""
    people = _locked({entry.customer_id for entry in entries})
    addresses = consent.primary_addresses(people)
    entries = [
        replace(one, how=consent.bound(one.how, one.customer_id, one.row.channel, one.action, addresses))
        for one in entries
    ]
    known = _known(people.values(), source_id)
    before = _raw_states(people)
    fresh: list[Entry] = []
    for entry in entries:
        name = (people[entry.customer_id], entry.purpose, entry.row.channel, entry.action, entry.at)
        ended = before.get((entry.customer_id, entry.purpose, entry.row.channel), ("",))[0] in consent.ENDS
        if name not in known and not (entry.row.future_end and ended):
            known.add(name)
            fresh.append(entry)
    hashes = consent.wording_hashes(entry.how for entry in fresh)
    events = [
        consent.event_of(people[one.customer_id], one.purpose, one.row.channel, one.action, one.at, one.how, hashes)
        for one in fresh
    ]
    ConsentEvent.objects.bulk_create(events, batch_size=1_000)
    pairs = zip(events, fresh, strict=True)
    traces = [trace for event, one in pairs for trace in consent.traces_of(event, one.how)]
    ConsentTrace.objects.bulk_create(traces, batch_size=1_000)
    _silence(entries)
    consent.refresh(people)
    after = _raw_states(people)
    changed.mark({key[0] for key in after if after[key] != before.get(key)})
    _tell(fresh, after)
    return {one.row.position for one in fresh}


def _locked(customer_ids: set[int]) -> dict[int, Any]:
    """The person keys of customers, each locked, in one order for everybody."""
    rows = Customer.objects.select_for_update(of=["self"]).filter(pk__in=customer_ids).order_by("pk")
    return dict(rows.values_list("pk", "person_key"))


def _known(person_keys: Any, source_id: int) -> set[tuple[Any, ...]]:
    told = ConsentEvent.objects.filter(person_key__in=list(person_keys), source=source_id)
    return set(told.values_list("person_key", "purpose_id", "channel", "action", "occurred_at"))


def _raw_states(customer_ids: Any) -> dict[tuple[int, str, str], tuple[str, Any]]:
    rows = ConsentState.objects.filter(customer__in=list(customer_ids))
    found = rows.values_list("customer_id", "purpose_id", "channel", "state", "since")
    return {row[:3]: row[3:] for row in found}


def _silence(entries: Sequence[Entry]) -> None:
    """An objection to all advertising silences the addresses, known ones and those of strangers."""
    for customer_id, channel in {
        (one.customer_id, one.row.channel) for one in entries if one.action == Action.OBJECTED and not one.row.purpose
    }:
        consent.silence(customer_id, Suppression.Reason.OBJECTED, channel)


def _tell(fresh: Sequence[Entry], after: dict[tuple[int, str, str], tuple[str, Any]]) -> None:
    ends: dict[tuple[int, str, str, Any], list[str]] = defaultdict(list)
    for one in fresh:
        if one.action in consent.ENDS:
            ends[one.customer_id, one.row.channel, one.action, one.at].append(one.purpose)
    for (customer_id, channel, action, at), purposes in ends.items():
        states = {code: after.get((customer_id, code, channel), ("",))[0] for code in purposes}
        consent.tell(customer_id, purposes, channel, action, at, states)


# Mails that ask


def _ask(rows: Sequence[Row], source_id: int) -> dict[int, str]:
    """Have the mailboxes asked for what is pending: one mail a customer. Returns what became of it, by position."""
    waiting: dict[int, list[Row]] = defaultdict(list)
    pending = ConsentState.objects.filter(customer__in={pk for row in rows for pk in row.customer_ids}, state="pending")
    still = set(pending.filter(channel="email").values_list("customer_id", "purpose_id"))
    for row in rows:
        if (row.customer_ids[0], row.purpose) in still and not (row.customer and row.email):
            waiting[row.customer_ids[0]].append(row)
    became: dict[int, str] = {}
    for customer_id, asked in waiting.items():
        wordings = {row.purpose: row.wording_id for row in asked if row.wording_id}
        how = How(asked[0].method, source_id=source_id, wordings=wordings, form=asked[0].form,
                  notice_version=asked[0].notice_version)  # fmt: skip
        language = asked[0].language or Shop.current().language
        try:
            state = double_opt_in.ask(customer_id, [row.purpose for row in asked], language, how).state
        except ConsentError as error:
            state = error.code
        became |= {row.position: "requested" if state == "pending" else state for row in asked}
    return became


# Answers


def _states(listed: Any) -> dict[tuple[int, str, str], tuple[str, Any]]:
    return _raw_states({pk for ids in listed for pk in ids})


def _answer(row: Row, fresh: set[int], mails: dict[int, str], states: dict[Any, tuple[str, Any]]) -> Answer:
    if row.problems:
        return Answer(INVALID, errors=row.problems)
    if not row.customer_ids:
        return Answer(RECORDED if row.action == Action.OBJECTED and not row.purpose else UNCHANGED)
    purpose = row.purpose or Purpose.objects.values_list("pk", flat=True)[0]
    state = states.get((row.customer_ids[0], purpose, row.channel), ("",))[0]
    if row.position not in fresh:
        status = UNCHANGED
    elif row.grants and state in consent.ENDS:
        status = STALE
    elif row.grants and state == ConsentState.State.PENDING:
        status = PENDING
    else:
        status = RECORDED
    return Answer(status, state, mails.get(row.position, ""))


def _silence_strangers(rows: Sequence[Row]) -> None:
    """Nobody here has these addresses; an objection to all advertising holds for whoever will."""
    normals = {row.normal for row in rows if row.action == Action.OBJECTED and not row.purpose and row.normal}
    reason = Suppression.Reason.OBJECTED
    silenced = [Suppression(address_hash=keyed.address_hash(normal), reason=reason) for normal in normals]
    Suppression.objects.bulk_create(silenced, ignore_conflicts=True)


def _keep_refused(source: Source, rows: Sequence[Row]) -> None:
    Quarantine.objects.bulk_create(
        Quarantine(
            source=source,
            position=row.position,
            external_id=named(row),
            payload=Value(row.given, JSONField()),
            errors=row.problems,
        )
        for row in rows
    )
