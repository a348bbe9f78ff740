"""The frame of the insights pages: their tabs, pictures with the table beside them, and tables as CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import display
from loyalty.charts import Chart
from loyalty.figures import Shown

Words = str | Promise
Kind = Literal["text", "number", "percent", "signed", "money", "day"]


@dataclass(frozen=True)
class Tab:
    """A page of the insights. code: what the template names itself; url_name: of a view without parameters."""

    code: str
    label: Words
    url_name: str


# Every insights page, in the order of its tabs.
TABS = (
    Tab("overview", _("Overview"), "insights"),
    Tab("stages", _("Stages"), "insights_stages"),
    Tab("migration", _("Migration"), "insights_migration"),
    Tab("bond", _("Bond"), "insights_bond"),
    Tab("feelings", _("Feelings"), "insights_feelings"),
    Tab("motivators", _("Motivators"), "insights_motivators"),
    Tab("cohorts", _("Cohorts"), "insights_cohorts"),
    Tab("behaviour", _("Behaviour"), "insights_behaviour"),
    Tab("what_if", _("What if"), "insights_what_if"),
)


@dataclass(frozen=True)
class Column:
    """kind says how values are written: percent is a share of 0 to 1, money is in the shop's currency."""

    label: Words
    kind: Kind = "number"
    places: int = 0


@dataclass(frozen=True)
class Cell:
    """A value of a table. None is unknown and is said so; '' for a number that there cannot be stays blank.

    url: the customers behind it · low, high: interval, written in its column's way · shade: 0 to 1 tints the cell of a
    heat table · note: a word after the value, such as “provisional” · spoken: said to who cannot see the column heads.
    """

    value: Any
    url: str = ""
    low: Any = None
    high: Any = None
    shade: float | None = None
    note: Words = ""
    spoken: Words = ""


@dataclass(frozen=True)
class Table:
    """What a picture shows, in words and numbers. A row begins with its head; bare values stand for plain cells.

    code names it in the address of its CSV file. total: the last row is a sum.
    """

    code: str
    caption: Words
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    currency: str = ""
    total: bool = False

    @property
    def cells(self) -> list[list[tuple[Column, Cell]]]:
        filled = ([one if isinstance(one, Cell) else Cell(one) for one in row] for row in self.rows)
        return [list(zip(self.columns, row, strict=True)) for row in filled]


@dataclass(frozen=True)
class Picture:
    """A picture with its table. title: a sentence that the figures support · what: what is shown, of whom, when ·
    note: how many and who is left out · fold: the table is long and opens on demand."""

    title: Words
    what: Words
    table: Table
    chart: Chart | None = None
    note: Words = ""
    fold: bool = False
    shown: Shown | None = None

    @property
    def drawings(self) -> list[dict[str, Any]]:
        if self.chart is None:
            return []
        return [
            {"place": place, "box": drawing.box, "marks": drawing.marks}
            for place, drawing in (("is-wide", self.chart.wide), ("is-narrow", self.chart.narrow))
        ]

    @property
    def legends(self) -> list[tuple[str, Any]]:
        if self.chart is None:
            return []
        named = (("is-wide", self.chart.keys), ("is-narrow", self.chart.narrow_keys))
        return [(place, keys) for place, keys in named if keys]


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    tables: Iterable[Table],
    *,
    tab: str,
) -> HttpResponse:
    """The page, or with ?format=csv&table=CODE one of its tables as a file. Raises Http404 for an unknown table."""
    if request.GET.get("format") == "csv":
        return as_csv(tables, request.GET.get("table", ""))
    return render(request, template, {**context, "tab": tab})


def as_csv(tables: Iterable[Table], code: str) -> HttpResponse:
    """A table as a file: UTF-8 with a byte order mark, commas, numbers with a point, days as 2026-11-23."""
    by_code = {table.code: table for table in tables}
    if code not in by_code:
        raise Http404(f"there is no table {code!r} on this page")
    table = by_code[code]
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{code}.csv"'
    writer = csv.writer(response)
    ranged = [any(row[at][1].low is not None for row in table.cells) for at in range(len(table.columns))]
    head: list[str] = []
    for column, has_range in zip(table.columns, ranged, strict=True):
        label = harmless(str(column.label))
        head += [label, f"{label} (low)", f"{label} (high)"] if has_range else [label]
    writer.writerow(head)
    for row in table.cells:
        written: list[Any] = []
        for (_column, cell), has_range in zip(row, ranged, strict=True):
            written += [neutral(one) for one in ((cell.value, cell.low, cell.high) if has_range else (cell.value,))]
        writer.writerow(written)
    return response


def neutral(value: Any) -> str:
    """A value as every program reads it; '' for unknown."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, int | Decimal):
        return str(value)
    return harmless(str(value))


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def written(column: Column, value: Any, currency: str = "") -> str | None:
    """A value in the reader's language; None for unknown, '' for a number that there cannot be."""
    if value == "" and column.kind != "text":
        return ""
    if value is None or column.kind == "text":
        return None if value is None or value == "" else str(value)
    if column.kind == "day":
        return display.day(value)
    if column.kind == "money":
        return display.money(value, currency)
    return {"percent": display.percent, "signed": display.signed}.get(column.kind, display.number)(value, column.places)


def listed(**filters: str) -> str:
    """The customer list, narrowed to those who make up a number."""
    return f"{list_address(get_script_prefix())}?{urlencode(filters)}"


@cache
def list_address(prefix: str) -> str:
    """Where the customer list stands; a table asks hundreds of times."""
    return reverse("customers")
