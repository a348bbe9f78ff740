"""The usual fields and widgets of a form, written without the template engine: a page with open forms has dozens of them.

The markup is that of the templates (`components/field.html`, `django/forms/widgets`); a test holds them together. What is
not here, or is drawn with more than its parts (groups of options, fieldsets), is left to the templates.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.forms import BoundField
from django.utils.html import conditional_escape
from django.utils.safestring import SafeData, SafeString, mark_safe
from django.utils.translation import gettext

Context = Mapping[str, Any]


def _text(value: Any) -> str:
    return conditional_escape(value if isinstance(value, SafeData) else str(value))


def _attributes(attrs: Mapping[str, Any]) -> str:
    """` name="value"` of each; True stands alone, False is left out."""
    return "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_text(value)}"'
        for name, value in attrs.items()
        if value is not False
    )


def _input(widget: Mapping[str, Any]) -> str:
    value = "" if widget["value"] is None else f' value="{_text(widget["value"])}"'
    return f'<input type="{_text(widget["type"])}" name="{_text(widget["name"])}"{value}{_attributes(widget["attrs"])}>'


def _textarea(widget: Mapping[str, Any]) -> str:
    words = _text(widget["value"]) if widget["value"] else ""
    return f'<textarea name="{_text(widget["name"])}"{_attributes(widget["attrs"])}>\n{words}</textarea>'


def _select(widget: Mapping[str, Any]) -> str:
    options = "".join(
        f'\n  <option value="{_text(option["value"])}"{_attributes(option["attrs"])}>{_text(option["label"])}</option>'
        for _group, options, _place in widget["optgroups"]
        for option in options
    )
    return f'<select name="{_text(widget["name"])}"{_attributes(widget["attrs"])}>{options}\n</select>'


def _field(field: BoundField) -> str | None:
    """The widget with its label, help and errors; None for a group of widgets, which needs a fieldset."""
    widget = field.field.widget
    label = f'<label for="{_text(field.id_for_label)}">{_text(field.label)}'
    if getattr(widget, "input_type", "") == "checkbox" and not getattr(widget, "allow_multiple_selected", False):
        return f'<div class="sk-field"><div class="sk-check">{field}{label}</label></div>{_notes(field)}</div>'
    if field.use_fieldset:
        return None
    optional = "" if field.field.required else f' <span class="sk-optional">{_text(gettext("(optional)"))}</span>'
    return f'<div class="sk-field">{f"{label}{optional}</label>" if field.label else ""}{field}{_notes(field)}</div>'


def _notes(field: BoundField) -> str:
    name = f' id="{_text(field.auto_id)}_helptext"' if field.auto_id else ""
    # Help is ours, and may hold markup: Django's own templates do not escape it either.
    words = f'<div class="helptext"{name}>{field.help_text}</div>' if field.help_text else ""
    return f"{words}{field.errors or ''}"


INPUTS = "text number email url password hidden date datetime time checkbox tel search".split()
EMPTY = ("django/forms/errors/list/default.html", "django/forms/errors/list/ul.html")
DRAWN: dict[str, Callable[[Mapping[str, Any]], str]] = {
    **{f"django/forms/widgets/{kind}.html": _input for kind in INPUTS},
    "django/forms/widgets/textarea.html": _textarea,
    "django/forms/widgets/select.html": _select,
}


def drawn(template_name: str, context: Context) -> SafeString | None:
    """The finished field, widget or empty list of errors; None for what the templates shall draw."""
    if template_name in EMPTY and not context["errors"]:
        return SafeString()
    if template_name == "components/field.html":
        whole = _field(context["field"])
        return None if whole is None else mark_safe(whole)  # noqa: S308 - every part is escaped above
    draw, widget = DRAWN.get(template_name), context.get("widget")
    if draw is None or widget is None or any(group for group, _options, _place in widget.get("optgroups", ())):
        return None
    return mark_safe(draw(widget))  # noqa: S308 - every part is escaped above
