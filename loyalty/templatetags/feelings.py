"""How templates draw what moves somebody: {% load feelings %}."""

from typing import Any

from django import template

register = template.Library()

LEFT, RIGHT = 8.0, 112.0


def x_of(value: int) -> float:
    return round(LEFT + value / 10 * (RIGHT - LEFT), 1)


@register.inclusion_tag("loyalty/motivator_dots.html")
def motivator_dots(importance: int, fulfilment: int | None) -> dict[str, Any]:
    """A line from 0 to 10: a ring where it should be, a dot where it is, and what is missing between. The words stand beside."""
    there = None if fulfilment is None else x_of(fulfilment)
    return {"wanted": x_of(importance), "there": there, "gap": fulfilment is not None and fulfilment < importance}
