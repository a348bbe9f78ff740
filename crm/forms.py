"""How every form field of the product looks."""

from collections.abc import Hashable
from datetime import date
from functools import lru_cache
from typing import Any

from django.forms import BaseForm
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.safestring import SafeString

from crm.drawing import Drawn, drawn
from crm.labels import wording

WIDGET_CLASSES = {"select": "form-select", "checkbox": "form-check-input", "radio": "form-check-input"}


class Renderer(TemplatesSetting):
    """Django's own forms with our field template (label, help, errors, `aria-describedby`)."""

    field_template_name = "components/field.html"
    bound_field_class = Drawn

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> SafeString:
        done = drawn(template_name, context)
        return super().render(template_name, context, request) if done is None else done  # type: ignore[return-value]


def styled(form: BaseForm) -> None:
    """Give every widget of `form` that says nothing else the class of its shape."""
    for field in form.fields.values():
        shape = getattr(field.widget, "input_type", "")
        field.widget.attrs.setdefault("class", WIDGET_CLASSES.get(shape, "form-control"))


class Styled:
    """Mixed into a form, before Form: its widgets get their classes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        styled(self)  # type: ignore[arg-type]  # mixed into forms only


def fields(form: BaseForm) -> dict[str, SafeString]:
    """The fields of a form as pages write them, by name."""
    return {name: form[name].as_field_group() for name in form.fields}


def blank(form: type[BaseForm], as_of: date | None = None, **options: Hashable) -> dict[str, SafeString]:
    """The fields of a form that nobody has filled in yet: drawn once for readers of the same words, not once a page.

    options: what the form is made with; the fields may depend on nothing else but, where `as_of` names it, the day.
    """
    return _blank(form, wording(), as_of, tuple(options.items()))  # type: ignore[arg-type]  # every class is hashable


@lru_cache(maxsize=200)
def _blank(
    form: type[BaseForm], words: Hashable, as_of: date | None, options: tuple[tuple[str, Any], ...]
) -> dict[str, SafeString]:
    return fields(form(**dict(options)))
