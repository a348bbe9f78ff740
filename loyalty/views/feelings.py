"""Insights: what customers feel by touchpoint and time, and what they say of the shop."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm import emotions
from crm.access import requires
from crm.display import number
from loyalty import charts, figures, insights, nev, response_rate, voices
from loyalty.charts import Interval, Line
from loyalty.feeling_filters import group_value, period_name, place_name
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.nev import Group, Series
from loyalty.views.voice_tiles import answers, expectation, state_word, tiles

UNITS = ("month", "quarter")


@requires("insights.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """?form= which measure, ?by= month or quarter, ?at= one touchpoint over time."""
    shown, asked = figures.show("nev"), figures.show("voices")
    told = {kind: nev.series(shown.value, kind) for kind in nev.KINDS} if shown.value else {}
    kind = _kind(request.GET.get("form", ""), told)
    unit = request.GET.get("by", "") if request.GET.get("by", "") in UNITS else "month"
    pictures: list[Picture] = []
    at, places = "", list[Group]()
    if told and told[kind].everybody:
        series = told[kind]
        places = series.by_touchpoint()
        at = request.GET.get("at", "")
        at = at if at in {one.touchpoint for one in places} else ""
        pictures = [touchpoints(series, places, shown), over_time(series, unit, at, shown)]
        pictures += heat(series, unit, shown)
        pictures += team(series, shown)
    said = voices.voices(asked.value) if asked.value else None
    answered = answers(said, asked) if said else None
    tables = [one.table for one in [*pictures, *([answered] if answered else [])]]
    context = {
        "shown": shown,
        "pictures": pictures,
        "kind": kind,
        "kinds": [(code, word, _people(told, code)) for code, word in nev.KINDS.items()],
        "unit": unit,
        "units": [("month", _("by month")), ("quarter", _("by quarter"))],
        "at": at,
        "places": [(one.touchpoint, place_name(one.touchpoint)) for one in places],
        "tiles": tiles(told, kind, said) if said else [],
        "said": said,
        "answered": answered,
        "expectation": expectation(said) if said else "",
        "window": told[kind].window if told else None,
    }
    return insights.page(request, "loyalty/feelings.html", context, tables, tab="feelings")


def _kind(asked: str, told: dict[str, Series]) -> str:
    """The measure asked for, else the one that most customers answered."""
    if asked in nev.KINDS or not told:
        return asked if asked in nev.KINDS else nev.FULL
    return max(nev.KINDS, key=lambda code: _people(told, code))


def _people(told: dict[str, Series], code: str) -> int:
    everybody = told[code].everybody if told else None
    return everybody.customers if everybody else 0


# By touchpoint


def touchpoints(series: Series, places: Sequence[Group], shown: Shown) -> Picture:
    named = sorted(places, key=lambda one: (one.value is None, -(one.value or 0), one.touchpoint))
    everybody = series.everybody
    rows = [_interval(place_name(one.touchpoint), one) for one in named]
    reference = None
    if everybody and everybody.value is not None and everybody.half is not None:
        middle = float(everybody.value)
        reference = (middle - everybody.half, middle + everybody.half, _("Shop"))
    return Picture(
        title=_touchpoint_title(named),
        what=_(
            "%(scale)s by touchpoint with the 95%% interval, said by the customers themselves; the grey band is the shop."
        )
        % {"scale": scale_name(series.kind)},
        table=_group_table(
            "nev-touchpoints", _("Net Emotional Value by touchpoint"), _("Touchpoint"), named, place_name
        ),
        chart=charts.intervals(rows, reference=reference) if rows else None,
        note=_("Hollow and dashed: provisional. Below five customers no value is shown.")
        + " "
        + response_rate.sentence(figures.show("response_rate").value),
        shown=shown,
    )


def scale_name(kind: str) -> str:
    if kind == nev.TAGS:
        return _("Net Emotional Value of tags (−100 to +100)")
    return _("Net Emotional Value, %(form)s (−10 to +10),") % {"form": nev.KINDS[kind]}


def _touchpoint_title(groups: Sequence[Group]) -> str:
    """A sentence that the intervals support."""
    sure = [one for one in groups if one.differs and one.touchpoint != nev.UNNAMED]
    known = [one for one in groups if one.value is not None]
    if not sure or len(known) < 2:
        return _("No touchpoint differs clearly from the others")
    mean = sum(float(one.value or 0) for one in known) / len(known)
    best = [one for one in sure if float(one.value or 0) > mean]
    worst = [one for one in sure if float(one.value or 0) <= mean]
    if best and worst:
        named = {"best": place_name(best[0].touchpoint), "worst": place_name(worst[-1].touchpoint)}
        return _("%(best)s carries, %(worst)s weighs it down") % named
    if best:
        return _("%(best)s stands out above the others") % {"best": place_name(best[0].touchpoint)}
    return _("%(worst)s falls behind the others") % {"worst": place_name(worst[-1].touchpoint)}


def _interval(name: str, group: Group) -> Interval:
    low, high = group.interval or (None, None)
    return Interval(
        name,
        None if group.value is None else float(group.value),
        low,
        high,
        n=_("n = %(n)s") % {"n": number(group.customers)},
        provisional=group.state == "provisional",
        words=_("too few answers for a value"),
    )


def _group_table(code: str, caption: str, head: str, groups: Sequence[Group], name: Any) -> Table:
    columns = [
        Column(head, "text"),
        Column(_("Value"), "signed", 1),
        Column(_("Differs from the rest"), "text"),
        Column(_("Customers")),
        Column(_("Answers")),
        Column(_("Response rate"), "percent"),
    ]
    with_clusters = any(one is not None for group in groups for one in group.clusters)
    if with_clusters:
        columns += [Column(label, "number", 1) for label in emotions.CLUSTERS.values()]
    rows = []
    for group in groups:
        low, high = group.interval or (None, None)
        value = None if group.value is None else float(group.value)
        url = listed(felt=group_value(group))
        row: list[Any] = [
            name(group.touchpoint if code == "nev-touchpoints" else group.period),
            Cell(value, low=low, high=high, note=state_word(group)),
            {True: _("yes"), False: _("no"), None: _("not compared")}[group.differs],
            Cell(group.customers, url=url),
            Cell(group.responses, url=url),
            group.response_rate,
        ]
        if with_clusters:
            row += [None if one is None or group.value is None else float(one) for one in group.clusters]
        rows.append(row)
    return Table(code, caption, columns, rows)


# Over time


def over_time(series: Series, unit: str, at: str, shown: Shown) -> Picture:
    groups = series.by_period(unit, at)
    values = [None if one.value is None else float(one.value) for one in groups]
    where = place_name(at) if at else _("All touchpoints")
    line = Line(where, values, "berry", [one.interval if one.value is not None else None for one in groups])
    labels = [_short(unit, one) for one in groups]
    return Picture(
        title=_time_title(groups, unit),
        what=_("%(scale)s by %(unit)s with the 95%% interval: %(where)s.")
        % {"scale": scale_name(series.kind), "unit": _("month") if unit == "month" else _("quarter"), "where": where},
        table=_group_table(
            "nev-time", _("Net Emotional Value over time"), _("Period"), groups, lambda day: period_name(unit, day)
        ),
        chart=charts.lines(labels, [line], kind="signed", low=None) if any(v is not None for v in values) else None,
        note=_("Gaps: fewer than five customers answered."),
        fold=len(groups) > 6,
        shown=shown,
    )


def _short(unit: str, group: Group) -> str:
    assert group.period
    return period_name(unit, group.period) if unit == "quarter" else date_format(group.period, "M")


def _time_title(groups: Sequence[Group], unit: str) -> str:
    sure = [one for one in groups if one.differs and one.period]
    if not sure:
        return _("No period differs clearly from the others")
    named = ", ".join(period_name(unit, one.period) for one in sure[:3] if one.period)
    return ngettext("%(periods)s differs from the other time", "%(periods)s differ from the other time", len(sure)) % {
        "periods": named
    }


def heat(series: Series, unit: str, shown: Shown) -> list[Picture]:
    """Touchpoint × period, tinted by value. Too few answers stay blank."""
    some = series.select(own=True, unit=unit, each=True)
    periods = sorted({one.period for one in some if one.period and one.value is not None})
    end = 100 if series.kind == nev.TAGS else 10
    by_place: dict[str, dict[Any, Group]] = {}
    for one in some:
        by_place.setdefault(one.touchpoint, {})[one.period] = one
    rows = []
    for place in sorted(by_place, key=place_name):
        cells = [_heat_cell(by_place[place].get(period), end) for period in periods]
        rows.append([place_name(place), *cells])
    columns = [Column(_("Touchpoint"), "text"), *(Column(_column(unit, period), "signed", 1) for period in periods)]
    if not periods:
        return []
    return [
        Picture(
            title=_("Every touchpoint over time"),
            what=_(
                "The darker, the better. Periods in which some touchpoint has a value, which needs five customers; each opens its people."
            ),
            table=Table("nev-heat", _("Net Emotional Value by touchpoint and period"), columns, rows),
            note=_("Intervals stand in the tables above, for one touchpoint at a time."),
            shown=shown,
        )
    ]


def _column(unit: str, period: Any) -> str:
    return period_name(unit, period) if unit == "quarter" else date_format(period, "M y")


def _heat_cell(group: Group | None, end: int) -> Cell:
    if group is None:
        return Cell(None)
    url, note = listed(felt=group_value(group)), _("n = %(n)s") % {"n": number(group.customers)}
    if group.value is None:
        return Cell(None, url, note=note)
    shade = (float(group.value) + end) / (2 * end)
    return Cell(float(group.value), url, shade=shade, note=note)


# What the team thinks


def team(series: Series, shown: Shown) -> list[Picture]:
    """Estimates and suggestions beside what customers said: a series of its own, and no headline."""
    guessed = {one.touchpoint: one for one in series.select(own=False, each=True)}
    if not guessed:
        return []
    said = {one.touchpoint: one for one in series.select(own=True, each=True)}
    columns = [
        Column(_("Touchpoint"), "text"),
        Column(_("Estimated by the team"), "signed", 1),
        Column(_("Customers")),
        Column(_("Said by customers"), "signed", 1),
    ]
    rows = []
    for place in sorted(guessed, key=place_name):
        one, own = guessed[place], said.get(place)
        low, high = one.interval or (None, None)
        value = None if one.value is None else float(one.value)
        rows.append(
            [
                place_name(place),
                Cell(value, low=low, high=high, note=state_word(one)),
                Cell(one.customers, listed(felt=group_value(one))),
                float(own.value) if own and own.value is not None else None,
            ]
        )
    return [
        Picture(
            title=_("What the team estimates counts in no headline"),
            what=_(
                "Estimates of the staff and confirmed suggestions from text, apart from what customers said themselves."
            ),
            table=Table("nev-team", _("Estimates of the team by touchpoint"), columns, rows),
            note=_("Never broken down by employee."),
            shown=shown,
        )
    ]
