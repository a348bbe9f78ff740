"""Insights: customers by the month of their first order, and what became of them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number, percent
from crm.models import Shop
from loyalty import charts, figures, insights
from loyalty.behaviour_filters import months_value
from loyalty.charts import Line
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.overview import Share

SHOWS = ("share", "customers", "revenue")
MONTHS = 24  # columns and rows of the page; older cohorts are one line away, in the file

Cohort = dict[str, Any]


@requires("insights.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """?show= share, customers or revenue."""
    shown = figures.show("cohorts")
    show = request.GET.get("show", "")
    show = show if show in SHOWS else "share"
    cohorts: list[Cohort] = shown.value or []
    pictures = [coming_back(cohorts, shown), table(cohorts[-MONTHS:], show, shown)] if cohorts else []
    tables = [one.table for one in pictures[:1]] + [table(cohorts, show, shown).table] if cohorts else []
    context = {
        "shown": shown,
        "pictures": pictures,
        "show": show,
        "shows": [("share", _("Share")), ("customers", _("Customers")), ("revenue", _("Revenue"))],
    }
    return insights.page(request, "loyalty/cohorts.html", context, tables, tab="cohorts")


def coming_back(cohorts: Sequence[Cohort], shown: Shown) -> Picture:
    """All cohorts together: what share bought in the k-th month after the first, only months that are over."""
    rows, line = [], []
    for since in range(1, MONTHS + 1):
        some = [one for one in cohorts if len(one["bought"]) > since + 1]
        share = Share(sum(one["bought"][since] for one in some), sum(one["n"] for one in some))
        if not share.whole:
            break
        line.append((since, share))
        low, high = share.interval or (None, None)
        observed = months_value(some[0]["month"], some[-1]["month"])
        rows.append([
            number(since), Cell(share.value, low=low, high=high),
            Cell(share.part, listed(cohort=f"{observed}.{since}")), Cell(share.whole, listed(cohort=observed)), len(some),
        ])  # fmt: skip
    chart = charts.lines(
        [number(since) or "" for since, _share in line],
        [Line(_("bought"), [s.value for _n, s in line], "berry", [s.interval or (0, 0) for _n, s in line])],
        kind="percent",
    )  # fmt: skip
    return Picture(
        title=coming_back_title(line),
        what=_(
            "Of everybody who first bought so many months before, who bought in that month. With 95 percent interval."
        ),
        table=Table(
            "cohorts-coming-back",
            _("Share of first buyers by months since the first order"),
            [
                Column(_("Months after the first order"), "text"),
                Column(_("Bought in that month"), "percent", 1),
                Column(_("Customers")),
                Column(_("Customers observed")),
                Column(_("Cohorts")),
            ],
            rows,
        ),
        chart=chart if len(line) > 1 else None,
        note=_("Only months that are over; younger customers have not been observed as long."),
        shown=shown,
    )


def coming_back_title(line: Sequence[tuple[int, Share]]) -> str:
    if not line:
        return _("Nobody has been observed for a whole month after the first order yet")
    return _("In the month after the first one, %(share)s of first buyers bought again") % {
        "share": percent(line[0][1].value, 1)
    }


def table(cohorts: Sequence[Cohort], show: str, shown: Shown) -> Picture:
    """Month of the first order × months since. The last cell of each row is the present month, not over yet."""
    longest = min(MONTHS, max(len(one["bought"]) for one in cohorts) - 1)
    kind: Any = {"share": "percent", "customers": "number", "revenue": "money"}[show]
    most = max((value for one in cohorts for value in values(one, show)[1:]), default=0)
    rows = []
    for one in reversed(cohorts):
        month, numbers = month_words(one["month"]), values(one, show)
        cells = [cell(one, since, numbers[since], most, month) for since in range(min(longest + 1, len(one["bought"])))]
        empty = [Cell("") for _ in range(longest + 1 - len(cells))]
        rows.append([month, Cell(one["n"], url=listed(cohort=one["month"])), *cells, *empty])
    return Picture(
        title=title(cohorts),
        what={
            "share": _(
                "What share of a month's first buyers bought in that month and in those after it. Darker is more."
            ),
            "customers": _("How many of a month's first buyers bought in that month and in those after it."),
            "revenue": _("Net revenue with a month's first buyers, in that month and in those after it."),
        }[show],
        table=Table(
            f"cohorts-{show}",
            _("Cohorts by month of the first order"),
            [
                Column(_("First order in"), "text"),
                Column(_("Customers")),
                *(Column(number(since) or "", kind) for since in range(longest + 1)),
            ],
            rows,
            currency=Shop.current().currency,
        ),
        note=_(
            "Column 0 is the month of the first order. The last cell of each row is the present month, not over yet."
        ),
        shown=shown,
    )


def values(one: Cohort, show: str) -> list[float]:
    if show == "revenue":
        return [float(value) for value in one["revenue"]]
    return [value / one["n"] if show == "share" else value for value in one["bought"]]


def cell(one: Cohort, since: int, value: float, most: float, spoken: str) -> Cell:
    url = listed(cohort=f"{one['month']}.{since}") if one["bought"][since] else ""
    return Cell(value, url=url, shade=value / most if most and since else None, spoken=spoken)


def title(cohorts: Sequence[Cohort]) -> str:
    first = sum(one["n"] for one in cohorts)
    return ngettext(
        "%(n)s customer, by the month of the first order", "%(n)s customers, by the month of the first order", first
    ) % {"n": number(first)}


def month_words(month: str) -> str:
    return date_format(date.fromisoformat(f"{month}-01"), "M Y")
