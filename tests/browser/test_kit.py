"""The design kit in a browser: readable for everybody, in both languages and themes, on any screen."""

import re
import time

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import expect

SCREENS = [
    ("de", "light", 1440),
    ("en", "dark", 1440),
    ("en", "light", 390),
    ("de", "dark", 390),
    ("de", "light", 320),
    ("en", "dark", 768),
    ("de", "light", 1100),
]
PASSWORD = "vier rote Kaffeemühlen"


@pytest.fixture(autouse=True)
def gallery_urls(settings):
    settings.ROOT_URLCONF = "tests.browser.gallery"
    templates = django_settings.TEMPLATES[0]
    folder = django_settings.BASE_DIR / "tests" / "browser" / "templates"
    settings.TEMPLATES = [templates | {"DIRS": [*templates["DIRS"], folder]}]


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_component_is_accessible_and_fits(page_as, axe, overflow, screenshot, lang, theme, width):
    page = page_as("admin", "/gallery/", lang=lang, theme=theme, width=width)
    expect(page.locator("[style]")).to_have_count(0)
    screenshot(page, f"gallery-{lang}-{theme}-{width}")
    expect(page.locator("html")).to_have_attribute("lang", lang)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
    assert axe(page) == []
    assert overflow(page) == []


def test_the_menu_opens_on_a_phone_without_javascript(page_as, screenshot):
    page = page_as("admin", "/gallery/", width=390, scripts=False)
    expect(page.locator("#sk-nav")).to_be_hidden()
    page.get_by_role("button", name="Menü").or_(page.get_by_role("button", name="Menu")).first.click()
    expect(page.locator("#sk-nav")).to_be_visible()
    screenshot(page, "menu-phone")


def test_slash_and_control_k_reach_the_search(page_as):
    page = page_as("support", "/gallery/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "sk-search"
    page.keyboard.type("a/b")
    expect(page.locator("#sk-search")).to_have_value("a/b")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "sk-search"


def test_a_dialog_asks_before_what_cannot_be_undone(page_as, axe, screenshot):
    page = page_as("support", "/gallery/")
    page.locator("[commandfor=erase]").first.click()
    expect(page.locator("#erase")).to_be_visible()
    screenshot(page, "dialog")
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#erase")).to_be_hidden()


def test_a_member_of_staff_chooses_language_and_theme_for_good(page_as, axe, screenshot):
    page = page_as("support", "/gallery/", lang="de", theme="light")
    page.locator(".sk-user summary").click()
    screenshot(page, "user-menu")
    assert axe(page) == []
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator(".sk-user summary").click()
    page.locator("button[name=theme][value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page).to_have_url(re.compile("/gallery/$"))
    page.context.clear_cookies(name="theme")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("scripts", [True, False])
def test_auto_follows_the_device(browser, live_server, problems, scripts):
    context = browser.new_context(color_scheme="dark", java_script_enabled=scripts)
    page = context.new_page()
    problems.watch(page)
    page.goto(live_server.url + "/account/login/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 18, 19)"
    expect(page.locator("html")).to_have_attribute("data-bs-theme", ("dark" if scripts else "auto"))
    context.close()


@pytest.mark.parametrize(("lang", "theme", "width"), [("de", "light", 1440), ("en", "dark", 390), ("de", "light", 320)])
def test_the_sign_in_page_is_accessible(open_page, axe, overflow, screenshot, lang, theme, width):
    page = open_page("/account/login/", lang=lang, theme=theme, width=width)
    screenshot(page, f"login-{lang}-{theme}-{width}")
    assert axe(page) == []
    assert overflow(page) == []


def test_a_wrong_password_says_so_beside_the_form(open_page, axe, screenshot):
    page = open_page("/account/login/")
    page.locator("input[name=login]").fill("nobody")
    page.locator("input[name=password]").fill("wrong")
    page.locator("main button[type=submit].btn-primary").click()
    expect(page.get_by_role("alert")).to_be_visible()
    screenshot(page, "login-wrong")
    assert axe(page) == []


def test_the_account_pages_wear_the_look(page_as, axe, overflow, screenshot):
    page = page_as("support", None, width=1100)
    for path in ("password/change/", "2fa/", "email/", "reauthenticate/", "logout/", "password/reset/"):
        page.goto(f"/account/{path}")
        screenshot(page, f"account-{path}")
        assert page.locator(".sk-sheet").count() >= 1, path
        assert axe(page) == [], path
        assert overflow(page) == [], path


def sign_in(page, username):
    page.locator("input[name=login]").fill(username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button[type=submit].btn-primary").click()


def test_the_second_factor_is_set_up_and_asked_for(open_page, live_server, axe, screenshot, problems):
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    from tests.factories import UserFactory

    user = UserFactory(first_name="Mirjam", last_name="Kästner", language="de")
    user.set_password(PASSWORD)
    user.save()

    def code(secret):
        return format_hotp_value(hotp_value(secret, int(time.time()) // 30))

    page = open_page("/account/login/")
    sign_in(page, user.username)
    page.goto(live_server.url + "/account/2fa/totp/activate/")
    page.locator("input[name=password]").fill(PASSWORD)  # asked again before what guards the account
    page.locator("main .btn-primary").click()
    secret = page.locator("#authenticator_secret").input_value()
    screenshot(page, "mfa-activate")
    assert axe(page) == []
    page.locator("input[name=code]").fill(code(secret))
    page.locator("main .btn-primary").click()
    screenshot(page, "mfa-codes")
    assert axe(page) == []
    page.goto(live_server.url + "/account/2fa/")
    screenshot(page, "mfa-active")
    assert axe(page) == []

    page.locator(".sk-user summary").click()
    page.locator(".sk-user-panel form[action*=logout] button").click()
    page.wait_for_url("**/account/login/**")
    sign_in(page, user.username)
    page.wait_for_url("**/account/2fa/authenticate/**")
    screenshot(page, "mfa-authenticate")
    assert axe(page) == []


def test_what_people_are_called_cannot_become_markup(page_as):
    from crm.models import User

    page = page_as("support", "/gallery/")
    User.objects.update(first_name="<img src=x onerror=alert(1)>", last_name='"quoted"')
    page.reload()
    expect(page.locator("img")).to_have_count(0)
    assert "<img src=x onerror=alert(1)>" in page.locator(".sk-user-panel b").first.text_content()


@pytest.mark.parametrize(("path", "number"), [("/nothing-here", "404"), ("/gallery/broken", "500")])
def test_error_pages_say_what_to_do(open_page, axe, screenshot, problems, path, number):
    page = open_page(path)
    screenshot(page, f"error-{number}")
    expect(page.locator("main")).to_contain_text(number)
    assert page.locator("main a").count() >= 1
    assert axe(page) == []
    problems.clear()  # the browser reports the status of the page itself
