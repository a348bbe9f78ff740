"""The way by which customers' answers come in from outside, many at a time.

A response is known by its source and its number there, and is stored once: sent again, it changes nothing. One whose
customer is not known yet is refused and kept in quarantine, as a consent is: an answer brings no name and no purchase, so
a customer made from it would be nobody, and a mistyped number would look like success. Nobody erased comes back by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from django.db import connection
from django.db.models import JSONField, Value
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import keyed, sql
from crm.answer_rows import Checker, Row
from crm.answers import Sheet, motives_of, record_responses
from crm.models import Answer, CustomerKey, ErasedKey, Purchase, Quarantine, Shop, Source
from crm.sync_checks import external_id_of
from crm.sync_fields import KEY_LENGTH, Json, Problem

CREATED, UNCHANGED, INVALID = "created", "unchanged", "invalid"
STATUSES = (CREATED, UNCHANGED, INVALID)
RESPONSES = UUID("5d0c8f0e-6f0b-4f0a-9a55-0c9d4f3f8a11")  # the name space of responses from outside
RESPONSE_LOCK = 0x72657370  # "resp": the first half of the advisory lock, the source's id is the second


@dataclass
class Outcome:
    """What became of a row: created, unchanged or invalid, with what is wrong with it."""

    external_id: str | None
    status: str
    errors: list[Problem] = field(default_factory=list)


def response_of(source: Source, external_id: str) -> UUID:
    """The response that a source knows by this number."""
    return uuid5(RESPONSES, f"{source.pk} {external_id}")


def apply(source: Source, rows: Sequence[Json], historic: bool = False) -> list[Outcome]:
    """Check and store rows in one transaction; one outcome for each, in their order. Refused rows are kept 30 days.

    historic: a backfill; none of it raises an alert. Without it, answers of the shop's last live hours (72) do.
    """
    return sql.in_transaction(lambda _exclusive: _apply(source, rows, historic))


def _apply(source: Source, given: Sequence[Json], historic: bool) -> list[Outcome]:
    at, checker = now(), Checker(now())
    rows = [checker.row(position, row) for position, row in enumerate(given, start=1)]
    _wait_for_others(source)
    _find_customers(source, rows)
    _find_purchases(source, rows)
    live_since = at - timedelta(hours=Shop.current().event_window_hours)
    sheets = {row.position: _sheet(source, row, historic, live_since) for row in rows if not row.problems}
    fresh = _new(rows, sheets)
    record_responses(list(fresh.values()))
    _keep_refused(source, [row for row in rows if row.problems and not row.erased])
    return [_outcome(row, row.position in fresh) for row in rows]


def _wait_for_others(source: Source) -> None:
    """One batch of responses of a source at a time, and none beside an erasure."""
    with connection.cursor() as cursor:
        sql.lock_source(cursor, source.pk, exclusive=False)
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RESPONSE_LOCK, source.pk % 2**31])


def _find_customers(source: Source, rows: Sequence[Row]) -> None:
    named = {row.customer for row in rows if row.customer}
    keys = CustomerKey.objects.filter(source=source, external_id__in=named).select_related("customer")
    known = {key.external_id: key.customer.merged_into_id or key.customer_id for key in keys}
    erased = _erased(source, named)
    for row in rows:
        if row.customer in erased and row.answered_at <= erased[row.customer]:
            row.erased = True
            row.refuse("erased", "customer", _("This person was erased here. Nothing was kept: leave the row out."))
        elif row.customer in known:
            row.customer_id = known[row.customer]
        elif row.customer:
            message = _("Your system's customer %(key)s is not known here yet. Send the customer first.")
            row.refuse("unknown_customer", "customer", message % {"key": row.customer})


def _erased(source: Source, named: set[str]) -> dict[str, datetime]:
    hashes = {keyed.source_key_hash(source.pk, key): key for key in named}
    found = ErasedKey.objects.filter(source=source, key_hash__in=hashes).values_list("key_hash", "erased_at")
    return {hashes[key_hash]: at for key_hash, at in found}


def _find_purchases(source: Source, rows: Sequence[Row]) -> None:
    named = {row.purchase for row in rows if row.purchase}
    found = Purchase.objects.filter(source=source, external_id__in=named).select_related("customer")
    known = {
        one.external_id: (one.pk, one.customer and (one.customer.merged_into_id or one.customer_id)) for one in found
    }
    for row in rows:
        if not row.purchase or not row.customer_id:
            continue
        pk, buyer = known.get(row.purchase, (None, None))
        if pk is None:
            message = _("The purchase %(key)s has not arrived yet. Send it first, then this row again.")
            row.refuse("unknown_purchase", "purchase", message % {"key": row.purchase})
        elif buyer != row.customer_id:
            message = _("The purchase %(key)s is not this customer's. Correct one of them, or leave the purchase out.")
            row.refuse("not_theirs", "purchase", message % {"key": row.purchase})
        row.purchase_id = pk


def _sheet(source: Source, row: Row, historic: bool, live_since: datetime) -> Sheet:
    return Sheet(
        row.customer_id,
        response_of(source, row.external_id),
        row.answered_at,
        row.items,
        row.felt,
        row.form,
        row.motives,
        touchpoint=row.touchpoint,
        comment=row.comment,
        purchase_id=row.purchase_id,
        historic=historic or row.answered_at < live_since,
    )


# What is here already

Said = tuple[int, datetime, dict[str, tuple[Decimal | int, str]]]


def _new(rows: Sequence[Row], sheets: dict[int, Sheet]) -> dict[int, Sheet]:
    """The sheets that are not stored yet, by position. Rows that contradict what is stored get a problem."""
    stored, motives = _stored(sheets.values()), motives_of(sheets.values())
    fresh: dict[int, Sheet] = {}
    for row in rows:
        sheet = sheets.get(row.position)
        if sheet is None:
            continue
        before = stored.get(sheet.response)
        if before is None and not sheet.answers and _moved(sheet) <= motives:
            continue
        if before is None:
            fresh[row.position] = sheet
            stored[sheet.response] = _said(sheet)
        elif before != _said(sheet):
            message = _(
                "This response is here already with other answers, and what was said is not changed. If it is another"
                " one, give it a number of its own."
            )
            row.refuse("already_answered", "external_id", message)
    return fresh


def _said(sheet: Sheet) -> Said:
    forms = {item: sheet.form if item.startswith("nev_") else "" for item in sheet.answers}
    return sheet.customer_id, sheet.answered_at, {item: (value, forms[item]) for item, value in sheet.answers.items()}


def _moved(sheet: Sheet) -> set[tuple[int, str, datetime]]:
    return {(sheet.customer_id, motive.motivator, sheet.answered_at) for motive in sheet.motives}


def _stored(sheets: Iterable[Sheet]) -> dict[UUID, Said]:
    wanted = {sheet.response for sheet in sheets}
    found: dict[UUID, Said] = {}
    answers = Answer.objects.filter(response__in=wanted).values_list(
        "response", "customer__merged_into", "customer", "answered_at", "item", "value", "form"
    )
    for response, merged_into, customer, at, item, value, form in answers:
        found.setdefault(response, (merged_into or customer, at, {}))[2][item] = (value, form)
    return found


def _outcome(row: Row, fresh: bool) -> Outcome:
    status = INVALID if row.problems else CREATED if fresh else UNCHANGED
    return Outcome(external_id_of(row.given), status, row.problems)


def _keep_refused(source: Source, rows: Sequence[Row]) -> None:
    # A response may have the same number as somebody else's purchase: the prefix keeps the two apart.
    Quarantine.objects.bulk_create(
        Quarantine(
            source=source,
            position=row.position,
            external_id=f"response:{row.external_id}"[:KEY_LENGTH],
            payload=Value(row.given, JSONField()),
            errors=row.problems,
        )
        for row in rows
    )
