"""How an insights page shows its tabs, pictures and tables: {% load charts %}."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
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
    last = len(table.rows) - 1
    rows = [
        format_html(
            "<tr{}>{}</tr>",
            mark_safe(' class="is-total"') if table.total and at == last else "",
            format_html_join("", "{}", ((cell_html(table, row, place),) for place in range(len(row)))),
        )
        for at, row in enumerate(table.cells)
    ]
    return {"table": table, "rows": rows}


def cell_html(table: Table, row: list[tuple[Column, Cell]], place: int) -> SafeString:
    """One cell: its value, as a link to the customers behind it, with its interval and its note."""
    column, cell = row[place]
    words = insights.written(column, cell.value, table.currency)
    empty = words == "" and column.kind != "text"  # no value belongs here, as in the half of a triangle
    text = "" if empty else or_unknown(words)
    note: Any = cell.note
    if cell.url and (cell.value or has_people(column, cell)):
        spoken = cell.spoken or row[0][1].value
        link = '<a href="{}">{}<span class="visually-hidden"> {}, {}</span></a>'
        if cell.value is None:
            note = format_html(link, cell.url, cell.note, spoken, column.label)
        else:
            text = format_html(link, cell.url, text, spoken, column.label)
    note = format_html(' <span class="sk-soft">{}</span>', note) if note else ""
    if place == 0:
        return format_html('<th scope="row">{}{}</th>', text, note)
    between: SafeString | str = ""
    if cell.low is not None:
        ends = {
            "low": insights.written(column, cell.low, table.currency),
            "high": insights.written(column, cell.high, table.currency),
        }
        between = format_html(
            ' <span class="insights-interval sk-soft">({})</span>', gettext("%(low)s to %(high)s") % ends
        )
    classes = " ".join(filter(None, ("" if column.kind == "text" else "sk-num", shade(cell.shade))))
    return format_html('<td class="{}">{}{}{}</td>', classes, text, between, note)


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
