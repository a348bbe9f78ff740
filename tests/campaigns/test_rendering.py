"""Texts become mails: values filled in, never obeyed."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import freezing, recipes, rendering
from campaigns.models import BlockKind, Campaign, TemplateVersion
from campaigns.recipe import Moment, Occasion, Recipe
from campaigns.rendering import COMMON_VALUES, RenderError
from crm.models import Purpose, Shop

VALUES = COMMON_VALUES | rendering._LEGAL_VALUES
RECIPES = list(recipes.everything().values())


def version(text: str = "Hallo", subject: str = "Betreff", **more: object) -> TemplateVersion:
    blocks = [
        {"kind": "greeting", "text": {"de": "{{ opening }},"}},
        {"kind": "appreciation", "text": {"de": text}} | more,
    ]
    return TemplateVersion(subject={"de": subject}, blocks=blocks)


def mail(text: str = "Hallo", **values: str) -> rendering.Content:
    return rendering.compiled(version(text), "de", "advertising").fill(VALUES | values)


def test_values_are_text_and_never_markup() -> None:
    made = mail("Hallo {{ given_name }}", given_name="<b>Jörg & Co</b>")
    assert "Hallo <b>Jörg & Co</b>" in made.text
    assert "Hallo &lt;b&gt;Jörg &amp; Co&lt;/b&gt;" in made.html


def test_what_a_marketer_writes_is_text_and_never_markup() -> None:
    assert "<script>" not in mail("<script>alert(1)</script> a < b & c").html


def test_nobody_can_write_what_stands_for_a_placeholder_meanwhile() -> None:
    made = mail("{% if name != '' %}LQ0QL LQ0n0QL {{ given_name }}{% endif %}", given_name="Jörg")
    assert "LQ0QL LQ0n0QL Jörg" in made.html and mail("Hallo {{ name }}").html == mail("Hallo {{ name }}").html


def test_lines_stay_lines() -> None:
    assert "eins<br>zwei" in mail("eins\nzwei").html
    assert "GmbH<br" in mail("x", imprint="Beispiel GmbH\nMusterstadt").html


def test_a_call_to_action_is_a_button_and_an_address() -> None:
    made = rendering.compiled(version("Ansehen", kind="cta", url="https://shop.test/?a=1&b=2"), "de", "advertising")
    content = made.fill(VALUES)
    assert 'href="https://shop.test/?a=1&amp;b=2"' in content.html
    assert "Ansehen\nhttps://shop.test/?a=1&b=2" in content.text


@pytest.mark.parametrize(
    "text",
    [
        "{{ unknown }}",
        "{{ opening.__class__ }}",
        "{{ opening | nosuch }}",
        "{% include 'settings' %}",
        "{% render 'x' %}",
        "{% assign a = 1 %}",
        "{{ 'a' | base64_encode }}",
        "{% for i in (1..100000) %}x{% endfor %}",
        "{% if %}",
        "{{ opening",
        "{% capture x %}{% endcapture %}",
        "{{ opening | url_encode }}",
        "{{ opening | safe }}",
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(RenderError):
        mail(text)
    assert rendering.problems(version(text))


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "{{ ''.__class__.__mro__ }}", "${7*7}", "{0.__class__}", "%(x)s", "{{ config }}", "<%= 1 %>"]
)
def test_template_tricks_do_nothing(text: str) -> None:
    try:
        made = mail(text)
    except RenderError:
        return
    assert "49" not in made.text and "class" not in made.text.replace(text, "")


@given(text=st.text(max_size=80))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_renders_or_is_refused(text: str) -> None:
    try:
        made = mail(text)
    except RenderError:
        return
    assert "\n" not in made.subject


def test_subjects_are_one_line_without_control_characters() -> None:
    made = rendering.compiled(version(subject="Neu:\r\nBcc: {{ given_name }}"), "de", "advertising")
    assert made.fill(VALUES | {"given_name": "a\r\nX: y\u202e"}).subject == "Neu: Bcc: a X: y"


def test_the_notice_says_why_truthfully() -> None:
    assert "weil Sie dem zugestimmt haben" in mail(ground="consent").text
    assert "weil Sie bei Rösterei Beispiel gekauft haben" in mail(ground="existing_customer").text
    transactional = rendering.compiled(version(), "de", "transactional").fill(VALUES)
    assert "widersprechen" not in transactional.text and "Beispiel GmbH" in transactional.text


@pytest.mark.parametrize("subject", ["Re: Ihre Anfrage", "Fwd: Angebot", "AW: Termin", "Ihre Rechnung 17"])
def test_advertising_is_not_disguised(subject: str) -> None:
    assert rendering.problems(version(subject=subject))


def test_the_language_is_the_customers_if_the_text_has_it() -> None:
    both = recipes.everything()["thank_you"]
    text = TemplateVersion(subject=dict(both.subject), blocks=list(both.blocks))
    assert rendering.language_for(text, "en", "de") == "en"
    assert rendering.language_for(text, "", "de") == "de"
    assert rendering.language_for(version(), "en", "en") == "de"


class TestEveryRecipe:
    """Holds for every folder below `campaigns/recipes/`, new ones included."""

    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.code)
    def test_has_texts_that_render_in_both_languages(self, recipe: Recipe) -> None:
        text = TemplateVersion(subject=dict(recipe.subject), blocks=copy.deepcopy(list(recipe.blocks)))
        assert rendering.languages(text) == ["de", "en"]
        assert rendering.problems(text, recipe.values) == []
        assert all(block["kind"] in BlockKind.values for block in recipe.blocks)
        assert recipe.blocks[0]["kind"] == "greeting" and recipe.blocks[-1]["kind"] == "closing"
        made = rendering.example(text, "de", recipe.values)
        assert "Sehr geehrte Frau Dr. Müller" in made.text and "Sehr geehrte Frau Dr. Müller" in made.html

    @pytest.mark.django_db
    @pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.code)
    def test_has_an_audience_purpose_and_place(self, recipe: Recipe, django_assert_num_queries: object) -> None:
        from datetime import date

        from django.db import connection
        from django.utils.timezone import now

        assert recipe.code == recipe.code.lower() and str(recipe.label) and str(recipe.description)
        assert recipe.message_class in ("advertising", "transactional")
        Purpose.objects.get_or_create(code=recipe.purpose)
        campaign = Campaign(recipe=recipe.code, stages=["buyer"], send_at=now(), options=dict(recipe.options))
        moment = Moment(campaign, Shop.current(), event_ids=[1], day=date(2026, 2, 28))
        judged, parameters = freezing.question(recipe, moment, 1)
        with django_assert_num_queries(1), connection.cursor() as cursor:  # type: ignore[operator]
            cursor.execute(
                judged + "SELECT customer_id, dedupe_key, cause, event_id, not_before, not_after FROM decided",
                parameters,
            )
        assert bool(recipe.event_kind) == (recipe.occasion is Occasion.EVENT)

    def test_is_found_by_its_folder(self) -> None:
        assert {"thank_you", "birthday", "newsletter"} <= set(recipes.everything())
