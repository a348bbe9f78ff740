"""What is wrong with a rule, each fault with its place; and what the values in rules are called."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Segment
from campaigns.segments.fields import BY_CODE, Field
from campaigns.segments.options import Options
from campaigns.segments.tree import (
    CONDITIONS,
    DEPTH,
    LIST,
    MATCHES,
    RULE_SEGMENT,
    Fault,
    Rule,
    conditions,
    inside,
    is_group,
    references,
)  # fmt: skip
from campaigns.segments.values import text_fault


class Known:
    """Looks up what rules name, all of them together: a query for each sort of thing, however many rules.

    Use one for everything that a page says of rules.
    """

    def __init__(self, *rules: Any) -> None:
        self.wanted: dict[Options, set[str]] = defaultdict(set)
        self.words: dict[Options, dict[str, str]] = {}
        for rule in rules:
            for one in conditions(rule):
                self._want(one)

    def _want(self, one: Rule) -> None:
        field = BY_CODE.get(str(one.get("field")))
        if field is None:
            return
        if field.options:
            given = one.get("of") if field.of_text else one.get("value")
            given = given if isinstance(given, list) else [given]
            self.wanted[field.options] |= {str(value) for value in given if isinstance(value, str | int)}
        if field.of and isinstance(one.get("of"), str | int):
            self.wanted[field.of].add(str(one["of"]))

    def of(self, options: Options) -> Mapping[str, str]:
        """Words by value, in the order in which they are offered."""
        if options not in self.words:
            wanted = {one for one in self.wanted[options] if "\0" not in one}
            self.words[options] = {value: str(words) for value, words in options(wanted)}
        return self.words[options]

    @cached_property
    def segments(self) -> Mapping[str, Segment]:
        """All segments and lists by their number as a text."""
        return {str(one.pk): one for one in Segment.objects.defer("created_by", "changed_by")}

    def about(self, rule: Any) -> "Known":
        """The same for another rule, without asking for the segments again."""
        other = Known(rule)
        other.__dict__["segments"] = self.segments
        return other


def faults(rule: Any, own: int | None = None, known: Known | None = None, launched: bool = False) -> list[Fault]:
    """Everything that is wrong with a rule; empty if it can be asked.

    own: the segment whose rule it is, which it must not name, however indirectly. launched: it was copied when a campaign
    was launched, with the rules of its segments in it; what it names may be gone or archived by now.
    """
    known = known or Known(rule)
    found: list[Fault] = []
    if not is_group(rule) and not isinstance(rule, Mapping):
        return [Fault("", _("This is no rule."))]
    _check(rule, "", 1, Asked(known, own, launched), found)
    number = sum(1 for _one in conditions(rule))
    if not launched and not rule.get("name") and number > CONDITIONS:
        found.append(
            Fault("", _("A rule has at most %(n)s conditions. Make a segment of a part of it.") % {"n": CONDITIONS})
        )
    return found


class Asked(NamedTuple):
    """What a rule is checked against."""

    known: Known
    own: int | None
    launched: bool


def _check(rule: Any, place: str, depth: int, asked: Asked, found: list[Fault]) -> None:
    if not is_group(rule):
        found += [Fault(place, text) for text in _condition(rule, asked)]
        return
    if rule.get("match") not in MATCHES:
        found.append(Fault(place, _("Choose whether all, any or none of the rules of this group must hold.")))
    rules = rule.get("rules")
    if not isinstance(rules, list) or not rules:
        found.append(
            Fault(
                place, _("This group is empty: add a rule or take the group away.") if place else _("Add a rule first.")
            )
        )
        return
    depth = 1 if rule.get("name") else depth
    if depth > DEPTH:
        found.append(Fault(place, _("Groups may stand in each other %(n)s deep at most.") % {"n": DEPTH}))
        return
    for at, inner in enumerate(rules, start=1):
        _check(inner, inside(place, at), depth + 1, asked, found)


def _condition(rule: Any, asked: Asked) -> list[str]:
    if not isinstance(rule, Mapping):
        return [_("This is neither a group nor a condition.")]
    code = rule.get("field")
    if code in (None, ""):
        return [_("Choose what to ask.")]
    field = BY_CODE.get(code) if isinstance(code, str) else None
    if field is None:
        return [_("Nothing is known that is called “%(name)s”.") % {"name": str(code)[:60].replace("\0", "")}]
    operator = rule.get("operator")
    if operator not in field.kind.operators:
        return [_("“%(name)s” cannot be asked in this way. Choose how.") % {"name": field.label}]
    wrong = [fault for fault in (_of(field, rule, asked), _value(field, operator, rule, asked)) if fault]
    return wrong or _reference(field, rule, asked)


def _of(field: Field, rule: Rule, asked: Asked) -> str:
    of = rule.get("of")
    if field.of_text:
        wrong = text_fault(of)
        if not wrong and field.options and not asked.launched and of not in asked.known.of(field.options):
            return _("No product has the number or name “%(name)s”.") % {"name": of}
        return wrong
    if field.of is None:
        return ""
    if isinstance(of, bool) or not isinstance(of, str | int) or of == "":
        return _("Choose what it is about.")
    return (
        ""
        if asked.launched or str(of) in asked.known.of(field.of)
        else _("What was chosen does not exist any more. Choose again.")
    )


def _value(field: Field, operator: Any, rule: Rule, asked: Asked) -> str:
    if field.code in (RULE_SEGMENT, LIST) or asked.launched:
        return field.kind.fault(operator, rule.get("value"), None)
    offered = asked.known.of(field.options) if field.options and not field.of_text else None
    return field.kind.fault(operator, rule.get("value"), offered)


def _reference(field: Field, rule: Rule, asked: Asked) -> list[str]:
    """Whether a named segment or list can be asked."""
    if field.code not in (RULE_SEGMENT, LIST):
        return []
    known, own = asked.known, asked.own
    named = known.segments.get(str(rule["value"]))
    kind = Segment.Kind.RULE if field.code == RULE_SEGMENT else Segment.Kind.LIST
    if named is None or named.kind != kind:
        return [_("What was chosen does not exist any more. Choose again.")]
    if named.archived_at and not asked.launched:
        return [_("“%(name)s” is archived. Choose another one, or make a copy of it.") % {"name": named.name}]
    if own is not None and (named.pk == own or str(own) in behind(named.rule, known)):
        return [
            _("“%(name)s” asks for this segment itself, so neither could be told. Choose another one.")
            % {"name": named.name}
        ]
    if kind == Segment.Kind.RULE and not named.rule:
        return [_("“%(name)s” has no rule yet.") % {"name": named.name}]
    return []


def behind(rule: Any, known: Known) -> set[str]:
    """The segments that a rule names, and those that they name."""
    found: set[str] = set()
    waiting = references(rule)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting |= references(known.segments[one].rule) if one in known.segments else set()
    return found


def faults_sentence(number: int) -> str:
    """Above a form: how many things are to be mended."""
    said = ngettext("%(n)s thing is to be mended in the rule.", "%(n)s things are to be mended in the rule.", number)
    return said % {"n": number}
