"""The people behind the numbers about feelings and motivators, for the customer list (`loyalty.drilldown`).

Each value is what a page wrote into an address: `short.advice.month.2026-05-01` are all who answered the short form about
advice in May 2026, `secure` a motivator.
"""

import re
from datetime import date
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Customer
from crm.models.contact import Touchpoint
from loyalty import motivators, nev, nev_facts, scoring
from loyalty.drilldown import DrillDown
from loyalty.nev import Group

NAMED = re.compile(r"%\((\w+)\)s")
UNITS = ("", "month", "quarter")
OF_GROUP = f"""
SELECT customer_id FROM ({nev_facts.RESPONSES}) r WHERE own AND kind = %(kind)s
  AND (%(place)s = '' OR coalesce(nullif(touchpoint, ''), '{nev.UNNAMED}') = %(place)s)
  AND (%(unit)s = '' OR date_trunc(nullif(%(unit)s, ''), day)::date = %(period)s::date)"""
MOVED = f"SELECT customer_id FROM ({motivators.SAID}) said WHERE motivator = %(motivator)s"


def group_value(group: Group) -> str:
    """What the address names a group by."""
    period = group.period.isoformat() if group.period else ""
    return f"{group.kind}.{group.touchpoint}.{group.unit}.{period}"


def read(value: str) -> tuple[str, str, str, date | None]:
    """(kind, touchpoint, unit, period). Raises ValueError for what no page wrote."""
    kind, place, unit, period = value.split(".")
    if kind not in nev.KINDS or unit not in UNITS or place not in ("", nev.UNNAMED, *Touchpoint.values):
        raise ValueError(value)
    if bool(unit) != bool(period):
        raise ValueError(value)
    return kind, place, unit, date.fromisoformat(period) if period else None


def describe(value: str) -> str:
    kind, place, unit, period = read(value)
    words = [str(nev.KINDS[kind])]
    if place:
        words.append(place_name(place))
    if period:
        words.append(period_name(unit, period))
    return ", ".join(words)


def place_name(place: str) -> str:
    return _("no touchpoint named") if place == nev.UNNAMED else str(Touchpoint(place).label)


def period_name(unit: str, period: date) -> str:
    if unit == "quarter":
        return _("quarter %(n)s of %(year)s") % {"n": (period.month + 2) // 3, "year": period.year}
    return date_format(period, "F Y")


def answered(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    kind, place, unit, period = read(value)
    named = nev_facts.window() | {"kind": kind, "place": place, "unit": unit, "period": period}
    return customers.filter(pk__in=_raw(OF_GROUP, named))


def moved_by(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    return _moved(customers, value, MOVED)


def with_gap(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    return _moved(customers, value, f"{MOVED} AND {motivators.GAP}")


def connected(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    having = "bool_or({connects})" if value == "yes" else "NOT bool_or({connects})"
    statement = f"""SELECT customer_id FROM ({motivators.SAID}) said WHERE top AND fulfilment IS NOT NULL
      GROUP BY customer_id HAVING {having.format(connects=motivators.CONNECTS)}"""
    return customers.filter(pk__in=_raw(statement, motivators.parameters(scoring.shown_day())))


def _moved(customers: QuerySet[Customer], value: str, statement: str) -> QuerySet[Customer]:
    named = motivators.parameters(scoring.shown_day()) | {"motivator": motivators.BY_CODE[value].code}
    return customers.filter(pk__in=_raw(statement, named))


def _raw(statement: str, named: dict[str, Any]) -> RawSQL:
    """A statement with named parameters as Django wants it: with places, and the parameters in their order."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        names.append(found[1])
        return "%s"

    text = NAMED.sub(place, statement)
    return RawSQL(text, [named[name] for name in names])  # noqa: S611 - the statements are ours


def _motivator(value: str) -> str:
    return str(motivators.BY_CODE[value].label)


def _yes_or_no(value: str) -> str:
    return {"yes": _("yes"), "no": _("no")}[value]


def filters() -> dict[str, django_filters.Filter]:
    return {
        "felt": DrillDown(gettext_lazy("Said how they felt"), describe, answered),
        "moved_by": DrillDown(gettext_lazy("Moved by"), _motivator, moved_by),
        "motivator_gap": DrillDown(gettext_lazy("Gap in"), _motivator, with_gap),
        "connected": DrillDown(gettext_lazy("Emotionally connected"), _yes_or_no, connected),
    }
