"""Addresses, numbers and networks that belong to nobody."""

import unicodedata
from random import Random

MAIL_DOMAINS = ("example.com", "example.org", "example.net", "post.test", "mail.test")
# Free for film and television: Bundesnetzagentur, "Rufnummern für die Verwendung in audiovisuellen Medien".
AREA_RANGES = (("30", "23125"), ("69", "90009"), ("40", "66969"), ("221", "4710"), ("89", "99998"))
MOBILE_RANGE = ("171", "39200")
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737

GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "ø": "oe", "ı": "i", "đ": "d"})


def plain(text: str) -> str:
    """Lower-case ASCII letters, digits and hyphens of a name, umlauts written out."""
    folded = unicodedata.normalize("NFKD", text.lower().translate(GERMAN))
    return "".join(
        sign if sign.isalnum() or sign == "-" else "-" if sign == " " else "" for sign in folded if sign.isascii()
    ).strip("-")


def mail_address(rng: Random, given: str, family: str, number: int) -> str:
    """An address of a reserved domain; the customer's number keeps it from belonging to two."""
    local = ".".join(part for part in (plain(given), plain(family)[:30].strip("-")) if part) or "kontakt"
    return f"{local}.{number}@{MAIL_DOMAINS[int(rng.random() * len(MAIL_DOMAINS))]}"


def phone_number(rng: Random) -> tuple[str, str]:
    """A number as a person would write it, and in E.164."""
    if rng.random() < 0.35:
        area, start = MOBILE_RANGE
        rest = f"{start}{int(rng.random() * 100):02d}"
    else:
        area, start = AREA_RANGES[int(rng.random() * len(AREA_RANGES))]
        rest = f"{start}{int(rng.random() * 1000):03d}"
    written = (f"0{area} {rest}", f"0{area}/{rest}", f"+49 {area} {rest}")[int(rng.random() * 3)]
    return written, f"+49{area}{rest}"


def ip_address(rng: Random) -> str:
    return f"{NETWORKS[int(rng.random() * 3)]}.{1 + int(rng.random() * 254)}"
