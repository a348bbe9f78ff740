"""How a CSV file is to be read: a profile is a small TOML file in `profiles/`."""

import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

FOLDER = Path(__file__).with_name("profiles")

NEEDED = ("record", "at", "quantity", "unit_price")
HEAD = ("status", "place", "currency", "rate", "purchase", "customer")
PERSON = (
    "kind", "salutation", "title", "given_name", "family_name", "company_name", "birthday", "language", "email",
    "phone", "notice_version",
)  # fmt: skip
POSTAL = ("street", "postal_code", "city", "country")
LINE = ("product", "product_name", "category", "category_name", "description", "quantity", "unit_price")
FIELDS = {"record", "at", "version", *HEAD, *PERSON, *POSTAL, *LINE}


class ProfileError(Exception):
    """The profile is missing or holds something that cannot be used."""


@dataclass(frozen=True)
class Profile:
    """columns: our field → column of the file. Optional fields whose column a file lacks are left out."""

    name: str
    columns: dict[str, str]
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    time_format: str = "iso"
    time_zone: str = ""
    currency: str = ""
    status: str = "paid"
    customer_suffix: str = ""
    returns: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    checksum: str = ""

    def number(self, text: str) -> str:
        """A number of the file, with a decimal point and without marks between thousands."""
        return text.replace(".", "").replace(",", ".") if self.decimal == "," else text


def known() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load(name: str) -> Profile:
    """The profile called `name`. Raises ProfileError, saying what to do, if there is none or it is wrong."""
    file = FOLDER / f"{name}.toml"
    if name not in known():
        raise ProfileError(
            _("There is no profile “%(name)s”. Known are: %(known)s.") % {"name": name, "known": ", ".join(known())}
        )
    text = file.read_bytes()
    try:
        profile = Profile(name=name, checksum=sha256(text).hexdigest(), **tomllib.loads(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ProfileError(
            _("The profile %(file)s cannot be read: %(error)s") % {"file": file, "error": error}
        ) from error
    wrong = set(profile.columns) - FIELDS
    missing = [name for name in NEEDED if name not in profile.columns]
    if wrong or missing:
        raise ProfileError(
            _("The columns of profile %(file)s do not fit: unknown %(wrong)s, missing %(missing)s.")
            % {"file": file, "wrong": sorted(wrong), "missing": missing}
        )
    try:
        ZoneInfo(profile.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ProfileError(
            _("The profile %(file)s names no time zone: %(zone)s.") % {"file": file, "zone": profile.time_zone}
        ) from error
    return profile
