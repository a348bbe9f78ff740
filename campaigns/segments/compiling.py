"""A rule as one SQL statement: allow-listed fields, bound values, a fixed number of joins."""

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _

from campaigns.segments.checking import Known, faults
from campaigns.segments.fields import BY_CODE, NUMBERED, Field
from campaigns.segments.options import ANYTHING
from campaigns.segments.tree import (
    ALL,
    CONDITIONS_WITH_SEGMENTS,
    NONE,
    RULE_SEGMENT,
    Fault,
    Rule,
    RuleError,
    conditions,
    is_group,
)  # fmt: skip
from campaigns.segments.values import Bind
from crm.days import shop_zone
from loyalty import scoring

Query = tuple[str, dict[str, Any]]

JOINS = {
    "assessment.": "LEFT JOIN loyalty_assessment assessment ON assessment.customer_id = customer.id",
    "metrics.": "LEFT JOIN loyalty_metrics metrics ON metrics.customer_id = customer.id",
    "lifetime.": "LEFT JOIN loyalty_lifetimevalue lifetime ON lifetime.customer_id = customer.id",
}
# Everybody who can be a recipient at all; whoever is merged or erased is no customer any more.
EVERYBODY = "customer.merged_into_id IS NULL AND customer.erased_at IS NULL AND NOT customer.is_placeholder"


def matching(rule: Any, launched: bool = False) -> Query:
    """SELECT of the customer_id of everybody for whom a rule holds, and its parameters, whose names start with audience_.

    Of whom it is unknown is not among them. launched: a rule kept at a launch. Raises RuleError for one that cannot be asked.
    """
    asked, bind = asking(rule, launched)
    return f"{table_of(asked)} AND ({asked})", bind.parameters


def asking(rule: Any, launched: bool = False) -> tuple[str, Bind]:
    """The rule as an SQL condition over the tables of `table_of`; true, false or NULL. Raises RuleError."""
    whole = expanded(rule, launched)
    bind = Bind(scoring.shown_day(), shop_zone())
    return expression(whole, bind), bind


def table_of(asked: str, columns: str = "customer.id AS customer_id") -> str:
    """SELECT … FROM … WHERE for everybody, with the tables that a condition names."""
    joins = " ".join(join for mark, join in JOINS.items() if mark in asked)
    return f"SELECT {columns} FROM crm_customer customer {joins} WHERE {EVERYBODY}"


def expanded(rule: Any, launched: bool = False) -> Rule:
    """The rule with those of the segments that it names in their places. Raises RuleError."""
    known = Known(rule)
    if wrong := faults(rule, known=known, launched=launched):
        raise RuleError(wrong)
    whole = _expanded(rule, known, ())
    if sum(1 for _one in conditions(whole)) > CONDITIONS_WITH_SEGMENTS:
        raise RuleError([Fault("", _("Together with the segments that it names, this rule is too large."))])
    return whole


def _expanded(rule: Rule, known: Known, within: Collection[str]) -> Rule:
    if is_group(rule):
        return {**rule, "rules": [_expanded(inner, known, within) for inner in rule["rules"]]}
    if rule["field"] != RULE_SEGMENT:
        return rule
    number = str(rule["value"])
    named = known.segments[number]
    if number in within or (wrong := faults(named.rule, known=known.about(named.rule))):
        reason = _("it asks for itself") if number in within else " ".join(map(str, wrong))
        text = _("The segment “%(name)s” cannot be asked: %(reason)s") % {"name": named.name, "reason": reason}
        raise RuleError([Fault("", text)])
    inner = _expanded(named.rule, known, (*within, number))
    rules = [inner] if rule["operator"] == "is_not" or not is_group(inner) or inner.get("name") else inner["rules"]
    match = NONE if rule["operator"] == "is_not" else inner["match"] if rules is inner.get("rules") else ALL
    return {"match": match, "rules": rules, "name": named.name}


def expression(rule: Rule, bind: Bind) -> str:
    """A checked and expanded rule as SQL, with SQL's own reading of unknown: unknown is neither true nor false."""
    if not is_group(rule):
        return condition(BY_CODE[rule["field"]], rule, bind)
    parts = [f"({expression(inner, bind)})" for inner in rule["rules"]]
    joined = (" AND " if rule["match"] == ALL else " OR ").join(parts)
    return f"NOT ({joined})" if rule["match"] == NONE else joined


def condition(field: Field, rule: Rule, bind: Bind) -> str:
    asked = rule.get("of")
    narrowed = ""
    if field.of_sql and (field.of_text or str(asked) != ANYTHING):
        value = int(asked) if field.code in NUMBERED else str(asked).strip()  # type: ignore[arg-type]
        narrowed = field.of_sql.replace("{value}", bind(value))
    return field.kind.condition(rule, bind, narrowed)
