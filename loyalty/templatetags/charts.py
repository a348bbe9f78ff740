"""How an insights page shows its tabs, pictures and tables: {% load charts %}."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from crm.templatetags.kit import or_unknown
from loyalty import insights
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table

register = template.Library()


@register.inclusion_tag("loyalty/insights_tabs.html")
def insights_tabs(here: str) -> dict[str, Any]:
    """The pages of the insights. here: the code of this one."""
    return {"tabs": [(tab, reverse(tab.url_name), tab.code == here) for tab in insights.TABS]}


@register.inclusion_tag("loyalty/picture.html", takes_context=True)
def picture(context: template.Context, picture: Picture) -> dict[str, Any]:
    """A sheet with title, chart, legend, table, CSV link and the age of its figure."""
    return {"picture": picture, "csv": csv_address(context, picture.table), "request": context.get("request")}


@register.inclusion_tag("loyalty/insights_table.html")
def insights_table(table: Table) -> dict[str, Any]:
    """Rows are written here, not in the template: a table of three years has hundreds of cells."""
    last, heads = len(table.rows) - 1, [str(escape(column.label)) for column in table.columns]
    rows = []
    for at, row in enumerate(table.cells):
        total = ' class="is-total"' if table.total and at == last else ""
        cells = "".join(cell_html(table, row, place, heads) for place in range(len(row)))
        rows.append(mark_safe(f"<tr{total}>{cells}</tr>"))  # noqa: S308 - cells escape what they show
    return {"table": table, "rows": rows}


def cell_html(table: Table, row: list[tuple[Column, Cell]], place: int, heads: Sequence[str]) -> str:
    """One cell: its value, as a link to the customers behind it, with its interval and its note; escaped.

    heads: the labels of the columns, escaped.
    """
    column, cell = row[place]
    words = insights.written(column, cell.value, table.currency)
    empty = words == "" and column.kind != "text"  # no value belongs here, as in the half of a triangle
    text: str = "" if empty else conditional_escape(or_unknown(words))
    note: str = conditional_escape(str(cell.note))
    if cell.url and (cell.value or has_people(column, cell)):
        spoken = conditional_escape(str(cell.spoken or row[0][1].value))
        shown = note if cell.value is None else text
        hidden = f'<span class="visually-hidden"> {spoken}, {heads[place]}</span>'
        link = f'<a href="{escape(cell.url)}">{shown}{hidden}</a>'
        text, note = (text, link) if cell.value is None else (link, note)
    note = f' <span class="sk-soft">{note}</span>' if note else ""
    if place == 0:
        return f'<th scope="row">{text}{note}</th>'
    between = ""
    if cell.low is not None:
        ends = {
            "low": insights.written(column, cell.low, table.currency),
            "high": insights.written(column, cell.high, table.currency),
        }
        ranged = escape(gettext("%(low)s to %(high)s") % ends)
        between = f' <span class="insights-interval sk-soft">({ranged})</span>'
    classes = " ".join(filter(None, ("" if column.kind == "text" else "sk-num", shade(cell.shade))))
    return f'<td class="{classes}">{text}{between}{note}</td>'


def has_people(column: Column, cell: Cell) -> bool:
    """Whether people stand behind a value that is unknown or 0: only of a mean, never of a number or share of 0."""
    return bool(cell.note) if cell.value is None else column.kind == "signed"


@register.inclusion_tag("loyalty/figure_age.html", takes_context=True)
def figure_age(context: template.Context, shown: Shown) -> dict[str, Any]:
    """How old a stored figure is, with a button for a fresh one; nothing for one computed just now."""
    return {"shown": shown, "request": context.get("request"), "csrf_token": context.get("csrf_token")}


@register.filter
def shade(value: float | None) -> str:
    """Class of a heat table's cell, heat-0 to heat-8."""
    return "" if value is None else f"heat-{round(min(1.0, max(0.0, value)) * 8)}"


def csv_address(context: template.Context, table: Table) -> str:
    """This page with its filters, as the file of one table."""
    request = context.get("request")
    if request is None:
        return ""
    query = request.GET.copy()
    query["format"], query["table"] = "csv", table.code
    return f"?{query.urlencode()}"
