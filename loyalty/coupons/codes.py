"""Codes that people read out, type and scan: 60 random bits and one check symbol, in groups.

The alphabet is that of D. Crockford's Base 32 (no I, L, O, U). The check symbol is a Reed-Solomon one over GF(32): any
single wrong symbol and any two neighbours swapped are noticed before the database is asked.
"""

import re
import secrets
from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM = 12
GROUPS = (4, 4, 5)
LENGTH = sum(GROUPS)
MOST = 40  # symbols of a code that was thought of or issued elsewhere

# GF(32) by the primitive polynomial x⁵ + x² + 1: symbol i counts α^(i + 1) times itself, and no two powers are alike.
_POLYNOMIAL = 0b100101
_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
_LOOKS_LIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_BETWEEN = re.compile(r"[\s\-‐‑‒–—_.·/]+")
_CANONICAL = re.compile(rf"[0-9A-Z]{{3,{MOST}}}").fullmatch


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
        a ^= _POLYNOMIAL if a & 32 else 0
    return product


def _powers() -> Iterator[int]:
    power = 1
    for _place in range(RANDOM):
        power = _times(power, 2)
        yield power


_TABLE = [[_times(value, power) for value in range(32)] for power in _powers()]
# The same for bytes.translate: random bytes to values, values to their part of the check value, values to symbols.
_FIVE_BITS = bytes(byte & 31 for byte in range(256))
_ROWS = [bytes([*row, *[0] * 224]) for row in _TABLE]
_SYMBOLS = ALPHABET.encode() + bytes(224)


def check_symbol(body: str) -> str:
    """The 13th symbol of a code, from its first twelve. Raises KeyError for a symbol that is not of the alphabet."""
    total = 0
    for row, symbol in zip(_TABLE, body, strict=True):
        total ^= row[_VALUES[symbol]]
    return ALPHABET[total]


def random_codes(count: int) -> list[str]:
    """`count` new codes of 60 random bits each (cryptographically secure), canonical."""
    # A byte for each symbol: 256 is eight times 32, so every symbol is as likely. Whole columns at a time, no loop over codes.
    values = secrets.token_bytes(RANDOM * count).translate(_FIVE_BITS)
    total = 0
    written = bytearray((RANDOM + 1) * count)
    for place in range(RANDOM):
        column = values[place::RANDOM]
        total ^= int.from_bytes(column.translate(_ROWS[place]))
        written[place :: RANDOM + 1] = column.translate(_SYMBOLS)
    written[RANDOM :: RANDOM + 1] = total.to_bytes(count).translate(_SYMBOLS)
    text = written.decode("ascii")
    return [text[first : first + RANDOM + 1] for first in range(0, len(text), RANDOM + 1)]


def canonical(typed: str) -> str:
    """What somebody typed or scanned as a stored code: case, spaces, dashes, O for 0 and I or L for 1 forgiven.

    '' for what can be no code.
    """
    plain = _BETWEEN.sub("", typed).upper().translate(_LOOKS_LIKE)
    return plain if _CANONICAL(plain) else ""


def well_formed(code: str) -> bool:
    """Whether a canonical code is one that we could have made at random."""
    return len(code) == LENGTH and set(code) <= _VALUES.keys() and check_symbol(code[:RANDOM]) == code[RANDOM:]


def shown(code: str) -> str:
    """A stored code as people read it: ours in groups, a code that was thought of as it is."""
    if not well_formed(code):
        return code
    first, second, third = GROUPS
    return f"{code[:first]}-{code[first : first + second]}-{code[first + second : first + second + third]}"
