"""Values filled into texts: Liquid with a short list of tags and filters and hard limits.

Values are plain texts, numbers and days. No attributes, no code, no loops without end: a text that a marketer wrote is
compiled when it is kept, and a mail that would grow too large, take too long or need a value that does not exist is
refused before anybody gets it (F20 and F21 of `docs/sending.md`).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from liquid import Environment, StrictUndefined
from liquid.ast import Node
from liquid.context import RenderContext
from liquid.exceptions import (
    LiquidError,
    LiquidSyntaxError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    TemplateNotFoundError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.template import BoundTemplate

# `content`, `output` and `illegal` are how the library reads plain text, `{{ }}` and what is neither.
TAGS = {"content", "output", "illegal", "if", "for"}
FILTERS = {"append", "capitalize", "date", "default", "downcase", "join", "newline_to_br", "prepend", "size", "strip",
           "truncate", "upcase"}  # fmt: skip
MAX_MAIL_BYTES = 256 * 1024
MAX_NODES = 2_000
MAX_SECONDS = 0.2
# How the library says that a condition or a repetition has no end.
UNENDED = re.compile(r"expected tag (endif|endfor)\b")
# What every text may use, with an example for previews and checks.
COMMON_VALUES = {
    "opening": "Sehr geehrte Frau Dr. Müller",
    "title": "Dr.",
    "given_name": "Jörg",
    "family_name": "Weiß-Özdemir",
    "company_name": "Beispiel & Söhne GmbH",
    "name": "Dr. Jörg Weiß-Özdemir",
    "shop_name": "Rösterei Beispiel",
    "sender_name": "Kim Beispiel",
    "signed_by": "Kim Beispiel",
}
# What the text of a mail that brings a coupon may use beside them (`campaigns.couponing`).
COUPON_VALUES = {
    "coupon_code": "0000-0000-00000",
    "coupon_worth": "5,00 €",
    "coupon_terms": "Wert: 5,00 €. Ab einem Einkauf von 20,00 €.",
    "coupon_valid_until": "31.12.2026",
}
MEANINGS: Mapping[str, str | Promise] = {
    "opening": gettext_lazy("the salutation, as it fits each person"),
    "title": gettext_lazy("title, as given; often empty"),
    "given_name": gettext_lazy("first name; may be empty"),
    "family_name": gettext_lazy("last name; may be empty"),
    "company_name": gettext_lazy("company; mostly empty"),
    "name": gettext_lazy("title, first and last name, or the company"),
    "shop_name": gettext_lazy("name of your shop"),
    "sender_name": gettext_lazy("sender of the mails"),
    "signed_by": gettext_lazy("who looks after the customer, else the sender of the mails"),
    "survey_url": gettext_lazy("link to the questions, one for each mail"),
    "coupon_code": gettext_lazy("code of the coupon, one for each mail"),
    "coupon_worth": gettext_lazy("what the coupon is worth"),
    "coupon_terms": gettext_lazy("all terms of the coupon"),
    "coupon_valid_until": gettext_lazy("last day of the coupon; may be empty"),
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class RenderError(ValueError):
    """A text cannot be made into a mail; the message says where and why."""


class _Limited(Environment):
    output_stream_limit = MAX_MAIL_BYTES
    loop_iteration_limit = 100
    context_depth_limit = 10
    local_namespace_limit = 2_000
    block_nesting_limit = 10


def _environment(*, escape: bool) -> Environment:
    environment = _Limited(undefined=StrictUndefined, strict_filters=True, autoescape=escape)
    environment.tags = {name: tag for name, tag in environment.tags.items() if name in TAGS}
    environment.filters = {name: used for name, used in environment.filters.items() if name in FILTERS}
    return environment


_HTML, _PLAIN = _environment(escape=True), _environment(escape=False)


def parsed(text: str, *, markup: bool = False) -> BoundTemplate:
    """A text ready to be filled in; in `markup` values are escaped. Raises RenderError."""
    environment = _HTML if markup else _PLAIN
    try:
        template = environment.from_string(text)
        nodes = _count(template.nodes, RenderContext(template))
    except LiquidError as error:
        raise RenderError(said(error)) from error
    if nodes > MAX_NODES:
        raise RenderError(_("It has too many placeholders and conditions: %(n)s.") % {"n": nodes})
    return template


def all_cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they may be filled in: each as `cleaned`."""
    return {name: cleaned(value) for name, value in values.items()}


def filled(template: BoundTemplate, values: Mapping[str, Any]) -> str:
    """The text with its values, cleaned ones. Raises RenderError, e.g. for a value that does not exist."""
    try:
        return template.render(**values)
    except LiquidError as error:
        raise RenderError(said(error)) from error


def cleaned(value: Any) -> Any:
    """The value without control characters and without those that turn the direction of reading.

    Raises TypeError for what is no text, number or day: nothing else may reach a text.
    """
    if isinstance(value, str):
        return _CONTROLS.sub("", value)
    if isinstance(value, int | float | Decimal | date):
        return value
    raise TypeError(f"{type(value).__name__} is no value for a text")


def fault(text: str, known: Collection[str]) -> str:
    """What is wrong with the placeholders of a text, whichever way its conditions go; '' if nothing is."""
    try:
        parts = parsed(text).analyze(include_partials=False)
    except RenderError as error:
        return str(error)
    if parts.filters.keys() - FILTERS:
        return _only_filters()
    if unknown := sorted(parts.globals.keys() - set(known)):
        return _("There is no value “%(name)s” here. The list beside the text names those that there are.") % {
            "name": unknown[0]
        }
    return ""


def said(error: LiquidError) -> str:
    """What a text did wrong, in the reader's language where it is one of the usual slips."""
    if isinstance(error, UndefinedError):
        return _("There is no value for it: %(error)s") % {"error": _first_line(error)}
    if isinstance(error, UnknownFilterError):
        return _only_filters()
    if isinstance(error, OutputStreamLimitError):
        return _("The mail would be larger than %(n)s KB.") % {"n": MAX_MAIL_BYTES // 1024}
    if isinstance(error, LoopIterationLimitError):
        return _("It repeats something more than %(n)s times.") % {"n": _Limited.loop_iteration_limit}
    if isinstance(error, LiquidSyntaxError) and (open_tag := UNENDED.search(str(error))):
        return _("It begins something that it does not end: {%% %(tag)s %%} is missing.") % {"tag": open_tag[1]}
    if isinstance(error, LiquidSyntaxError | TemplateNotFoundError):
        return _(
            "A placeholder is not whole or not allowed (%(error)s). Write values as {{ name }} and conditions as "
            "{%% if name != '' %%} … {%% endif %%}."
        ) % {"error": _first_line(error)}
    return _first_line(error)


def _only_filters() -> str:
    return _("A value may only be followed by one of: %(filters)s.") % {"filters": ", ".join(sorted(FILTERS))}


def _first_line(error: LiquidError) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _count(nodes: Iterable[Node], context: RenderContext) -> int:
    return sum(1 + _count(node.children(context, include_partials=False), context) for node in nodes)
