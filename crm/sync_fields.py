"""Checks of single values in a row from outside. Each says what is wrong in the caller's language and goes on, so that
one answer names every mistake of a row.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

Json = Any
Problem = dict[str, str]

KEY_LENGTH = 100
CENT = Decimal("0.01")
MONEY_LIMIT = Decimal(10) ** 12
CLOCK_SKEW = timedelta(minutes=10)
EARLIEST_YEAR = 1900
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PRICE = re.compile(r"(?:0|[1-9]\d{0,9})(?:\.\d{1,4})?").fullmatch
QUANTITY = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.\d{1,3})?").fullmatch
RATE = re.compile(r"(?:0|[1-9]\d{0,7})(?:\.\d{1,6})?").fullmatch


class Fields:
    """Reads the fields of rows; `problems` are those of the row at hand."""

    def __init__(self, now: datetime) -> None:
        self.latest = now + CLOCK_SKEW
        self.problems: list[Problem] = []

    def problem(self, code: str, field: str, message: str) -> None:
        self.problems.append({"code": code, "field": field, "message": message})

    def is_object(self, value: Json, field: str) -> bool:
        if type(value) is dict:
            return True
        self.problem("wrong_type", field, _("This must be an object in braces."))
        return False

    def only(self, row: dict[str, Json], known: frozenset[str], prefix: str) -> None:
        """Refuse names that we do not know: silently ignored, a misspelt field would be lost."""
        if not row.keys() <= known:
            for name in sorted(row.keys() - known):
                self.problem(
                    "unknown_field",
                    prefix + name[:KEY_LENGTH],
                    _("This field does not exist. Known are: %(names)s.") % {"names": ", ".join(sorted(known))},
                )

    def key(self, row: dict[str, Json], name: str, prefix: str = "") -> str:
        """A record's name in its source: 1 to 100 printable characters without spaces around. "" if it is wrong."""
        value = row.get(name)
        if type(value) is str and value and len(value) <= KEY_LENGTH and value.isprintable() and value.strip() == value:
            return value
        field = prefix + name
        if value is None or value == "":
            self.problem("required", field, _("This is missing. Send the name under which your system knows it."))
        elif type(value) is not str:
            self.problem("wrong_type", field, _("This must be a text in quotation marks."))
        elif len(value) > KEY_LENGTH:
            self.problem("too_long", field, _("This is longer than %(limit)s characters.") % {"limit": KEY_LENGTH})
        else:
            self.problem(
                "malformed_key", field, _("This holds spaces around it or characters that cannot be seen. Remove them.")
            )
        return ""

    def text(self, row: dict[str, Json], name: str, limit: int, prefix: str = "") -> str:
        """A text of at most `limit` characters; "" for one that is absent, empty, null or wrong."""
        value = row.get(name)
        if value is None or value == "":
            return ""
        if type(value) is not str:
            self.problem("wrong_type", prefix + name, _("This must be a text in quotation marks."))
        elif len(value) > limit:
            self.problem("too_long", prefix + name, _("This is longer than %(limit)s characters.") % {"limit": limit})
        elif "\x00" in value:
            self.problem("malformed_text", prefix + name, _("This holds the character NUL. Remove it."))
        else:
            return value
        return ""

    def choice(self, row: dict[str, Json], name: str, choices: frozenset[str], prefix: str = "") -> str:
        value = row.get(name)
        if type(value) is str and value in choices:
            return value
        self.problem(
            "required" if value is None else "not_a_choice",
            prefix + name,
            _("Send one of: %(choices)s.") % {"choices": ", ".join(sorted(choices))},
        )
        return ""

    def instant(self, row: dict[str, Json], name: str, prefix: str = "", default: datetime | None = None) -> datetime:
        """A moment with its zone, in UTC, not in the future. EPOCH, with a problem noted, for one that is wrong."""
        value = row.get(name)
        if value is None and default is not None:
            return default
        field = prefix + name
        if type(value) is not str:
            code = "required" if value is None else "wrong_type"
            self.problem(code, field, _("Send a time such as 2026-11-02T15:04:00+01:00."))
            return EPOCH
        try:
            read = datetime.fromisoformat(value)
            at = read.astimezone(UTC) if read.tzinfo else None
        except (ValueError, OverflowError):
            self.problem("not_a_time", field, _("This is no time. Write it like 2026-11-02T15:04:00+01:00."))
            return EPOCH
        if at is None:
            self.problem("needs_zone", field, _("The time lacks its zone. Write it like 2026-11-02T15:04:00+01:00."))
        elif at > self.latest:
            self.problem("in_the_future", field, _("This lies in the future. Check the clock and the zone."))
        elif at.year < EARLIEST_YEAR:
            self.problem("too_old", field, _("This lies before the year 1900. Check the date."))
        else:
            return at
        return EPOCH

    def quantity(self, row: dict[str, Json], prefix: str) -> str:
        """More than 0, at most three decimals. As canonical text, "1" if it is wrong."""
        found = self.number(row, "quantity", prefix, QUANTITY, 3)
        if found == "0":
            self.problem("not_positive", prefix + "quantity", _("The quantity must be more than 0."))
            return "1"
        return found or "1"

    def price(self, row: dict[str, Json], prefix: str) -> str:
        """0 or more, at most four decimals. As canonical text, "0" if it is wrong."""
        return self.number(row, "unit_price", prefix, PRICE, 4) or "0"

    def currency(self, row: dict[str, Json], own: str) -> tuple[str, str]:
        """Currency and what one unit of it was worth in the shop's own."""
        code = row.get("currency")
        if type(code) is not str or len(code) != 3 or not (code.isascii() and code.isalpha() and code.isupper()):
            self.problem("not_a_currency", "currency", _("Write the currency as three capital letters, such as EUR."))
            return "", "1"
        if row.get("rate") is None:
            if code != own:
                self.problem(
                    "needs_rate",
                    "rate",
                    _("The shop counts in %(own)s. Send with it what 1 %(code)s was worth in %(own)s, as “rate”.")
                    % {"own": own, "code": code},
                )
            return code, "1"
        rate = self.number(row, "rate", "", RATE, 6)
        if rate == "0":
            self.problem("not_positive", "rate", _("The rate must be more than 0."))
        elif code == own and rate and rate != "1":
            self.problem("rate_of_own_currency", "rate", _("The shop's own currency has the rate 1. Leave it out."))
        return code, rate or "1"

    def number(self, row: dict[str, Json], name: str, prefix: str, fits: Any, places: int) -> str:
        """A number, or one written as text, in canonical form: 2.50 and "2.5" are "2.5". "" if it is wrong."""
        value = row.get(name)
        written: str = repr(value) if type(value) in (int, float) else value if type(value) is str else ""
        if not (fits(written) and written.isascii()):
            written = self.number_spelt_otherwise(value, written, prefix + name, fits, places)
        return written.rstrip("0").rstrip(".") if "." in written else written

    def number_spelt_otherwise(self, value: Json, written: str, field: str, fits: Any, places: int) -> str:
        """The plain spelling of 02.5 or 1e2; "" and the problem for what is no number that fits."""
        try:
            number = Decimal(written.strip()) if written.isascii() and len(written) < 50 else None
        except InvalidOperation:
            number = None
        if value is None:
            self.problem("required", field, _("This number is missing."))
        elif number is None or not number.is_finite():
            self.problem("not_a_number", field, _("This is no number. Write it like 12.50, with a decimal point."))
        elif number < 0:
            self.problem("negative", field, _("This must not be negative. Send goods brought back as a return."))
        elif abs(number.adjusted()) < 50 and fits(plain := format(number.normalize(EXACT), "f")):
            return plain
        else:
            self.problem(
                "out_of_range", field, _("This is too large or has more than %(places)s decimals.") % {"places": places}
            )
        return ""

    def worth(self, quantity: str, price: str, rate: str, prefix: str) -> Decimal:
        """quantity × price × rate, rounded to cents, halves up."""
        worth = EXACT.multiply(Decimal(quantity), Decimal(price))
        if rate != "1":
            worth = EXACT.multiply(worth, Decimal(rate))
        if worth >= MONEY_LIMIT:
            self.problem("out_of_range", prefix + "unit_price", _("This amount of money is too large."))
            return CENT
        return worth.quantize(CENT, context=EXACT)
