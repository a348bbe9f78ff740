"""Metrics, then assessments, then transitions and events: one statement each, for all customers or for the changed.

Only one judgement runs at a time (an advisory lock), so nobody's change of stage is recorded twice.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.utils.timezone import now

from crm import once, sql
from crm.compiled import compiled
from crm.days import day_of, today
from crm.models import Shop
from loyalty import judging, knowledge, metrics, rules, status
from loyalty.barriers import LAYOUT
from loyalty.cycles import Rhythm, measure
from loyalty.models import Assessment, Calibration, Metrics, Transition

Answer = TypeVar("Answer")

LOCK = 0x4C4F5941
LIMIT = 5_000
FEW = 500
METRICS = Metrics._meta.db_table
ASSESSMENTS = Assessment._meta.db_table

# The joins are written in the order that serves: looking for a better one takes longer than judging a customer.
FIXED_ORDER = "SET LOCAL join_collapse_limit = 1; SET LOCAL from_collapse_limit = 1"
ROOM = "SET LOCAL work_mem = '64MB'"

# A statement that writes runs on one core: from so many customers on, parts are judged side by side. The changed ones
# pay sooner than everybody, because nothing is read but theirs.
MANY = 50_000
MANY_CHANGED = 2_000
PARTS = 2

# MATERIALIZED, because a plan that asks a bare subquery again would skip what it has locked and take more than LIMIT.
QUEUE_TAKE = """
WITH taken AS MATERIALIZED (SELECT id FROM crm_changedcustomer ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
DELETE FROM crm_changedcustomer queue USING taken WHERE queue.id = taken.id RETURNING queue.customer_id"""

# Rows of customers that were merged into another or erased.
FORGET = """
WITH gone AS MATERIALIZED (
  SELECT c.id FROM crm_customer c WHERE (c.merged_into_id IS NOT NULL OR c.erased_at IS NOT NULL) {only}),
forgotten AS (DELETE FROM {metrics} t USING gone WHERE t.customer_id = gone.id)
DELETE FROM {assessments} t USING gone WHERE t.customer_id = gone.id"""

# A rise makes an event only if something live caused it: a backfill, a new rule or another rhythm must mail nobody.
CAUSED_LIVE = """(rise < 0
    OR EXISTS (SELECT FROM crm_event e WHERE e.customer_id = c.customer_id AND e.kind = 'purchase.created'
      AND e.recorded_at > %(live_since)s)
    OR EXISTS (SELECT FROM crm_answer e WHERE e.customer_id = c.customer_id AND e.answered_at > %(live_since)s)
    OR EXISTS (SELECT FROM crm_advocacyact e WHERE e.customer_id = c.customer_id AND e.occurred_at > %(live_since)s)
    OR EXISTS (SELECT FROM crm_complaint e WHERE e.customer_id = c.customer_id AND e.closed_at > %(live_since)s))"""

WRITE = """
WITH changed AS MATERIALIZED (
  SELECT j.* FROM ({judged}) j LEFT JOIN {assessments} k ON k.customer_id = j.customer_id {near}
  WHERE k.customer_id IS NULL OR ({new}) IS DISTINCT FROM ({old})),
written AS (
  INSERT INTO {assessments} ({names}, judged_on, judged_at)
  SELECT {names}, %(day)s::date, %(moment)s FROM changed
  ON CONFLICT (customer_id) DO UPDATE SET {updates}, judged_on = excluded.judged_on, judged_at = excluded.judged_at),
moved AS (
  INSERT INTO loyalty_transition (customer_id, from_stage, to_stage, happened_on, inputs, rules_version, recorded_at)
  SELECT customer_id, old_stage, stage, %(day)s::date, jsonb_build_object(
      'raw_stage', raw_stage, 'status', status, 'orders', orders, 'last_order_on', last_order_on,
      'expected_interval', expected_interval, 'base_cycle', base_cycle, 'relative_attitude', relative_attitude,
      'evidence', evidence, 'severe_complaints', severe_complaints, 'strong_acts', strong_acts,
      'medium_acts', medium_acts, 'failing_since', old_failing), rules_version, %(moment)s
  FROM changed WHERE known AND old_stage <> stage RETURNING 1),
told AS (
  INSERT INTO crm_event (kind, customer_id, detail, occurred_at)
  SELECT 'stage.changed', customer_id, jsonb_build_object('from', old_stage, 'to', stage), %(moment)s
  FROM changed c WHERE known AND old_stage <> stage AND {caused_live})
SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM moved)"""


@dataclass(frozen=True)
class Outcome:
    """What a run did. judged: customers looked at; changed: rows that differ now; moved: shown stages that changed."""

    day: date
    judged: int
    changed: int
    moved: int
    rhythm: Rhythm


@dataclass(frozen=True)
class Run:
    """One judgement. past: as of a day before today; first: earlier assessments do not count, raw stages are shown;
    ids: of these customers only; part: of those only whose number is so, such as "> 7".
    """

    day: date
    moment: datetime
    past: bool = False
    first: bool = False
    zone: str = "UTC"
    live_hours: int = 72
    ids: Sequence[int] | None = None
    part: str = ""
    metrics: str = METRICS
    assessments: str = ASSESSMENTS

    @property
    def which(self) -> str:
        return self.part if self.ids is None else metrics.SOME

    @property
    def only(self) -> str:
        return f"AND c.id {self.which}" if self.which else ""


class PinnedError(RuntimeError):
    """The installation has lived: its judgements must not be replaced by those of a past day."""


@once.a_page
def shown_day() -> date:
    """The day for which pages show status and overdue ratio: today, or the past day that was stored."""
    known = calibration()
    return known.pinned_on or today() if known else today()


@once.a_page
def calibration() -> Calibration | None:
    """What the last full run found; None before the first."""
    return next(iter(_calibrations()), None)


@compiled
def _calibrations() -> QuerySet[Calibration]:
    return Calibration.objects.filter(pk=1)


@transaction.atomic
def score_all() -> Outcome:
    """Judge every customer as of now. Safe to repeat; waits for a judgement that is under way."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(QUEUE_TAKE, [None])
        return _judge_everybody(cursor)


@transaction.atomic
def score_changed(limit: int = LIMIT) -> int:
    """Judge up to `limit` customers whose facts changed; everybody, if that is cheaper. Returns how many.

    Safe to run side by side: a second call returns 0 at once. With the stored judgement of a past day it waits.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{FIXED_ORDER}; SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        known = Calibration.objects.filter(pk=1).first()
        if known and known.pinned_on:
            return 0
        in_force = rules.current()
        outdated = bool(known and _outdated(known, in_force))
        everybody = known is None or outdated or _everybody_is_cheaper(cursor, known)
        cursor.execute(QUEUE_TAKE, [None if everybody else limit])
        ids = sorted({row[0] for row in cursor.fetchall()})
        if not ids and not outdated:
            return 0
        if known is None or everybody:
            return _judge_everybody(cursor).judged
        return _judge_some(cursor, ids, known, in_force)


@transaction.atomic
def score_past(day: date, store: bool = False) -> tuple[Outcome, list[tuple[str, str, int]]]:
    """Judge everybody as of the end of a past day, from the facts dated up to it: raw stages, no transitions, no events.

    Returns the outcome and the customers by stage and status. With `store` the judgements are kept and shown until
    the next `score_all`; raises PinnedError where transitions were recorded, because their history would break.
    """
    if not store:
        with judged_as_of(day) as (outcome, run):
            return outcome, standing_of(day, run.assessments)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if Transition.objects.exists():
            raise PinnedError("transitions were recorded here: a past judgement must not replace the present one")
        outcome = _judge_everybody(cursor, _run_of(day), pinned_on=day)
        return outcome, standing_of(day)


@contextmanager
def judged_as_of(day: date) -> Iterator[tuple[Outcome, Run]]:
    """Everybody judged as of the end of a past day, in two temporary tables that the run names and that go afterwards.

    Needs a transaction. Other judgements and erasures go on meanwhile: whoever keeps something of it takes LOCK first.
    """
    run = replace(_run_of(day), metrics="past_metrics", assessments="past_assessment")
    with connection.cursor() as cursor:
        for table, like in ((run.metrics, METRICS), (run.assessments, ASSESSMENTS)):
            cursor.execute(f"CREATE TEMP TABLE {table} (LIKE {like} INCLUDING DEFAULTS INCLUDING INDEXES)")
        yield _judge_everybody(cursor, run, keep=False), run
        cursor.execute(f"DROP TABLE {run.metrics}, {run.assessments}")


def standing_of(day: date, table: str = ASSESSMENTS) -> list[tuple[str, str, int]]:
    """Customers by shown stage and by status on `day`: (stage, status, how many)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT stage, {status.status_sql()}, count(*) FROM {table} GROUP BY 1, 2 ORDER BY 1, 2", {"day": day}
        )
        return cursor.fetchall()


def judged_today() -> bool:
    """Whether a full run has covered everybody today, or judgement rests at a past day."""
    known = Calibration.objects.filter(pk=1).first()
    return known is not None and (known.pinned_on is not None or known.as_of >= today())


def _outdated(known: Calibration, in_force: rules.Rules) -> bool:
    """Whether everybody was judged by other rules, or by another registry of barriers, than those in force."""
    return known.layout != LAYOUT or known.rules_version != in_force.version


def _everybody_is_cheaper(cursor: CursorWrapper, known: Calibration) -> bool:
    enough = known.customers // 10 + 1
    cursor.execute("SELECT count(*) FROM (SELECT FROM crm_changedcustomer LIMIT %s) waiting", [enough])
    return cursor.fetchone()[0] >= enough


def present_run(first: bool = False, ids: Sequence[int] | None = None) -> Run:
    shop, moment = Shop.current(), now()
    day = day_of(moment, ZoneInfo(shop.time_zone))
    return Run(day, moment, first=first, zone=shop.time_zone, live_hours=shop.event_window_hours, ids=ids)


def _run_of(day: date) -> Run:
    """A run as of the end of a day, or as of now if the day is today."""
    present = present_run(first=True)
    next_midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(present.zone))
    end = next_midnight - timedelta(microseconds=1)
    return replace(present, day=day, moment=min(end, present.moment), past=day < present.day)


def _judge_everybody(
    cursor: CursorWrapper, run: Run | None = None, *, pinned_on: date | None = None, keep: bool = True
) -> Outcome:
    known = Calibration.objects.filter(pk=1).first()
    run = run or present_run(first=bool(known and known.pinned_on))
    in_force, knows = rules.current(), knowledge.known_kinds(run.moment)
    parts = _parts(cursor, run)
    side_by_side(cursor, parts, lambda cursor, part: _refresh(cursor, part, in_force))
    if not keep:
        cursor.execute(f"ANALYZE {run.metrics}")
    rhythm = measure(run.metrics, run.day, in_force)
    found = side_by_side(cursor, parts, lambda cursor, part: _assess(cursor, part, in_force, rhythm, knows))
    changed, moved = (sum(numbers) for numbers in zip(*found, strict=True))
    cursor.execute(f"SELECT count(*) FROM {run.metrics}")
    judged = cursor.fetchone()[0]
    if keep:
        _keep(run.day, judged, rhythm, knows, in_force, pinned_on)
    return Outcome(run.day, judged, changed, moved, rhythm)


def _judge_some(cursor: CursorWrapper, ids: Sequence[int], known: Calibration, in_force: rules.Rules) -> int:
    run = present_run(ids=ids)
    knows = knowledge.known_kinds(run.moment, known.knows, ids)
    if knows != known.knows:
        Calibration.objects.filter(pk=1).update(knows=knows)
    rhythm = rhythm_of(known)

    def judge(cursor: CursorWrapper, part: Run) -> None:
        _refresh(cursor, part, in_force)
        _assess(cursor, part, in_force, rhythm, knows)

    if len(ids) < MANY_CHANGED or connection.savepoint_ids:
        judge(cursor, run)
    else:
        each = -(-len(ids) // PARTS)
        parts = [replace(run, ids=ids[at : at + each]) for at in range(0, len(ids), each)]
        side_by_side(cursor, parts, judge, FIXED_ORDER)
    return len(ids)


def _parts(cursor: CursorWrapper, run: Run) -> list[Run]:
    """A run over everybody as runs over parts of about the same size, where the many would make that pay.

    Other connections see nothing of an outer transaction, nor of its temporary tables: then it stays one.
    """
    if run.metrics != METRICS or run.past or connection.savepoint_ids or sql.about_how_many("crm_customer") < MANY:
        return [run]
    cursor.execute("SELECT min(id), max(id) FROM crm_customer WHERE erased_at IS NULL")
    first, last = cursor.fetchone()
    ends = [first + (last - first) * part // PARTS for part in range(1, PARTS)]
    between = [f"BETWEEN {one + 1} AND {other}" for one, other in pairwise(ends)]
    return [replace(run, part=part) for part in (f"<= {ends[0]}", *between, f"> {ends[-1]}")]


def side_by_side(
    cursor: CursorWrapper, parts: Sequence[Run], work: Callable[[CursorWrapper, Run], Answer], settings: str = ROOM
) -> list[Answer]:
    """Do the work for each part, on as many connections. Each part is committed alone: judging is safe to repeat, and
    who was waiting in the queue still waits if it is broken off.

    settings: statements that come before the work, for its transaction.
    """
    if len(parts) == 1:
        cursor.execute(settings)
        return [work(cursor, parts[0])]

    def alone(part: Run) -> Answer:
        try:
            with transaction.atomic(), connection.cursor() as own:
                own.execute(settings)
                return work(own, part)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(alone, parts))


def _refresh(cursor: CursorWrapper, run: Run, in_force: rules.Rules) -> None:
    named = parameters_of(run, in_force)
    if run.ids is None:
        named["great_buyers"] = metrics.great_buyers(cursor)
    cursor.execute(FORGET.format(metrics=run.metrics, assessments=run.assessments, only=run.only), named)
    _execute(cursor, run, metrics.refresh_sql(run.metrics, past=run.past, which=run.which), named)


def _assess(
    cursor: CursorWrapper, run: Run, in_force: rules.Rules, rhythm: Rhythm, knows: dict[str, bool]
) -> tuple[int, int]:
    named = in_force.parameters() | rhythm.parameters() | knows | parameters_of(run, in_force)
    _execute(cursor, run, _write_sql(run.metrics, run.assessments, run.which), named)
    changed, moved = cursor.fetchone()
    return changed, moved


def _execute(cursor: CursorWrapper, run: Run, statement: str, named: dict[str, Any]) -> None:
    """Few customers are judged faster than such a statement is planned; for many, a plan made for them pays."""
    if run.ids is not None and len(run.ids) <= FEW:
        sql.execute_planned(cursor, statement, named)
    else:
        cursor.execute(statement, named)


@lru_cache(maxsize=32)
def _write_sql(metrics_table: str, assessments: str, which: str) -> str:
    names = judging.columns()
    return WRITE.format(
        judged=judging.judged_sql(metrics=metrics_table, assessments=assessments, which=which),
        assessments=assessments,
        near=metrics.beside("k", which),
        names=", ".join(names),
        new=", ".join(f"j.{name}" for name in names),
        old=", ".join(f"k.{name}" for name in names),
        updates=", ".join(f"{name} = excluded.{name}" for name in names[1:]),
        caused_live=CAUSED_LIVE,
    )


def parameters_of(run: Run, in_force: rules.Rules) -> dict[str, Any]:
    return {
        "day": run.day,
        "moment": run.moment,
        "zone": run.zone,
        "live_since": run.moment - timedelta(hours=run.live_hours),
        "half_life_days": in_force.half_life_days,
        "rules_version": in_force.version,
        "first": run.first,
        "ids": list(run.ids) if run.ids is not None else None,
    }


def rhythm_of(known: Calibration) -> Rhythm:
    cycles = {int(category): (gaps, days) for category, (gaps, days) in known.cycles.items()}
    thresholds = (known.active, known.overdue, known.at_risk)
    return Rhythm(known.gaps, known.days, known.kind, *thresholds, known.self_calibrated, cycles)


def _keep(
    day: date, judged: int, rhythm: Rhythm, knows: dict[str, bool], in_force: rules.Rules, pinned_on: date | None
) -> None:
    found = {
        "as_of": day,
        "pinned_on": pinned_on,
        "customers": judged,
        "gaps": rhythm.gaps,
        "days": rhythm.days,
        "kind": rhythm.kind,
        "cycles": {str(category): list(cycle) for category, cycle in rhythm.cycles.items()},
        "active": rhythm.active,
        "overdue": rhythm.overdue,
        "at_risk": rhythm.at_risk,
        "self_calibrated": rhythm.self_calibrated,
        "knows": knows,
        "layout": LAYOUT,
        "rules_version": in_force.version,
        "computed_at": now(),
    }
    Calibration.objects.update_or_create(pk=1, defaults=found)
