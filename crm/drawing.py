"""The usual fields and widgets of a form, written without the template engine: a page with open forms has dozens of them.

The markup is that of the templates (`components/field.html`, `django/forms/widgets`); a test holds them together. What is
not here, or is drawn with more than its parts (groups of options, fieldsets), is left to the templates.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.safestring import SafeData, SafeString, mark_safe
from django.utils.translation import gettext


class Drawn(BoundField):
    """A field of a form whose usual widgets are drawn here."""

    def as_widget(
        self, widget: forms.Widget | None = None, attrs: Any = None, only_initial: bool = False
    ) -> SafeString:
        own = self.field.widget
        draw = WIDGETS.get(type(own)) if widget is None and attrs is None and not only_initial else None
        if draw is None:
            return super().as_widget(widget, attrs, only_initial)
        own.is_localized = own.is_localized or self.field.localize
        given = {**own.attrs, **self.build_widget_attrs({}, own)}
        if self.auto_id:
            given.setdefault("id", self.auto_id)
        done = draw(own, self.html_name, self.value(), given)
        return super().as_widget() if done is None else mark_safe(done)  # noqa: S308 - every part is escaped below


def text(value: Any) -> str:
    """Escaped for HTML, unless it is marked as safe."""
    written = str(value)
    return written if isinstance(written, SafeData) else escape(written)


def _attributes(attrs: Mapping[str, Any]) -> str:
    """` name="value"` of each; True stands alone, False is left out."""
    return "".join(
        f" {text(name)}" if value is True else f' {text(name)}="{text(value)}"'
        for name, value in attrs.items()
        if value is not False
    )


def _input(widget: Any, name: str, value: Any, attrs: Mapping[str, Any]) -> str:
    shown = widget.format_value(value)
    written = "" if shown is None else f' value="{text(shown)}"'
    return f'<input type="{text(widget.input_type)}" name="{text(name)}"{written}{_attributes(attrs)}>'


def _checkbox(widget: Any, name: str, value: Any, attrs: Mapping[str, Any]) -> str:
    return _input(widget, name, value, {**attrs, "checked": True} if widget.check_test(value) else attrs)


def _textarea(widget: Any, name: str, value: Any, attrs: Mapping[str, Any]) -> str:
    return f'<textarea name="{text(name)}"{_attributes(attrs)}>\n{text(widget.format_value(value) or "")}</textarea>'


def _select(widget: Any, name: str, value: Any, attrs: Mapping[str, Any]) -> str | None:
    chosen = set(widget.format_value(value))
    options = []
    for code, label in widget.choices:
        if isinstance(label, list | tuple):
            return None
        written = "" if code is None else str(code)
        selected = " selected" if written in chosen else ""
        if selected:
            chosen = set()  # the first one only
        options.append(f'\n  <option value="{text(written)}"{selected}>{text(label)}</option>')
    return f'<select name="{text(name)}"{_attributes(attrs)}>{"".join(options)}\n</select>'


# By the very class: one that is derived may draw something else.
INPUTS = (forms.TextInput, forms.NumberInput, forms.EmailInput, forms.URLInput, forms.DateInput, forms.TimeInput)
WIDGETS: dict[type[forms.Widget], Callable[[Any, str, Any, Mapping[str, Any]], str | None]] = {
    **dict.fromkeys((*INPUTS, forms.HiddenInput, forms.DateTimeInput), _input),
    forms.CheckboxInput: _checkbox,
    forms.Textarea: _textarea,
    forms.Select: _select,
}
EMPTY = ("django/forms/errors/list/default.html", "django/forms/errors/list/ul.html")


def drawn(template_name: str, context: Mapping[str, Any]) -> SafeString | None:
    """The finished field or empty list of errors; None for what the templates shall draw."""
    if template_name in EMPTY and not context["errors"]:
        return SafeString()
    whole = _field(context["field"]) if template_name == "components/field.html" else None
    return None if whole is None else mark_safe(whole)  # noqa: S308 - every part is escaped


def _field(field: BoundField) -> str | None:
    """The widget with its label, help and errors; None for a group of widgets, which needs a fieldset."""
    widget = field.field.widget
    label = f'<label for="{text(field.id_for_label)}">{text(field.label)}'
    if getattr(widget, "input_type", "") == "checkbox" and not getattr(widget, "allow_multiple_selected", False):
        return f'<div class="sk-field"><div class="sk-check">{field}{label}</label></div>{_notes(field)}</div>'
    if field.use_fieldset:
        return None
    mark = getattr(field.field, "mark", "") or ("" if field.field.required else gettext("(optional)"))
    marked = f' <span class="sk-optional">{text(mark)}</span>' if mark else ""
    return f'<div class="sk-field">{f"{label}{marked}</label>" if field.label else ""}{field}{_notes(field)}</div>'


def _notes(field: BoundField) -> str:
    name = f' id="{text(field.auto_id)}_helptext"' if field.auto_id else ""
    # Help is ours, and may hold markup: Django's own templates do not escape it either.
    words = f'<div class="helptext"{name}>{field.help_text}</div>' if field.help_text else ""
    return f"{words}{field.errors or ''}"
