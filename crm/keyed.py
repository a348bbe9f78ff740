"""Keyed hashes: what cannot be made or guessed without the installation's LINK_KEY.

Addresses that must stay silent are known by such a hash alone. It has to stay the same for ever, so it uses the oldest
key: after LINK_KEY is changed, keep the former one at the end of LINK_KEY_FALLBACKS.
"""

import hashlib
import hmac
from functools import cache

from django.conf import settings

BLOCK = 64


def keys() -> list[str]:
    """The link keys, the current one first."""
    return [settings.LINK_KEY, *settings.LINK_KEY_FALLBACKS]


@cache
def subkey(key: str, use: str) -> bytes:
    """A key for one use only, derived from a link key."""
    return hmac.digest(key.encode(), f"stammkunde:{use}".encode(), "sha256")


def address_hash(normal: str) -> str:
    """HMAC-SHA256 of a normalised address or number, as 64 hexadecimal digits."""
    return hmac.new(subkey(keys()[-1], "address"), normal.encode(), "sha256").hexdigest()


def source_key_hash(source_id: int, external_id: str) -> str:
    """HMAC-SHA256 of the name under which a source knows a customer, as 64 hexadecimal digits."""
    return hmac.new(subkey(keys()[-1], "source-key"), f"{source_id}:{external_id}".encode(), "sha256").hexdigest()


def address_hash_sql(column: str) -> str:
    """The SQL expression that equals `address_hash`; it needs `hash_parameters`. PostgreSQL's core has no HMAC."""
    inner = f"sha256(%(hash_inner)s::bytea || convert_to({column}, 'UTF8'))"
    return f"encode(sha256(%(hash_outer)s::bytea || {inner}), 'hex')"


def hash_parameters() -> dict[str, bytes]:
    inner, outer = _pads(keys()[-1])
    return {"hash_inner": inner, "hash_outer": outer}


@cache
def _pads(key: str) -> tuple[bytes, bytes]:
    padded = subkey(key, "address").ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


def fingerprint(key: str) -> str:
    """A short name of a key that says nothing about it."""
    return hashlib.sha256(b"stammkunde:fingerprint:" + key.encode()).hexdigest()[:4]
