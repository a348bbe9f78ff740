"""The picture of the time between orders: completed intervals, and open ones with the customers who wait that long."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import number
from loyalty import charts, motivators
from loyalty.behaviour_filters import rfm_value
from loyalty.estimates import Mean
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed

BINS = (7, 14, 30, 60, 90, 180, 365)  # days up to which a bar of the intervals reaches
MOST_DAYS, MOST_ORDERS = 36_500, 1_000_000


def gaps(found: Mapping[str, Any], shown: Shown) -> Picture:
    done, open_ = found["completed"], found["open"]
    mean = Mean(done.get("winsorised"), done.get("error"), done.get("customers") or 0)
    low, high = mean.interval or (None, None)
    rows: list[list[Any]] = [
        [_("How many"), Cell(done["n"], completed_url(shown, found["months"])), Cell(open_["n"], listed(bought="any"))],
        [_("Median, days"), done.get("median"), open_.get("median")],
        [_("P75: three quarters are at most, days"), done.get("p75"), open_.get("p75")],
        [_("P90: nine tenths are at most, days"), done.get("p90"), open_.get("p90")],
        [_("Winsorised mean, days"), Cell(mean.value, low=None if low is None else max(0.0, low), high=high), ""],
        *lengths(done, open_, shown),
    ]
    months, n = found["months"], done["n"]
    title = _("Nobody has ordered twice yet, so there is no interval")
    if n:
        title = ngettext(
            "Half of all intervals between two orders are at most %(n)s day long",
            "Half of all intervals between two orders are at most %(n)s days long",
            round(done["median"]),
        ) % {"n": number(done["median"])}
    return Picture(
        title=title,
        what=_(
            "Days from one order to the next. The open interval runs from the last order until now and ends only with the "
            "next one, so it is counted apart."
        ),
        table=Table(
            "intervals",
            _("Intervals between orders"),
            [Column(_("Figure"), "text"), Column(_("Completed"), "number", 0), Column(_("Open"), "number", 0)],
            rows,
        ),
        chart=charts.columns(*histogram(done["counts"])) if n else None,
        note=gaps_note(done, months),
        shown=shown,
    )


def gaps_note(done: Mapping[str, Any], months: int) -> str:
    text = ngettext(
        "Completed intervals of the last %(n)s month; in the mean a gap above the 95th percentile counts as it.",
        "Completed intervals of the last %(n)s months; in the mean a gap above the 95th percentile counts as it.",
        months,
    ) % {"n": number(months)}
    if done.get("cv") is not None:
        text += " " + _("Coefficient of variation of all: %(cv)s (0 is perfectly regular, about 1 is chance).") % {
            "cv": number(done["cv"], 2)
        }
    if done.get("own_n") and done.get("own_cv") is not None:
        text += " " + ngettext(
            "Within one customer: %(cv)s, the median of %(n)s customer with at least 3 intervals.",
            "Within one customer: %(cv)s, the median of %(n)s customers with at least 3 intervals.",
            done["own_n"],
        ) % {"cv": number(done["own_cv"], 2), "n": number(done["own_n"])}  # fmt: skip
    return text


def completed_url(shown: Shown, months: int) -> str:
    """The customers whose intervals are counted: back in the months that count."""
    if shown.as_of is None:
        return ""
    since = motivators.months_before(shown.as_of, months) + timedelta(days=1)
    return listed(rfm=rfm_value(r=(since, shown.as_of), f=(2, MOST_ORDERS)))


def lengths(done: Mapping[str, Any], open_: Mapping[str, Any], shown: Shown) -> list[list[Any]]:
    """How many intervals are how long; open ones open the customers who wait that long."""
    closed, waiting = by_bin(done.get("counts") or []), by_bin(open_.get("counts") or [])
    rows: list[list[Any]] = []
    for at, label in enumerate(bin_labels()):
        least, most = (0, *BINS)[at], BINS[at] if at < len(BINS) else MOST_DAYS
        url = ""
        if shown.as_of:
            # No interval ends on the day it begins, but a customer may have bought today.
            newest = shown.as_of - timedelta(days=least + 1 if least else 0)
            url = listed(rfm=rfm_value(r=(shown.as_of - timedelta(days=most), newest)))
        rows.append([label, closed[at], Cell(waiting[at], url) if "counts" in open_ else ""])
    return rows


def bin_labels() -> list[str]:
    return [*(_("to %(n)s d") % {"n": number(high)} for high in BINS), _("longer")]


def by_bin(counts: Sequence[tuple[int, int]]) -> list[int]:
    """How many of these days, each with its number, end within each of the BINS, and beyond."""
    edges = (-1, *BINS, MOST_DAYS * 10)
    return [sum(n for days, n in counts if low < days <= high) for low, high in pairwise(edges)]


def histogram(counts: Sequence[tuple[int, int]]) -> tuple[list[str], list[charts.Part]]:
    """How many gaps end within each of the BINS."""
    return bin_labels(), [charts.Part(_("Completed intervals"), by_bin(counts), "s4")]
