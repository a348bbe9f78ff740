"""The six stages of loyalty and the conditions on which each stands (`domain.md` 3.4, `docs/scoring.md`).

A condition is one SQL expression over a judged customer's columns; it is true, false, or NULL where the answer is
unknown. The same expression decides the stage of everybody and explains it for one. Adding a rule is one entry here.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

RECENT = "previous_order_on >= %(day)s::date - greatest(%(recent_days)s, %(recent_intervals)s * expected_interval)::int"


@dataclass(frozen=True)
class Condition:
    """code names the wording in `loyalty.conditions`; sql asks metrics, assessment and the rules' parameters."""

    code: str
    sql: str


@dataclass(frozen=True)
class Stage:
    """A stage stands on its own conditions and on those of the stage `upon`. The last that holds is the raw stage."""

    code: str
    label: str | Promise
    conditions: tuple[Condition, ...] = ()
    upon: str = ""


STAGES = (
    Stage("prospect", _("Prospect")),
    Stage("first_time", _("First-time customer"), (Condition("one_order", "orders >= 1"),)),
    Stage("repeat", _("Repeat customer"), (Condition("two_orders", "orders >= 2"),)),
    Stage(
        "regular",
        _("Regular customer"),
        (
            Condition(
                "enough_orders",
                "orders >= CASE WHEN base_cycle <= %(short_cycle_days)s"
                " THEN %(regular_orders_short_cycle)s ELSE %(regular_orders)s END",
            ),
            Condition("recent_orders", f"coalesce({RECENT}, FALSE)"),
            Condition("not_lapsed", "status <> 'lapsed'"),
        ),
        upon="repeat",
    ),
    Stage(
        "loyal",
        _("Loyal customer"),
        (
            Condition("alive", "status IN ('active', 'overdue', 'reactivated')"),
            Condition("attitude_high", "relative_attitude >= %(attitude_high)s"),
            Condition("no_severe_complaint", "severe_complaints = 0"),
        ),
        upon="regular",
    ),
    Stage(
        "ambassador",
        _("Ambassador"),
        (Condition("advocacy", "(strong_acts >= %(strong_acts)s OR medium_acts >= %(medium_acts)s)"),),
        upon="loyal",
    ),
)


def choices() -> list[tuple[str, str | Promise]]:
    return [(stage.code, stage.label) for stage in STAGES]


def by_code(code: str) -> Stage:
    """Raises KeyError for a stage that does not exist."""
    return {stage.code: stage for stage in STAGES}[code]


def all_conditions(stage: Stage) -> tuple[Condition, ...]:
    """What must hold for a stage, that of the stages below first."""
    below = all_conditions(by_code(stage.upon)) if stage.upon else ()
    return below + stage.conditions


def next_stage(code: str) -> Stage | None:
    """The stage above; None above the last."""
    codes = [stage.code for stage in STAGES]
    at = codes.index(code) + 1
    return STAGES[at] if at < len(STAGES) else None


def holds_sql(code: str) -> str:
    """Whether the rule of a stage holds."""
    return " AND ".join(f"({condition.sql})" for condition in all_conditions(by_code(code))) or "TRUE"


def raw_stage_sql() -> str:
    """Code of the highest stage whose rule holds."""
    whens = " ".join(f"WHEN {holds_sql(stage.code)} THEN '{stage.code}'" for stage in reversed(STAGES[1:]))
    return f"CASE {whens} ELSE '{STAGES[0].code}' END"


def rank_sql(column: str) -> str:
    """Place of a stored stage in the ladder, from 1; 0 for one that no longer exists."""
    codes = ", ".join(f"'{stage.code}'" for stage in STAGES)
    return f"coalesce(array_position(ARRAY[{codes}]::text[], {column}::text), 0)"
