"""Public pages as people see them: on a phone, in both languages, light and dark, with and without scripts."""

import re

import pytest
from playwright.sync_api import expect

from crm import double_opt_in, texts
from crm.models import ConsentState, DoubleOptIn, LinkToken
from crm.views.public import objection
from tests.crm.public import open_shop, person, preference_path

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 390), ("en", "dark", 390), ("de", "dark", 320), ("en", "light", 390), ("de", "light", 1440)]


@pytest.fixture(autouse=True)
def shop(monkeypatch):
    monkeypatch.setattr("crm.forms_public.LEAST_SECONDS", -1)
    open_shop(name="Rösterei Amsel")
    for kind in ("imprint", "terms"):
        texts.publish_legal(kind, {"de": "Ein Absatz.\n\nNoch einer.", "en": "One paragraph.\n\nAnother."}, None)


@pytest.fixture
def paths(live_server):
    anna = person("anna@example.test", "newsletter", language="de")
    double_opt_in.request("anna@example.test", ["survey"], "de", double_opt_in.How("web"))
    asked = DoubleOptIn.objects.get()
    return {
        "sign-up": "/sign-up/",
        "framed": "/sign-up/embedded/",
        "confirm": f"/confirm/{double_opt_in.url_of(asked).split('/')[-2]}/",
        "preferences": preference_path(anna),
        "objection": "/o/" + objection.url(anna.person_key).split("/")[-2] + "/",
        "legal": "/legal/privacy/",
    }


def cookies(page):
    """What the page itself left behind: not what the test gave the browser."""
    return [one["name"] for one in page.context.cookies() if one["name"] not in ("theme", "django_language")]


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_page_is_readable_by_everybody(paths, open_page, axe, overflow, screenshot, problems, lang, theme, width):
    page = open_page(None, lang=lang, theme=theme, width=width)
    for name, path in paths.items():
        page.goto(path)
        assert axe(page) == [], name
        assert overflow(page) == [], name
        assert page.locator("h1").count() == 1 and page.locator("html").get_attribute("lang") == lang
        assert cookies(page) == []
        screenshot(page, f"public-{name}-{lang}-{theme}-{width}")
    for path in ("/confirm/torn/", "/preferences/torn/", "/o/torn/"):
        page.goto(path)
        assert axe(page) == [] and overflow(page) == []
    problems.clear()  # the browser reports the 404 of the torn links


@pytest.mark.parametrize("scripts", [True, False])
def test_from_sign_up_to_confirmation_and_preferences(open_page, live_server, scripts):
    page = open_page("/sign-up/", lang="en", width=390, scripts=scripts)
    assert not any(box.is_checked() for box in page.locator("input[type=checkbox]").all())
    page.get_by_label("E-mail address").fill("neu@example.test")
    page.get_by_label("newsletter (en)").check()
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("heading", name="Please look into your mailbox").wait_for()
    asked = DoubleOptIn.objects.get()
    page.goto(f"{live_server.url}/confirm/{double_opt_in.url_of(asked).split('/')[-2]}/")
    page.get_by_role("button", name="Yes, I confirm").click()
    page.get_by_role("heading", name="Thank you, that is confirmed").wait_for()
    assert ConsentState.objects.get().state == "given"
    page.goto(live_server.url + preference_path(asked.customer))
    page.get_by_label("newsletter (en)").uncheck()
    page.get_by_label("survey (en)").check()
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("status").wait_for()
    assert dict(ConsentState.objects.values_list("purpose_id", "state")) == {
        "newsletter": "withdrawn",
        "survey": "given",
    }
    assert cookies(page) == []


def test_what_is_missing_is_said_beside_its_field(open_page, axe, problems):
    page = open_page("/sign-up/", lang="en", width=390)
    page.get_by_label("E-mail address").fill("kein@")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_text("Nothing was sent yet").wait_for()
    expect(page.locator("fieldset")).to_contain_text("Tick at least one")
    expect(page.get_by_label("E-mail address")).to_have_value("kein@")
    assert axe(page) == []
    problems.clear()  # the browser reports the 422


def test_the_language_changes_without_a_cookie(open_page):
    page = open_page("/sign-up/", lang="de", width=390)
    page.get_by_role("link", name="English").click()
    page.get_by_role("heading", name="News from Rösterei Amsel").wait_for()
    expect(page).to_have_url(re.compile(r"\?lang=en$"))
    assert cookies(page) == []


def test_a_link_in_the_page_tells_nobody_where_it_came_from(paths, open_page, live_server):
    page = open_page(paths["preferences"], lang="en")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="privacy notice", exact=True).click()
    assert opened.value.evaluate("document.referrer") == "" and LinkToken.objects.count() == 1


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_texts_are_edited_on_every_screen(page_as, axe, overflow, theme, width):
    page = page_as("admin", None, lang="en", theme=theme, width=width)
    for path in ("", "privacy/", "ask-newsletter/"):
        page.goto(f"/settings/texts/{path}")
        assert axe(page) == [] and overflow(page) == [], path
