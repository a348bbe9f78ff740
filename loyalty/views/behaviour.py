"""Insights: how customers buy. Repurchase, intervals, cross-buying, recency-frequency-value, share of wallet, lifetime."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number, percent
from loyalty import charts, figures, insights, lifetime_value
from loyalty.behaviour_filters import months_value
from loyalty.charts import Interval, Line
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.overview import Share
from loyalty.views.breadth import cross, recency
from loyalty.views.cohorts import month_words
from loyalty.views.intervals import gaps
from loyalty.views.lifetime import lifetime

YEAR_OF_COHORTS = 12

NAMES = ("repurchase", "intervals", "cross_buying", "rfm", "wallet", "lifetime")


@requires("insights.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """?days= within how many days a first buyer shall have come back."""
    shown = {name: figures.show(name) for name in NAMES}
    found = {name: one.value for name, one in shown.items()}
    pictures: list[Picture] = []
    choices: list[str] = []
    days = ""
    if found["repurchase"] and found["repurchase"]["customers"][1]:
        choices = list(found["repurchase"]["cohorts"])
        days = request.GET.get("days", "")
        days = days if days in choices else str(found["repurchase"]["own_days"])
        pictures = [rates(found["repurchase"], days, shown["repurchase"])]
        pictures += [within(found["repurchase"]["cohorts"][days], days, shown["repurchase"])]
        pictures += [gaps(found["intervals"], shown["intervals"])] if found["intervals"] else []
        pictures += [cross(found["cross_buying"], shown["cross_buying"])] if found["cross_buying"] else []
        pictures += recency(found["rfm"], shown["rfm"]) if found["rfm"] else []
    fit = lifetime_value.latest()
    expected = lifetime(fit, found["lifetime"], shown["lifetime"])
    tables = [one.table for one in [*pictures, *expected.pictures]]
    context = {
        "shown": shown["repurchase"],
        "pictures": pictures,
        "choices": [int(one) for one in choices],
        "days": int(days) if days else 0,
        "expected": expected,
        "wallet": wallet(found["wallet"]) if found["wallet"] else [],
        "waiting": [one for one in shown.values() if one.value is None and one.waiting],
    }
    return insights.page(request, "loyalty/behaviour.html", context, tables, tab="behaviour")


# Repurchase


def rates(found: Mapping[str, Any], days: str, shown: Shown) -> Picture:
    """Each rate by its own name."""
    cohorts = found["cohorts"][days][-YEAR_OF_COHORTS:]
    n = int(days)
    named = [
        (_("WKR-K, customers"), Share(*found["customers"]), listed(bought="again"), listed(bought="any")),
        (_("WKR-B, orders"), Share(*found["orders"]), listed(bought="again"), listed(bought="any")),
    ]
    for period, pair in found["periods"].items():
        text = ngettext("WKR-P, %(n)s day", "WKR-P, %(n)s days", int(period)) % {"n": number(int(period))}
        named.append((text, Share(*pair), listed(bought_in=f"{period}.known"), listed(bought_in=period)))
    text = ngettext("WKR-H, %(n)s day", "WKR-H, %(n)s days", n)
    pooled = Share(sum(part for _m, part, _w in cohorts), sum(whole for _m, _p, whole in cohorts))
    of_months = months_value(cohorts[0][0][:7], cohorts[-1][0][:7]) if cohorts else ""
    urls = (listed(came_back=f"{of_months}.{n}"), listed(cohort=of_months)) if cohorts else ("", "")
    named.append((text % {"n": number(n)}, pooled, *urls))
    rows, dots = [], []
    for name, share, part_url, whole_url in named:
        low, high = share.interval or (None, None)
        rows.append(
            [name, Cell(share.value, low=low, high=high), Cell(share.part, part_url), Cell(share.whole, whole_url)]
        )
        words = number(share.whole) or ""
        dots.append(Interval(name, share.value, low, high, words, words=_("nobody observed long enough yet")))
    return Picture(
        title=_("Of everybody who ever bought, %(share)s came back")
        % {"share": percent(Share(*found["customers"]).value)},
        what=_(
            "Trade calls different things a repurchase rate, so each has its name. With 95 percent interval and the number it "
            "rests on."
        ),
        table=Table(
            "repurchase",
            _("Repurchase rates"),
            [Column(_("Rate"), "text"), Column(_("Share"), "percent", 1), Column(_("Came back")), Column(_("Of"))],
            rows,
        ),
        chart=charts.intervals(dots, kind="percent", low=0, high=1),
        note=_(
            "WKR-K: customers with two orders or more, of all with one or more. WKR-B: orders that are not a first one, of "
            "all. WKR-P: buyers of the period who had bought before it, of all its buyers. WKR-H: first buyers with a "
            "second order in time, of the last 12 months whose buyers all had the time. An order is a day with a purchase "
            "of which something was kept. The numbers of WKR-B count orders and open the customers who placed them."
        ),
        shown=shown,
    )


def within(cohorts: Sequence[tuple[str, int, int]], days: str, shown: Shown) -> Picture:
    """WKR-H by month of the first order."""
    shares = [(month[:7], Share(part, whole)) for month, part, whole in cohorts]
    rows = []
    for month, share in reversed(shares):
        low, high = share.interval or (None, None)
        part_url = listed(came_back=f"{month}.{days}")
        rows.append([
            month_words(month), Cell(share.value, low=low, high=high), Cell(share.part, part_url),
            Cell(share.whole, listed(cohort=month)),
        ])  # fmt: skip
    chart = charts.lines(
        [month_words(month) for month, _share in shares],
        [Line("WKR-H", [s.value for _m, s in shares], "berry", [s.interval or (0, 0) for _m, s in shares])],
        kind="percent",
    )  # fmt: skip
    n = int(days)
    return Picture(
        title=within_title(shares, n),
        what=ngettext(
            "WKR-H by the month of the first order: who ordered again within %(n)s day. With 95 percent interval.",
            "WKR-H by the month of the first order: who ordered again within %(n)s days. With 95 percent interval.",
            n,
        )
        % {"n": number(n)},
        table=Table(
            "repurchase-cohorts",
            _("Repurchase rate WKR-H by month of the first order"),
            [
                Column(_("First order in"), "text"),
                Column(_("Back in time"), "percent", 1),
                Column(_("Came back")),
                Column(_("First buyers")),
            ],
            rows,
        ),
        chart=chart if len(shares) > 1 else None,
        note=_("Only months in which the last first buyer has had the whole time to come back."),
        shown=shown,
    )


def within_title(shares: Sequence[tuple[str, Share]], days: int) -> str:
    """Speaks of a rise or fall only where the intervals of the first and the last half of the months lie apart."""
    if not shares:
        return _("No month has been observed long enough yet")
    half = len(shares) // 2
    if half:
        old, new = (
            Share(sum(s.part for _m, s in some), sum(s.whole for _m, s in some))
            for some in (shares[:half], shares[half:])
        )
        if old.interval and new.interval and new.interval[0] > old.interval[1]:
            return _("More first buyers come back in time than before")
        if old.interval and new.interval and new.interval[1] < old.interval[0]:
            return _("Fewer first buyers come back in time than before")
    part, whole = sum(s.part for _m, s in shares), sum(s.whole for _m, s in shares)
    return ngettext(
        "%(part)s of %(whole)s first buyers came back within %(n)s day",
        "%(part)s of %(whole)s first buyers came back within %(n)s days",
        days,
    ) % {"part": number(part), "whole": number(whole), "n": number(days)}


# Share of wallet


def wallet(found: Mapping[str, Any]) -> list[tuple[str, str | None, str, str]]:
    """(name, value, note, address of those who said it): both ways to ask, always said to be self-reported."""
    named = (
        (_("Share of wallet (self-report)"), found["said"], "wallet_share"),
        (_("Share of wallet by the Wallet Allocation Rule (self-report)"), found["ranked"], "wallet_rank"),
    )
    return [
        (name, percent(one["value"]), wallet_note(one), listed(said=item) if one["n"] else "")
        for name, one, item in named
    ]


def wallet_note(one: Mapping[str, Any]) -> str:
    if not one["n"]:
        return _("Nobody was asked within a year: put the question into a survey.")
    counted = ngettext("mean of %(n)s customer", "mean of %(n)s customers", one["n"]) % {"n": number(one["n"])}
    if one["low"] is None:
        return counted
    return _("%(low)s to %(high)s, %(counted)s") % {
        "low": percent(one["low"]), "high": percent(one["high"]), "counted": counted,
    }  # fmt: skip
