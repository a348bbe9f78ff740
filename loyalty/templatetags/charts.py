"""How an insights page shows its tabs, pictures and tables: {% load charts %}."""

from typing import Any

from django import template
from django.urls import reverse

from loyalty import insights
from loyalty.figures import Shown
from loyalty.insights import Column, Picture, Table

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
    return {"table": table}


@register.inclusion_tag("loyalty/figure_age.html", takes_context=True)
def figure_age(context: template.Context, shown: Shown) -> dict[str, Any]:
    """How old a stored figure is, with a button for a fresh one; nothing for one computed just now."""
    return {"shown": shown, "request": context.get("request"), "csrf_token": context.get("csrf_token")}


@register.simple_tag
def cell_text(column: Column, value: Any, table: Table) -> str | None:
    return insights.written(column, value, table.currency)


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
