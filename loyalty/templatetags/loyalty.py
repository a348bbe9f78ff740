"""How templates write a judgement: {% load loyalty %}."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from django import template
from django.utils.functional import Promise

from loyalty import badges
from loyalty.badges import Badge

register = template.Library()


@register.filter
def status_badge(code: str) -> Badge | None:
    """{% with badge=code|status_badge %}; None without a purchase."""
    return badges.STATUSES.get(code)


@register.filter
def stage_level(code: str) -> int | None:
    """0 to 5, for <c-stage>."""
    return badges.LEVELS.get(code)


@register.filter
def stage_name(code: str) -> str | Promise:
    return badges.STAGE_NAMES.get(code, "")


PICTURE_HEIGHT, COLUMN, PITCH, FLOOR = 140, 78, 86, 168
CELL_WIDTH, CELL_HEIGHT, MAP_LEFT, MAP_TOP, LARGEST = 196, 132, 26, 4, 36
# Where each bond stands: column by the will to stay, row by the lock-in; and its symbol.
PLACES = {
    "captive": (0, 0, "square"),
    "voluntary_and_locked": (1, 0, "ringed"),
    "unattached": (0, 1, "ring"),
    "voluntary": (1, 1, "disc"),
}


@register.inclusion_tag("loyalty/stage_columns.html")
def stage_columns(groups: Sequence[Any]) -> dict[str, Any]:
    """One column a stage, as high as its people are many. groups: `word`, `n`, `fill` each. The table says it too."""
    most = max((group.n for group in groups), default=0)
    columns = []
    for place, group in enumerate(groups):
        height = round(PICTURE_HEIGHT * group.n / most, 1) if most else 0.0
        columns.append(
            {
                "x": place * PITCH,
                "middle": place * PITCH + COLUMN / 2,
                "y": FLOOR - height,
                "height": height,
                "label_y": FLOOR - height - 7,
                "n": group.n,
                "fill": group.fill,
                "words": str(group.word).split(" ", 1),
            }
        )
    return {"columns": columns}


@register.inclusion_tag("loyalty/bond_map.html")
def bond_map(groups: Sequence[Any]) -> dict[str, Any]:
    """Four fields by will and lock-in; the area of each symbol is its people."""
    most = max((group.n for group in groups), default=0)
    fields = []
    for group in groups:
        column, row, symbol = PLACES[group.code]
        x, y = MAP_LEFT + column * CELL_WIDTH, MAP_TOP + row * CELL_HEIGHT
        size = LARGEST * sqrt(group.n / most) if most else 0.0
        fields.append(
            {
                "x": x,
                "y": y,
                "text_x": x + 12,
                "name_y": y + 22,
                "n_y": y + 41,
                "cx": x + CELL_WIDTH - 50,
                "cy": y + CELL_HEIGHT - 48,
                "r": round(size, 1),
                "corner": (round(x + CELL_WIDTH - 50 - size * 0.886, 1), round(y + CELL_HEIGHT - 48 - size * 0.886, 1)),
                "side": round(size * 1.772, 1),
                "symbol": symbol,
                "group": group,
            }
        )
    return {"fields": fields, "width": CELL_WIDTH, "height": CELL_HEIGHT}


@register.simple_tag
def bar_parts(groups: Sequence[Any]) -> list[dict[str, str]]:
    """Parts of a stacked bar of 100, as SVG writes numbers; nobody's part is left out."""
    whole, at, parts = sum(group.n for group in groups), 0.0, []
    for group in groups:
        width = 100 * group.n / whole if whole else 0.0
        if width:
            parts.append({"fill": group.fill, "x": f"{at:.3f}", "width": f"{width:.3f}"})
        at += width
    return parts
