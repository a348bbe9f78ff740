"""How every form field of the product looks."""

from typing import Any

from django.forms import BaseForm
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.safestring import SafeString

from crm.drawing import Drawn, drawn

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
