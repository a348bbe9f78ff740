"""Insights: who moved between the stages from one month end to another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number
from loyalty import charts, insights, month_counts
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.models import MonthEnd
from loyalty.month_filters import ALL, month_name
from loyalty.months import SPANS, plus
from loyalty.stages import STAGES
from loyalty.views.standing import chosen, versions

CODES = [stage.code for stage in STAGES]
Moves = Mapping[tuple[int, int], int]


@requires("insights.view")
@require_GET
def migration(request: HttpRequest) -> HttpResponse:
    span = chosen(request, "span", SPANS)
    found = month_counts.ends()
    counted = [end for end in found if str(span) in end.moves]
    end = next((one for one in counted if month_counts.address(one.month) == request.GET.get("month")), None)
    end = end or (counted[-1] if counted else None)
    pictures = [flow_picture(end, span), *trend_pictures(counted, span)] if end else []
    context = {
        "pictures": pictures,
        "spans": SPANS,
        "span": span,
        "months": [(month_counts.address(one.month), month_name(one.month)) for one in reversed(counted)],
        "month": month_counts.address(end.month) if end else "",
        "known": len(found),
        "versions": versions(found),
    }
    return insights.page(
        request, "loyalty/insights_migration.html", context, [one.table for one in pictures], tab="migration"
    )


def moved(end: MonthEnd, span: int) -> tuple[Moves, Counter[int]]:
    return month_counts.moves(end, span) or ({}, Counter())


def flow_picture(end: MonthEnd, span: int) -> Picture:
    moves, new = moved(end, span)
    start = plus(end.month, -span)
    now = month_counts.by_code(end, "stage")
    steps = [(stage.label, now[stage.code], f"s{min(level, 5)}") for level, stage in enumerate(STAGES)]
    arcs = [(old, level, n) for (old, level), n in moves.items() if old != level]
    names = {"start": month_name(start), "end": month_name(end.month)}
    stayed = sum(n for (old, level), n in moves.items() if old == level)
    return Picture(
        flow_title(moves, start),
        _("Moves between the end of %(start)s and the end of %(end)s; the thicker, the more people.") % names,
        matrix(end, span, moves, new),
        charts.stairs(steps, arcs),
        note=flow_note(stayed, new.total()),
    )


def flow_note(stayed: int, new: int) -> str:
    kept = ngettext("%(n)s person stayed on their stage", "%(n)s people stayed on theirs", stayed) % {"n": number(stayed)}
    came = ngettext("%(n)s person is new and not drawn", "%(n)s people are new and not drawn", new) % {"n": number(new)}
    return _("%(kept)s, %(came)s. A cell is tinted by its share of the row.") % {
        "kept": kept if stayed else _("Nobody stayed on their stage"),
        "came": came if new else _("nobody is new"),
    }


def flow_title(moves: Moves, start: Any) -> str:
    up = sum(n for (old, level), n in moves.items() if level > old)
    down = sum(n for (old, level), n in moves.items() if level < old)
    if not up and not down:
        return _("Nobody moved since the end of %(month)s") % {"month": month_name(start)}
    rose = ngettext("%(n)s person stands higher", "%(n)s people stand higher", up) % {"n": number(up)}
    return _("%(rose)s than at the end of %(month)s, %(fell)s lower") % {
        "rose": rose if up else _("Nobody stands higher"),
        "fell": number(down) if down else _("nobody"),
        "month": month_name(start),
    }


def matrix(end: MonthEnd, span: int, moves: Moves, new: Counter[int]) -> Table:
    """From the stage of a row to that of a column; a cell is tinted by its share of the row."""
    between = f"{month_counts.address(plus(end.month, -span))}.{month_counts.address(end.month)}"
    rows: list[list[Any]] = []
    for old, stage in enumerate(STAGES):
        whole = sum(n for (start, _end), n in moves.items() if start == old)
        cells = [
            Cell(
                moves.get((old, level), 0),
                listed(moved=f"{between}.{stage.code}.{code}"),
                shade=moves.get((old, level), 0) / whole if whole else None,
                spoken=_("from %(stage)s") % {"stage": stage.label},
            )
            for level, code in enumerate(CODES)
        ]
        rows.append([stage.label, *cells, Cell(whole, listed(moved=f"{between}.{stage.code}.{ALL}"))])
    newcomers = [Cell(new[level], listed(moved=f"{between}.new.{code}")) for level, code in enumerate(CODES)]
    rows.append([_("new"), *newcomers, Cell(new.total(), listed(moved=f"{between}.new"))])
    return Table(
        "migration",
        _("Customers by stage before (rows) and after (columns)"),
        [Column(_("from ↓ to →"), "text"), *(Column(stage.label) for stage in STAGES), Column(_("Total"))],
        rows,
    )


def trend_pictures(counted: Sequence[MonthEnd], span: int) -> list[Picture]:
    """Rises and falls at every month end; nothing to see in fewer than two."""
    if len(counted) < 2:
        return []
    rises, falls, rows = [], [], []
    for end in counted:
        moves, new = moved(end, span)
        up = sum(n for (old, level), n in moves.items() if level > old)
        down = sum(n for (old, level), n in moves.items() if level < old)
        between = f"{month_counts.address(plus(end.month, -span))}.{month_counts.address(end.month)}"
        rises.append(float(up))
        falls.append(float(down))
        rows.append([
            month_name(end.month),
            Cell(up, listed(moved=f"{between}.up")),
            Cell(down, listed(moved=f"{between}.down")),
            Cell(new.total(), listed(moved=f"{between}.new")),
        ])  # fmt: skip
    series = [charts.Line(_("rose"), rises, "berry"), charts.Line(_("fell"), falls, "iron")]
    table = Table(
        "moves",
        _("Customers who rose, fell and were new, by month"),
        [Column(_("End of"), "text"), Column(_("rose")), Column(_("fell")), Column(_("new"))],
        rows[::-1],
    )
    more = sum(up > down for up, down in zip(rises, falls, strict=True))
    return [
        Picture(
            ngettext(
                "At %(n)s of %(all)s month ends more people had risen than fallen",
                "At %(n)s of %(all)s month ends more people had risen than fallen",
                more,
            )
            % {"n": number(more), "all": number(len(counted))},
            ngettext(
                "People who stood higher or lower at the end of each month than one month before.",
                "People who stood higher or lower at the end of each month than %(n)s months before.",
                span,
            )
            % {"n": number(span)},
            table,
            charts.lines(month_counts.labels(counted), series),
            note=_("Who was not yet known at the start counts as new, not as risen."),
        )
    ]
