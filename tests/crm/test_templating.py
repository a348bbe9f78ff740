"""Prepared templates write what Django and django-cotton write without our preparation."""

from decimal import Decimal

import pytest
from django import forms
from django.template import Context, Engine, engines
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from django_cotton.compiler_regex import CottonCompiler

from crm.forms import Styled, blank
from crm.labels import Chosen, _chosen, named
from crm.templating import Constant, Loader, prepare

ENGINE = engines["django"].engine


class Thing:
    colour = "<red>"
    word = gettext_lazy("Customers")

    def shown(self):
        return "as shown & done"

    def asks(self, what):
        return what

    def remove(self):
        raise AssertionError("a template must not change anything")

    remove.alters_data = True

    @property
    def gone(self):
        error = LookupError("nothing")
        error.silent_variable_failure = True
        raise error

    @property
    def broken(self):
        raise ZeroDivisionError


VALUES = {
    "thing": Thing(),
    "text": "<b> & 'so'",
    "safe": mark_safe("<b>bold</b>"),
    "words": ["one", "two"],
    "known": {"colour": "blue", "items": "mine", "1": "number", "deeper": {"thing": Thing()}},
    "number": 1234567,
    "amount": Decimal("1234.50"),
    "nothing": None,
    "call": lambda: "called",
    "class": Thing,
}
LOADED = "{% load i18n kit static %}"
SNIPPETS = [
    "{{ text }}{{ safe }}{{ number }}{{ amount }}{{ nothing }}{{ missing }}{{ call }}",
    "{{ thing.colour }}{{ thing.word }}{{ thing.shown }}{{ thing.asks }}{{ thing.remove }}{{ thing.gone }}",
    "{{ thing.shown.upper }}{{ text.strip }}{{ text.0 }}{{ words.1 }}{{ words.9 }}{{ class.colour }}",
    "{{ known.colour }}{{ known.items }}{{ known.1 }}{{ known.keys }}{{ known.none }}{{ known.deeper.thing.colour }}",
    "{% autoescape off %}{{ text }}{% translate 'Customers' %}{% endautoescape %}{{ text|upper|default:thing.colour }}",
    "{% if thing.colour == '<red>' and not missing.more %}{{ text }}{% elif number %}x{% else %}y{% endif %}",
    "{% for one in words %}{{ forloop.counter }}{{ one }}{% translate 'Customers' %}{% empty %}none{% endfor %}",
    "{% with short=thing.shown %}{{ short }}{% endwith %}{% translate 'Customers' as title %}{{ title }}<{{ title|upper }}",
    "{% translate 'Call' context 'telephone' %}{% translate text %}{% icon 'users' %}{% icon 'users' 'is-bad' %}",
    "{% blocktranslate count counter=number with n=number|number %}{{ n }} customer{% plural %}{{ n }} customers"
    "{% endblocktranslate %}{% static 'icons/favicon.svg' %}",
    "{% url 'today' %}{% url 'customer' number %}{% url 'customer' pk=number %}{% url 'customer' '7' %}"
    "{% url 'missing' as found %}{{ found }}",
]


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_prepared_template_writes_what_it_wrote(snippet, language):
    plain, prepared = ENGINE.from_string(LOADED + snippet), ENGINE.from_string(LOADED + snippet)
    prepare(prepared.nodelist)
    with translation.override(language):
        expected = plain.render(Context(dict(VALUES)))
        assert expected
        assert [prepared.render(Context(dict(VALUES))) for _twice in range(2)] == [expected] * 2


def test_an_error_of_our_own_code_is_not_swallowed():
    template = ENGINE.from_string("{{ thing.broken }}")
    prepare(template.nodelist)
    with pytest.raises(ZeroDivisionError):
        template.render(Context({"thing": Thing()}))


def test_what_never_changes_is_one_node_that_speaks_each_language():
    template = ENGINE.from_string(LOADED + "<b>{% translate 'Customers' %}</b>{% icon 'users' %}")
    prepare(template.nodelist)
    (only,) = template.nodelist
    assert isinstance(only, Constant)
    read = {}
    for language in ("de", "en", "de"):
        with translation.override(language):
            read[language] = template.render(Context())
    assert "<b>Kunden</b>" in read["de"] and "<b>Customers</b>" in read["en"]


def test_templates_stay_in_memory():
    """The web process compiles a template once; so does every other one."""
    (around,) = ENGINE.template_loaders
    (kept,) = around.loaders
    assert isinstance(kept, Loader)
    assert ENGINE.get_template("base.html") is ENGINE.get_template("base.html")


COMPONENTS = [
    '<c-badge icon="check" tone="good">{{ text }}</c-badge>',
    '<c-button href="{{ text }}" :small="True" icon="mail" data-x="{{ text }}" disabled>{{ text }}</c-button>',
    '<c-button type="submit" :kind="missing" :icon="known.none" hx-get="/x/">{% translate "Filter" %}</c-button>',
    '<c-section :title="text" :note="thing.word" id="a" class="wide"><c-slot name="end">{{ safe }}</c-slot>x</c-section>',
    '<c-sheet><c-section title="{% translate \'Customers\' %}">{% if number %}<c-slot name="end">y</c-slot>{% endif %}'
    '<c-rows><c-row icon="x" tone="bad">{{ text }}<c-slot name="end">z</c-slot></c-row></c-rows></c-section></c-sheet>',
    '<c-tile name="n" :value="nothing" /><c-tile name="n" value="0" note="{{ text }}" />',
    '<c-reason name="r" :score="amount" :lines="[]" :total="words" :open="True" /><c-reason :name="text" />',
    '<c-unknown /><c-unknown>{{ text }}</c-unknown><c-chip :current="True" :count="number">{{ text }}</c-chip>',
]


@pytest.mark.parametrize("source", COMPONENTS)
def test_a_component_is_drawn_as_cotton_draws_it(source):
    plain = Engine(
        builtins=["django.templatetags.i18n", "django_cotton.templatetags.cotton"], libraries=ENGINE.libraries
    )
    compiled = CottonCompiler().process(LOADED + source)
    expected, ours = plain.from_string(compiled), ENGINE.from_string(compiled)
    prepare(ours.nodelist)
    shown = expected.render(Context(dict(VALUES)))
    assert "<" in shown
    assert [ours.render(Context(dict(VALUES))) for _twice in range(2)] == [shown] * 2


def test_the_merchants_words_are_part_of_what_an_empty_form_is_kept_under():
    class Choosing(Styled, forms.Form):
        where = forms.ChoiceField(choices=[("till", named("place", "till", "At the till"))])

    chosen = Chosen()
    chosen.words = {}
    with translation.override("en"):
        token = _chosen.set(chosen)
        try:
            assert "At the till" in blank(Choosing)["where"]
            other = Chosen()
            other.words = {"place.till": {"en": "In the shop"}}
            _chosen.set(other)
            assert "In the shop" in blank(Choosing)["where"]
        finally:
            _chosen.reset(token)
