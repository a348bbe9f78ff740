"""Fields and widgets drawn without the template engine look as the templates draw them."""

import re

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates, TemplatesSetting
from django.utils.translation import gettext_lazy as _

from crm.drawing import drawn
from crm.forms import Renderer, Styled


class Everything(Styled, forms.Form):
    text = forms.CharField(max_length=20, help_text="<b>")
    named = forms.CharField(label="<A> & B", required=False)
    many = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    mail = forms.EmailField(widget=forms.EmailInput(attrs={"placeholder": 'a"<b>'}))
    number = forms.DecimalField(min_value=0, widget=forms.NumberInput(attrs={"step": "any"}))
    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    yes = forms.BooleanField()
    one = forms.ChoiceField(choices=[("", _("none")), ("a&b", "<A>"), (3, "Three")])
    grouped = forms.ChoiceField(choices=[("Group", [("x", "X")]), ("y", "Y")])
    radio = forms.ChoiceField(choices=[("x", "X")], widget=forms.RadioSelect)
    hidden = forms.CharField(widget=forms.HiddenInput)
    secret = forms.CharField(widget=forms.PasswordInput(render_value=True))
    awaited = forms.CharField(required=False)
    awaited.mark = "(before <the> launch)"  # type: ignore[attr-defined]


FIELDS = list(Everything.base_fields)
GIVEN = {
    "text": "<x> & 'y'",
    "many": "\n<p>",
    "yes": "on",
    "one": "a&b",
    "grouped": "x",
    "number": "1.5",
    "secret": '"',
}


def plain(html: str) -> str:
    return re.sub(r">\s+<", "><", re.sub(r"[ \n]+", " ", html)).strip()


@pytest.mark.parametrize("data", [None, {}, GIVEN, {"one": "3", "day": "2026-11-23"}])
@pytest.mark.parametrize("name", FIELDS)
def test_a_widget_looks_as_django_draws_it(name, data):
    ours, theirs = Everything(data, renderer=Renderer()), Everything(data, renderer=DjangoTemplates())
    assert plain(str(ours[name])) == plain(str(theirs[name]))


@pytest.mark.parametrize("auto_id", ["of_%s", False])
@pytest.mark.parametrize("data", [None, {}, GIVEN])
@pytest.mark.parametrize("name", FIELDS)
def test_a_field_looks_as_its_template_draws_it(name, data, auto_id):
    field = Everything(data, renderer=Renderer(), auto_id=auto_id)[name]
    theirs = TemplatesSetting().render(Renderer.field_template_name, {"field": field})
    assert plain(field.as_field_group()) == plain(theirs)


def test_what_came_from_outside_is_escaped():
    shown = str(Everything({"text": '"><script>', "many": "</textarea>", "one": "<"}, renderer=Renderer())["text"])
    assert "<script>" not in shown and "&lt;script&gt;" in shown


def test_no_errors_are_drawn_as_nothing_and_some_by_the_template():
    assert drawn("django/forms/errors/list/ul.html", {"errors": []}) == ""
    assert drawn("django/forms/errors/list/ul.html", {"errors": ["Say it."]}) is None
    assert "errorlist" in str(Everything({}, renderer=Renderer())["text"].errors)


def test_groups_of_options_are_left_to_the_template():
    assert "<optgroup" in str(Everything(renderer=Renderer())["grouped"])
