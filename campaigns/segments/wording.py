"""A rule read back as a sentence, in the language that is active."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from campaigns.segments import days
from campaigns.segments.checking import Known
from campaigns.segments.fields import BY_CODE, Field
from campaigns.segments.kinds import Among, Day, InList, YesNo
from campaigns.segments.options import ANYTHING
from campaigns.segments.tree import ALL, ANY, NONE, Rule, is_group
from crm import display
from crm.models import Shop

# What the builder offers; the sentence says it in whole words.
OPERATORS: dict[str, str | Promise] = {
    "is": pgettext_lazy("operator", "is"),
    "is_not": pgettext_lazy("operator", "is not"),
    "one_of": pgettext_lazy("operator", "is one of"),
    "none_of": pgettext_lazy("operator", "is none of"),
    "begins": pgettext_lazy("operator", "begins with"),
    "at_least": pgettext_lazy("operator", "at least"),
    "at_most": pgettext_lazy("operator", "at most"),
    "between": pgettext_lazy("operator", "between"),
    "before": pgettext_lazy("operator", "before"),
    "after": pgettext_lazy("operator", "after"),
    "in_last": pgettext_lazy("operator", "in the last … days"),
    "not_in_last": pgettext_lazy("operator", "not in the last … days"),
    "in_next": pgettext_lazy("operator", "in the next … days"),
    "longer_ago": pgettext_lazy("operator", "… days ago or longer"),
    "since": pgettext_lazy("operator", "since"),
    "not_since": pgettext_lazy("operator", "not since"),
    "ever": pgettext_lazy("operator", "at least once"),
    "never": pgettext_lazy("operator", "never"),
    "known": pgettext_lazy("operator", "is known"),
    "unknown": pgettext_lazy("operator", "is unknown"),
}
GROUPS: dict[str, str | Promise] = {
    ALL: gettext_lazy("all of these"),
    ANY: gettext_lazy("at least one of these"),
    NONE: gettext_lazy("none of these"),
}


def sentence(rule: Any, known: Known | None = None) -> str:
    """“Everyone for whom this holds: stage is Regular customer and (…).” An unfinished rule is read as far as it goes."""
    said = words(rule, known or Known(rule))
    return (
        _("Everyone for whom this holds: %(what)s.") % {"what": said} if said else _("Nobody yet: the rule is empty.")
    )


def words(rule: Any, known: Known, top: bool = True) -> str:
    """A group or condition without the beginning; '' while nothing of it can be said."""
    if not is_group(rule):
        return condition(rule, known) if isinstance(rule, dict) else ""
    rules = rule.get("rules")
    parts = [said for inner in (rules if isinstance(rules, list) else ()) if (said := words(inner, known, top=False))]
    if not parts:
        return ""
    match = rule.get("match")
    if match == NONE:
        said = (
            _("not (%(what)s)") % {"what": parts[0]}
            if len(parts) == 1
            else _("none of (%(what)s)") % {"what": "; ".join(parts)}
        )
    elif len(parts) == 1:
        return _named(rule, parts[0])
    else:
        joined = joined_by_or(parts) if match == ANY else joined_by_and(parts)
        said = joined if top and not rule.get("name") else f"({joined})"
    return _named(rule, said)


def _named(rule: Rule, said: str) -> str:
    """With the segment's name, where the group was copied from one."""
    if not rule.get("name"):
        return said
    inner = said if said.startswith("(") else f"({said})"
    return _("the segment “%(name)s” %(what)s") % {"name": rule["name"], "what": inner}


def joined_by_and(parts: Sequence[str]) -> str:
    return reduce(lambda one, other: _("%(one)s and %(other)s") % {"one": one, "other": other}, parts)


def joined_by_or(parts: Sequence[str]) -> str:
    return reduce(lambda one, other: _("%(one)s or %(other)s") % {"one": one, "other": other}, parts)


def any_of(values: Sequence[str]) -> str:
    """Values of one condition: “A, B or C”."""
    return joined_by_or([", ".join(values[:-1]), values[-1]]) if len(values) > 1 else "".join(values)


def condition(rule: Rule, known: Known) -> str:
    """One condition in words; '' while it is unfinished."""
    field = BY_CODE.get(str(rule.get("field")))
    operator, value = rule.get("operator"), rule.get("value")
    if field is None or operator not in field.kind.operators:
        return ""
    unfinished = field.kind.fault(operator, value, None)
    if unfinished or ((field.of or field.of_text) and not rule.get("of")):
        return ""
    if field.met:
        return _stated(field, rule, known)
    named = {"what": what(field, rule, known)}
    if operator in ("known", "unknown"):
        if operator == "unknown" and field.unknown:
            return str(field.unknown)
        return (_("%(what)s is known") if operator == "known" else _("%(what)s is unknown")) % named
    text, values = compared(field, operator, value, known)
    return text % (values | named)


def what(field: Field, rule: Rule, known: Known) -> str:
    """What stands before the operator, with what it asks of."""
    if field.of_text:
        return _("the field “%(name)s”") % {"name": rule["of"]}
    if field.of:
        return _("%(what)s “%(name)s”") % {"what": field.label, "name": of_words(field, rule, known)}
    return str(field.label)


def compared(field: Field, operator: str, value: Any, known: Known) -> tuple[str, dict[str, str]]:
    """A text with a place for %(what)s, and its other values."""
    if operator in days.RELATIVE:
        return relative(operator, value), {"n": display.number(value) or ""}
    if operator == "between":
        low, high = (shown(field, one, known) for one in value)
        return _("%(what)s is between %(low)s and %(high)s"), {"low": low, "high": high}
    if operator == "one_of":
        return _("%(what)s is %(value)s"), {"value": any_of([shown(field, one, known) for one in value])}
    texts = {
        "is": _("%(what)s is %(value)s"),
        "is_not": _("%(what)s is not %(value)s"),
        "begins": _("%(what)s begins with %(value)s"),
        "at_least": _("%(what)s is at least %(value)s"),
        "at_most": _("%(what)s is at most %(value)s"),
        "before": _("%(what)s is before %(value)s"),
        "after": _("%(what)s is after %(value)s"),
    }
    return texts[operator], {"value": shown(field, value, known)}


def relative(operator: str, n: int) -> str:
    if n == 1 and operator != "longer_ago":
        return _("%(what)s is today")
    return {
        "in_last": _("%(what)s is in the last %(n)s days"),
        "in_next": _("%(what)s is in the next %(n)s days"),
        "longer_ago": ngettext("%(what)s is %(n)s day ago or longer", "%(what)s is %(n)s days ago or longer", n),
    }[operator]


def shown(field: Field, value: Any, known: Known) -> str:
    """A value as people write it."""
    if field.options and not field.of_text:
        return known.of(field.options).get(str(value)) or _("(gone)")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if field.unit == "money":
            return display.money(value, Shop.current().currency) or ""
        places = 0 if float(value).is_integer() else 2
        return (
            display.percent(value / 100, places) if field.unit == "percent" else display.number(value, places)
        ) or ""
    day = days.read(value) if isinstance(field.kind, Day) else None
    return (display.day(day) or "") if day else _("“%(text)s”") % {"text": value}


def _stated(field: Field, rule: Rule, known: Known) -> str:
    """A condition that has sentences of its own, one for yes and one for no."""
    operator, value = rule["operator"], rule.get("value")
    if isinstance(field.kind, YesNo):
        return str(field.met if value else field.unmet)
    if isinstance(field.kind, Among):
        named = {"values": any_of([_("“%(text)s”") % {"text": shown(field, one, known)} for one in value or ()])}
        return str(field.met if operator == "one_of" else field.unmet) % named
    if isinstance(field.kind, InList):
        named_one = known.segments.get(str(value))
        text = str(field.met if operator == "is" else field.unmet)
        return text % {"value": named_one.name if named_one else _("(gone)")}
    negative = operator in days.NEGATIVE
    if str(rule.get("of")) == ANYTHING:
        text = str(field.unmet_any if negative else field.met_any)
    else:
        text = str(field.unmet if negative else field.met)
    named = {"of": _("“%(text)s”") % {"text": of_words(field, rule, known)}, "when": when(operator, value)}
    return text % named


def of_words(field: Field, rule: Rule, known: Known) -> str:
    if field.of_text:
        return str((known.of(field.options) if field.options else {}).get(rule["of"], rule["of"]))
    return str(known.of(field.of).get(str(rule.get("of")), _("(gone)"))) if field.of else ""


def when(operator: str, value: Any) -> str:
    """When something happened, as it stands in the middle of a sentence."""
    if operator == "ever":
        return pgettext("when it happened", "at least once")
    if operator == "never":
        return pgettext("when it did not happen", "so far")
    if operator in days.RELATIVE:
        if value == 1:
            return _("today")
        return pgettext("when it happened", "in the last %(n)s days") % {"n": display.number(value)}
    if operator == "between":
        low, high = (display.day(days.read(one)) for one in value)
        return pgettext("when it happened", "from %(low)s to %(high)s") % {"low": low, "high": high}
    text = (
        pgettext("when it happened", "before %(day)s")
        if operator == "before"
        else pgettext("when it happened", "since %(day)s")
    )
    return text % {"day": display.day(days.read(value))}
