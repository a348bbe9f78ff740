"""Insights: what a little more retention, or customers who rise a stage, would mean on the shop's own figures."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import money, number, percent
from crm.models import Shop
from loyalty import badges, charts, figures, insights, rules
from loyalty.charts import Interval
from loyalty.estimates import Mean
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.what_if import YEAR, Retention, Rise, more_retention, moves, rise

MOST_POINTS = 10


@requires("insights.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """?points= of retention, ?stage= and ?n= of the customers who rise."""
    shown, in_force = figures.show("what_if"), rules.current()
    context: dict[str, Any] = {"shown": shown, "rules": in_force, "most_points": MOST_POINTS}
    if not shown.value or not shown.value["buyers"][0]:
        return insights.page(request, "loyalty/what_if.html", context, [], tab="what_if")
    kept = more_retention(
        shown.value, whole(request, "points", 1, MOST_POINTS), in_force.discount_rate, in_force.margin
    )
    stage = request.GET.get("stage", "")
    stage = stage if stage in dict(moves()) else fullest(shown.value)
    there = shown.value["stages"].get(stage, {"n": 0})["n"]
    risen = rise(shown.value, stage, whole(request, "n", min(10, there), there), in_force.margin)
    pictures = [retention(kept, in_force, shown), who_stayed(kept, shown), stages(shown, in_force)]
    context |= {
        "kept": kept,
        "kept_sentences": kept_sentences(kept, in_force),
        "risen": risen,
        "risen_sentences": risen_sentences(risen, in_force),
        "stages": [(low, badges.STAGE_NAMES[low], badges.STAGE_NAMES[high]) for low, high in moves()],
        "pictures": pictures,
    }
    return insights.page(request, "loyalty/what_if.html", context, [one.table for one in pictures], tab="what_if")


def whole(request: HttpRequest, name: str, preset: int, most: int) -> int:
    """A whole number from the address, within 0 and `most`; the preset for anything else."""
    text = request.GET.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 10 else preset


def fullest(found: dict[str, Any]) -> str:
    """The stage with most people from which one can rise."""
    people = {low: found["stages"].get(low, {"n": 0})["n"] for low, _high in moves()}
    return max(people, key=lambda code: people[code])


def of_what(in_force: rules.Rules) -> str:
    if in_force.margin == 1:
        return _("revenue, because no margin is set")
    return _("a margin of %(margin)s") % {"margin": percent(in_force.margin)}


# Retention


def kept_sentences(kept: Retention, in_force: rules.Rules) -> list[str]:
    currency = Shop.current().currency
    if kept.before is None or kept.gains is None or kept.own.interval is None:
        return [_("Nobody bought in the year before the last one, so it is not known yet how many stay.")]
    low, high = kept.own.interval
    found = [
        _("Own retention: %(share)s (%(low)s to %(high)s). Of %(whole)s who bought in the year before the last, %(part)s bought in the last one too.")
        % {
            "share": percent(kept.own.value, 1), "low": percent(low, 1), "high": percent(high, 1),
            "whole": number(kept.own.whole), "part": number(kept.own.part),
        },
    ]  # fmt: skip
    if kept.gain is None:
        return [*found, _("Nobody stayed, so there is no value that could rise by a share.")]
    found.append(
        ngettext(
            "With %(n)s point more, the value of the years to come rises by %(gain)s (%(low)s to %(high)s).",
            "With %(n)s points more, the value of the years to come rises by %(gain)s (%(low)s to %(high)s).",
            kept.points,
        )
        % {
            "n": number(kept.points), "gain": percent(kept.gain, 1), "low": percent(kept.gains[0], 1),
            "high": percent(kept.gains[1], 1),
        }
    )  # fmt: skip
    if kept.worth is not None and kept.worths is not None:
        text = ngettext(
            "For %(n)s buyer of the last year that is about %(worth)s (%(low)s to %(high)s), counted as %(what)s.",
            "For %(n)s buyers of the last year that is about %(worth)s (%(low)s to %(high)s), counted as %(what)s.",
            kept.margin.n,
        )
        found.append(text % {
            "n": number(kept.margin.n), "worth": money(round(kept.worth), currency), "what": of_what(in_force),
            "low": money(round(kept.worths[0]), currency), "high": money(round(kept.worths[1]), currency),
        })  # fmt: skip
    return found


def retention(kept: Retention, in_force: rules.Rules, shown: Shown) -> Picture:
    """What each number of points would mean."""
    currency = Shop.current().currency
    found = shown.value
    rows: list[list[Any]] = []
    dots = []
    for points in range(1, MOST_POINTS + 1):
        one = more_retention(found, points, in_force.discount_rate, in_force.margin)
        low, high = one.gains or (None, None)
        label = ngettext("%(n)s point more", "%(n)s points more", points) % {"n": number(points)}
        worth_low, worth_high = one.worths or (None, None)
        rows.append([label, Cell(one.gain, low=low, high=high), Cell(one.worth, low=worth_low, high=worth_high)])
        dots.append(Interval(label, one.gain, low, high, words=_("unknown")))
    return Picture(
        title=_("What more retention would be worth"),
        what=_(
            "Rise of the value of the years to come, r / (1 + d − r), with the range that the own retention leaves open."
        ),
        table=Table(
            "retention",
            _("Rise by points of retention"),
            [Column(_("Retention"), "text"), Column(_("Rise"), "percent", 1), Column(_("For all buyers of a year"), "money")],
            rows,
            currency=currency,
        ),
        chart=charts.intervals(dots, kind="percent") if kept.gain is not None else None,
        note=_(
            "Discount rate d = %(rate)s a year. Own retention r: of who bought in the year before the last, who bought in the last one."
        )
        % {"rate": percent(in_force.discount_rate, 1)},
        shown=shown,
        fold=True,
    )


def who_stayed(kept: Retention, shown: Shown) -> Picture:
    """The customers from whom the own retention is reckoned."""
    own = kept.own
    low, high = own.interval or (None, None)
    left = 1 - own.value if own.value is not None and low is not None and high is not None else None
    rows: list[list[Any]] = [
        [_("bought in the year before the last"), Cell(own.whole, listed(stayed="any")), ""],
        [_("of them in the last year too"), Cell(own.part, listed(stayed="yes")), Cell(own.value, low=low, high=high)],
        [
            _("of them not in the last year"), Cell(own.whole - own.part, listed(stayed="no")),
            Cell(left, low=None if high is None else 1 - high, high=None if low is None else 1 - low),
        ],
        [_("bought in the last year, all of them"), Cell(kept.margin.n, listed(bought_in=str(YEAR))), ""],
    ]  # fmt: skip
    return Picture(
        title=_("From whom the own retention is reckoned"),
        what=_("Customers by whether they bought in the last 365 days and in the 365 days before, with 95 percent interval."),
        table=Table(
            "retention-base",
            _("Customers who stayed and who did not"),
            [Column(_("Who"), "text"), Column(_("Customers")), Column(_("Share"), "percent", 1)],
            rows,
        ),
        shown=shown,
    )  # fmt: skip


# Stages


def risen_sentences(risen: Rise, in_force: rules.Rules) -> list[str]:
    currency = Shop.current().currency
    names = {"below": badges.STAGE_NAMES[risen.below], "above": badges.STAGE_NAMES[risen.above]}
    if risen.mean.value is None or risen.mean.interval is None or risen.worths is None:
        return [_("Too few stand on “%(below)s” or “%(above)s” to tell how much more one year brings there.") % names]
    low, high = risen.mean.interval
    found = [
        _("A year with somebody on “%(above)s” brings %(mean)s more on average than on “%(below)s” (%(low)s to %(high)s; %(n)s and %(m)s customers).")
        % (names | {
            "mean": money(risen.mean.value, currency), "low": money(low, currency), "high": money(high, currency),
            "n": number(risen.high.n), "m": number(risen.low.n),
        }),
    ]  # fmt: skip
    if risen.median is not None and risen.medians is not None:
        found.append(_("The difference of the medians is %(median)s (%(low)s to %(high)s).") % {
            "median": money(risen.median, currency), "low": money(risen.medians[0], currency),
            "high": money(risen.medians[1], currency),
        })  # fmt: skip
    text = ngettext(
        "If %(n)s customer rose and bought like those there, that would be about %(worth)s a year (%(low)s to %(high)s), counted as %(what)s.",
        "If %(n)s customers rose and bought like those there, that would be about %(worth)s a year (%(low)s to %(high)s), counted as %(what)s.",
        risen.n,
    )
    found.append(text % {
        "n": number(risen.n), "worth": money(round(risen.worth or 0), currency), "what": of_what(in_force),
        "low": money(round(risen.worths[0]), currency), "high": money(round(risen.worths[1]), currency),
    })  # fmt: skip
    return found


def stages(shown: Shown, in_force: rules.Rules) -> Picture:
    """A year's worth of a customer on each stage, and the step to the next."""
    currency, found = Shop.current().currency, shown.value
    rows: list[list[Any]] = []
    dots = []
    for below, above in moves():
        one = rise(found, below, 1, in_force.margin)
        rows.append(_stage_row(below, one.of, one.low, found) + [_step(one)])
        dots.append(_dot(below, one.low))
        if above == moves()[-1][1]:
            rows.append([*_stage_row(above, one.high.n, one.high, found), ""])
            dots.append(_dot(above, one.high))
    return Picture(
        title=_("What a year with a customer brings, stage by stage"),
        what=_("Net of 365 days, returns taken off. Mean with 95 percent interval, and the median beside it."),
        table=Table(
            "stage-values",
            _("A year's value by stage"),
            [
                Column(_("Stage"), "text"),
                Column(_("Customers")),
                Column(_("Mean"), "money"),
                Column(_("Median"), "money"),
                Column(_("To the next stage"), "money"),
            ],
            rows,
            currency=currency,
        ),
        chart=charts.intervals(dots, kind="number", places=0),
        note=_(
            "A difference between stages is not what raising somebody would bring: who buys more also rises more easily."
        ),
        shown=shown,
    )


def _stage_row(code: str, n: int, mean: Mean, found: dict[str, Any]) -> list[Any]:
    one = found["stages"].get(code)
    low, high = _not_below_nothing(mean)
    return [
        str(badges.STAGE_NAMES[code]),
        Cell(n, listed(stage=code)),
        Cell(mean.value, low=low, high=high),
        Cell(one["median"], low=one["median_low"], high=one["median_high"]) if one else Cell(None),
    ]


def _step(one: Rise) -> Cell:
    low, high = one.mean.interval or (None, None)
    return Cell(one.mean.value, low=low, high=high)


def _not_below_nothing(mean: Mean) -> tuple[float | None, float | None]:
    """The interval of a mean of amounts, which with few people would reach below zero."""
    low, high = mean.interval or (None, None)
    return (low if low is None or (mean.value or 0) < 0 else max(0.0, low)), high


def _dot(code: str, mean: Mean) -> Interval:
    low, high = _not_below_nothing(mean)
    return Interval(badges.STAGE_NAMES[code], mean.value, low, high, number(mean.n) or "", words=_("nobody"))
