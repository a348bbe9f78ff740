"""Insights: who stays because they want to, who because they must, and what the eight barriers hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from crm.access import requires
from crm.display import number, percent
from loyalty import badges, charts, figures, insights, month_counts
from loyalty.barriers import BARRIERS
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.models import Assessment, MonthEnd
from loyalty.month_filters import ALL, CLASS_NAMES, HIGH, HIGH_CLASSES, SCORE_KINDS, SCORE_NAMES, month_name
from loyalty.months import CLASSES, SCORES
from loyalty.overview import Overview, Share, shown_overview
from loyalty.views.overview import bond_title, groups
from loyalty.views.standing import PERIODS, chosen, over_months

KNOWN = CLASSES[1:]
FILLS = {"unknown": "f-none", "0": "s0", "1": "s1", "25": "s2", "50": "s3", "75": "s4"}
IRON = {"unknown": "f-none", "0": "i0", "1": "i1", "25": "i2", "50": "i3", "75": "i4"}
LOCK_IN = tuple(barrier.code for barrier in BARRIERS if barrier.sign < 0)
CAPTIVE = str(Assessment.BondType.CAPTIVE)


@requires("insights.view")
@require_GET
def bond(request: HttpRequest) -> HttpResponse:
    found, shown = shown_overview()
    classes = figures.show("barriers")
    months = chosen(request, "months", PERIODS)
    ends = month_counts.ends(months)
    pictures = [bond_picture(found, shown)] if found and found.buyers else []
    if classes.value and found and found.buyers:
        pictures += barrier_pictures(classes)
    if ends and any(known(end) for end in ends):
        pictures += [trend_picture(ends), captive_picture(ends), coverage_picture(ends)]
    context = {
        "found": found,
        "shown": shown,
        "pictures": pictures,
        "bonds": groups(found.bonds, badges.BONDS, "bond", found.bonds_known) if found else [],
        "captive_url": listed(bond="captive"),
        "held_url": listed(bond="held"),
        "periods": PERIODS,
        "months": months,
    }
    return insights.page(request, "loyalty/insights_bond.html", context, [one.table for one in pictures], tab="bond")


def bond_picture(found: Overview, shown: Shown) -> Picture:
    rows: list[list[Any]] = []
    for group in groups(found.bonds, badges.BONDS, "bond", found.bonds_known):
        low, high = group.share.interval or (None, None)
        rows.append([group.word, Cell(group.n, group.url), Cell(group.share.value, low=low, high=high)])
    rows.append([_("unknown"), Cell(found.bonds[""], listed(bond="unknown")), None])
    table = Table(
        "bonds",
        _("Buyers by bond"),
        [Column(_("Bond"), "text"), Column(_("Customers")), Column(_("Share of those known"), "percent")],
        rows,
    )
    what = _("Buyers whose will and lock-in are known; share with its %(level)s interval.") % {"level": percent(0.95)}
    return Picture(bond_title(found), what, table, note=known_note(found.bonds_known, found.bonds[""]), shown=shown)


def known_note(known: int, unknown: int) -> str:
    named = {"n": number(known), "unknown": number(unknown)}
    if not unknown:
        return _("n = %(n)s") % named
    return (
        ngettext(
            "n = %(n)s; for %(unknown)s buyer the bond is unknown, because answers are missing",
            "n = %(n)s; for %(unknown)s buyers the bond is unknown, because answers are missing",
            unknown,
        )
        % named
    )


def barrier_pictures(shown: Shown) -> list[Picture]:
    """Lock-in barriers and those that make people want to stay, apart: one measures a must, the other a will."""
    counts: Mapping[str, Mapping[str, int]] = shown.value
    locks = ("lock_in", *LOCK_IN)
    return [
        barrier_picture(
            "lock_in",
            lock_title(counts),
            _("Lock-in and its five barriers: what holds customers, whether they want to or not."),
            counts,
            locks,
            IRON,
            shown,
        ),  # fmt: skip
        barrier_picture(
            "will",
            will_title(counts),
            _("Bond and what makes it: emotion, relationship, benefits."),
            counts,
            [name for name in SCORES if name not in locks],
            FILLS,
            shown,
        ),  # fmt: skip
    ]


def barrier_picture(
    code: str,
    title: str,
    what: str,
    counts: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
    fills: Mapping[str, str],
    shown: Shown,
) -> Picture:
    rows: list[list[Any]] = []
    buyers = sum(counts[names[0]].values())
    for name in names:
        whole = sum(counts[name].values())
        cells = [Cell(counts[name].get(klass, 0), listed(score=f"{name}.{klass}")) for klass in (*KNOWN, "unknown")]
        known = whole - counts[name].get("unknown", 0)
        rows.append([SCORE_NAMES[name], *cells, Share(known, whole).value])
    classes = [*KNOWN, "unknown"]
    table = Table(
        code,
        title,
        [
            Column(_("Score"), "text"),
            *(Column(CLASS_NAMES[klass]) for klass in classes),
            Column(_("Known share"), "percent"),
        ],
        rows,
    )
    bars = [(SCORE_NAMES[name], [counts[name].get(klass, 0) for klass in classes]) for name in names]
    return Picture(
        title,
        _("%(what)s Points of 100 a customer; dashed is unknown.") % {"what": what},
        table,
        charts.bars(bars, [(CLASS_NAMES[klass], fills[klass]) for klass in classes]),
        note=ngettext("n = %(n)s buyer", "n = %(n)s buyers", buyers) % {"n": number(buyers)},
        shown=shown,
        fold=True,
    )


def high(counts: Mapping[str, int]) -> int:
    """Customers with a score of 50 or more."""
    return sum(counts.get(klass, 0) for klass in HIGH_CLASSES)


def lock_title(counts: Mapping[str, Mapping[str, int]]) -> str:
    held, whole = high(counts["lock_in"]), sum(counts["lock_in"].values())
    if not held:
        return _("Nobody is locked in by 50 points or more")
    text = ngettext(
        "%(n)s buyer of %(all)s is locked in by 50 points or more",
        "%(n)s buyers of %(all)s are locked in by 50 points or more",
        held,
    )
    return text % {"n": number(held), "all": number(whole)}


def will_title(counts: Mapping[str, Mapping[str, int]]) -> str:
    known = sum(n for klass, n in counts["bond"].items() if klass != "unknown")
    if not known:
        return _("Nobody has said yet how they feel")
    return _("%(n)s of %(all)s buyers whose bond is known have 50 points or more") % {
        "n": number(high(counts["bond"])),
        "all": number(known),
    }


def known(end: MonthEnd) -> int:
    """Buyers whose bond was known at a month end."""
    counted = month_counts.by_code(end, "bond")
    return sum(counted[str(code)] for code in badges.BONDS)


def trend_picture(ends: Sequence[MonthEnd]) -> Picture:
    counted = [month_counts.by_code(end, "bond") for end in ends]
    words = {str(code): badge.word for code, badge in badges.BONDS.items()}
    parts = [
        charts.Part(badge.word, [one[str(code)] for one in counted], badge.fill) for code, badge in badges.BONDS.items()
    ]
    first = next(end for end in ends if known(end))
    now, before = voluntary(ends[-1]), voluntary(first)
    if now is None or before is None or first is ends[-1]:
        title = _("Bonds at the end of each month")
    else:
        title = _("%(share)s stayed because they wanted to; at the end of %(month)s it was %(before)s") % {
            "share": percent(now),
            "before": percent(before),
            "month": month_name(first.month),
        }
    return Picture(
        title,
        _("Buyers whose bond was known, in parts of a hundred."),
        over_months(
            "bonds-by-month",
            _("Buyers by bond at the end of each month"),
            ends,
            "bond",
            words,
            _("Known"),
        ),
        charts.columns(month_counts.labels(ends), parts, share=True),
        note=_("n = %(n)s with a known bond at the end of %(month)s")
        % {"n": number(known(ends[-1])), "month": month_name(ends[-1].month)},
        fold=True,
    )


def voluntary(end: MonthEnd) -> float | None:
    return Share(month_counts.by_code(end, "bond")[str(Assessment.BondType.VOLUNTARY)], known(end)).value


def captive_picture(ends: Sequence[MonthEnd]) -> Picture:
    """The share that is held, not bound, with its interval."""
    rows, values, bands = [], [], []
    for end in ends:
        share = Share(month_counts.by_code(end, "bond")[CAPTIVE], known(end))
        low, high_ = share.interval or (None, None)
        values.append(share.value)
        bands.append(share.interval)
        at = f"{month_counts.address(end.month)}.bond"
        rows.append([
            month_name(end.month), Cell(share.part, listed(stood=f"{at}.{CAPTIVE}")),
            Cell(share.whole, listed(stood=f"{at}.{ALL}")),
            Cell(share.value, low=low, high=high_),
        ])  # fmt: skip
    last = month_counts.by_code(ends[-1], "bond")[CAPTIVE]
    title = ngettext(
        "%(n)s customer was held, not bound, at the end of %(month)s",
        "%(n)s customers were held, not bound, at the end of %(month)s",
        last,
    ) % {"n": number(last), "month": month_name(ends[-1].month)}
    table = Table(
        "captive",
        _("Captive customers by month"),
        [Column(_("End of"), "text"), Column(_("captive")), Column(_("bond known")), Column(_("Share"), "percent")],
        rows[::-1],
    )
    line = charts.Line(_("captive"), values, "iron", bands)
    return Picture(
        title,
        _("Share of captive customers among buyers whose bond was known, with its %(level)s interval.")
        % {"level": percent(0.95)},
        table,
        charts.lines(month_counts.labels(ends), [line], kind="percent"),
    )


def coverage_picture(ends: Sequence[MonthEnd]) -> Picture:
    """Of how many buyers bond and lock-in were known, and how many had 50 points or more."""
    shares = {kind: [high_share(end.scores[name]) for end in ends] for kind, name in SCORE_KINDS.items()}
    rows: list[list[Any]] = []
    for at, end in reversed(list(enumerate(ends))):
        row: list[Any] = [name := month_name(end.month)]
        for kind in SCORE_KINDS:
            share, stood = shares[kind][at], f"{month_counts.address(end.month)}.{kind}"
            row += [
                Cell(share.whole, listed(stood=f"{stood}.{ALL}"), spoken=name),
                Cell(share.part, listed(stood=f"{stood}.{HIGH}"), spoken=name),
                share.value,
            ]
        rows.append(row)
    table = Table(
        "high-scores",
        _("Buyers with 50 points or more, by month"),
        [
            Column(_("End of"), "text"),
            Column(_("Bond known")),
            Column(_("Bond from 50")),
            Column(_("Bond from 50, share"), "percent", 1),
            Column(_("Lock-in known")),
            Column(_("Lock-in from 50")),
            Column(_("Lock-in from 50, share"), "percent", 1),
        ],
        rows,
    )
    tones = {"bond_score": "berry", "lock_in_score": "iron"}
    series = [
        charts.Line(SCORE_NAMES[name], [one.value for one in shares[kind]], tones[kind])
        for kind, name in SCORE_KINDS.items()
    ]
    return Picture(
        _("How will and must have developed"),
        _("Share of buyers with 50 points or more, among those for whom the score was known."),
        table,
        charts.lines(month_counts.labels(ends), series, kind="percent"),
    )


def high_share(counts: Mapping[str, int]) -> Share:
    """Of buyers whose score is known, those with 50 points or more."""
    return Share(high(counts), sum(n for klass, n in counts.items() if klass != "unknown"))
