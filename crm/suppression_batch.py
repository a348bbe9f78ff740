"""Silenced addresses that come in from outside, many at a time: the lists of a mail program that was used before.

An entry is known by address and reason: sent again, it changes nothing. What was lifted here since it happened stays
lifted. Refused rows are not kept, for a plain address has no place here: only its keyed hash stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import declarations, double_opt_in, keyed, sql
from crm.models import ConsentState, ContactPoint, Source, Suppression
from crm.privacy import audit
from crm.suppressions import SuppressionError, normalised
from crm.sync_fields import CLOCK_SKEW, Fields, Json, Problem

Reason = Suppression.Reason
REASONS = frozenset({Reason.OBJECTED.value, Reason.HARD_BOUNCE.value, Reason.SPAM_REPORT.value, Reason.MANUAL.value})
OF_MAIL = {Reason.HARD_BOUNCE, Reason.SPAM_REPORT}
NAMES = frozenset({"address", "reason", "occurred_at"})
CREATED, UNCHANGED, STALE, INVALID = "created", "unchanged", "stale", "invalid"
STATUSES = (CREATED, UNCHANGED, STALE, INVALID)
LONGEST = 254

SILENCE = """
INSERT INTO crm_suppression (address_hash, reason, source)
SELECT * FROM unnest(%(hashes)s::text[], %(reasons)s::text[]) told (address_hash, reason), (VALUES (%(source)s)) named (source)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
CLOSE = """
UPDATE crm_contactpoint point SET state = 'hard_bounced', bounced_at = told.at, rests_until = NULL
FROM (
  SELECT held.id, told.at FROM unnest(%(normals)s::text[], %(times)s::timestamptz[]) told (normal, at)
  JOIN crm_contactpoint held ON held.kind = 'email' AND held.normal = told.normal AND held.state <> 'hard_bounced'
  ORDER BY held.id FOR UPDATE OF held
) told
WHERE point.id = told.id
"""


@dataclass
class Row:
    """One entry, checked. `normal`: the address as addresses are compared; `hashed`: all that is kept of it."""

    normal: str = ""
    hashed: str = ""
    reason: str = ""
    at: datetime = field(default_factory=now)
    problems: list[Problem] = field(default_factory=list)


@dataclass
class Answer:
    status: str
    errors: list[Problem] = field(default_factory=list)


def apply(source: Source, rows: Sequence[Json]) -> list[Answer]:
    """Check and silence in one transaction; one answer for each row, in their order."""
    return sql.in_transaction(lambda _exclusive: _apply(source, rows))


def _apply(source: Source, given: Sequence[Json]) -> list[Answer]:
    check = Fields(now() - CLOCK_SKEW)
    rows = [_checked(check, row) for row in given]
    good = [row for row in rows if not row.problems]
    double_opt_in.lock_addresses({row.normal for row in good})
    answers = _judged(rows)
    new = [row for row, answer in zip(rows, answers, strict=True) if answer.status == CREATED]
    if new:
        _object(source, [row for row in new if row.reason == Reason.OBJECTED])
        _silence(source, new)
        _close([row for row in new if row.reason == Reason.HARD_BOUNCE])
        audit.record(None, "stop_list_taken", "suppression")
    return answers


def _checked(check: Fields, given: Json) -> Row:
    check.problems = []
    row = Row()
    if check.is_object(given, ""):
        check.only(given, NAMES, "")
        row.reason = check.choice(given, "reason", REASONS)
        text = check.text(given, "address", LONGEST)
        try:
            row.normal = normalised(text)
            row.hashed = keyed.address_hash(row.normal)
        except SuppressionError as error:
            check.problem("not_an_address", "address", str(error))
        if row.normal and "@" not in row.normal and row.reason in OF_MAIL:
            check.problem(
                "not_possible", "reason", _("Only an e-mail address has this reason. Send manual or objected.")
            )
        if given.get("occurred_at") is not None:
            row.at = check.instant(given, "occurred_at")
    row.problems = check.problems
    return row


def _judged(rows: Sequence[Row]) -> list[Answer]:
    """What becomes of each row. Two queries."""
    standing, lifted = _known(rows)
    agreed = _agreed([row.normal for row in rows if row.reason == Reason.OBJECTED and not row.problems])
    answers = []
    for row in rows:
        key = (row.hashed, row.reason)
        ends = [lifted.get(key), agreed.get(row.normal) if row.reason == Reason.OBJECTED else None]
        if row.problems:
            answers.append(Answer(INVALID, row.problems))
        elif key in standing:
            answers.append(Answer(UNCHANGED))
        elif any(end is not None and end >= row.at for end in ends):
            answers.append(Answer(STALE))
        else:
            standing.add(key)
            answers.append(Answer(CREATED))
    return answers


def _known(rows: Sequence[Row]) -> tuple[set[tuple[str, str]], dict[tuple[str, str], datetime]]:
    """(those that stand, when others were lifted last) by hash and reason."""
    standing: set[tuple[str, str]] = set()
    lifted: dict[tuple[str, str], datetime] = {}
    found = Suppression.objects.filter(address_hash__in={row.hashed for row in rows if row.hashed})
    for hashed, reason, lifted_at in found.order_by("pk").values_list("address_hash", "reason", "lifted_at"):
        if lifted_at is None:
            standing.add((hashed, reason))
        else:
            lifted[hashed, reason] = max(lifted_at, lifted.get((hashed, reason), lifted_at))
    return standing, lifted


def _agreed(normals: Sequence[str]) -> dict[str, datetime]:
    """When somebody with the address last agreed to something, by address."""
    held = ConsentState.objects.filter(state=ConsentState.State.GIVEN, channel="email", address__in=normals)
    times: dict[str, datetime] = {}
    for normal, since in held.values_list("address", "since"):
        times[normal] = max(since, times.get(normal, since))
    return times


def _object(source: Source, rows: Sequence[Row]) -> None:
    """Who has the address objects to everything: the ledger keeps it with the person."""
    holders = ContactPoint.objects.filter(
        kind="email", normal__in=[row.normal for row in rows], customer__erased_at=None
    )
    held = set(holders.values_list("normal", flat=True))
    told = {row.normal: row for row in rows if row.normal in held}
    declared = [
        {"email": normal, "action": "objected", "occurred_at": row.at.isoformat()} for normal, row in told.items()
    ]
    if declared:
        declarations.apply(source, declared)


def _silence(source: Source, rows: Sequence[Row]) -> None:
    parameters: dict[str, Any] = {
        "hashes": [row.hashed for row in rows],
        "reasons": [row.reason for row in rows],
        "source": source.name[:30],
    }
    with connection.cursor() as cursor:
        cursor.execute(SILENCE, parameters)


def _close(rows: Sequence[Row]) -> None:
    """Who has the address gets nothing at all by it."""
    parameters: dict[str, Any] = {"normals": [row.normal for row in rows], "times": [row.at for row in rows]}
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, parameters)
