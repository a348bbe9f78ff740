"""Links in mails: signed for one purpose, naming the person by the random key alone, never expiring.

They may only do what is harmless in any hands and safe to repeat (unsubscribe). Whatever shows or changes data needs a
stored, expiring token instead.
"""

import base64
import binascii
import hmac
from uuid import UUID

from crm import keyed

SIGNATURE_BYTES = 16


def sign(use: str, person_key: UUID, about: str = "") -> str:
    """A token for the path of a link: `use` names what the link does, `about` what it does it to."""
    payload = person_key.bytes + about.encode()
    current = keyed.keys()[0]
    return f"{keyed.fingerprint(current)}{_text(payload + _signature(current, use, payload))}"


def read(use: str, token: str) -> tuple[UUID, str] | None:
    """What `sign` was given, or None if the token was not made here for this use."""
    named = [key for key in keyed.keys() if keyed.fingerprint(key) == token[:4]]
    try:
        raw = base64.b64decode(token[4:] + "=" * (-len(token[4:]) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if len(payload) < 16 or not any(hmac.compare_digest(_signature(key, use, payload), signature) for key in named):
        return None
    return UUID(bytes=payload[:16]), payload[16:].decode()


def _signature(key: str, use: str, payload: bytes) -> bytes:
    return hmac.digest(keyed.subkey(key, f"link:{use}"), payload, "sha256")[:SIGNATURE_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
