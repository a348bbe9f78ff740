"""Pictures drawn on the server: the rope and the bolt, the scale from -10 to +10, bars. Geometry only, no colour.

A picture takes plain numbers. Whatever is unknown is None and is drawn dashed, with a word instead of a number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext

from crm import display

register = template.Library()

THREADS = 25
POINTS_A_THREAD = 4
LEFT, RIGHT, MIDDLE = 14, 422, 218
FIRST_THREAD, GAP, WAIST_Y, WAIST_GAP = 36.0, 14 / 3, 92.0, 1.25
# How far loose threads reach from the left and the right post, and where their ends hang: repeats by turns.
LOOSE_LEFT = ((118, -7), (84, 4), (58, -1), (101, 6), (70, -4))
LOOSE_RIGHT = ((70, 2), (112, -6), (92, 4), (56, -3), (84, 7))
BOLT_WIDTH = RIGHT - LEFT
SEAM = 2
LABEL = 28


@dataclass(frozen=True)
class BondPicture:
    """Coordinates of the rope and the bolt; path data as SVG writes it."""

    attitude: str
    social: str
    benefits: str
    loose: str
    solid: int
    bond: float | None
    bars: list[tuple[float, float]]
    lock_in: float | None
    knob: float | None
    label_x: float
    label_inside: bool
    open_label: bool
    touches: bool


def thread_y(index: int) -> float:
    return FIRST_THREAD + index * GAP


def solid_thread(index: int) -> str:
    """One thread from post to post, drawn together in the middle."""
    y, waist = thread_y(index), WAIST_Y + (index - THREADS // 2) * WAIST_GAP
    return f"M{LEFT},{y:.1f}C109,{y:.1f} 124,{waist:.1f} {MIDDLE},{waist:.1f}S327,{y:.1f} {RIGHT},{y:.1f}"


def loose_thread(index: int, turn: int) -> str:
    """Two ends of one thread, hanging from both posts."""
    y = thread_y(index)
    down = 1 if index <= THREADS // 2 else -1
    ends = []
    for post, way, (length, drop) in (
        (LEFT, 1, LOOSE_LEFT[turn % len(LOOSE_LEFT)]),
        (RIGHT, -1, LOOSE_RIGHT[turn % len(LOOSE_RIGHT)]),
    ):
        near, far, end = post + way * length * 0.5, post + way * length * 0.7, post + way * length
        ends.append(f"M{post},{y:.1f}C{near:.0f},{y:.1f} {far:.0f},{y + 8 * down:.1f} {end},{y + drop * down:.1f}")
    return "".join(ends)


def from_the_middle() -> list[int]:
    """Thread numbers from the middle of the rope outwards, by turns below and above."""
    return sorted(range(THREADS), key=lambda index: (abs(index - THREADS // 2), index))


def threads(points: float) -> int:
    """How many whole threads 0 to 100 points are worth."""
    return min(THREADS, max(0, round(points / POINTS_A_THREAD)))


def bolt(parts: Sequence[float]) -> list[tuple[float, float]]:
    """(x, width) of each part of the bolt, strongest first, parted by a seam; they end at their sum's place."""
    full = [part for part in sorted(parts, reverse=True) if part > 0]
    bars, at = [], 0.0
    for part in full:
        end = min(100.0, at + part)
        x = LEFT + at / 100 * BOLT_WIDTH + (SEAM if at else 0)
        width = LEFT + end / 100 * BOLT_WIDTH - x
        if width > 0.5:
            bars.append((round(x, 1), round(width, 1)))
        at = end
    return bars


def bond_geometry(
    bond: float | None,
    attitude: float = 0,
    social: float = 0,
    benefits: float = 0,
    lock_in: float | None = None,
    lock_parts: Sequence[float] = (),
) -> BondPicture:
    """Where threads and bolt lie.

    bond, lock_in: 0 to 100, or None where unknown. attitude + social + benefits make up `bond`, lock_parts make
    up `lock_in` (the strongest barrier in full, the others by a quarter). A known lock_in without parts is one bar.
    """
    order = from_the_middle()
    first = threads(attitude) if bond is not None else 0
    second = max(first, threads(attitude + social)) if bond is not None else 0
    solid = threads(bond) if bond is not None else 0
    first, second = min(first, solid), min(second, solid)
    if not (attitude or social or benefits):
        first = second = solid
    rows = {
        "attitude": order[:first],
        "social": order[first:second],
        "benefits": order[second:solid],
    }
    loose = sorted(order[solid:], key=lambda index: (-abs(index - THREADS // 2), index))
    bars = bolt(lock_parts or ([lock_in] if lock_in else [])) if lock_in is not None else []
    end = bars[-1][0] + bars[-1][1] if bars else LEFT
    inside = end > RIGHT - 70
    return BondPicture(
        **{name: "".join(map(solid_thread, sorted(indices))) for name, indices in rows.items()},
        loose="".join(loose_thread(index, turn // 2) for turn, index in enumerate(loose)),
        solid=solid,
        bond=bond,
        bars=bars,
        lock_in=lock_in,
        knob=max(LEFT + 4.0, bars[0][0] + bars[0][1] - 35) if bars and bars[0][1] > 20 else None,
        label_x=round(end - 10 if inside else end + 11, 1),
        label_inside=inside,
        open_label=lock_in is not None and end < RIGHT - 130,
        touches=lock_in is not None and round(lock_in) >= 100,
    )


def shortened(name: str, length: int = LABEL) -> str:
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


@register.inclusion_tag("components/bond_picture.html")
def bond_picture(
    shop: str,
    customer: str,
    bond: float | None,
    attitude: float = 0,
    social: float = 0,
    benefits: float = 0,
    lock_in: float | None = None,
    lock_parts: Sequence[float] = (),
    key: str = "bond",
) -> dict[str, Any]:
    """Rope (what holds freely) above the bolt (what merely holds). `key` keeps ids apart on one page."""
    drawn = bond_geometry(
        None if bond is None else float(bond),
        attitude=float(attitude or 0),
        social=float(social or 0),
        benefits=float(benefits or 0),
        lock_in=None if lock_in is None else float(lock_in),
        lock_parts=[float(part) for part in lock_parts],
    )
    room = max(10, 44 - min(len(shop), 20))
    parts = None
    if drawn.lock_in and len(lock_parts) > 1 and max(lock_parts) < drawn.lock_in:
        strongest = float(max(lock_parts))
        parts = (display.number(strongest), display.number(drawn.lock_in - strongest))
    return {
        "picture": drawn,
        "all_threads": bond_geometry(100).attitude if bond is None else "",
        "key": key,
        "shop": shortened(shop, 20),
        "customer": shortened(customer, room),
        "title": _bond_title(bond, lock_in),
        "description": _bond_description(drawn),
        "bond": display.number(bond),
        "lock_in": display.number(lock_in),
        "parts": parts,
    }


def _bond_title(bond: float | None, lock_in: float | None) -> str:
    unknown = gettext("unknown")
    return gettext("Bond %(bond)s, lock-in %(lock_in)s") % {
        "bond": display.number(bond) or unknown,
        "lock_in": display.number(lock_in) or unknown,
    }


def _bond_description(drawn: BondPicture) -> str:
    if drawn.bond is None:
        held = gettext("It is unknown how many of the 25 threads hold: no answers yet.")
    else:
        held = ngettext(
            "%(n)s of 25 threads holds freely, 4 points a thread.",
            "%(n)s of 25 threads hold freely, 4 points a thread.",
            drawn.solid,
        ) % {"n": drawn.solid}
    if drawn.lock_in is None:
        return held + " " + gettext("How far the bolt is pushed is unknown.")
    return held + " " + gettext("Below, a bolt pushed to %(n)s of 100.") % {"n": display.number(drawn.lock_in)}


SCALE_LEFT, SCALE_RIGHT = 16.0, 420.0


def scale_x(value: float) -> float:
    """Place of -10 to +10 on the scale; what lies outside stands at its end."""
    inside = min(10.0, max(-10.0, float(value)))
    return round(SCALE_LEFT + (inside + 10) / 20 * (SCALE_RIGHT - SCALE_LEFT), 1)


@register.inclusion_tag("components/nev_scale.html")
def nev_scale(
    value: float | None,
    answers: Iterable[float] = (),
    margin: float | None = None,
    shop: float | None = None,
    shop_margin: float | None = None,
) -> dict[str, Any]:
    """Net emotional value from -10 to +10: own mean and interval above the line, the shop's below.

    answers: newest first; rings, larger is newer. margin, shop_margin: half the interval, or None.
    """
    values = [float(answer) for answer in answers]
    marks = values or ([] if value is None else [float(value)])
    band = None if value is None or not margin else (scale_x(value - margin), scale_x(value + margin))
    block = None
    if shop is not None:
        half = max(3.0, float(shop_margin or 0) / 20 * (SCALE_RIGHT - SCALE_LEFT))
        block = {"x": round(scale_x(shop) - half, 1), "width": round(2 * half, 1), "middle": scale_x(shop)}
    end = max([scale_x(v) for v in values] + ([band[1]] if band else []) + [0])
    return {
        "text": _with_margin(value, margin),
        "value_x": None if value is None else min(390.0, max(46.0, scale_x(value))),
        "rings": [(scale_x(v), max(3.0, 6.5 - 1.25 * age)) for age, v in enumerate(marks[:8])][::-1],
        "band": band,
        "count": values and ngettext("%(n)s answer", "%(n)s answers", len(values)) % {"n": display.number(len(values))},
        "count_x": end + 10 if end < 356 else min([scale_x(v) for v in values] + ([band[0]] if band else [])) - 10,
        "count_left": end >= 356,
        "shop": block,
        "shop_text": _with_margin(shop, shop_margin),
        "shop_x": None if shop is None else min(356.0, max(80.0, scale_x(shop))),
        "zero_label": shop is None or abs(scale_x(shop) - 218) > 78,
        "low_label": shop is None or scale_x(shop) > 110,
        "high_label": shop is None or scale_x(shop) < 326,
        "spoken": gettext("Net emotional value on a scale from −10 to +10: %(own)s; shop %(shop)s")
        % {
            "own": _with_margin(value, margin) or gettext("unknown"),
            "shop": _with_margin(shop, shop_margin) or gettext("unknown"),
        },
    }


def _with_margin(value: float | None, margin: float | None) -> str | None:
    if value is None:
        return None
    text = display.signed(value, 1) or ""
    return f"{text} ± {display.number(margin, 1)}" if margin else text


@dataclass(frozen=True)
class Share:
    """A part of a whole as the bar draws it: place and width in percent of the bar."""

    label: str | Promise
    value: int
    tone: str
    x: float
    width: float
    percent: float
    url: str = ""


def shares_of(parts: Sequence[tuple[Any, ...]]) -> list[Share]:
    """(label, value, tone[, url]) as parts of their sum. An empty whole has widths of 0."""
    whole = sum(part[1] for part in parts)
    drawn, at = [], 0.0
    for label, value, tone, *url in parts:
        width = 100 * value / whole if whole else 0.0
        drawn.append(Share(label, value, tone, round(at, 3), round(width, 3), width / 100, *url))
        at += width
    return drawn


@register.inclusion_tag("components/shares.html")
def shares(parts: Sequence[tuple[Any, ...]], caption: str = "") -> dict[str, Any]:
    """A stacked bar with the table that says it. parts: (label, value, tone[, url]); tone s0 to s5, f-berry, f-iron,
    f-iron-line. The bar alone says nothing: the table carries words, numbers and percent."""
    drawn = shares_of(parts)
    return {"shares": drawn, "total": sum(share.value for share in drawn), "caption": caption}


@register.filter
def bar_width(score: Any) -> str:
    """A score of 0 to 100 as SVG writes it, whatever the language: 59.5."""
    return f"{min(100.0, max(0.0, float(score))):.1f}"


MINI_STAGE = '<svg class="sk-mini" viewBox="0 0 26 14" aria-hidden="true">{}</svg>'
TICK = '<rect{} x="{}" y="{}" width="3.5" height="{}"/>'


@register.simple_tag
def mini_stage(level: int) -> SafeString:
    """Six ticks for a stage of 0 to 5. Always stands beside the stage's name."""
    return _mini_stage(int(level))


@cache
def _mini_stage(level: int) -> SafeString:
    on = mark_safe(' class="is-on"')
    ticks = ((on if n <= level else "", f"{4.5 * n:.1f}", 10 - 2 * n, 4 + 2 * n) for n in range(6))
    return format_html(MINI_STAGE, format_html_join("", TICK, ticks))
