"""The demo's mail server keeps every mail, and its pages show them to staff."""

import smtplib
from email.message import EmailMessage

import pytest

from config import demo, embedded
from tests.factories import UserFactory


@pytest.fixture
def mail_server(tmp_path, monkeypatch):
    """Sends a mail to the running server of the demo."""
    monkeypatch.setattr(embedded, "DATA", tmp_path)
    stop, port = demo.start_mail_server(tmp_path / "mail")

    def send(subject: str, to: str = "Änne Öhm <aenne@example.com>", html: str = "") -> None:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"], mail["X-Delivery-ID"] = subject, "shop@example.com", to, "d-1"
        mail.set_content("Guten Tag Änne,\nbis bald: https://example.com/u/1")
        if html:
            mail.add_alternative(html, subtype="html")
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(mail)

    yield send
    stop()


@pytest.fixture
def staff(client, db, settings, monkeypatch):
    settings.ROOT_URLCONF = "tests.system.demo_urls"
    client.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_every_mail_is_kept_and_listed_newest_first(mail_server, staff):
    mail_server("Herzlichen Glückwunsch")
    mail_server("Danke für Ihren Einkauf")
    page = staff.get("/demo/mail/").content.decode()
    assert page.index("Danke für Ihren Einkauf") < page.index("Herzlichen Glückwunsch")


def test_a_mail_is_found_by_its_recipient(mail_server, staff):
    mail_server("An Änne")
    mail_server("An Bert", to="bert@example.com")
    page = staff.get("/demo/mail/", {"q": "BERT@"}).content.decode()
    assert "An Bert" in page and "An Änne" not in page


def test_a_mail_shows_headers_text_and_its_html_apart(mail_server, staff, tmp_path):
    mail_server("Hallo", html="<html><head></head><body><script>alert(1)</script><b>Guten Tag</b></body></html>")
    name = next((tmp_path / "mail").glob("*.eml")).stem
    page = staff.get(f"/demo/mail/{name}/").content.decode()
    assert "d-1" in page and "Guten Tag Änne" in page and "alert(1)" not in page
    html = staff.get(f"/demo/mail/{name}/html")
    assert html["X-Frame-Options"] == "SAMEORIGIN"
    assert html["Content-Security-Policy"].startswith("default-src 'none'") and "script-src" not in html["Content-Security-Policy"]
    assert '<base target="_blank">' in html.content.decode()


@pytest.mark.parametrize("name", ["20260101T000000000000-deadbeef", "passwd", "settings"])
def test_a_mail_that_is_not_there_is_not_found(mail_server, staff, name):
    assert staff.get(f"/demo/mail/{name}/").status_code == 404


def test_the_pages_are_for_staff(client, db, settings):
    settings.ROOT_URLCONF = "tests.system.demo_urls"
    assert client.get("/demo/mail/").status_code == 302


def test_the_pages_are_no_part_of_a_real_installation(client, db):
    assert client.get("/demo/mail/").status_code == 404


@pytest.mark.parametrize(("port", "hint"), [("0", "1 to 65535"), ("http", "1 to 65535")])
def test_a_port_that_is_none_is_refused(monkeypatch, port, hint):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(demo.DemoError, match=hint):
        demo.chosen_port()


def test_a_taken_port_is_reported_with_one_that_is_free():
    import re
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(demo.DemoError, match=f"Port {port} is taken") as refusal:
            demo.check_port(port)
    demo.check_port(int(re.search(r"PORT=(\d+) make demo", str(refusal.value))[1]))
