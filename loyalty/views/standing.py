"""Insights: stages and statuses at the end of each month."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number, percent
from loyalty import badges, charts, insights, month_counts
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.models import MonthEnd
from loyalty.month_filters import ALL, month_name
from loyalty.stages import STAGES

PERIODS = (12, 24, 36)
LATE = ("overdue", "at_risk")


@requires("insights.view")
@require_GET
def stages(request: HttpRequest) -> HttpResponse:
    months = chosen(request, "months", PERIODS)
    found = month_counts.ends(months)
    pictures = [stage_picture(found), status_picture(found)] if found else []
    context = {"pictures": pictures, "periods": PERIODS, "months": months, "versions": versions(found)}
    tables = [picture.table for picture in pictures]
    return insights.page(request, "loyalty/insights_stages.html", context, tables, tab="stages")


def chosen(request: HttpRequest, name: str, offered: Sequence[int]) -> int:
    """A number of the address if it is one of those offered, else the first of them."""
    value = request.GET.get(name, "")
    return int(value) if value.isdecimal() and int(value) in offered else offered[0]


def versions(found: Sequence[MonthEnd]) -> str:
    """Which rules judged the months."""
    used = sorted({end.rules_version for end in found})
    if len(used) < 2:
        return _("rules version %(version)s") % {"version": used[0]} if used else ""
    return _("rules versions %(lowest)s to %(highest)s") % {"lowest": used[0], "highest": used[-1]}


def over_months(
    code: str, caption: str, found: Sequence[MonthEnd], kind: str, words: Mapping[str, str | Promise], total: str = ""
) -> Table:
    """Months down, groups across; each number opens its people. The newest month first."""
    counted = {end.month: month_counts.by_code(end, kind) for end in found}
    rows = []
    for month in reversed(counted):
        at, name = month_counts.address(month), month_name(month)
        cells = [Cell(counted[month][one], listed(stood=f"{at}.{kind}.{one}"), spoken=name) for one in words]
        if total:
            whole = sum(counted[month][one] for one in words)
            cells.append(Cell(whole, listed(stood=f"{at}.{kind}.{ALL}"), spoken=name))
        rows.append([name, *cells])
    columns = [Column(_("End of"), "text"), *(Column(word) for word in words.values())]
    return Table(code, caption, [*columns, *([Column(total)] if total else [])], rows)


def stage_picture(found: Sequence[MonthEnd]) -> Picture:
    counted = [month_counts.by_code(end, "stage") for end in found]
    parts = [
        charts.Part(stage.label, [one[stage.code] for one in counted], f"s{min(level, 5)}")
        for level, stage in enumerate(STAGES)
    ]
    table = over_months("stages", _("Customers by stage at the end of each month"), found, "stage",
                        badges.STAGE_NAMES, _("Total"))  # fmt: skip
    return Picture(
        stage_title(found, [regulars(one) for one in counted]),
        _("Customers known by then, by the stage their facts gave them at the end of each month."),
        table,
        charts.areas(month_counts.labels(found), parts),
        note=_("n = %(n)s at the end of %(month)s")
        % {"n": number(found[-1].customers), "month": month_name(found[-1].month)},
        fold=True,
    )


def regulars(counted: Mapping[str, int]) -> int:
    """Customers who are regular or more."""
    return sum(counted[stage.code] for stage in STAGES[3:])


def stage_title(found: Sequence[MonthEnd], counts: Sequence[int]) -> str:
    """Compares the ends of what is shown."""
    now, before = counts[-1], counts[0]
    if len(found) < 2:
        return ngettext("%(n)s regular customer or more", "%(n)s regular customers or more", now) % {"n": number(now)}
    text = {
        True: _("%(n)s regular customers or more, %(difference)s more than at the end of %(month)s"),
        False: _("%(n)s regular customers or more, %(difference)s fewer than at the end of %(month)s"),
    }[now > before]
    if now == before:
        text = _("%(n)s regular customers or more, as many as at the end of %(month)s")
    return text % {"n": number(now), "difference": number(abs(now - before)), "month": month_name(found[0].month)}


def status_picture(found: Sequence[MonthEnd]) -> Picture:
    counted = [month_counts.by_code(end, "status") for end in found]
    parts = [
        charts.Part(badge.word, [one[str(code)] for one in counted], badge.fill)
        for code, badge in badges.STATUSES.items()
    ]
    words = {str(code): badge.word for code, badge in badges.STATUSES.items()}
    table = over_months("statuses", _("Buyers by status at the end of each month"), found, "status", words, _("Total"))
    buyers = sum(counted[-1][code] for code in words)
    return Picture(
        status_title(found, counted, words),
        _("Everybody with a purchase by then, in parts of a hundred, measured against their own rhythm."),
        table,
        charts.columns(month_counts.labels(found), parts, share=True),
        note=ngettext("n = %(n)s buyer at the end of %(month)s", "n = %(n)s buyers at the end of %(month)s", buyers)
        % {"n": number(buyers), "month": month_name(found[-1].month)},
        fold=True,
    )


def status_title(found: Sequence[MonthEnd], counted: Sequence[Mapping[str, int]], words: Mapping[str, Any]) -> str:
    def late(one: Mapping[str, int]) -> float | None:
        buyers = sum(one[code] for code in words)
        return sum(one[code] for code in LATE) / buyers if buyers else None

    now, before = late(counted[-1]), late(counted[0])
    if now is None:
        return _("Nobody had bought yet")
    if before is None or len(found) < 2:
        return _("%(share)s of buyers are overdue or at risk") % {"share": percent(now)}
    if percent(now) == percent(before):
        text = _("%(share)s of buyers are overdue or at risk, as many as at the end of %(month)s")
    else:
        text = _("%(share)s of buyers are overdue or at risk; %(before)s were at the end of %(month)s")
    return text % {
        "share": percent(now),
        "before": percent(before),
        "month": month_name(found[0].month),
    }
