"""The counter in a browser: readable on phone and tablet, scanning with a camera, typing without one."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import segno
from django.conf import settings as django_settings
from django.test import Client
from django.utils.timezone import now
from playwright.sync_api import expect

from crm.models import InteractionEmotion
from loyalty.coupons import codes
from loyalty.models import Redemption
from tests.browser.conftest import ARGS, chromium
from tests.campaigns.people import open_shop
from tests.factories import AssessmentFactory, ComplaintFactory, CustomerFactory, UserFactory
from tests.loyalty.coupons import batch, coupon

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 390), ("en", "dark", 390), ("de", "dark", 1180), ("en", "light", 820), ("de", "light", 320)]
LONG = "Wüstenhagen-Özdemir-von-und-zu-Obermayer-Schallenberg"


@pytest.fixture
def people():
    """A regular customer with an open complaint and coupons, and one of whom nothing is known."""
    open_shop(language="de", name="Rösterei Amsel")
    anna = CustomerFactory(salutation="ms", title="Dr.", family_name=LONG, city="Göttingen")
    AssessmentFactory(customer=anna, stage="regular")
    ComplaintFactory(
        customer=anna, text="Die Mühle mahlt ungleichmäßig.", opened_at=now() - timedelta(days=4),
        due_at=now() + timedelta(days=1),
    )  # fmt: skip
    coupon(batch(valid_until=(now() + timedelta(days=30)).date(), minimum=20), customer=anna)
    coupon(batch("percent", 10), customer=anna)
    return anna


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_every_state_is_readable_for_everybody(people, page_as, axe, overflow, screenshot, lang, theme, width):
    free = coupon(batch(minimum=20, uses=9))
    CustomerFactory(family_name=LONG, given_name="Maximiliane", company_name="Kaffeefreunde Südniedersachsen e. V.")
    states = {
        "start": "",
        "customer": f"?customer={people.pk}",
        "new": f"?customer={CustomerFactory(family_name='Neu').pk}",
        "code": f"?q={free.code}",
        "both": f"?customer={people.pk}&q={free.code}",
        "refused": f"?q={codes.random_codes(1)[0]}",
        "nobody": "?q=Niemand%20da",
        "people": f"?q={LONG[:12]}",
    }
    page = page_as("support", "/counter/", lang=lang, theme=theme, width=width)
    for name, query in states.items():
        page.goto(page.url.split("?")[0] + query)
        assert page.locator("h1").count() == 1 and page.locator("[style]").count() == 0
        for fold in page.locator("main details:not(.counter-change) > summary").all():
            fold.click()
        screenshot(page, f"counter-{name}-{lang}-{theme}-{width}")
        assert axe(page) == [], name
        assert overflow(page) == [], name


@pytest.mark.parametrize("scripts", [True, False])
def test_a_code_is_typed_redeemed_and_undone(people, page_as, axe, screenshot, scripts):
    made = coupon(batch(minimum=20))
    page = page_as("support", "/counter/", lang="de", width=390, scripts=scripts)
    page.locator("#counter-q").fill(codes.shown(made.code).lower())
    page.keyboard.press("Enter")
    page.locator("[name=total]").fill("49,90")
    page.locator(".counter-redeem button[type=submit]").click()
    expect(page.locator(".counter-off")).to_contain_text("5,00")
    expect(page.locator(".counter-done")).to_contain_text("44,90")
    if scripts:
        screenshot(page, "counter-done-de-390")
        assert axe(page) == []
    page.locator(".counter-done button").click()
    page.locator(".sk-note.is-good").wait_for()
    assert Redemption.objects.get().state == "released"


def test_a_double_tap_redeems_once(people, page_as):
    made = coupon(batch(uses=5))
    page = page_as("support", f"/counter/?q={made.code}", lang="en", width=390)
    page.locator("[name=total]").fill("30")
    page.locator(".counter-redeem button[type=submit]").dblclick()
    page.locator(".counter-off").wait_for()
    assert Redemption.objects.count() == 1


def test_two_taps_say_how_it_was(people, page_as, screenshot):
    page = page_as("support", f"/counter/?customer={people.pk}", lang="de", width=390)
    page.locator(".counter-felt .is-positive").first.click()
    page.locator(".counter-moment > button").click()
    page.locator(".counter-recent a").wait_for()
    screenshot(page, "counter-recorded-de-390")
    assert InteractionEmotion.objects.get().emotion == "pleased"


def test_an_open_coupon_is_one_tap_away(people, page_as):
    page = page_as("support", f"/counter/?customer={people.pk}", lang="en", width=820)
    page.locator(".counter-coupons a").first.click()
    expect(page.locator(".counter-redeem")).to_be_visible()
    expect(page.locator(".counter-card")).to_be_visible()


# The camera


def y4m(path: Path, text: str, width: int = 640, height: int = 480) -> Path:
    """A video of a still QR code, as Chromium's invented camera plays it: grey pictures, uncompressed."""
    bits = [[bool(bit) for bit in row] for row in segno.make_qr(text, error="m").matrix_iter(border=4)]
    cell = (height - 40) // len(bits)
    left, top = (width - cell * len(bits)) // 2, (height - cell * len(bits)) // 2
    picture = [bytearray(b"\xeb" * width) for _line in range(height)]
    for y, row in enumerate(bits):
        line = b"".join((b"\x10" if dark else b"\xeb") * cell for dark in row)
        for at in range(top + y * cell, top + (y + 1) * cell):
            picture[at][left : left + len(line)] = line
    frame = b"FRAME\n" + b"".join(picture) + b"\x80" * (width * height // 2)
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420\n".encode() + frame * 5)
    return path


@pytest.fixture
def camera_page(db, browser, live_server, problems, tmp_path) -> Iterator[Any]:
    """camera_page(text held into the camera or None for no camera, host): the counter in a browser of its own."""
    closing = []

    def opened(text: str | None, host: str = "localhost") -> Any:
        flags = [*ARGS, f"--host-resolver-rules=MAP {host} 127.0.0.1"]
        if text is not None:
            video = y4m(tmp_path / "camera.y4m", text)
            flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]
        started = browser.browser_type.launch(executable_path=chromium(), args=flags)
        closing.append(started)
        client = Client()
        client.force_login(UserFactory(language="en"), backend="django.contrib.auth.backends.ModelBackend")
        url = live_server.url.replace("localhost", host)
        context = started.new_context(viewport={"width": 390, "height": 844}, locale="en")
        if host == "localhost":
            context.grant_permissions(["camera"], origin=url)
        name = django_settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        problems.watch(page)
        page.goto(f"{url}/counter/")
        return page

    yield opened
    for started in closing:
        started.close()


def test_a_code_held_into_the_camera_is_found(people, camera_page):
    made = coupon(batch(minimum=20))
    page = camera_page(made.code)
    page.locator("#counter-scan").click()
    page.locator(".counter-redeem").wait_for()
    expect(page.locator("#counter-q")).to_have_value(codes.shown(made.code))
    expect(page.locator("[name=code]")).to_have_attribute("value", made.code)


def test_the_camera_stops_by_its_button_and_when_the_page_is_hidden(people, camera_page):
    page = camera_page("https://example.test/nothing-to-see")
    page.route(
        "**/jsQR.js", lambda route: route.fulfill(content_type="text/javascript", body="window.jsQR = () => null")
    )
    page.evaluate(
        """() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async wish => window.opened = await ask(wish) }"""
    )
    live = "() => window.opened.getTracks().some(track => track.readyState === 'live')"
    for stop in ("button", "hidden"):
        page.locator("#counter-scan").click()
        page.locator("#counter-video").wait_for()
        page.wait_for_function("() => document.getElementById('counter-video').videoWidth > 0")
        assert page.evaluate(live)
        if stop == "button":
            page.locator("#counter-stop").click()
        else:
            page.evaluate(
                """() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});
                document.dispatchEvent(new Event('visibilitychange')) }"""
            )
        assert not page.evaluate(live)
        expect(page.locator("#counter-camera")).to_be_hidden()


def test_without_permission_the_page_says_so(people, camera_page):
    page = camera_page("x")
    page.evaluate(
        """() => { navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError')) }"""
    )
    page.locator("#counter-scan").click()
    page.get_by_text("may not use the camera").wait_for()
    assert page.locator("#counter-scan").is_enabled()


def test_without_a_camera_the_page_says_so(people, camera_page):
    page = camera_page(None)
    page.locator("#counter-scan").click()
    page.get_by_text("has no camera").wait_for()


def test_over_plain_http_the_page_says_why_and_typing_works(people, camera_page, settings, problems):
    settings.ALLOWED_HOSTS = ["shop.test"]
    made = coupon(batch(minimum=20))
    page = camera_page(None, host="shop.test")
    assert page.evaluate("window.isSecureContext") is False
    page.get_by_text("opened over plain http").wait_for()
    expect(page.locator("#counter-scan")).to_be_hidden()
    page.locator("#counter-q").fill(made.code)
    page.keyboard.press("Enter")
    page.locator(".counter-redeem").wait_for()
    problems[:] = [one for one in problems if "Cross-Origin-Opener-Policy" not in one]  # said of every such page
