"""What other rules would change, before they are saved: both rules judge the same customers, side by side.

Customers are judged for real, into temporary tables that end with the transaction. A large shop is judged by a sample
whose figures are extrapolated and said to be. The figures compare the raw judgements of today, so that neither
hysteresis nor the age of the stored judgement blurs what the rules themselves do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm.models import Customer
from loyalty import judging, knowledge, metrics, scoring, status
from loyalty.cycles import Rhythm, measure
from loyalty.models import Calibration
from loyalty.overview import Share
from loyalty.rules import Rules, current

SAMPLE = 20_000
EXAMPLES = 3
TIME_LIMIT = "20s"
# What the purchase rhythm depends on; while none of it differs, the stored rhythm serves both rules.
RHYTHM = (
    "prior_intervals least_interval_days default_cycle_days least_gaps cycle_months winsor_share active overdue at_risk"
    " calibrate_gaps calibrate_months active_share overdue_share at_risk_share active_bounds overdue_bounds at_risk_bounds"
).split()
OUTPUTS = {"stage": "raw_stage", "status": status.status_sql(), "bond": "bond_type", "type": "loyalty_type"}


@dataclass(frozen=True)
class Cell:
    """Customers who would go from one place to another. n is extrapolated if the preview is; examples are customers."""

    n: int
    examples: list[Customer]


@dataclass(frozen=True)
class Moves:
    """One output. cells: {(from, to): Cell}, those who stay included; changed and whole: of the judged customers."""

    cells: Mapping[tuple[str, str], Cell]
    changed: Share
    n: int


@dataclass(frozen=True)
class Preview:
    """customers: all; judged: how many were looked at. moves: {"stage": …, "status": …, "bond": …, "type": …}."""

    customers: int
    judged: int
    moves: Mapping[str, Moves] = field(default_factory=dict)

    @property
    def sampled(self) -> bool:
        return self.judged < self.customers

    @property
    def nothing(self) -> bool:
        return not any(moves.n for moves in self.moves.values())


@transaction.atomic
def preview(draft: Rules, sample: int = SAMPLE) -> Preview:
    """Judge up to about `sample` customers by the rules in force and by `draft`. Stores nothing.

    Raises django.db.OperationalError when it takes longer than TIME_LIMIT.
    """
    before = current()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [TIME_LIMIT])
        cursor.execute(scoring.ROOM)
        chosen = _chosen(cursor, sample)
        run = scoring.present_run(first=True, ids=chosen.ids)
        rhythms = _rhythms(cursor, run, chosen, before, draft)
        _judge(cursor, run, "preview_before", before, rhythms[0], scoring.METRICS)
        source = _remembered(cursor, run, draft) if draft.half_life_days != before.half_life_days else scoring.METRICS
        _judge(cursor, run, "preview_after", draft, rhythms[1], source)
        moves = {output: _moves(cursor, sql, run, chosen) for output, sql in OUTPUTS.items()}
        cursor.execute("DROP TABLE preview_before, preview_after; DROP TABLE IF EXISTS preview_metrics")
        cursor.execute("SELECT set_config('statement_timeout', '0', TRUE)")
    return Preview(chosen.customers, len(chosen.ids), moves)


@dataclass(frozen=True)
class _Chosen:
    """Whom to judge: `ids`, about one in `every` of all `customers`, the same ones each time."""

    customers: int
    ids: list[int]
    every: int


def _chosen(cursor: CursorWrapper, sample: int) -> _Chosen:
    cursor.execute(f"SELECT count(*) FROM {scoring.METRICS}")
    customers = cursor.fetchone()[0]
    every = max(1, ceil(customers / sample))
    hashed = "mod(hashint8(customer_id)::bigint + 2147483648, %s)"
    cursor.execute(f"SELECT customer_id FROM {scoring.METRICS} WHERE {hashed} = 0", [every])
    return _Chosen(customers, [row[0] for row in cursor.fetchall()], every)


def _rhythms(
    cursor: CursorWrapper, run: scoring.Run, chosen: _Chosen, before: Rules, draft: Rules
) -> tuple[Rhythm, Rhythm]:
    """What each of the two judges with: the stored rhythm where both would find the same, else that of the chosen."""
    known = Calibration.objects.filter(pk=1).first()
    alike = all(getattr(before, name) == getattr(draft, name) for name in RHYTHM)
    if known and alike and known.rules_version == before.version:
        return scoring.rhythm_of(known), scoring.rhythm_of(known)
    table = scoring.METRICS
    if chosen.every > 1:
        cursor.execute(
            f"CREATE TEMP TABLE preview_chosen AS SELECT * FROM {table} WHERE customer_id = ANY(%s)", [chosen.ids]
        )
        table = "preview_chosen"
    found = [measure(table, run.day, _scaled(rules, chosen.every)) for rules in (before, draft)]
    cursor.execute("DROP TABLE IF EXISTS preview_chosen")
    return found[0], found[1]


def _scaled(rules: Rules, every: int) -> Rules:
    """Rules that ask a sample for as large a share of gaps as all customers would be asked for."""
    return replace(
        rules, least_gaps=ceil(rules.least_gaps / every), calibrate_gaps=ceil(rules.calibrate_gaps / every)
    )  # fmt: skip


def _judge(cursor: CursorWrapper, run: scoring.Run, table: str, rules: Rules, rhythm: Rhythm, source: str) -> None:
    cursor.execute(f"CREATE TEMP TABLE {table} (LIKE {scoring.ASSESSMENTS} INCLUDING DEFAULTS)")
    knows = knowledge.known_kinds(run.moment)
    named = rules.parameters() | rhythm.parameters() | knows | scoring.parameters_of(run, rules)
    judged = judging.judged_sql(metrics=source, assessments=table, which=metrics.SOME)
    columns = ", ".join(judging.columns())
    cursor.execute(
        f"INSERT INTO {table} ({columns}, judged_on, judged_at)"
        f" SELECT {columns}, %(day)s::date, %(moment)s FROM ({judged}) j",
        named,
    )


def _remembered(cursor: CursorWrapper, run: scoring.Run, rules: Rules) -> str:
    """Metrics in which answers fade at another pace, of the chosen customers and of those whom they brought."""
    chosen = list(run.ids or ())
    cursor.execute(f"SELECT DISTINCT unnest(referred) FROM {scoring.METRICS} WHERE customer_id = ANY(%s)", [chosen])
    ids = sorted({*chosen, *(row[0] for row in cursor.fetchall())})
    like = f"LIKE {scoring.METRICS} INCLUDING DEFAULTS INCLUDING INDEXES"
    cursor.execute(f"CREATE TEMP TABLE preview_metrics ({like})")
    named = scoring.parameters_of(replace(run, ids=ids), rules)
    cursor.execute(metrics.refresh_sql("preview_metrics", past=False, which=metrics.SOME), named)
    return "preview_metrics"


def _moves(cursor: CursorWrapper, sql: str, run: scoring.Run, chosen: _Chosen) -> Moves:
    """How many went from where to where in one output, those who stayed included."""
    side = "SELECT customer_id, {sql} AS place FROM {table}"
    cursor.execute(
        f"""SELECT b.place, a.place, count(*), (array_agg(customer_id) FILTER (WHERE a.place <> b.place))[1:{EXAMPLES}]
        FROM ({side.format(sql=sql, table="preview_before")}) b
          JOIN ({side.format(sql=sql, table="preview_after")}) a USING (customer_id) GROUP BY 1, 2""",
        {"day": run.day},
    )
    rows = cursor.fetchall()
    people = Customer.objects.in_bulk([pk for row in rows for pk in row[3] or ()])
    whole = sum(n for _before, _after, n, _ids in rows)
    factor = chosen.customers / whole if whole else 0
    cells = {
        (was, becomes): Cell(round(n * factor), [people[pk] for pk in ids or () if pk in people])
        for was, becomes, n, ids in rows
    }
    changed = sum(n for was, becomes, n, _ids in rows if was != becomes)
    return Moves(cells, Share(changed, whole), round(changed * factor))
