"""What holds for every folder below `campaigns/recipes/`; a new one is found by itself."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from django.test import Client
from django.utils import translation

from campaigns import blocks, composing, filling, recipe_care, recipes, rendering, testing
from campaigns.blocks import BlockKind
from campaigns.models import Campaign, TemplateVersion
from campaigns.planning import plan_occasions
from campaigns.recipe import Recipe
from campaigns.recipes import __path__ as folders
from crm.days import today
from crm.models import Purpose
from tests.campaigns.people import open_shop
from tests.factories import UserFactory

# Which purpose a consent must name (`docs/sending.md`); a recipe that is not here has no purpose of its own yet.
PURPOSES = {
    "newsletter": {
        "thank_you",
        "coupon",
        "newsletter",
        "invitation",
        "anniversary",
        "stage_reached",
        "surprise",
        "points",
    },
    "birthday": {"birthday"},
    "survey": {"survey", "review"},
    "win_back": {"win_back"},
    "referral": {"referral"},
}
TRANSACTIONAL = {"double_opt_in", "address_change", "complaint_check_in", "contract_end", "complaint_answer"}
POSITIVE = {BlockKind.APPRECIATION, BlockKind.SURPRISE, BlockKind.BENEFIT, BlockKind.CLOSING}
RECIPES = list(recipes.everything().values())
each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.code)

pytestmark = pytest.mark.django_db


def text_of(recipe: Recipe) -> TemplateVersion:
    return TemplateVersion(subject=dict(recipe.subject), blocks=[dict(block) for block in recipe.blocks])


def test_every_folder_is_a_recipe_of_its_name():
    names = {path.parent.name for path in Path(folders[0]).glob("*/__init__.py")}
    assert names == recipes.everything().keys() == {recipe.code for recipe in RECIPES}


@each
def test_a_name_that_holds_a_comma_breaks_no_sentence(recipe: Recipe) -> None:
    """“Mirjam Kästner, Rösterei Amsel” stands at the end of a line or sentence."""
    for block in recipe.blocks:
        for text in block["text"].values():
            assert not re.search(r"\{\{ (signed_by|sender_name) \}\}(?!\.?(\n|$|\{%))", text), text


@each
def test_its_text_is_whole_in_both_languages_and_may_be_kept(recipe: Recipe) -> None:
    version = text_of(recipe)
    blocks.check(version.subject, version.blocks)
    assert rendering.languages(version) == ["de", "en"]
    assert recipe_care.text_faults(recipe, version.subject, version.blocks) == []


@each
def test_it_renders_for_people_who_are_hard_with_and_without_a_coupon(recipe: Recipe) -> None:
    version = text_of(recipe)
    with_coupon = dict(recipe.values) | (filling.COUPON_VALUES if recipe.brings else {})
    assert rendering.problems(version, with_coupon) == []
    if recipe.brings == "may":
        version.blocks = recipe_care.with_or_without_coupon(version.blocks, ["de", "en"], wanted=False)
        assert rendering.problems(version, recipe.values) == []


@each
def test_it_uses_no_value_that_nobody_fills_in(recipe: Recipe) -> None:
    known = {*filling.COMMON_VALUES, *recipe.values} | ({*filling.COUPON_VALUES} if recipe.brings else set())
    version = text_of(recipe)
    said = [
        *version.subject.values(),
        *(text for block in version.blocks for one in blocks.texts_of(block) for text in one.values()),
    ]
    assert [filling.fault(text, known) for text in said if filling.fault(text, known)] == []


@each
def test_its_purpose_is_that_of_the_law(recipe: Recipe) -> None:
    if recipe.code in TRANSACTIONAL:
        assert recipe.message_class == "transactional"
    else:
        assert recipe.message_class == "advertising"
        assert recipe.code in PURPOSES[recipe.purpose]
    assert Purpose.objects.filter(pk=recipe.purpose).exists() or recipe.code in TRANSACTIONAL


@each
def test_what_needs_no_permission_advertises_nothing(recipe: Recipe) -> None:
    """Rule L24; Bundesgerichtshof VI ZR 225/17."""
    if recipe.message_class == "transactional":
        assert [block for block in recipe.blocks if blocks.advertises(block)] == []
        assert not recipe.brings


@each
def test_it_begins_with_a_greeting_and_ends_well(recipe: Recipe) -> None:
    """Rules L09 and L10."""
    kinds = [block["kind"] for block in recipe.blocks if block["kind"] != BlockKind.LEGAL]
    assert kinds[0] == BlockKind.GREETING
    assert kinds[-1] in POSITIVE


@each
def test_its_mail_carries_the_notice_and_both_headers_unless_it_needs_no_permission(recipe: Recipe) -> None:
    shop = open_shop(language="de")
    if recipe.standing:
        campaign = recipes.standing_campaign(recipe)
    else:
        campaign = Campaign(recipe=recipe.code, options=recipe.first_options)
    version = campaign.template_version or text_of(recipe)
    order = testing.order_for(campaign, "jo@example.test", "de")
    mail = composing.compose(order, shop, version)
    advertising = recipe.message_class == "advertising"
    assert ("List-Unsubscribe" in mail.extra_headers) == advertising
    assert ("List-Unsubscribe-Post" in mail.extra_headers) == advertising
    html = mail.alternatives[0][0]
    for body in (mail.body, html):
        assert ("widersprechen" in body) == advertising
        assert ("/u/" in body) == advertising
        assert shop.imprint.splitlines()[0] in body


@each
def test_what_the_page_says_of_it_is_there_in_german(recipe: Recipe) -> None:
    said = [recipe.label, recipe.description, *([recipe.at_most] if recipe.at_most else [])]
    said += [word for setting in recipe.settings for word in (setting.label, setting.help, setting.unit) if word]
    with translation.override("en"):
        english = [str(word) for word in said]
    with translation.override("de"):
        german = [str(word) for word in said]
    same = {"Newsletter", "Link", "Name", "Status"}
    assert [word for word, other in zip(english, german, strict=True) if word == other and word not in same] == []


@each
def test_its_settings_start_with_what_may_be_kept(recipe: Recipe) -> None:
    codes = [setting.code for setting in recipe.settings]
    assert len(codes) == len(set(codes))
    for setting in recipe.settings:
        assert setting.kind in ("number", "choice", "flag", "text", "day")
        assert setting.allows(setting.default), setting.code
        assert not setting.allows(object())


@each
def test_it_has_a_page(recipe: Recipe) -> None:
    open_shop(language="de")
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/campaigns/recipes/{recipe.code}/")
    assert page.status_code == 200 and page.context["recipe"] is recipe
    for language in ("de", "en"):
        assert client.get(f"/campaigns/recipes/{recipe.code}/preview?language={language}").status_code == 200


# A folder alone

TEMPORARY = '''
"""For a test."""
from campaigns.recipe import Occasion, Recipe, Setting

DAYS = Setting("days", "Days", "number", default=7, minimum=1, maximum=30)

def audience(moment):
    return """SELECT customer.id AS customer_id, 'kite:' || customer.id AS dedupe_key, '' AS cause,
      NULL::bigint AS event_id, now() AS not_before, now() + interval '1 day' AS not_after
      FROM crm_customer customer WHERE %(audience_days)s > 0""", {"audience_days": DAYS.of(moment.campaign)}

TEXT = {"de": "x", "en": "x"}
RECIPE = Recipe(code="kite", label="Kite", description="Flies", occasion=Occasion.CALENDAR, audience=audience,
    message_class="advertising", purpose="newsletter", subject=TEXT, settings=(DAYS,),
    blocks=[{"kind": "greeting", "text": TEXT}, {"kind": "closing", "text": TEXT}])
'''


@pytest.fixture
def kite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recipe]:
    """A recipe whose folder lies beside the others for one test."""
    ast.parse(TEMPORARY)
    folder = tmp_path / "kite"
    folder.mkdir()
    (folder / "__init__.py").write_text(dedent(TEMPORARY))
    monkeypatch.setattr(recipes, "__path__", [*folders, str(tmp_path)])
    recipes.everything.cache_clear()
    yield recipes.everything()["kite"]
    recipes.everything.cache_clear()
    sys.modules.pop("campaigns.recipes.kite", None)


def test_a_folder_is_all_that_a_new_recipe_needs(kite: Recipe) -> None:
    open_shop(language="de")
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    assert "/campaigns/recipes/kite/" in client.get("/campaigns/").content.decode()
    page = client.get("/campaigns/recipes/kite/")
    assert "set_days" in page.content.decode()
    client.post("/campaigns/recipes/kite/settings", {"set_days": "12", "hold_out": "10"})
    client.post("/campaigns/recipes/kite/switch", {"on": "1"})
    campaign = recipes.standing_campaign(kite)
    assert (campaign.options["days"], campaign.hold_out, campaign.switched_on) == (12, 10, True)
    assert "kite" in plan_occasions(today())
