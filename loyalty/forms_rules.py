"""The rules as an administrator edits them: one field a value, in people's units, each mistake said at its field."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.display import number, percent
from crm.forms import styled
from crm.labels import product_word
from loyalty import rulebook, rules
from loyalty.rulebook import Group, Name, Value
from loyalty.rules import LANGUAGES, LONGEST_LABEL, Rules

UNITS = {
    "days": gettext_lazy("days"),
    "months": gettext_lazy("months"),
    "share": "%",
    "points": gettext_lazy("points"),
    "times": gettext_lazy("times the expected gap"),
}


class RulesForm(forms.Form):
    """All values of one version. `draft` is what was filled in, once the form is valid.

    base is the version that the editor saw: saving refuses if another has come meanwhile.
    """

    base = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label=gettext_lazy("Why?"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("For the list of versions, so that colleagues understand the change."),
    )

    def __init__(self, *args: Any, shown: Rules, base: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.shown, self.draft = shown, shown
        self.fields["base"].initial = base
        for value in rulebook.listed():
            self.fields[value.field] = field_of(value, rulebook.read(shown, value.name))
        for name in self.names():
            for language in LANGUAGES:
                self.fields[name.field(language)] = label_field(name, language, shown)
        styled(self)

    @staticmethod
    def names() -> list[Name]:
        return [name for _title, names in rulebook.names() for name in names]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors:
            return given
        values = {value.name: stored(value, given[value.field]) for value in rulebook.listed()}
        try:
            draft = rules.unchecked(rulebook.assembled(values) | {"labels": self._labels(given)}, given["base"])
        except rules.RulesError as wrong:
            raise ValidationError(str(wrong)) from wrong
        for name, message in rules.problems(draft):
            self.add_error(name.replace(".", "-"), message)
        self._refuse_twins(given)
        self.draft = draft
        return given

    def _labels(self, given: dict[str, Any]) -> dict[str, dict[str, str]]:
        """The merchant's own words: only what is filled in and differs from the product's."""
        found: dict[str, dict[str, str]] = {}
        for name in self.names():
            for language in LANGUAGES:
                word = given[name.field(language)].strip()
                if word and word != product_word(name.preset, language):
                    found.setdefault(name.name, {})[language] = word
        return found

    def _refuse_twins(self, given: dict[str, Any]) -> None:
        """Two stages of one name could not be told apart."""
        for _title, names in rulebook.names():
            for language in LANGUAGES:
                taken: set[str] = set()
                for name in names:
                    word = (given[name.field(language)] or product_word(name.preset, language)).strip().casefold()
                    if word in taken:
                        self.add_error(name.field(language), _("Another one is called that already."))
                    taken.add(word)

    # For the template

    def groups(self) -> Iterator[dict[str, Any]]:
        """Each group with its fields; open where something is wrong or differs from the defaults."""
        defaults = Rules()
        for group in rulebook.groups():
            fields = [self[value.field] for value in group.values]
            differs = [value for value in group.values if differing(value, self.shown, defaults)]
            yield {
                "group": group,
                "fields": fields,
                "own": len(differs),
                "open": any(field.errors for field in fields),
            }

    def label_groups(self) -> Iterator[dict[str, Any]]:
        for title, names in rulebook.names():
            rows: list[dict[str, Any]] = [
                {"preset": product_word(name.preset, "de"), "fields": [self[name.field(one)] for one in LANGUAGES]}
                for name in names
            ]
            yield {"title": title, "rows": rows, "open": any(f.errors for row in rows for f in row["fields"])}


def differing(value: Value, chosen: Rules, defaults: Rules) -> bool:
    return bool(rulebook.read(chosen, value.name) != rulebook.read(defaults, value.name))


def field_of(value: Value, now: float) -> forms.Field:
    unit = UNITS.get(value.unit, "")
    preset = written(value, rulebook.read(Rules(), value.name))
    usual = _("Preset: %(value)s.") % {"value": preset}
    options: dict[str, Any] = {
        "label": f"{value.label} ({unit})" if unit else str(value.label),
        "help_text": f"{value.help} {usual}" if value.help else usual,
        "initial": in_form(value, now),
        "localize": True,
        "min_value": 0,
        "max_value": value.most,
        "widget": forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        "error_messages": {
            "invalid": _("Write a whole number such as 3.") if value.whole else _("Write a number such as 1.5."),
            "required": _("Write a number; the preset is %(value)s.") % {"value": preset},
            "min_value": _("Write 0 or more."),
            "max_value": _("That is too much: at most %(limit_value)s.") % {"limit_value": number(value.most)},
            "max_decimal_places": _("At most four digits after the decimal sign."),
        },
    }
    return forms.IntegerField(**options) if value.whole else forms.DecimalField(decimal_places=4, **options)


def label_field(name: Name, language: str, shown: Rules) -> forms.Field:
    word = product_word(name.preset, language)
    return forms.CharField(
        label=f"{word} ({language})",
        required=False,
        max_length=LONGEST_LABEL,
        initial=shown.labels.get(name.name, {}).get(language, ""),
        widget=forms.TextInput(attrs={"placeholder": word, "autocomplete": "off"}),
    )


def in_form(value: Value, number_: float) -> Decimal | int:
    """A stored value as the form shows it: shares in percent, no needless zeros."""
    exact = Decimal(str(number_)) * (100 if value.unit == "share" else 1)
    return int(exact) if exact == int(exact) else exact.normalize()


def stored(value: Value, given: Decimal | int) -> float | int:
    """The other way round."""
    if value.whole:
        return int(given)
    exact = Decimal(given) / (100 if value.unit == "share" else 1)
    return int(exact) if exact == int(exact) else float(exact)


def written(value: Value, found: float) -> str:
    """A value in a sentence or a table, in the reader's language."""
    if value.unit == "share":
        return str(percent(found, places(in_form(value, found))))
    return str(number(found, places(Decimal(str(found)))))


def places(exact: Decimal | int) -> int:
    """How many decimals a number needs."""
    text = f"{Decimal(exact).normalize():f}"
    return len(text.partition(".")[2])


def changes(before: Rules, after: Rules) -> list[tuple[str, str, str]]:
    """What differs between two versions: (what, before, after), in words."""
    found = [
        (f"{group.title}: {value.label}", written(value, rulebook.read(before, value.name)),
         written(value, rulebook.read(after, value.name)))
        for group, value in _all()
        if rulebook.read(before, value.name) != rulebook.read(after, value.name)
    ]  # fmt: skip
    for name in RulesForm.names():
        for language in LANGUAGES:
            was, becomes = (one.labels.get(name.name, {}).get(language, "") for one in (before, after))
            if was != becomes:
                word = product_word(name.preset, language)
                found.append((_("Name in “%(language)s”") % {"language": language}, was or word, becomes or word))
    return found


def _all() -> Iterator[tuple[Group, Value]]:
    for group in rulebook.groups():
        for value in group.values:
            yield group, value
