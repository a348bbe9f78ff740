"""Hand one mail over, and say honestly what became of it: sent, not sent, or nobody can know."""

import re
import smtplib
import time
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from typing import Any, Protocol

import requests
from anymail.exceptions import AnymailRecipientsRefused, AnymailRequestsAPIError
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend

from campaigns.message import StableMessage

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
NO_SUCH_MAILBOX = re.compile(r"\b5\.1\.(1|2|3|6|10)\b")


class Verdict(StrEnum):
    """SENT: the server took it. LATER: it certainly did not. REFUSED: it never will. UNKNOWN: cannot be known."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """What became of a mail. `everybody`: the server, not this mail, is the trouble. `no_mailbox`: it does not exist."""

    verdict: Verdict
    reply: str = ""
    provider_id: str = ""
    everybody: bool = False
    no_mailbox: bool = False


class Transport(Protocol):
    name: str

    def send(self, message: StableMessage, seconds: float) -> Outcome:
        """Hand over a mail with one recipient, unless `seconds` have passed before its text goes out."""

    def close(self) -> None: ...


def configured() -> Transport:
    """The transport that EMAIL_URL or ANYMAIL_ESP names."""
    if settings.EMAIL_BACKEND == SMTP_BACKEND:
        return SmtpTransport()
    return BackendTransport()


class TooLate(OSError):
    """The time in which the mail might be sent has passed; its text did not go out."""


class _Watched(smtplib.SMTP):
    """Knows whether the final dot has gone out, the point from which a silent server leaves us in the dark."""

    deadline = 0.0
    dot_sent = False

    def send(self, s: Any) -> None:
        if not isinstance(s, bytes):  # a command; smtplib sends only a mail's text as bytes
            super().send(s)
            return
        if time.monotonic() > self.deadline:
            raise TooLate
        super().send(s)
        self.dot_sent = True


class _WatchedSsl(smtplib.SMTP_SSL, _Watched):
    pass


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _WatchedSsl if self.use_ssl else _Watched


class SmtpTransport:
    """SMTP over one kept connection."""

    def __init__(self) -> None:
        self._backend = _Backend(fail_silently=False)
        self.name = f"smtp:{self._backend.host}:{self._backend.port}"

    def send(self, message: StableMessage, seconds: float) -> Outcome:
        deadline = time.monotonic() + seconds
        data, sender, recipient = message.wire, in_ascii(message.from_email), message.to[0]
        kept = self._backend.connection is not None
        outcome = self._try(sender, recipient, data, deadline)
        if kept and outcome.verdict is Verdict.LATER and self._backend.connection is None and not outcome.reply:
            # A server may close an idle connection at any time; the mail has not reached it, so ask once more.
            outcome = self._try(sender, recipient, data, deadline)
        return outcome

    def _try(self, sender: str, recipient: str, data: bytes, deadline: float) -> Outcome:
        try:
            self._backend.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Outcome(Verdict.LATER, _reply(error), everybody=True)
        connection: Any = self._backend.connection
        connection.deadline, connection.dot_sent = deadline, False
        try:
            return _conversation(connection, sender, recipient, data)
        except (OSError, smtplib.SMTPException) as error:
            in_the_dark = connection.dot_sent
            self.close()
            if in_the_dark:
                return Outcome(Verdict.UNKNOWN, type(error).__name__)
            return Outcome(Verdict.LATER, everybody=not isinstance(error, TooLate))

    def close(self) -> None:
        connection, self._backend.connection = self._backend.connection, None
        if connection is not None:
            connection.close()


def _conversation(connection: Any, sender: str, recipient: str, data: bytes) -> Outcome:
    """MAIL, RCPT, DATA. Raises OSError or SMTPException if the connection breaks."""
    connection.ehlo_or_helo_if_needed()
    options = [f"size={len(data)}"] if connection.has_extn("size") else []
    code, reply = connection.mail(sender, options)
    if code != 250:
        _start_anew(connection)
        return Outcome(Verdict.LATER, _line(code, reply), everybody=True)
    code, reply = connection.rcpt(recipient)
    if code not in (250, 251):
        _start_anew(connection)
        return _refusal(code, reply)
    try:
        code, reply = connection.data(data)
    except smtplib.SMTPDataError as error:
        code, reply = error.smtp_code, error.smtp_error
    if code == 250:
        return Outcome(Verdict.SENT, _line(code, reply))
    if connection.dot_sent and code < 400:
        return Outcome(Verdict.UNKNOWN, _line(code, reply))
    _start_anew(connection)
    return _refusal(code, reply)


def _start_anew(connection: Any) -> None:
    connection.dot_sent = False  # the answer to this mail is known, whatever happens to the connection now
    try:
        connection.rset()
    except (OSError, smtplib.SMTPException):
        connection.close()


def _refusal(code: int, reply: bytes) -> Outcome:
    line = _line(code, reply)
    if 500 <= code < 600:
        return Outcome(Verdict.REFUSED, line, no_mailbox=bool(NO_SUCH_MAILBOX.search(line)))
    return Outcome(Verdict.LATER, line, everybody=code == 421)


def _line(code: int, reply: bytes) -> str:
    return f"{code} {reply.decode('ascii', 'replace')}".replace("\n", " ")[:300]


def _reply(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
        return _line(error.smtp_code, text)
    return type(error).__name__


def in_ascii(address: str) -> str:
    """The address without a name before it, its domain in ASCII. Raises ValueError for what SMTP cannot carry."""
    plain = parseaddr(address)[1]
    local, at, domain = plain.rpartition("@")
    if not at or not local.isascii() or any(mark in plain for mark in "\r\n <>"):
        raise ValueError("this address cannot be mailed")
    return f"{local}@{domain.encode('idna').decode()}"


class BackendTransport:
    """Any other Django mail backend, above all anymail's: one message and one request for each mail."""

    def __init__(self) -> None:
        self._backend = get_connection(fail_silently=False)
        self.name = settings.EMAIL_BACKEND.rsplit(".", 2)[-2] if "." in settings.EMAIL_BACKEND else "mail"

    def send(self, message: StableMessage, seconds: float) -> Outcome:
        try:
            taken = self._backend.send_messages([message])
        except AnymailRecipientsRefused as error:
            return Outcome(Verdict.REFUSED, type(error).__name__)
        except AnymailRequestsAPIError as error:
            return _of_status(error)
        except requests.ConnectTimeout:
            return Outcome(Verdict.LATER, everybody=True)
        except (OSError, smtplib.SMTPException) as error:  # a request that broke off may have arrived
            return Outcome(Verdict.UNKNOWN, type(error).__name__)
        if not taken:
            return Outcome(Verdict.REFUSED, "the backend took nothing")
        status = getattr(message, "anymail_status", None)
        return Outcome(Verdict.SENT, "accepted", provider_id=str(getattr(status, "message_id", "") or ""))

    def close(self) -> None:
        self._backend.close()


def _of_status(error: AnymailRequestsAPIError) -> Outcome:
    code = error.status_code
    if isinstance(error.__cause__, requests.ConnectTimeout) or code in (401, 403, 429):
        return Outcome(Verdict.LATER, f"HTTP {code}", everybody=True)
    if code is None or code >= 500 or code == 408:
        return Outcome(Verdict.UNKNOWN, f"HTTP {code}")
    return Outcome(Verdict.REFUSED, f"HTTP {code}")
