"""Tags and filters of the design kit: icons, the theme, and how values are written (`crm.display`)."""

from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from re import findall
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from crm import display

register = template.Library()

THEMES = ("auto", "light", "dark")


@cache
def sprite_names() -> frozenset[str]:
    """The icons we have: symbols of `static/icons/sprite.svg`."""
    text = (Path(settings.BASE_DIR) / "static" / "icons" / "sprite.svg").read_text()
    return frozenset(findall(r'<symbol id="([^"]+)"', text))


@register.simple_tag
def icon(name: str, classes: str = "", label: str = "") -> SafeString:
    """An icon of the sprite. It is decoration unless `label` says what it means; an unknown name raises."""
    return _icon(name, classes, str(label))


@lru_cache(maxsize=1000)
def _icon(name: str, classes: str, label: str) -> SafeString:
    if name not in sprite_names():
        raise template.TemplateSyntaxError(f"There is no icon {name!r} in static/icons/sprite.svg.")
    spoken: str = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="sk-icon{}" {}><use href="{}#{}"></use></svg>',
        f" {classes}" if classes else "",
        spoken,
        static("icons/sprite.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """auto, light or dark: the member of staff's own choice, else the cookie of this browser."""
    request = context.get("request")
    user = getattr(request, "user", None)
    chosen = user.theme if user is not None and user.is_authenticated else ""
    chosen = chosen or (request.COOKIES.get("theme", "") if request is not None else "")
    return chosen if chosen in THEMES else "auto"


@register.filter
def or_unknown(value: Any, word: str = "") -> Any:
    """The value, or the dashed word for unknown where there is none (None or empty; 0 is a value)."""
    if value is None or value == "":
        return format_html('<span class="sk-unknown">{}</span>', word or gettext("unknown"))
    return value


@register.filter
def money(amount: Any, currency: str) -> Any:
    """{{ purchase.net|money:shop.currency }}"""
    return or_unknown(display.money(amount, currency))


@register.filter
def number(value: Any, places: int = 0) -> Any:
    return or_unknown(display.number(value, places))


@register.filter
def signed(value: Any, places: int = 0) -> Any:
    return or_unknown(display.signed(value, places))


@register.filter
def percent(value: Any, places: int = 0) -> Any:
    """A share of 0 to 1 as percent."""
    return or_unknown(display.percent(value, places))


@register.filter
def day(value: date | None) -> Any:
    return or_unknown(display.day(value))


@register.filter
def short_day(value: date | None) -> Any:
    return or_unknown(display.short_day(value))


@register.filter
def clock(value: datetime | None) -> Any:
    return or_unknown(display.clock(value))


@register.filter
def instant(value: datetime | None) -> Any:
    return or_unknown(display.instant(value))


@register.filter
def ago(value: date | None) -> Any:
    return or_unknown(display.ago(value))
