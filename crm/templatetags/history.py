"""Filters of the timeline's template."""

from collections.abc import Mapping

from django import template
from django.utils.translation import gettext

from crm.emotions import Emotion

register = template.Library()


@register.filter
def emotion(known: Mapping[str, Emotion], code: str) -> Emotion | None:
    """The emotion of a code, None for one that no longer exists."""
    return known.get(code)


@register.filter
def quoted(words: str) -> str:
    """Somebody's own words in the quotation marks of the reader's language; nothing for nothing."""
    return gettext("“%(words)s”") % {"words": words} if words else ""
