"""The sheet for a customer's answers in a browser: for every thumb, keyboard and reader, and without scripts."""

import pytest

from crm.models import Answer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 1440), ("de", "dark", 390), ("en", "light", 390)]


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_the_sheet_is_accessible_and_fits(page_as, axe, overflow, screenshot, problems, lang, theme, width):
    customer = CustomerFactory(given_name="Jördis", family_name="Wüstenhagen-Özdemir")
    page = page_as("support", f"/customers/{customer.pk}/answers/", lang, theme, width=width)
    assert axe(page) == [] and overflow(page) == []
    screenshot(page, f"answers-{lang}-{theme}-{width}")
    page.locator(".answers [name=csat][value='9']").check(force=True)
    page.locator("button[type=submit].btn-primary").click()
    page.wait_for_load_state()
    assert page.locator(".answers [name=csat][value='9']").is_checked(), "what was entered stays"
    assert axe(page) == [] and overflow(page) == []
    screenshot(page, f"answers-refused-{lang}-{theme}-{width}")
    problems.clear()  # 422 is the answer that this test provokes
    if width == 390:
        small = page.evaluate(
            """() => [...document.querySelectorAll('.answers .sk-segments label')]
                .map(e => e.getBoundingClientRect()).filter(r => r.height < 44 || r.width < 32).length"""
        )
        assert small == 0, "a thumb hits each"


def test_a_sheet_is_filled_in_by_keyboard_without_scripts(page_as):
    customer = CustomerFactory()
    page = page_as("support", f"/customers/{customer.pk}/answers/", "en", scripts=False)
    page.locator("[name=origin][value=customer_self]").focus()
    page.keyboard.press("Space")
    page.locator("[name=csat]").first.focus()
    for _step in range(8):
        page.keyboard.press("ArrowRight")
    page.locator("[name=trust]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/customers/{customer.pk}/")
    assert "The scores follow within a minute" in page.content()
    assert dict(Answer.objects.values_list("item", "value")) == {"csat": 7, "trust": 0}


@pytest.mark.parametrize("width", [390, 1440])
def test_the_sheet_is_one_click_from_the_customers_page(page_as, overflow, screenshot, width):
    customer = CustomerFactory(given_name="Jördis", family_name="Wüstenhagen-Özdemir")
    page = page_as("support", f"/customers/{customer.pk}/", width=width)
    assert overflow(page) == []
    screenshot(page, f"answers-profile-{width}")
    page.get_by_role("link", name="Antworten festhalten").click()
    page.wait_for_url("**/answers/")
