"""The six stages of loyalty and the conditions on which each stands (`docs/scoring.md`).

A condition is one SQL expression over a judged customer's columns; it is true, false, or NULL where the answer is
unknown. The same expression decides the stage of everybody and explains it for one. Adding a rule is one entry here:
its words and what to do about it stand in it.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.labels import named

# A fraction of a day does not lengthen the window; the hair's breadth is for how floating numbers are stored.
WINDOW = "floor(greatest(%(recent_days)s, %(recent_intervals)s * expected_interval) + 1e-6)::int"
RECENT = f"previous_order_on >= %(day)s::date - {WINDOW}"


@dataclass(frozen=True)
class Condition:
    """sql asks metrics, assessment and the rules' parameters.

    met, missing, unknown: words for the profile and the API. `%(orders)s` or any other figure of the customer's metrics
    and assessment may stand in them. Sentences with plural forms are functions of the condition's code in
    `loyalty.conditions` instead. remedy: the action of `loyalty.actions` that helps; the most urgent has the lowest
    `urgency`.
    """

    code: str
    sql: str
    met: str | Promise = ""
    missing: str | Promise = ""
    unknown: str | Promise = ""
    remedy: str = ""
    urgency: int = 50


@dataclass(frozen=True)
class Stage:
    """A stage stands on its own conditions and on those of the stage `upon`. The last that holds is the raw stage."""

    code: str
    label: str | Promise
    conditions: tuple[Condition, ...] = ()
    upon: str = ""


def stage(code: str, label: str | Promise, *conditions: Condition, upon: str = "") -> Stage:
    """A stage that the merchant may call by a name of their own."""
    return Stage(code, named("stage", code, label), conditions, upon)


STAGES = (
    stage("prospect", _("Prospect")),
    stage("first_time", _("First-time customer"), Condition("one_order", "orders >= 1", remedy="invite")),
    stage("repeat", _("Repeat customer"), Condition("two_orders", "orders >= 2", remedy="say_thanks")),
    stage(
        "regular",
        _("Regular customer"),
        Condition(
            "enough_orders",
            "orders >= CASE WHEN base_cycle <= %(short_cycle_days)s"
            " THEN %(regular_orders_short_cycle)s ELSE %(regular_orders)s END",
            remedy="say_thanks",
        ),
        Condition("recent_orders", f"coalesce({RECENT}, FALSE)", remedy="say_thanks"),
        Condition("not_lapsed", "status <> 'lapsed'", remedy="win_back", urgency=20),
        upon="repeat",
    ),
    stage(
        "loyal",
        _("Loyal customer"),
        Condition("alive", "status IN ('active', 'overdue', 'reactivated')", remedy="win_back", urgency=30),
        Condition(
            "attitude_high",
            "relative_attitude >= %(attitude_high)s",
            remedy="ask_what_is_missing",
            urgency=40,
        ),
        Condition("no_severe_complaint", "severe_complaints = 0", remedy="solve_complaint", urgency=10),
        upon="regular",
    ),
    stage(
        "ambassador",
        _("Ambassador"),
        Condition(
            "advocacy",
            "(strong_acts >= %(strong_acts)s OR medium_acts >= %(medium_acts)s)",
            remedy="invite_to_speak",
            urgency=60,
        ),
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


def every_condition() -> list[Condition]:
    """All conditions of all stages, the most urgent to mend first."""
    listed = [condition for stage in STAGES for condition in stage.conditions]
    return sorted(listed, key=lambda condition: condition.urgency)


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


def rank(code: str) -> int:
    """Place of a stage in the ladder, from 1; 0 for one that no longer exists."""
    codes = [stage.code for stage in STAGES]
    return codes.index(code) + 1 if code in codes else 0


def rank_sql(column: str) -> str:
    """Place of a stored stage in the ladder, from 1; 0 for one that no longer exists."""
    codes = ", ".join(f"'{stage.code}'" for stage in STAGES)
    return f"coalesce(array_position(ARRAY[{codes}]::text[], {column}::text), 0)"
