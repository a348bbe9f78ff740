"""The builder's form: a tree of groups and conditions as fields named by their place, and back.

`match.1` is the match of the first rule, which is a group; `field.2`, `of.2`, `operator.2` and `value.2` (as often as it has
values) are the second, a condition. The whole tree stands in the form, so every button is a submit and nothing is kept
between two requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from campaigns.segments import days
from campaigns.segments.checking import Known
from campaigns.segments.fields import BY_CODE, FIELDS, Field
from campaigns.segments.kinds import Among, Birthday, Choice, ComingDay, Day, Happening, InList, Number, Text, YesNo
from campaigns.segments.special import Consent
from campaigns.segments.tree import ALL, CONDITIONS, DEPTH, MATCHES, Fault, inside, is_group
from campaigns.segments.wording import GROUPS, OPERATORS
from crm.models import Shop

BLANK: Mapping[str, Any] = {"field": "", "operator": "", "value": ""}
EMPTY: Mapping[str, Any] = {"match": ALL, "rules": [BLANK]}
FEW = 15  # choices that are shown as boxes to tick; more of them are a list
Pairs = Sequence[tuple[str, str | Promise]]


def read(form: QueryDict) -> dict[str, Any]:
    """The tree that a form holds, however unfinished; at most as large as any may be."""
    left = [CONDITIONS + 1]
    return _read_group(form, "", 1, left)


def _read_group(form: QueryDict, place: str, depth: int, left: list[int]) -> dict[str, Any]:
    rules: list[dict[str, Any]] = []
    while left[0] > 0:
        inner = inside(place, len(rules) + 1)
        if f"match.{inner}" in form and depth <= DEPTH:
            left[0] -= 1
            rules.append(_read_group(form, inner, depth + 1, left))
        elif f"field.{inner}" in form:
            left[0] -= 1
            rules.append(_read_condition(form, inner))
        else:
            break
    match = form.get(f"match.{place}" if place else "match", ALL)
    return {"match": match if match in MATCHES else ALL, "rules": rules}


def _read_condition(form: QueryDict, place: str) -> dict[str, Any]:
    field = BY_CODE.get(form.get(f"field.{place}", ""))
    if field is None:
        return dict(BLANK)
    operators = field.kind.operators
    operator = form.get(f"operator.{place}", "")
    operator = operator if operator in operators else operators[0]
    given = [one.replace("\0", "")[:1_000] for one in form.getlist(f"value.{place}")][:200]
    same = form.get(f"was.{place}", field.code) == field.code  # else what stands there was said of another field
    made: dict[str, Any] = {"field": field.code, "operator": operator}
    if field.of or field.of_text:
        made["of"] = form.get(f"of.{place}", "").replace("\0", "").strip() if same else ""
    if operator not in ("known", "unknown", "ever", "never"):
        made["value"] = field.kind.read(operator, given if same else [])
    return made


def act(rule: dict[str, Any], what: str) -> dict[str, Any]:
    """The tree after a button: add:2 (a condition to group 2), nest:2 (a group), remove:2.1, or anything else for none."""
    verb, _colon, place = what.partition(":")
    if verb in ("add", "nest"):
        group = _at(rule, place)
        if group is not None and is_group(group):
            nested: dict[str, Any] = {"match": "any", "rules": [dict(BLANK)]}
            group["rules"].append(dict(BLANK) if verb == "add" else nested)
    elif verb == "remove" and place:
        above, _dot, number = place.rpartition(".")
        group = _at(rule, above)
        if group is not None and is_group(group) and number.isdecimal() and 0 < int(number) <= len(group["rules"]):
            del group["rules"][int(number) - 1]
    return rule


def focus_after(rule: dict[str, Any], what: str, changed: str) -> str:
    """Which control has the keyboard once the tree is shown anew. what: the button, changed: the name of a changed control."""
    verb, _colon, place = what.partition(":")
    if verb == "remove":
        return f"add:{place.rpartition('.')[0]}"
    group = _at(rule, place) if verb in ("add", "nest") else None
    if group is None or not group.get("rules"):
        return changed
    last = inside(place, len(group["rules"]))
    return f"field.{last}" if verb == "add" else f"field.{inside(last, 1)}"


def _at(rule: dict[str, Any], place: str) -> dict[str, Any] | None:
    found: Any = rule
    for number in place.split(".") if place else ():
        if not is_group(found) or not number.isdecimal() or not 0 < int(number) <= len(found["rules"]):
            return None
        found = found["rules"][int(number) - 1]
    return found


# What the page shows


@dataclass(frozen=True)
class Box:
    """A group as it is shown. may_nest: whether a group may stand in it."""

    place: str
    match: str
    rules: Sequence["Box | Row"]
    faults: Sequence[str]
    may_nest: bool
    group: bool = True

    @property
    def matches(self) -> Pairs:
        return list(GROUPS.items())

    @property
    def name(self) -> str:
        return f"match.{self.place}" if self.place else "match"

    @property
    def add_name(self) -> str:
        return f"add:{self.place}"


@dataclass(frozen=True)
class Row:
    """A condition as it is shown. control: which input takes its values (`campaigns/segment_value.html`)."""

    place: str
    field: Field | None
    operator: str
    value: Any
    of: str
    faults: Sequence[str]
    control: str = ""
    choices: Pairs = ()
    ofs: Pairs = ()
    unit: str = ""
    group: bool = False

    @property
    def field_name(self) -> str:
        return f"field.{self.place}"

    @property
    def operator_name(self) -> str:
        return f"operator.{self.place}"

    @property
    def sections(self) -> list[tuple[str | Promise, list[Field]]]:
        return sections()

    @property
    def operators(self) -> Pairs:
        return [(one, OPERATORS[one]) for one in self.field.kind.operators] if self.field else []

    @property
    def values(self) -> list[str]:
        """As texts, two of them where a control has two."""
        given = self.value if isinstance(self.value, list) else [self.value]
        words = ["" if one is None or isinstance(one, bool) else str(one) for one in given]
        return words if self.control == "choices" else [*words, "", ""][: max(2, len(words))]

    @property
    def first(self) -> str:
        return self.values[0]

    @property
    def second(self) -> str:
        return self.values[1]

    @property
    def joined(self) -> str:
        return ", ".join(one for one in self.values if one)


def sections() -> list[tuple[str | Promise, list[Field]]]:
    """All fields under their headings, in the registry's order."""
    found: dict[str | Promise, list[Field]] = {}
    for field in FIELDS:
        found.setdefault(field.section, []).append(field)
    return list(found.items())


def shown(rule: Mapping[str, Any], known: Known, faults: Sequence[Fault]) -> Box:
    """The tree for the page, each fault beside what it is about."""
    by_place: dict[str, list[str]] = {}
    for one in faults:
        by_place.setdefault(one.place, []).append(one.text)
    box = _node(rule, "", 1, known, by_place)
    return box if isinstance(box, Box) else Box("", ALL, [_node(rule, "1", 2, known, by_place)], (), True)


def _node(rule: Any, place: str, depth: int, known: Known, faults: Mapping[str, Sequence[str]]) -> "Box | Row":
    wrong = faults.get(place, ())
    if is_group(rule):
        rules = [
            _node(inner, inside(place, at), depth + 1, known, faults)
            for at, inner in enumerate(rule.get("rules") or (), start=1)
        ]
        return Box(place, rule.get("match", ALL), rules, wrong, depth < DEPTH)
    field = BY_CODE.get(str(rule.get("field")))
    operator, value = rule.get("operator", ""), rule.get("value")
    if field is None:
        return Row(place, None, "", "", "", wrong)
    offered: list[tuple[str, str | Promise]] = (
        list(known.of(field.options).items()) if field.options and not field.of_text else []
    )
    ofs: Pairs = list(known.of(field.of).items()) if field.of else []
    control = control_of(field, operator, len(offered))
    if isinstance(field.kind, YesNo):
        offered = [("yes", field.met), ("no", field.unmet)]
        value = {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
    return Row(
        place, field, operator, value, str(rule.get("of", "")), wrong, control, offered, ofs, _unit(field, operator)
    )


def control_of(field: Field, operator: str, offered: int) -> str:
    """Which input a condition has: none, text, texts, number, numbers, days, day, two_days, choice, choices or choices_list."""
    kind = field.kind
    if operator in ("known", "unknown", "ever", "never"):
        return "none"
    if operator in days.RELATIVE:
        return "days"
    if isinstance(kind, YesNo | InList):
        return "choice"
    if isinstance(kind, Among) or (isinstance(kind, Choice | Consent) and operator == "one_of"):
        return "choices" if offered <= FEW else "choices_list"
    if isinstance(kind, Choice | Consent):
        return "choice"
    if isinstance(kind, Text):
        return "texts" if operator == "one_of" else "text"
    if isinstance(kind, Number):
        return "numbers" if operator == "between" else "number"
    assert isinstance(kind, Day | ComingDay | Happening | Birthday)
    return "two_days" if operator == "between" else "day"


def _unit(field: Field, operator: str) -> str:
    if operator in days.RELATIVE:
        return _("days")
    return {"money": Shop.current().currency, "percent": "%"}.get(field.unit, "")
