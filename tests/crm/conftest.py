"""Pages as members of staff see them, and crm without the apps above it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext


def just_signed_in(browser: Client, ago: float = 0) -> None:
    """What the log-in page leaves in the session: when the password was typed, seconds ago."""
    session = browser.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - ago}]
    session["account_authentication_methods_user"] = str(browser.user.pk)
    session.save()


@pytest.fixture
def as_staff(db: None) -> Callable[..., Client]:
    """as_staff("support", language="en"): a browser in which such a person is logged in."""
    from tests.factories import UserFactory

    def signed_in(role: str = "support", language: str = "en", **more: Any) -> Client:
        user = UserFactory(role=role, language=language, **more)
        browser = Client()
        browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        browser.user = user
        just_signed_in(browser)
        return browser

    return signed_in


@pytest.fixture
def count_queries() -> Callable[[Callable[[], Any]], int]:
    def count(action: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as seen:
            action()
        return len(seen)

    return count


@pytest.fixture
def alone() -> Iterator[None]:
    """crm as if no upper app had registered a plugin."""
    from crm import plugins

    kept = plugins.registered()
    plugins._registry.plugins = []
    yield
    plugins._registry.plugins = list(kept)
