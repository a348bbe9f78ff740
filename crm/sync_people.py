"""Checks of the customers in rows from outside, and which value of a field is its last."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from zlib import crc32

import orjson
import phonenumbers
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from crm.models import Customer
from crm.models.staff import LANGUAGES
from crm.sync_fields import EARLIEST_YEAR, Fields, Json

TEXTS = {"title": 40, "given_name": 80, "family_name": 80, "company_name": 120}
POSTAL = {"street": 120, "postal_code": 20, "city": 80, "country": 60}
POSTAL_NAMES = frozenset(POSTAL)
CHOICES = {
    "kind": (frozenset(Customer.Kind.values), "person"),
    "salutation": (frozenset(Customer.Salutation.values), "none"),
    "language": (frozenset(code for code, _name in LANGUAGES), ""),
}
NAMES = frozenset(
    {"external_id", "version", "birthday", "email", "phone", "postal", "notice_version", "since", "attributes"}
    | TEXTS.keys()
    | CHOICES.keys()
)
POINTS = ("email", "phone", "postal")
PHONE_REGION = "DE"
MOST_ATTRIBUTES = 50
ADDRESS_LENGTH = 254
# What needs no closer look; all other spellings go through email-validator.
PLAIN_EMAIL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?:com|de|net|org|at|ch|uk|eu)")
BIRTHDAY = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)").fullmatch
LEAP_YEAR = 2000

Point = tuple[str, str]  # kind of field, what is compared
Evidence = tuple[str, str, str]  # version, purchase's external id, notice's version


@dataclass(slots=True)
class CustomerNews:
    """What the rows of one batch say about one customer.

    stamps: per field the time and checksum of its last value; the greater is the later, whatever came first
    values: per field that value
    points: every address that was named, as given, also those that a later row replaced
    evidence: per e-mail address the first sale that brought it together with a notice
    """

    stamps: dict[str, str] = field(default_factory=dict)
    values: dict[str, Json] = field(default_factory=dict)
    points: dict[Point, str] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)

    def add(self, fields: dict[str, Json], version: datetime, notice: str, purchase: str) -> None:
        at = version.isoformat(timespec="microseconds")[:26]
        for name, value in fields.items():
            stamp = f"{at} {crc32(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)):08x}"
            if stamp > self.stamps.get(name, ""):
                self.stamps[name], self.values[name] = stamp, value
            if value and name in POINTS:
                given, compared = value[:2]
                known = self.points.get((name, compared), given)
                self.points[name, compared] = min(known, given)
        if notice and purchase and fields.get("email"):
            compared, found = fields["email"][1], (at, purchase, notice)
            self.evidence[compared] = min(self.evidence.get(compared, found), found)


def customer_fields(check: Fields, row: dict[str, Json], prefix: str) -> dict[str, Json]:
    """The fields that a customer's row holds, checked; a cleared one is ""."""
    fields: dict[str, Json] = {}
    for name in row:
        if name in TEXTS:
            fields[name] = check.text(row, name, TEXTS[name], prefix)
        elif name in CHOICES:
            choices, cleared = CHOICES[name]
            fields[name] = check.choice(row, name, choices, prefix) if row[name] not in (None, "") else cleared
        elif name in READERS:
            fields[name] = READERS[name](check, row, prefix) if row[name] not in (None, "") else ""
    return fields


def birthday(check: Fields, row: dict[str, Json], prefix: str) -> str:
    value = row["birthday"]
    found = BIRTHDAY(value) if type(value) is str else None
    try:
        if found:
            year = int(found[1] or LEAP_YEAR)
            if EARLIEST_YEAR <= year <= check.latest.year and date(year, int(found[2]), int(found[3])):
                return value
    except ValueError:
        pass
    check.problem(
        "not_a_birthday", prefix + "birthday", _("Write the birthday like 05-24 or 1980-05-24, on a real day.")
    )
    return ""


def since(check: Fields, row: dict[str, Json], prefix: str) -> str:
    try:
        day = date.fromisoformat(row["since"])
        if EARLIEST_YEAR <= day.year and day <= check.latest.date():
            return day.isoformat()
    except (ValueError, TypeError):
        pass
    check.problem("not_a_day", prefix + "since", _("Write the day like 2024-05-31, not in the future."))
    return ""


def email(check: Fields, row: dict[str, Json], prefix: str) -> list[str] | str:
    given = check.text(row, "email", ADDRESS_LENGTH, prefix).strip()
    compared, _why = normal_email(given) if given else ("", "")
    if given and not compared:
        check.problem(
            "not_an_email",
            prefix + "email",
            _("This is no e-mail address. Correct it, or send null if you have none."),
        )
    return [given, compared] if compared else ""


@lru_cache(10_000)
def normal_email(given: str) -> tuple[str, str]:
    """The address in lower case, its domain in the form of the wire, and "" or why it is none."""
    lower = given.lower()
    if len(lower) <= 64 and PLAIN_EMAIL.fullmatch(lower):
        return lower, ""
    try:
        # Invented shops write to .test, which is nobody's; that is what "test environment" allows.
        found = validate_email(given, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        return "", str(error)
    return f"{found.local_part}@{found.ascii_domain}".lower(), ""


def phone(check: Fields, row: dict[str, Json], prefix: str) -> list[str] | str:
    given = check.text(row, "phone", 40, prefix).strip()
    postal = row.get("postal")
    country = postal.get("country") if type(postal) is dict else None
    compared = normal_phone(given, country if type(country) is str else "") if given else ""
    if given and not compared:
        check.problem(
            "not_a_phone",
            prefix + "phone",
            _("This is no phone number. Write it like +49 221 4710123, or send null if you have none."),
        )
    return [given, compared] if compared else ""


@lru_cache(10_000)
def normal_phone(given: str, country: str) -> str:
    """The number in E.164, without a country code as if dialled in `country` (ISO 3166) or Germany; "" if it is none."""
    region = country.upper() if country.upper() in phonenumbers.SUPPORTED_REGIONS else PHONE_REGION
    try:
        number = phonenumbers.parse(given, region)
    except phonenumbers.NumberParseException:
        return ""
    possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else ""


def postal(check: Fields, row: dict[str, Json], prefix: str) -> list[str] | str:
    """[as one line, compared, town, country]; "" for an address without content."""
    value = row["postal"]
    if not check.is_object(value, prefix + "postal"):
        return ""
    check.only(value, POSTAL_NAMES, prefix + "postal.")
    street, code, city, country = (check.text(value, name, POSTAL[name], prefix + "postal.") for name in POSTAL)
    line = ", ".join(part for part in (street, f"{code} {city}".strip(), country) if part)[:ADDRESS_LENGTH]
    return [line, line, city, country] if line else ""


def attributes(check: Fields, row: dict[str, Json], prefix: str) -> dict[str, Json]:
    """The merchant's own fields: names and plain values or lists of texts."""
    value = row["attributes"]
    if not check.is_object(value, prefix + "attributes"):
        return {}
    if len(value) > MOST_ATTRIBUTES:
        check.problem(
            "too_many", prefix + "attributes", _("Send at most %(limit)s fields.") % {"limit": MOST_ATTRIBUTES}
        )
    for name, item in value.items():
        plain = item is None or type(item) in (bool, int, float) or (type(item) is str and len(item) <= 500)
        texts = type(item) is list and all(type(one) is str and len(one) <= 100 for one in item) and len(item) <= 50
        if not (0 < len(name) <= 60 and (plain or texts)):
            check.problem(
                "wrong_type",
                f"{prefix}attributes.{name[:60]}",
                _("A further field is a text up to 500 characters, a number, true, false, or a list of short texts."),
            )
    return value


READERS: dict[str, Callable[[Fields, dict[str, Json], str], Json]] = {
    "birthday": birthday,
    "since": since,
    "email": email,
    "phone": phone,
    "postal": postal,
    "attributes": attributes,
}
