"""Insights: how customers buy. Repurchase, intervals, cross-buying, recency-frequency-value, share of wallet, lifetime."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number, percent
from crm.models import Shop
from loyalty import charts, figures, insights, lifetime_value
from loyalty.behaviour_filters import rfm_value
from loyalty.charts import Interval, Line
from loyalty.estimates import Mean
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.overview import Share
from loyalty.views.cohorts import month_words
from loyalty.views.lifetime import lifetime

YEAR_OF_COHORTS = 12
BINS = (7, 14, 30, 60, 90, 180, 365)  # days up to which a bar of the intervals reaches

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
        (_("WKR-B, orders"), Share(*found["orders"]), "", ""),
    ]
    for period, pair in found["periods"].items():
        text = ngettext("WKR-P, %(n)s day", "WKR-P, %(n)s days", int(period))
        named.append((text % {"n": number(int(period))}, Share(*pair), "", ""))
    text = ngettext("WKR-H, %(n)s day", "WKR-H, %(n)s days", n)
    pooled = Share(sum(part for _m, part, _w in cohorts), sum(whole for _m, _p, whole in cohorts))
    named.append((text % {"n": number(n)}, pooled, "", ""))
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
            "of which something was kept."
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


# Time between orders


def gaps(found: Mapping[str, Any], shown: Shown) -> Picture:
    done, open_ = found["completed"], found["open"]
    mean = Mean(done.get("winsorised"), done.get("error"), done.get("customers") or 0)
    low, high = mean.interval or (None, None)
    rows: list[list[Any]] = [
        [_("How many"), done["n"], open_["n"]],
        [_("Median, days"), done.get("median"), open_.get("median")],
        [_("P75: three quarters are at most, days"), done.get("p75"), open_.get("p75")],
        [_("P90: nine tenths are at most, days"), done.get("p90"), open_.get("p90")],
        [_("Winsorised mean, days"), Cell(mean.value, low=None if low is None else max(0.0, low), high=high), ""],
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


def histogram(counts: Sequence[tuple[int, int]]) -> tuple[list[str], list[charts.Part]]:
    """How many gaps end within each of the BINS."""
    lows = (0, *BINS)
    sums = [sum(n for gap, n in counts if low < gap <= high) for low, high in zip(lows, BINS, strict=False)]
    sums.append(sum(n for gap, n in counts if gap > BINS[-1]))
    labels = [_("to %(n)s d") % {"n": number(high)} for high in BINS]
    return [*labels, _("longer")], [charts.Part(_("Completed intervals"), sums, "s4")]


# Cross-buying


def cross(found: Mapping[str, Any], shown: Shown) -> Picture:
    named = [
        (_("CBR, all buyers"), Share(*found["all"])),
        (_("CBR, repeat buyers"), Share(*found["repeaters"])),
        (_("CBR-neu, all buyers"), Share(*found["new"])),
        (_("CBR-neu, known buyers"), Share(*found["new_known"])),
    ]
    rows: list[list[Any]] = []
    dots = []
    for name, share in named:
        low, high = share.interval or (None, None)
        rows.append([name, Cell(share.value, low=low, high=high), share.part, share.whole])
        dots.append(Interval(name, share.value, low, high, number(share.whole) or "", words=_("nobody yet")))
    everybody = sum(found["breadth"].values())
    for categories, n in found["breadth"].items():
        words = ngettext("%(n)s category", "%(n)s categories", int(categories)) % {"n": number(int(categories))}
        rows.append([words, Share(n, everybody).value, Cell(n, listed(breadth=categories)), everybody])
    return Picture(
        title=cross_title(Share(*found["all"]), found["breadth"]),
        what=_("Cross-buying rate: who buys in two categories or more. Returned lines do not count."),
        table=Table(
            "cross-buying",
            _("Cross-buying and breadth"),
            [Column(_("Figure"), "text"), Column(_("Share"), "percent", 1), Column(_("Customers")), Column(_("Of"))],
            rows,
        ),
        chart=charts.intervals(dots, kind="percent", low=0, high=1),
        note=_(
            "CBR: who bought in at least two categories. CBR-neu: who bought in a category new to them, of the buyers of "
            "%(n)s days; a first order is new in every category, so it stands a second time for those who had bought before. "
            "The last rows are the breadth: customers by the number of different categories."
        )
        % {"n": number(found["days"])},
        shown=shown,
    )


def cross_title(share: Share, breadth: Mapping[str, int]) -> str:
    if set(breadth) <= {"0"}:
        return _("The shop does not say which category a product belongs to")
    return _("%(share)s of all buyers buy in more than one category") % {"share": percent(share.value)}


# Recency, frequency, monetary value


def recency(found: Mapping[str, Any], shown: Shown) -> list[Picture]:
    if not found["n"]:
        return []
    r, f = ({one["code"]: one for one in found["classes"][name]} for name in ("r", "f"))
    cells = {(one["r"], one["f"]): one for one in found["cells"]}
    most = max(one["n"] for one in found["cells"])
    rows: list[list[Any]] = []
    for code in sorted(r, reverse=True):
        row: list[Any] = [r_words(r[code])]
        for other in sorted(f):
            one = cells.get((code, other))
            if one is None:
                row.append(Cell(0))
                continue
            bounds = rfm_value(r=(r[code]["low"], r[code]["high"]), f=(f[other]["low"], f[other]["high"]))
            row.append(Cell(one["n"], listed(rfm=bounds), shade=one["n"] / most, spoken=r_words(r[code])))
        rows.append(row)
    heat = Picture(
        title=ngettext("%(n)s buyer by recency and frequency", "%(n)s buyers by recency and frequency", found["n"])
        % {"n": number(found["n"])},
        what=_("Down: how long ago the last order was. Across: how many orders. Each field opens its people."),
        table=Table(
            "rfm",
            _("Recency and frequency"),
            [Column(_("Last order"), "text"), *(Column(f_words(f[code])) for code in sorted(f))],
            rows,
        ),
        note=_(
            "Fifths of this shop's buyers; equals share a class, so a class can be empty. 5 is the most recent, the most "
            "frequent, the most valuable. No stage depends on it."
        ),
        shown=shown,
    )
    return [heat, bounds_of(found, shown)]


def r_words(one: Mapping[str, Any]) -> str:
    return f"R{one['code']}: {_day(one['low'])} – {_day(one['high'])}"


def f_words(one: Mapping[str, Any]) -> str:
    low, high = number(one["low"]), number(one["high"])
    return f"F{one['code']}: {low}" if low == high else f"F{one['code']}: {low}–{high}"


def _day(text: str) -> str:
    return insights.written(Column("", "day"), date.fromisoformat(text)) or ""


def bounds_of(found: Mapping[str, Any], shown: Shown) -> Picture:
    """The classes of all three dimensions with their bounds and their people."""
    currency = Shop.current().currency
    words = {"r": _("Recency"), "f": _("Frequency"), "m": _("Monetary value")}
    rows: list[list[Any]] = []
    for name in words:
        for one in reversed(found["classes"][name]):
            if name == "r":
                bounds = f"{_day(one['low'])} – {_day(one['high'])}"
            elif name == "f":
                bounds = f"{number(one['low'])} – {number(one['high'])}"
            else:
                bounds = " – ".join(
                    insights.written(Column("", "money"), float(one[end]), currency) or "" for end in ("low", "high")
                )
            url = listed(rfm=rfm_value(**{name: (one["low"], one["high"])}))
            rows.append([
                f"{words[name]} {one['code']}", bounds, one.get("ratio") if name == "r" else "", Cell(one["n"], url),
                Share(one["n"], found["n"]).value, float(one["value"]) / one["n"],
            ])  # fmt: skip
    return Picture(
        title=_("Where the classes begin and end"),
        what=_("Bounds of each class in this shop, with its people and what they are worth."),
        table=Table(
            "rfm-classes",
            _("Classes of recency, frequency and monetary value"),
            [
                Column(_("Class"), "text"),
                Column(_("From – to"), "text"),
                Column(_("Overdue ratio, median"), "number", 2),
                Column(_("Customers")),
                Column(_("Share"), "percent"),
                Column(_("Value per customer"), "money"),
            ],
            rows,
            currency=currency,
        ),
        note=_(
            "Value is the net of all orders, returns taken off. Recency also as overdue ratio: days by the expected gap."
        ),
        shown=shown,
    )


# Share of wallet


def wallet(found: Mapping[str, Any]) -> list[tuple[str, str | None, str]]:
    """(name, value, note): both ways to ask, always said to be self-reported."""
    named = (
        (_("Share of wallet (self-report)"), found["said"]),
        (_("Share of wallet by the Wallet Allocation Rule (self-report)"), found["ranked"]),
    )
    return [(name, percent(one["value"]), wallet_note(one)) for name, one in named]


def wallet_note(one: Mapping[str, Any]) -> str:
    if not one["n"]:
        return _("Nobody was asked within a year: put the question into a survey.")
    counted = ngettext("mean of %(n)s customer", "mean of %(n)s customers", one["n"]) % {"n": number(one["n"])}
    if one["low"] is None:
        return counted
    return _("%(low)s to %(high)s, %(counted)s") % {
        "low": percent(one["low"]), "high": percent(one["high"]), "counted": counted,
    }  # fmt: skip
