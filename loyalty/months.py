"""Where everybody stood at the end of each past month: judged from the facts dated up to it, kept as one character a
customer and month.

Raw judgements under the rules of today, so that all months can be compared; a stage shown on the page of a customer
falls later than a raw one. A month is judged anew when the rules or the purchases dated up to it have changed.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Min
from django.utils.timezone import now

from crm.days import today
from crm.models import Purchase
from loyalty import rules, scoring
from loyalty.barriers import BARRIERS, EMOTIONAL
from loyalty.models import Calibration, MonthEnd, Standing
from loyalty.stages import STAGES
from loyalty.status import status_sql

KEPT = 36  # months that are judged when an installation begins; each further month joins them
SPANS = (1, 3, 12)  # months over which movements are counted

LOCK = 0x4C4F594D

NOT_YET = "-"
STAGE_MARKS = {stage.code: chr(ord("0") + level) for level, stage in enumerate(STAGES)}
STATUS_MARKS = {"reactivated": "r", "active": "a", "overdue": "o", "at_risk": "k", "lapsed": "l", "": "."}
BOND_MARKS = {"voluntary": "v", "voluntary_and_locked": "b", "captive": "c", "unattached": "u", "": ".", "none": "n"}
# Classes of a score of buyers: unknown, 0, above 0, from 25, 50 and 75. Keys as stored in `MonthEnd.scores`.
CLASSES = ("unknown", "0", "1", "25", "50", "75")
CLASS_MARKS = dict(zip(CLASSES, "?01257", strict=True)) | {"none": "n"}
SCORES = ("lock_in", "bond", *(barrier.code for barrier in BARRIERS), EMOTIONAL[0])

MARKS = {
    "stage": STAGE_MARKS,
    "status": STATUS_MARKS,
    "bond": BOND_MARKS,
    "bond_score": CLASS_MARKS,
    "lock_in_score": CLASS_MARKS,
}
COLUMNS = {
    "stage": "stages",
    "status": "statuses",
    "bond": "bonds",
    "bond_score": "bond_scores",
    "lock_in_score": "lock_in_scores",
}
# Changes with the meaning of a character: then everything is judged anew.
LAYOUT = zlib.crc32(repr(sorted((kind, sorted(marks.items())) for kind, marks in MARKS.items())).encode()) & 0x7FFFFFFF


def class_sql(column: str) -> str:
    """The class of a score, as in CLASSES."""
    return (
        f"CASE WHEN {column} IS NULL THEN 'unknown' WHEN {column} <= 0 THEN '0' WHEN {column} < 25 THEN '1' "
        f"WHEN {column} < 50 THEN '25' WHEN {column} < 75 THEN '50' ELSE '75' END"
    )


def marks_sql(column: str, marks: dict[str, str]) -> str:
    whens = " ".join(f"WHEN '{code}' THEN '{mark}'" for code, mark in marks.items())
    return f"CASE {column} {whens} ELSE '{NOT_YET}' END"


# A customer is known once they bought, or from the day their record says.
MARKED = f"""
CREATE TEMP TABLE marked ON COMMIT DROP AS
SELECT a.customer_id, {marks_sql("a.stage", STAGE_MARKS)} AS stage,
  {marks_sql("a.status", STATUS_MARKS)} AS status,
  CASE WHEN a.orders = 0 THEN 'n' ELSE {marks_sql("a.bond_type", BOND_MARKS)} END AS bond,
  CASE WHEN a.orders = 0 THEN 'n' ELSE {marks_sql(class_sql("a.bond"), CLASS_MARKS)} END AS bond_score,
  CASE WHEN a.orders = 0 THEN 'n' ELSE {marks_sql(class_sql("a.lock_in"), CLASS_MARKS)} END AS lock_in_score
FROM (SELECT *, {status_sql()} AS status FROM {{assessments}}) a JOIN crm_customer c ON c.id = a.customer_id
WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL
  AND (a.orders > 0 OR coalesce(c.since, (c.created_at AT TIME ZONE %(zone)s)::date) <= %(day)s::date)
ORDER BY a.customer_id"""

WRITE = """
INSERT INTO loyalty_standing AS s (customer_id, {columns})
SELECT customer_id, {first} FROM marked
ON CONFLICT (customer_id) DO UPDATE SET {later}""".format(
    columns=", ".join(COLUMNS.values()),
    first=", ".join(f"repeat('-', %(place)s) || {kind}" for kind in COLUMNS),
    later=", ".join(
        f"{column} = rpad(left(s.{column}, %(place)s), %(place)s, '-') || right(excluded.{column}, 1)"
        f" || substr(s.{column}, %(place)s + 2)"
        for column in COLUMNS.values()
    ),
)
# Whoever was known at this month end when it was judged before, and is no longer.
BLANK = """
UPDATE loyalty_standing s SET {blanked}
WHERE substr(stages, %(at)s, 1) NOT IN ('', '-')
  AND NOT EXISTS (SELECT FROM marked m WHERE m.customer_id = s.customer_id)""".format(
    blanked=", ".join(f"{column} = overlay({column} PLACING '-' FROM %(at)s)" for column in COLUMNS.values())
)

COUNTS = "SELECT stage || status || bond, count(*) FROM marked GROUP BY 1"
MOVES = """
SELECT CASE WHEN substr(stages, %(from)s, 1) = '' THEN '-' ELSE substr(stages, %(from)s, 1) END
  || substr(stages, %(to)s, 1), count(*)
FROM loyalty_standing WHERE substr(stages, %(to)s, 1) NOT IN ('', '-') GROUP BY 1"""
PURCHASES = """
SELECT date_trunc('month', ordered_on)::date, count(*) FROM crm_purchase
WHERE customer_id IS NOT NULL GROUP BY 1 ORDER BY 1"""


def classes_sql(table: str) -> str:
    """Buyers of a table of assessments by class of each score: (score, class, how many)."""
    names = ", ".join(f"'{name}'" for name in SCORES)
    barriers = ", ".join(f"scores[{at + 1}]" for at in range(len(BARRIERS)))
    return f"""
SELECT name, {class_sql("score")}, count(*)
FROM {table}, unnest(ARRAY[{names}], ARRAY[lock_in, bond, {barriers}, attitude]) AS one(name, score)
WHERE orders > 0 GROUP BY 1, 2"""


@dataclass(frozen=True)
class Progress:
    """What `fill` did. left: month ends still due."""

    judged: int
    left: int


def first_day(day: date) -> date:
    return day.replace(day=1)


def plus(month: date, months: int) -> date:
    """The first day of the month so many months later."""
    years, at = divmod(month.month - 1 + months, 12)
    return date(month.year + years, at + 1, 1)


def last_day(month: date) -> date:
    return plus(month, 1) - timedelta(days=1)


def fill(
    seconds: float = 1e9,
    *,
    facts: bool = False,
    again: bool = False,
    told: Callable[[MonthEnd, float], Any] = lambda month, took: None,
) -> Progress:
    """Judge the month ends that are due, oldest first, each in a transaction of its own, for about so many seconds.

    facts: also look for purchases that came late (reads all purchases once); again: judge all of them anew.
    told: hears of each month and its seconds. May be ended at any time and goes on where it stopped. Safe to call side by
    side: a second one does nothing.
    """
    with alone() as free:
        return _fill(seconds, facts, again, told) if free else Progress(0, 0)


@contextmanager
def alone() -> Iterator[bool]:
    """Whether no other process fills; holds others off until the end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        free = cursor.fetchone()[0]
        try:
            yield free
        finally:
            if free and not connection.needs_rollback:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _fill(seconds: float, facts: bool, again: bool, told: Callable[[MonthEnd, float], Any]) -> Progress:
    if again:
        forget()
    due, started, judged = due_months(facts), time.monotonic(), 0
    dated = purchases_up_to(due) if due else {}
    while due and (not judged or time.monotonic() - started < seconds):
        at, month = time.monotonic(), due.pop(0)
        told(judge(month, dated[month]), time.monotonic() - at)
        judged += 1
    return Progress(judged, len(due))


def due_months(facts: bool = False) -> list[date]:
    """Month ends that must be judged, oldest first: missing ones, and those whose rules or purchases changed."""
    if Calibration.objects.filter(pk=1, pinned_on__isnull=False).exists():
        return []
    known = {month.month: month for month in MonthEnd.objects.all()}
    last = plus(first_day(today()), -1)
    if facts or not known:  # the oldest purchase is found by reading all of them
        oldest = Purchase.objects.filter(customer__isnull=False).aggregate(day=Min("ordered_on"))["day"]
        if oldest is None or first_day(oldest) > last:
            return []
        start = max(first_day(oldest), plus(last, 1 - KEPT))
    else:
        start = min(known)
    if known and (min(known) > start or any(month.layout != LAYOUT for month in known.values())):
        forget()
        known = {}
    version = rules.current().version
    changed = {month for month, one in known.items() if one.rules_version != version}
    if facts and known:
        dated = purchases_up_to(list(known))
        changed |= {month for month, one in known.items() if dated[month] != one.purchases}
    begin = min(known, default=start)
    wanted = [plus(begin, at) for at in range((last.year - begin.year) * 12 + last.month - begin.month + 1)]
    return [month for month in wanted if month not in known or month in changed]


def purchases_up_to(months: Sequence[date]) -> dict[date, int]:
    """How many purchases of known customers are dated up to the end of each month."""
    with connection.cursor() as cursor:
        cursor.execute(PURCHASES)
        by_month = cursor.fetchall()
    return {month: sum(n for one, n in by_month if one <= month) for month in months}


@transaction.atomic
def forget() -> None:
    """Delete all that is known of past month ends."""
    MonthEnd.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Standing._meta.db_table}")


@transaction.atomic
def judge(month: date, purchases: int | None = None) -> MonthEnd:
    """Judge everybody as of the end of a past month and keep how they stood.

    purchases: how many are dated up to it, where the caller has counted them.
    """
    first = MonthEnd.objects.order_by("month").values_list("month", flat=True).first() or month
    place = (month.year - first.year) * 12 + month.month - first.month
    with scoring.judged_as_of(last_day(month)) as (outcome, run), connection.cursor() as cursor:
        named: dict[str, Any] = {"zone": run.zone, "day": run.day, "place": place, "at": place + 1}
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [scoring.LOCK])
        cursor.execute(MARKED.format(assessments=run.assessments), named)
        cursor.execute("ANALYZE marked")
        cursor.execute(WRITE, named)
        cursor.execute(BLANK, named)
        cursor.execute(COUNTS)
        counts = dict(cursor.fetchall())
        scores = class_counts(cursor, run.assessments)
        cursor.execute("DROP TABLE marked")
    ended, _made = MonthEnd.objects.update_or_create(
        month=month,
        defaults={
            "place": place,
            "customers": sum(counts.values()),
            "counts": counts,
            "scores": scores,
            "purchases": purchases_up_to([month])[month] if purchases is None else purchases,
            "layout": LAYOUT,
            "days": outcome.rhythm.days,
            "rules_version": rules.current().version,
            "judged_at": now(),
        },
    )
    count_moves(place)
    return ended


def class_counts(cursor: CursorWrapper, table: str) -> dict[str, dict[str, int]]:
    """Buyers by class of each score: {"lock_in": {"unknown": 3, "25": 1}}."""
    cursor.execute(classes_sql(table))
    found: dict[str, dict[str, int]] = {name: {} for name in SCORES}
    for name, klass, n in cursor.fetchall():
        found[name][klass] = n
    return found


def count_moves(place: int) -> None:
    """Count who moved between stages up to this month end, and from it to those judged already."""
    ends = {month.place: month for month in MonthEnd.objects.all()}
    pairs = [(place - span, place, span) for span in SPANS] + [(place, place + span, span) for span in SPANS]
    with connection.cursor() as cursor:
        for start, end, span in pairs:
            if start in ends and end in ends:
                cursor.execute(MOVES, {"from": start + 1, "to": end + 1})
                ends[end].moves[str(span)] = dict(cursor.fetchall())
    for end in {pair[1] for pair in pairs} & set(ends):
        ends[end].save(update_fields=["moves"])
