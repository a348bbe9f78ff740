"""How every form field of the product looks."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """Django's own forms with our field template (label, help, errors, `aria-describedby`)."""

    field_template_name = "components/field.html"
