"""The pictures of what customers buy in and how recently, how often and for how much."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import number, percent
from crm.models import Shop
from loyalty import charts, insights
from loyalty.behaviour_filters import rfm_value
from loyalty.charts import Interval
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.overview import Share

# Cross-buying


def cross(found: Mapping[str, Any], shown: Shown) -> Picture:
    year = str(found["days"])
    named: list[tuple[str, Sequence[int], dict[str, str], dict[str, str]]] = [
        (_("CBR, all buyers"), found["all"], {"breadth": "2+"}, {"bought": "any"}),
        (_("CBR, repeat buyers"), found["repeaters"], {"breadth": "2+", "bought": "again"}, {"bought": "again"}),
        (_("CBR-neu, all buyers"), found["new"], {"new_category": "yes"}, {"bought_in": year}),
        (
            _("CBR-neu, known buyers"), found["new_known"], {"new_category": "yes", "bought_in": f"{year}.known"},
            {"bought_in": f"{year}.known"},
        ),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    dots = []
    for name, pair, part, whole in named:
        share = Share(*pair)
        low, high = share.interval or (None, None)
        cells = Cell(share.part, listed(**part)), Cell(share.whole, listed(**whole))
        rows.append([name, Cell(share.value, low=low, high=high), *cells])
        dots.append(Interval(name, share.value, low, high, number(share.whole) or "", words=_("nobody yet")))
    everybody = sum(found["breadth"].values())
    for categories, n in found["breadth"].items():
        words = ngettext("%(n)s category", "%(n)s categories", int(categories)) % {"n": number(int(categories))}
        rows.append(
            [
                words,
                Share(n, everybody).value,
                Cell(n, listed(breadth=categories)),
                Cell(everybody, listed(bought="any")),
            ]
        )
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
