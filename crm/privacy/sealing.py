"""Sealing: AES-256-GCM with a key that is never in the database (SEAL_KEY).

A sealed text is bound to the record it belongs to: moved to another record, or changed, it does not open. After
SEAL_KEY is changed, keep the former one in SEAL_KEY_FALLBACKS until `purge_sealed --reseal` has run.
"""

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE = 12


class SealError(ValueError):
    """A seal that does not open: the key is missing, or the record was changed."""


def keys() -> list[str]:
    """The seal keys, the current one first."""
    return [settings.SEAL_KEY, *settings.SEAL_KEY_FALLBACKS]


def key_id(key: str) -> str:
    """A short name of a key that says nothing about it: 8 hexadecimal digits."""
    return hashlib.sha256(b"stammkunde:seal:" + key.encode()).hexdigest()[:8]


def seal(text: str, identity: str) -> tuple[str, bytes]:
    """The id of the key that was used, and nonce with ciphertext. `identity` names the record, and is not secret."""
    key, nonce = keys()[0], secrets.token_bytes(NONCE)
    return key_id(key), nonce + AESGCM(_bytes(key)).encrypt(nonce, text.encode(), identity.encode())


def unseal(used: str, content: bytes, identity: str) -> str:
    """The text. Raises SealError if no key of that id is set, or content or identity is another."""
    key = next((one for one in keys() if key_id(one) == used), None)
    if key is None:
        raise SealError(f"no SEAL_KEY with the id {used}")
    content = bytes(content)
    try:
        return AESGCM(_bytes(key)).decrypt(content[:NONCE], content[NONCE:], identity.encode()).decode()
    except InvalidTag:
        raise SealError("the record was changed after it was sealed") from None


def _bytes(key: str) -> bytes:
    return hashlib.sha256(b"stammkunde:seal-key:" + key.encode()).digest()
