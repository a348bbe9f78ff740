"""Filters that a number of an insights page puts into the address of the customer list.

They are not chosen from a list of all that is possible: the field appears when such a filter is in force, says it in
words, and can be taken away.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from crm.models import Customer

NAMED = re.compile(r"%\((\w+)\)s")
Words = str | Promise
Narrow = Callable[[QuerySet[Customer], str], QuerySet[Customer]]


class ChosenSelect(forms.Select):
    """A choice between everybody and what is chosen; left out by the list while nothing is."""

    only_when_chosen = True

    def __init__(self, describe: Callable[[str], Words]) -> None:
        super().__init__()
        self.describe = describe

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        self.choices = [("", _("all")), *((one, self._words(one)) for one in value if one)]
        return super().optgroups(name, value, attrs)

    def _words(self, value: str) -> Words:
        try:
            return self.describe(value)
        except (KeyError, ValueError):
            return value


class DrillDown(django_filters.CharFilter):
    """describe: words for a value, narrow: its customers. Both raise KeyError or ValueError for a value that is none."""

    def __init__(self, label: Words, describe: Callable[[str], Words], narrow: Narrow) -> None:
        super().__init__(
            label=label,
            method=lambda customers, name, value: narrow(customers, value),
            widget=ChosenSelect(describe),
            validators=[_validator(describe)],
            max_length=100,
        )


def raw(statement: str, named: Mapping[str, Any]) -> RawSQL:
    """A statement with named parameters as Django wants it: with places, and the parameters in their order."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        names.append(found[1])
        return "%s"

    text = NAMED.sub(place, statement)
    return RawSQL(text, [named[name] for name in names])  # noqa: S611 - the statements are ours


def _validator(describe: Callable[[str], Words]) -> Callable[[str], None]:
    def check(value: str) -> None:
        try:
            describe(value)
        except (KeyError, ValueError):
            raise ValidationError(_("This filter is not known. Take it away, or open the number again.")) from None

    return check
