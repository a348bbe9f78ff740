"""The rule of a segment: a tree of groups and conditions as JSON holds it.

A group is {"match": "all" | "any" | "none", "rules": [...]}; a condition {"field", "operator", "value"}, with "of" where
its field asks of what, such as a campaign. Places in it are written 2.1: the first rule of the group that is second.
A group with a "name" stands for the segment that it was copied from when a campaign was launched.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

Rule = Mapping[str, Any]

ALL, ANY, NONE = "all", "any", "none"
MATCHES = (ALL, ANY, NONE)
DEPTH = 5
CONDITIONS = 100
CONDITIONS_WITH_SEGMENTS = 1_000
RULE_SEGMENT, LIST = "segment", "list"


class Fault(NamedTuple):
    """What is wrong at a place of the tree ('' for the whole rule), and what to do."""

    place: str
    text: str

    def __str__(self) -> str:
        return _("Rule %(place)s: %(text)s") % {"place": self.place, "text": self.text} if self.place else self.text


class RuleError(ValueError):
    """A rule that cannot be asked; the text says where and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(" ".join(map(str, faults)))
        self.faults = faults


def is_group(rule: Any) -> bool:
    return isinstance(rule, Mapping) and ("match" in rule or "rules" in rule)


def inside(place: str, at: int) -> str:
    """The place of a group's rule, counted from 1."""
    return f"{place}.{at}" if place else str(at)


def conditions(rule: Any) -> Iterator[Rule]:
    """All conditions of a tree, however wrong it is; not deeper than any tree may be."""
    waiting = [(rule, 0)]
    while waiting:
        one, depth = waiting.pop()
        if is_group(one):
            rules = one.get("rules")
            if isinstance(rules, list) and depth <= 2 * DEPTH:
                waiting += [(inner, depth + 1) for inner in reversed(rules)]
        elif isinstance(one, Mapping):
            yield one


def references(rule: Any) -> set[str]:
    """The segments and lists that a rule names, as texts."""
    return {
        str(one["value"])
        for one in conditions(rule)
        if one.get("field") in (RULE_SEGMENT, LIST) and isinstance(one.get("value"), str | int)
    }
