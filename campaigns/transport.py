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
from urllib3.exceptions import NewConnectionError

from campaigns.message import StableMessage

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
# A temporary refusal that is about one mailbox (full, moved, too busy) says nothing about its neighbours.
ONE_MAILBOX = re.compile(r"\b4\.[12]\.\d")
BUSY = 421
# Relays close a connection that is old or idle, and some do so without a word.
MAILS_A_CONNECTION, IDLE_S = 500, 60.0
NAME_LENGTH = 60
# What most addresses look like: nothing to take apart, nothing to encode.
PLAIN = re.compile(r"[\w+=-]+(\.[\w+=-]+)*@([a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}", re.ASCII | re.IGNORECASE).fullmatch


@dataclass(frozen=True)
class Capability:
    """How a doubt about a mail can be settled with a transport, told by the beginning of its name.

    header: what carries the mail's key, so that asking twice sends once, for `hours`; in the request to an ESP, in the
    mail itself over SMTP. Without one only a receipt can settle it (docs/sending.md, "Unknown").
    """

    transport: str
    header: str
    hours: int


# Read in November 2026: Resend's page on idempotency keys. Emailit has the same, but anymail no backend for it. Brevo's key
# lives 15 minutes, which is over before we may ask again.
CAPABILITIES: tuple[Capability, ...] = (
    Capability("resend", "Idempotency-Key", 24),
    Capability("smtp:smtp.resend.com:", "Resend-Idempotency-Key", 24),
)


def idempotence(transport: str) -> Capability | None:
    """What makes a second request for the same mail harmless with a transport, None if nothing does."""
    return next((one for one in CAPABILITIES if transport.startswith(one.transport)), None)


class Verdict(StrEnum):
    """SENT: the server took it. LATER: it certainly did not. REFUSED: it never will. UNKNOWN: cannot be known."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """What became of a mail. `everybody`: the server, not this mail, is the trouble; `domain`: whatever goes to its
    domain; `busy`: the server asked to come back later (421)."""

    verdict: Verdict
    reply: str = ""
    provider_id: str = ""
    everybody: bool = False
    domain: bool = False
    busy: bool = False


class Transport(Protocol):
    name: str

    def send(self, message: StableMessage, deadline: float) -> Outcome:
        """Hand over a mail with one recipient, unless `deadline` (monotonic seconds) passes before its text goes out."""

    def close(self) -> None: ...


def configured() -> Transport:
    """The transport that EMAIL_URL or ANYMAIL_ESP names."""
    return _kind()()


def current() -> str:
    """The name of the transport that is configured, as deliveries keep it."""
    return _kind()().name


def _kind() -> "type[SmtpTransport | BackendTransport]":
    return SmtpTransport if settings.EMAIL_BACKEND == SMTP_BACKEND else BackendTransport


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
    """SMTP over one kept connection, given up after 500 mails or a minute without any."""

    def __init__(self) -> None:
        self._backend = _Backend(fail_silently=False)
        self.name = f"smtp:{self._backend.host}:{self._backend.port}"[:NAME_LENGTH]
        self._key = idempotence(self.name)
        self._mails, self._used_at = 0, 0.0

    def send(self, message: StableMessage, deadline: float) -> Outcome:
        if self._key:
            message.extra_headers[self._key.header] = str(message.metadata["d"])
            message.__dict__.pop("wire", None)  # made before, without the key
        data, recipient = message.wire, message.to[0]
        sender = in_ascii(message.envelope_from or message.from_email)
        self._recycle()
        kept = self._backend.connection is not None
        outcome = self._try(sender, recipient, data, deadline)
        if kept and _may_be_the_connection(outcome):
            # A server may close a connection at any time; the mail has not reached it, so ask once more.
            self.close()
            outcome = self._try(sender, recipient, data, deadline)
        return outcome

    def _recycle(self) -> None:
        if self._mails >= MAILS_A_CONNECTION or time.monotonic() - self._used_at > IDLE_S:
            self.close()

    def _try(self, sender: str, recipient: str, data: bytes, deadline: float) -> Outcome:
        try:
            self._backend.open()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Outcome(Verdict.LATER, _reply(error), everybody=True)
        connection: Any = self._backend.connection
        connection.deadline, connection.dot_sent = deadline, False
        self._mails, self._used_at = self._mails + 1, time.monotonic()
        try:
            outcome = _conversation(connection, sender, recipient, data)
        except (OSError, smtplib.SMTPException) as error:
            in_the_dark = connection.dot_sent
            self.close()
            if in_the_dark:
                return Outcome(Verdict.UNKNOWN, type(error).__name__, everybody=True)
            return Outcome(Verdict.LATER, everybody=not isinstance(error, TooLate))
        if outcome.busy:
            self.close()
        return outcome

    def close(self) -> None:
        """Say good-bye if the server still listens; never waits for it."""
        connection, self._backend.connection = self._backend.connection, None
        self._mails = 0
        if connection is not None:
            connection.close()


def _may_be_the_connection(outcome: Outcome) -> bool:
    """Whether a fresh connection may fare better: the kept one broke without a word, or its server wants no more on it."""
    return outcome.verdict is Verdict.LATER and (outcome.busy or (outcome.everybody and not outcome.reply))


def _conversation(connection: Any, sender: str, recipient: str, data: bytes) -> Outcome:
    """MAIL, RCPT, DATA. Raises OSError or SMTPException if the connection breaks."""
    connection.ehlo_or_helo_if_needed()
    size = f" size={len(data)}" if connection.has_extn("size") else ""
    code, reply = connection.docmd("MAIL", f"FROM:<{sender}>{size}")
    if code != 250:
        _start_anew(connection)
        return Outcome(Verdict.LATER, _line(code, reply), everybody=True, busy=code == BUSY)
    code, reply = connection.docmd("RCPT", f"TO:<{recipient}>")
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
        return Outcome(Verdict.REFUSED, line)
    return Outcome(Verdict.LATER, line, domain=not ONE_MAILBOX.search(line), busy=code == BUSY)


def _line(code: int, reply: bytes) -> str:
    return f"{code} {reply.decode('ascii', 'replace')}".replace("\n", " ")[:300]


def _reply(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
        return _line(error.smtp_code, text)
    return type(error).__name__


def in_ascii(address: str) -> str:
    """The address without a name before it, its domain in ASCII. Raises ValueError for what SMTP cannot carry."""
    if PLAIN(address):
        return address
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
        self._key = idempotence(self.name)

    def send(self, message: StableMessage, deadline: float) -> Outcome:
        if time.monotonic() > deadline:
            return Outcome(Verdict.LATER)
        try:
            self._backend.open()
            if self._key:
                self._backend.session.headers[self._key.header] = str(message.metadata["d"])  # type: ignore[attr-defined]
            taken = self._backend.send_messages([message])
        except AnymailRecipientsRefused as error:
            return Outcome(Verdict.REFUSED, type(error).__name__)
        except AnymailRequestsAPIError as error:
            return _of_status(error)
        except requests.ConnectTimeout:
            return Outcome(Verdict.LATER, everybody=True)
        except (OSError, smtplib.SMTPException) as error:  # a request that broke off may have arrived
            return Outcome(Verdict.UNKNOWN, type(error).__name__, everybody=True)
        if not taken:
            return Outcome(Verdict.REFUSED, "the backend took nothing")
        status = getattr(message, "anymail_status", None)
        return Outcome(Verdict.SENT, "accepted", provider_id=str(getattr(status, "message_id", "") or ""))

    def close(self) -> None:
        self._backend.close()


def _of_status(error: AnymailRequestsAPIError) -> Outcome:
    code = error.status_code
    if code is None and _never_connected(error.__cause__):
        return Outcome(Verdict.LATER, "not connected", everybody=True)
    if code is not None and 200 <= code < 300:
        return Outcome(Verdict.SENT, f"HTTP {code}, answer not understood")
    if code in (401, 403, 429):
        return Outcome(Verdict.LATER, f"HTTP {code}", everybody=True)
    # 409: this mail's key is known there, so it was taken, or is being taken by a request that we gave up.
    if code is None or code >= 500 or code in (408, 409):
        return Outcome(Verdict.UNKNOWN, f"HTTP {code}" if code else "no answer", everybody=code != 409)
    return Outcome(Verdict.REFUSED, f"HTTP {code}")


def _never_connected(cause: BaseException | None) -> bool:
    """Whether a request failed before the first byte of it could leave."""
    if isinstance(cause, requests.ConnectTimeout):
        return True
    inner = getattr(cause, "args", [None])[:1]
    reason = getattr(inner[0], "reason", None) if inner else None
    return isinstance(cause, requests.ConnectionError) and isinstance(reason, NewConnectionError)
