"""The questionnaire behind a mail as people see it: on a phone first, in both languages, with and without scripts."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from crm import surveys
from crm.models import Answer
from tests.crm.public import open_shop, person
from tests.factories import PurchaseFactory

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 390), ("en", "dark", 390), ("de", "dark", 320), ("en", "light", 1440), ("de", "dark", 1440)]


@pytest.fixture
def path(live_server) -> str:
    open_shop(name="Rösterei Amsel")
    anna = person("anna@example.test", "survey", language="de")
    delivery = uuid4()
    surveys.invite([surveys.Invited(delivery, anna.pk, PurchaseFactory(customer=anna).pk)])
    return f"/survey/{surveys.token_of(delivery)}/"


@pytest.mark.parametrize("scripts", [False])
def test_a_thumb_answers_in_a_minute_and_is_thanked(path, open_page, scripts):
    page = open_page(path, lang="de", width=390, scripts=scripts)
    page.get_by_role("group", name="wie zufrieden").get_by_text("9", exact=True).click()
    page.get_by_role("group", name="glücklich", exact=True).get_by_text("10", exact=True).click()
    page.get_by_label("Was möchten Sie uns noch sagen").fill("Der Kaffee war noch warm.")
    page.get_by_role("button", name="Antworten abschicken").click()
    expect(page.get_by_role("heading", name="Danke, Ihre Antworten sind angekommen")).to_be_visible()
    assert dict(Answer.objects.values_list("item", "value")) == {"csat": 9, "nev_happy": 10}


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_page_of_it_is_readable_by_everybody(
    path, open_page, axe, overflow, screenshot, problems, lang, theme, width
):
    for name, action in {"open": None, "wrong": "send", "thanks": "answer", "answered": "again"}.items():
        page = open_page(path, lang=lang, theme=theme, width=width)
        if action == "answer":
            page.locator("input[name=csat][value='9']").check(force=True)
        if action == "send":
            page.get_by_label("10", exact=True).first.check(force=True)
            screenshot(page, f"survey-chosen-{lang}-{theme}-{width}")
            page.locator("input[value='']").first.check(force=True)
        if action in ("send", "answer"):
            page.locator("form button[type=submit]").click()
            expect(page.get_by_role("alert") if action == "send" else page.locator("form.survey")).to_have_count(
                1 if action == "send" else 0
            )
        assert axe(page) == [] and overflow(page) == [], name
        assert page.locator("h1").count() == 1 and page.locator("html").get_attribute("lang") == lang
        screenshot(page, f"survey-{name}-{lang}-{theme}-{width}")
    problems.clear()  # the browser reports the 422 of the empty form
