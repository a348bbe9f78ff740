"""Who may open what: generated from the URLs themselves and compared with the matrix in access.json.

After a change that is meant: WRITE_ACCESS=1 pytest tests/crm/test_access.py, and look at what changed.
"""

import json
import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from crm import access
from crm.models import User

pytestmark = pytest.mark.django_db

GOLDEN = Path(__file__).with_name("access.json")
ROLES = ["anonymous", *User.Role.values]
SAMPLES = {
    "int": "999999",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "slug": "none",
    "str": "none",
    "path": "none",
}
# Served only while DEMO is set; tests run without.
LEFT_OUT = ("demo/",)


def routes() -> dict[str, str]:
    """Every route with the access its view declares."""
    return {
        route: access.declared(pattern) or "NOT DECLARED"
        for route, pattern in access.patterns(get_resolver())
        if not route.startswith(LEFT_OUT)
    }


def address(route: str) -> str:
    """The route with something in its places that belongs to nobody."""
    filled = re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES.get(found[1] or "str", "none"), route)
    filled = re.sub(r"\(\?P<\w+>(?:\[[^]]*\][+*]?|[^()])*\)", "0-none", filled)
    return "/" + filled.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\", "")


def outcome(browser: Client, route: str) -> str:
    """What a GET is answered with: the log-in, a refusal, or anything that the view itself says."""
    answer = browser.get(address(route))
    if answer.status_code == 302 and answer.url.startswith("/account/login/?next="):
        return "log in"
    return {401: "key needed", 403: "refused"}.get(answer.status_code, "open")


@pytest.fixture
def browsers(as_staff) -> dict[str, Client]:
    for_all = {role: as_staff(role) for role in User.Role.values} | {"anonymous": Client()}
    for browser in for_all.values():
        browser.raise_request_exception = True
    return for_all


def signed_in_again(browser: Client) -> Client:
    """A GET may log out; nobody else shall feel it."""
    held = browser.cookies.get(settings.SESSION_COOKIE_NAME)
    if hasattr(browser, "user") and (held is None or not held.value or browser.session.is_empty()):
        browser.force_login(browser.user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def test_every_url_declares_its_access():
    assert access.undeclared(get_resolver()) == []
    known = access.CAPABILITIES | {access.PUBLIC, access.LOGGED_IN}
    assert {one for one in routes().values() if one not in known and not one.startswith("scope:")} == set()


def test_the_permission_matrix_is_as_checked_in(browsers):
    found = {
        route: {"access": declared} | {role: outcome(signed_in_again(browsers[role]), route) for role in ROLES}
        for route, declared in sorted(routes().items())
    }
    written = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("WRITE_ACCESS"):
        GOLDEN.write_text(written)
    assert json.loads(GOLDEN.read_text()) == found, "see the first lines of this file"


def test_what_a_role_may_open_follows_from_what_the_view_declares():
    """The matrix agrees with `crm.access.ROLES`, whichever way the views were decorated."""
    for route, row in json.loads(GOLDEN.read_text()).items():
        declared = row["access"]
        if declared in access.CAPABILITIES:
            assert row["anonymous"] == "log in", route
            for role in User.Role.values:
                assert row[role] == ("open" if declared in access.ROLES[role] else "refused"), (route, role)
        if declared.startswith("scope:"):
            assert {row[role] for role in ROLES} == {"key needed"}, route


def test_who_no_longer_works_here_opens_nothing(as_staff):
    browser = as_staff("admin")
    User.objects.filter(pk=browser.user.pk).update(is_active=False)
    assert outcome(browser, "customers/") == "log in"


def test_support_writes_and_marketers_only_read():
    assert access.ROLES["support"] - access.ROLES["marketer"] == {"customers.edit", "pii.view", "coupons.redeem"}
    assert access.ROLES["support"] | access.ROLES["marketer"] < access.ROLES["admin"]
