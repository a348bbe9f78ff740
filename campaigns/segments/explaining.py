"""Why a rule holds for one customer or does not: each group and condition with its answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.segments.checking import Known
from campaigns.segments.compiling import expanded, expression, table_of
from campaigns.segments.tree import Rule, inside, is_group
from campaigns.segments.values import Bind
from campaigns.segments.wording import GROUPS, condition
from crm.days import shop_zone
from loyalty import scoring

YES, NO, UNKNOWN = "yes", "no", "unknown"


@dataclass(frozen=True)
class Line:
    """A sentence and whether it holds for the customer: yes, no or unknown. depth: 0 for the whole rule."""

    sentence: str
    met: str
    depth: int
    place: str = ""


def explain(rule: Any, customer_id: int, launched: bool = False) -> list[Line]:
    """The rule line by line as it answers for one customer now, the whole first. One statement for the answers.

    launched: a rule kept at a launch. Empty for somebody who is no customer any more. Raises RuleError.
    """
    whole = expanded(rule, launched)
    parts = list(_parts(whole, "", 0))
    bind = Bind(scoring.shown_day(), shop_zone())
    asked = ", ".join(f"({expression(part, bind)})" for part, _place, _depth in parts)
    with connection.cursor() as cursor:
        cursor.execute(f"{table_of(asked, asked)} AND customer.id = {bind(customer_id)}", bind.parameters)
        answers = cursor.fetchone()
    known = Known(whole)
    return [
        Line(_words(part, known), UNKNOWN if met is None else YES if met else NO, depth, place)
        for (part, place, depth), met in zip(parts, answers or (), strict=False)
    ]


def _parts(rule: Rule, place: str, depth: int) -> Iterator[tuple[Rule, str, int]]:
    yield rule, place, depth
    if is_group(rule):
        for at, inner in enumerate(rule["rules"], start=1):
            yield from _parts(inner, inside(place, at), depth + 1)


def _words(rule: Rule, known: Known) -> str:
    if not is_group(rule):
        return condition(rule, known)
    words = str(GROUPS[rule["match"]])
    return _("segment “%(name)s”: %(what)s") % {"name": rule["name"], "what": words} if rule.get("name") else words
