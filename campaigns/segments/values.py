"""The values of conditions: what may be wrong with one, how what a form sent becomes one, and how it enters SQL."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from campaigns.segments import days

LONGEST_TEXT = 200
MOST_VALUES = 100
GREATEST = 10**12


@dataclass
class Bind:
    """Takes values of a statement and answers the names that stand for them. `today`: of the shop, or a past day shown."""

    today: date
    zone: ZoneInfo
    parameters: dict[str, Any] = field(default_factory=dict)

    def __call__(self, value: Any) -> str:
        name = f"audience_r{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"

    def within(self, column: str, span: days.Span, *, instants: bool) -> str:
        """Whether a column of days or instants lies in a span. NULL stays NULL."""
        start, end = (days.begins(day, self.zone) for day in span) if instants else span
        parts = [f"{column} >= {self(start)}"] if start else []
        parts += [f"{column} < {self(end)}"] if end else []
        return " AND ".join(parts) or "TRUE"


# What may be wrong with one


def text_fault(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        return _("Enter a text.")
    if "\0" in value:
        return _("This text has a character that no text can have.")
    return (
        ""
        if len(value) <= LONGEST_TEXT
        else _("This text is too long: at most %(n)s characters.") % {"n": LONGEST_TEXT}
    )


def texts_fault(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _("Enter at least one text; part several by commas.")
    if len(value) > MOST_VALUES:
        return _("That are too many values: at most %(n)s. A list is better for so many.") % {"n": MOST_VALUES}
    return next((wrong for one in value if (wrong := text_fault(one))), "")


def choice_fault(value: Any, known: Collection[str] | None) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return _("Choose one.")
    return "" if known is None or str(value) in known else _("What was chosen does not exist any more. Choose again.")


def choices_fault(value: Any, known: Collection[str] | None) -> str:
    if not isinstance(value, list) or not value:
        return _("Choose at least one.")
    if len(value) > MOST_VALUES:
        return _("That are too many values: at most %(n)s. A list is better for so many.") % {"n": MOST_VALUES}
    return next((wrong for one in value if (wrong := choice_fault(one, known))), "")


def number_fault(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _("Enter a number.")
    if isinstance(value, float) and not math.isfinite(value):
        return _("Enter a number.")
    return "" if abs(value) <= GREATEST else _("This number is too great.")


def whole_fault(value: Any, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        return _("Enter a whole number of days from 1 to %(most)s.") % {"most": most}
    return ""


def day_fault(operator: str, value: Any) -> str:
    if operator in days.RELATIVE:
        return whole_fault(value, days.MOST_DAYS)
    if operator != "between":
        return "" if days.read(value) else _("Choose a day between 1900 and 2200.")
    if not isinstance(value, list) or len(value) != 2 or not all(days.read(one) for one in value):
        return _("Choose two days between 1900 and 2200.")
    return "" if value[0] <= value[1] else _("The first day must not be later than the second.")


# What a form sent


def read_number(given: str) -> Any:
    """12,5 and 12.5 are the same; whole ones are whole. What is no number stays a text."""
    plain = given.strip().replace("−", "-").replace("\u00a0", "").replace(" ", "")
    if "," in plain and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        number = float(plain)
    except ValueError:
        return given
    return int(number) if number.is_integer() and math.isfinite(number) and abs(number) <= GREATEST else number


def read_days(operator: str, given: Sequence[str]) -> Any:
    if operator in days.RELATIVE:
        return read_number(given[0]) if given else ""
    if operator == "between":
        return [one.strip() for one in given[:2]]
    return given[0].strip() if given else ""
