"""The mailbox of returned mails: read each mail once, take what it reports, then delete it.

What is not understood stays in the mailbox, marked as read; what breaks on reading stays marked as important. A reader that
dies between taking and deleting reads the mail again, which changes nothing: reports count once.
"""

import hashlib
import imaplib
import mailbox
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils.timezone import now

from campaigns import bounces, returned
from campaigns.models import ReadMail

log = structlog.get_logger(__name__)

READ_AT_MOST = 256 * 1024  # bytes of one mail; what reports say stands in front
TIMEOUT_S = 30
LOCK = 0x6D626F78  # "mbox": one reader at a time
# The mailbox, not a mail, is the trouble: it is tried again later.
TROUBLE = (OSError, imaplib.IMAP4.error, mailbox.Error)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Letter:
    """A mail in the box: its first 256 KB, and when it came."""

    key: str
    raw: bytes
    arrived: datetime


class Box(Protocol):
    def letters(self) -> Iterator[Letter]:
        """The mails that nobody has read yet."""

    def delete(self, key: str) -> None: ...

    def leave(self, key: str, *, important: bool) -> None:
        """Mark as read, and as important if somebody should look at it."""

    def close(self) -> None: ...


def opened(url: str) -> Box:
    """The box that BOUNCE_MAILBOX names. Raises one of TROUBLE if it cannot be opened."""
    parts = urlsplit(url)
    return ImapBox(url) if parts.scheme in ("imap", "imaps") else FileBox(parts.scheme, Path(unquote(parts.path)))


def said(error: Exception) -> str:
    """What is wrong with the mailbox and what to do, for who runs the installation."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}). Name the server in BOUNCE_MAILBOX as its certificate "
            "does; if your own authority signed it, name that authority's file in SSL_CERT_FILE."
        )
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS there ({error.reason}). Try imap:// with port 143, which asks for TLS before the password."
    return str(error) or type(error).__name__


def read(seconds: float) -> dict[str, int]:
    """Read the mailbox that is configured, for some seconds. Returns how many mails there were of each kind.

    {} if none is configured, or another process is reading it. Raises as `opened`.
    """
    if not settings.BOUNCE_MAILBOX:
        return {}
    with _alone() as alone:
        if not alone:
            return {}
        box = opened(settings.BOUNCE_MAILBOX)
        try:
            counts = work(box, seconds)
        finally:
            box.close()
    if counts:
        log.info("mailbox_read", **counts)
    return counts


def work(box: Box, seconds: float) -> dict[str, int]:
    """Deal with the unread mails of a box, for some seconds. Returns how many there were of each kind."""
    end, counts = time.monotonic() + seconds, Counter[str]()
    for letter in box.letters():
        try:
            kind = _take(letter)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # one broken mail must not keep the others waiting
            log.error("mail_not_read", error=type(error).__name__)
            kind = "set_aside"
            box.leave(letter.key, important=True)
        else:
            if kind != "other":
                box.delete(letter.key)
            else:
                box.leave(letter.key, important=False)
        counts[kind] += 1
        if time.monotonic() > end:
            break
    return dict(counts)


@transaction.atomic
def _take(letter: Letter) -> str:
    """What a mail is; "other" if it is about no mail of ours. Its fingerprint is kept with what follows, or neither is."""
    digest = hashlib.sha256(letter.raw).hexdigest()
    if known := ReadMail.objects.filter(pk=digest).first():
        return known.kind
    found = returned.read(letter.raw, min(letter.arrived, now()))
    kind = found.kind if found.reports else "other"
    ReadMail.objects.create(digest=digest, kind=kind)
    bounces.take(found.reports)
    return kind


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        alone = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


class FileBox:
    """A Maildir, or an mbox file, of this machine's own mail server."""

    def __init__(self, scheme: str, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"there is no {scheme} at {path}")
        self._box: mailbox.Maildir | mailbox.mbox
        self._box = mailbox.Maildir(path, create=False) if scheme == "maildir" else mailbox.mbox(path, create=False)

    def letters(self) -> Iterator[Letter]:
        for key in sorted(self._box.keys(), key=str):
            with self._locked():
                message: Any = self._box.get(key)
            if message is None or set("SR") & set(message.get_flags()):
                continue
            with self._box.get_file(key) as file:
                raw = file.read(READ_AT_MOST)
            came = message.get_date() if isinstance(message, mailbox.MaildirMessage) else time.time()
            yield Letter(str(key), raw, datetime.fromtimestamp(came, UTC))

    def delete(self, key: str) -> None:
        with self._locked():
            self._box.discard(self._key(key))
            self._box.flush()

    def leave(self, key: str, *, important: bool) -> None:
        with self._locked():
            message: Any = self._box[self._key(key)]
            if isinstance(message, mailbox.MaildirMessage):
                message.set_subdir("cur")
                message.add_flag("FS" if important else "S")
            else:
                message.add_flag("FR" if important else "R")
            self._box[self._key(key)] = message
            self._box.flush()

    def close(self) -> None:
        self._box.close()

    def _key(self, key: str) -> Any:
        return key if isinstance(self._box, mailbox.Maildir) else int(key)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._box.lock()
        try:
            yield
        finally:
            self._box.unlock()


class ImapBox:
    """A folder of a mail server, by TLS from the start (imaps), or from before the password on (imap)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        context = ssl.create_default_context()
        if parts.scheme == "imaps":
            self._server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                host, parts.port or 993, ssl_context=context, timeout=TIMEOUT_S
            )
        else:
            self._server = imaplib.IMAP4(host, parts.port or 143, timeout=TIMEOUT_S)
            if host not in LOOPBACK:
                self._server.starttls(context)
        self._server.login(unquote(parts.username or ""), unquote(parts.password or ""))
        folder = unquote(parts.path.strip("/")) or "INBOX"
        self._answer(self._server.select(_quoted(folder)))
        self._gone = False

    def letters(self) -> Iterator[Letter]:
        for key in (self._answer(self._server.uid("SEARCH", "UNSEEN"))[0] or b"").split():
            wanted = f"(INTERNALDATE BODY.PEEK[]<0.{READ_AT_MOST}>)"
            for row in self._answer(self._server.uid("FETCH", key.decode(), wanted)):
                if isinstance(row, tuple):
                    yield Letter(key.decode(), row[1], _internal_date(row[0]))

    def delete(self, key: str) -> None:
        self._answer(self._server.uid("STORE", key, "+FLAGS", r"(\Seen \Deleted)"))
        if "UIDPLUS" in self._server.capabilities:
            self._answer(self._server.uid("EXPUNGE", key))
        self._gone = True

    def leave(self, key: str, *, important: bool) -> None:
        self._answer(self._server.uid("STORE", key, "+FLAGS", r"(\Seen \Flagged)" if important else r"(\Seen)"))

    def close(self) -> None:
        try:
            if self._gone and "UIDPLUS" not in self._server.capabilities:
                self._server.expunge()
            self._server.logout()
        except (OSError, imaplib.IMAP4.error):
            self._server.shutdown()

    @staticmethod
    def _answer(answered: tuple[str, list[Any]]) -> list[Any]:
        if answered[0] != "OK":
            raise imaplib.IMAP4.error("the mail server refused a command")
        return answered[1]


def _quoted(folder: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", folder) + '"'


def _internal_date(head: bytes) -> datetime:
    told = imaplib.Internaldate2tuple(head)
    return datetime.fromtimestamp(time.mktime(told), UTC) if told else now()
