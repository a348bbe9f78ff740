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
from django.db import connection
from django.db.models import BooleanField, F, Func, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from crm.models import Customer

NAMED = re.compile(r"%\((\w+)\)s")
MOST_LISTED = 100_000
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


def among(customers: QuerySet[Customer], statement: str, told: Any) -> QuerySet[Customer]:
    """Those of the customers whom a statement with its parameters finds.

    It runs at once and once: the list counts, sorts and shows, and would ask it again for each of them.
    """
    return customers.filter(_one_of(_found(statement, told)[0]))


def among_rows(customers: QuerySet[Customer], rows: QuerySet[Any]) -> QuerySet[Customer]:
    """As `among`, for rows that have the customer as their key. Very many are not listed, but looked up one by one."""
    found, n = _found(*rows.values("pk")[: MOST_LISTED + 1].query.sql_with_params())
    return customers.filter(pk__in=rows.values("pk")) if n > MOST_LISTED else customers.filter(_one_of(found))


def _one_of(ids: str) -> Func:
    """A list of values and no sub-query: the customers are then walked in their order until a page is full."""
    template, joiner = "(%(expressions)s::bigint[]))", " = ANY("
    return Func(F("pk"), Value(ids), template=template, arg_joiner=joiner, output_field=BooleanField())


def _found(statement: str, told: Any) -> tuple[str, int]:
    """(ids as PostgreSQL writes an array, how many)"""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(array_agg(id), '{{}}')::text, count(*) FROM ({statement}) found (id)", told)
        found: tuple[str, int] = cursor.fetchone()
    return found


def _validator(describe: Callable[[str], Words]) -> Callable[[str], None]:
    def check(value: str) -> None:
        try:
            describe(value)
        except (KeyError, ValueError):
            raise ValidationError(_("This filter is not known. Take it away, or open the number again.")) from None

    return check
