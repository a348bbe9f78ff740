"""What a person sets for their own screen."""

import pytest
from django.urls import reverse

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(client):
    user = UserFactory(language="de", theme="auto")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


def test_a_theme_is_kept_for_the_person_and_for_this_browser(client, anna):
    response = client.post(reverse("theme"), {"theme": "dark", "next": "/account/2fa/"})
    anna.refresh_from_db()
    assert anna.theme == "dark"
    assert response.cookies["theme"].value == "dark"
    assert response.url == "/account/2fa/"


def test_before_the_log_in_the_browser_keeps_it(client):
    assert client.post(reverse("theme"), {"theme": "light"}).cookies["theme"].value == "light"
    assert b'data-bs-theme="light"' in client.get("/account/login/").content


def test_an_unknown_theme_changes_nothing(client, anna):
    response = client.post(reverse("theme"), {"theme": '"><script>'})
    anna.refresh_from_db()
    assert anna.theme == "auto"
    assert "theme" not in response.cookies


@pytest.mark.parametrize("name", ["theme", "language"])
def test_nobody_is_sent_to_another_site(client, anna, name):
    response = client.post(reverse(name), {"theme": "dark", "language": "en", "next": "https://evil.test/"})
    assert response.status_code == 302
    assert "evil" not in response.url


def test_a_language_is_kept_for_the_person(client, anna):
    client.post(reverse("language"), {"language": "en", "next": "/"})
    anna.refresh_from_db()
    assert anna.language == "en"


def test_an_unknown_language_changes_nothing(client, anna):
    client.post(reverse("language"), {"language": "xx"})
    anna.refresh_from_db()
    assert anna.language == "de"


@pytest.mark.parametrize("name", ["theme", "language"])
def test_a_link_alone_changes_nothing(client, anna, name):
    assert client.get(reverse(name)).status_code == 405
