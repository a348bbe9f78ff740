"""The page that shows what the demo's mail server got. Part of the URLs in a demo only (`settings.DEMO`)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from config import embedded
from crm.access import LOGGED_IN, requires
from crm.plugins import NavEntry, Plugin

SHOWN = 200
COLUMNS = (_("Subject"), _("To"), _("From"), _("Arrived"))
# The mail's own styles, no script, pictures from here only; its links open in a window of their own.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'"


class DemoPlugin(Plugin):
    """The way to this page in the main navigation."""

    nav = (NavEntry(_("Mails of the demo"), "demo-mails", "mail-opened", LOGGED_IN, 95),)


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived, in a file named by the time of its arrival."""

    file: Path

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def at(self) -> datetime:
        return datetime.strptime(self.name.split("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)

    @cached_property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.file.read_bytes(), policy=policy.default)
        if not isinstance(message, EmailMessage):
            raise ValueError(f"{self.file} holds no mail")
        return message

    def header(self, name: str) -> str:
        return str(self.message.get(name, ""))

    @property
    def subject(self) -> str:
        return self.header("Subject")

    @property
    def sender(self) -> str:
        return self.header("From")

    @property
    def recipient(self) -> str:
        return self.header("To")

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @cached_property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        return part.get_content() if isinstance(part, EmailMessage) else ""

    @cached_property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        return part.get_content() if isinstance(part, EmailMessage) else ""


def folder() -> Path:
    return embedded.DATA / "mail"


def newest_first() -> Iterator[Mail]:
    for file in sorted(folder().glob("*.eml"), reverse=True):
        yield Mail(file)


def find(name: str) -> Mail:
    """Raises Http404 for anything that is not the name of a mail in the folder."""
    file = folder() / f"{name}.eml"
    if not re.fullmatch(r"[0-9T]+-[0-9a-f]+", name) or not file.is_file():
        raise Http404
    return Mail(file)


@requires(LOGGED_IN)
def mails(request: HttpRequest) -> HttpResponse:
    """The newest mails, and those whose recipient or subject contains `q`."""
    wanted = request.GET.get("q", "").strip().casefold()
    found = (mail for mail in newest_first() if wanted in f"{mail.recipient} {mail.subject}".casefold())
    shown = [mail for mail, _number in zip(found, range(SHOWN), strict=False)]
    context = {"mails": shown, "q": request.GET.get("q", ""), "limit": SHOWN}
    return render(request, "demo/mails.html", context | {"columns": [(label, "", "", "") for label in COLUMNS]})


@requires(LOGGED_IN)
def mail(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "demo/mail.html", {"mail": find(name)})


@requires(LOGGED_IN)
@xframe_options_sameorigin
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML part as a page for a frame that runs no script."""
    content = re.sub(r"(<head[^>]*>)", r'\1<base target="_blank">', find(name).html, count=1)
    return HttpResponse(content, headers={"Content-Security-Policy": MAIL_POLICY})


urlpatterns = [
    path("mail/", mails, name="demo-mails"),
    path("mail/<slug:name>/", mail, name="demo-mail"),
    path("mail/<slug:name>/html", mail_html, name="demo-mail-html"),
]
