"""A real browser on a real server: pages as a member of staff sees them, and what must be true of every page."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's sync API leaves a loop running

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def chromium() -> str | None:
    """The browser to drive: CHROMIUM, else Debian's, else (None) the one that playwright brought."""
    for path in (os.environ.get("CHROMIUM"), "/usr/bin/chromium"):
        if path and Path(path).exists():
            return path
    return None


# Two busy cores may keep a page waiting for long; what is wrong is wrong after half a minute, too.
PATIENCE_MS = 30_000

# A page's check by axe takes seconds. Every screen but these waits for `make check-slow`.
ALWAYS = {("light", 1440), ("dark", 390), ("light", 320), ("dark", 320)}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        if {"theme", "width"} <= chosen.keys() and (chosen["theme"], chosen["width"]) not in ALWAYS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        yield started
        started.close()


class Problems(list[str]):
    """What a page complained about: console errors, broken requests, violations of the content policy."""

    def watch(self, page: Any) -> None:
        page.on("console", lambda message: message.type in {"error", "warning"} and self.append(message.text))
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on(
            "response",
            lambda response: (
                response.status >= 400
                and response.request.resource_type != "document"
                and self.append(f"{response.status} {response.url}")
            ),
        )


@pytest.fixture
def problems() -> Iterator[Problems]:
    """Collected from every page of a test; must be empty at its end (a test that provokes some clears them)."""
    found = Problems()
    yield found
    assert not found, "\n".join(found)


@pytest.fixture
def open_page(browser: Any, live_server: Any, problems: Problems) -> Iterator[Callable[..., Any]]:
    """Open a page as nobody: open_page(path, lang="de", theme="light", width=1440, cookies=(), scripts=True).

    None for the path leaves it blank. What looks at many pages in a row has one page go from each to the next, which
    costs a third of a new one: page.goto("/customers/").
    """
    contexts = []

    def opened(
        path: str | None = "/",
        lang: str = "de",
        theme: str = "light",
        width: int = 1440,
        cookies: tuple[tuple[str, str], ...] = (),
        scripts: bool = True,
    ) -> Any:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            locale=lang,
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        kept = (("theme", theme), (django_settings.LANGUAGE_COOKIE_NAME, lang), *cookies)
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in kept])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        problems.watch(page)
        if path is not None:
            page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page_as(open_page: Callable[..., Any], db: None) -> Callable[..., Any]:
    """Open a page as a member of staff: page_as("support", "/customers/", lang="de", theme="dark", width=390)."""

    def opened(role: str, path: str | None = "/", lang: str = "de", theme: str = "light", **options: Any) -> Any:
        from tests.crm.conftest import just_signed_in
        from tests.factories import UserFactory  # models load after the conftests

        user = UserFactory(role=role, language=lang, theme=theme, first_name="Mirjam", last_name="Kästner")
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        client.user = user
        just_signed_in(client)
        name = django_settings.SESSION_COOKIE_NAME
        cookie = ((name, client.cookies[name].value),)
        return open_page(path, lang=lang, theme=theme, cookies=cookie, **options)

    return opened


@pytest.fixture
def axe() -> Callable[[Any], list[str]]:
    """What axe-core finds against WCAG 2.2 A and AA: one line a finding, empty when all is well."""

    # What passes is not described in full, which would take longer than the checks.
    check = """tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})
        .then(found => found.violations)"""

    def run(page: Any) -> list[str]:
        page.evaluate(AXE)
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in page.evaluate(check, WCAG)
            for node in violation["nodes"]
        ]

    return run


@pytest.fixture
def overflow() -> Callable[[Any], list[str]]:
    """Elements that stick out of the page sideways; empty when nothing scrolls but up and down."""

    def find(page: Any) -> list[str]:
        return page.evaluate(
            """() => {
            const root = document.documentElement, wide = root.clientWidth;
            if (root.scrollWidth <= wide) return [];
            return [...document.querySelectorAll('body *')]
              .filter(e => e.getBoundingClientRect().right > wide + 1 && !e.closest('svg, .sk-skip'))
              .map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)} > ${wide}`)
            }"""
        )

    return find


@pytest.fixture
def screenshot() -> Callable[[Any, str], None]:
    """Keep a picture of the whole page in the folder named by SCREENSHOTS; nothing when it is unset."""

    def take(page: Any, name: str) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower())}.png"), full_page=True)

    return take
