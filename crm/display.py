"""How amounts, numbers and days are written for a reader, in the language that is active and the shop's zone.

Every function answers None with None: the template then shows the dashed word for unknown, never 0 or nothing.
"""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, ngettext

MINUS = "−"
NARROW = "\u00a0"  # keeps a number and its unit on one line
SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}
NO_CENTS = {"JPY"}

Number = int | float | Decimal


def german() -> bool:
    return (get_language() or "en").startswith("de")


def number(value: Number | None, places: int = 0) -> str | None:
    """1234.5 as 1.234,5 (German) or 1,234.5, with `places` decimals, half away from zero, a real minus sign."""
    if value is None:
        return None
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{abs(exact):,.{places}f}"
    if german():
        text = text.translate(str.maketrans(",.", ".,"))
    return (MINUS if exact < 0 else "") + text


def signed(value: Number | None, places: int = 0) -> str | None:
    """Like `number`, with a plus before what is above zero."""
    text = number(value, places)
    if text is None or value is None:
        return None
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def percent(value: Number | None, places: int = 0) -> str | None:
    """A share from 0 to 1 as percent."""
    if value is None:
        return None
    text = number(Decimal(str(value)) * 100, places)
    return f"{text}{NARROW}%" if german() else f"{text}%"


def money(amount: Number | None, currency: str) -> str | None:
    """An amount in the installation's currency: 1.234,56 € in German, €1,234.56 in English.

    currency: ISO 4217 code; one without a symbol here is written as its code.
    """
    if amount is None:
        return None
    text = number(abs(Decimal(str(amount))), 0 if currency in NO_CENTS else 2)
    sign = MINUS if amount < 0 and (text or "").strip("0.,") else ""
    symbol = SYMBOLS.get(currency)
    if german() or symbol is None:
        return f"{sign}{text}{NARROW}{symbol or currency}"
    return f"{sign}{symbol}{text}"


def _here(value: date) -> date:
    return timezone.localtime(value) if isinstance(value, datetime) and timezone.is_aware(value) else value


def day(value: date | None) -> str | None:
    """14.02.2024 in German, 14 Feb 2024 in English; an instant is a day in the shop's zone."""
    if value is None:
        return None
    here = _here(value)
    return f"{here.day:02}.{here.month:02}.{here.year:04}" if german() else date_format(here, "j M Y")


def short_day(value: date | None) -> str | None:
    """Weekday and day without the year: Fr 20.11. or Fri 20 Nov."""
    if value is None:
        return None
    return date_format(_here(value), "D d.m." if german() else "D j M")


def long_day(value: date | None) -> str | None:
    """Weekday, day, month and year: Montag, 23. November 2026 or Monday, 23 November 2026."""
    return None if value is None else date_format(_here(value), "l, j. F Y" if german() else "l, j F Y")


def clock(value: datetime | None) -> str | None:
    """16:42, in the shop's zone."""
    if value is None:
        return None
    here = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{here.hour:02}:{here.minute:02}"


def instant(value: datetime | None) -> str | None:
    """Day and time, in the shop's zone."""
    return None if value is None else f"{day(value)}, {clock(value)}"


def birthday(month: int | None, day_of_month: int | None, year: int | None = None) -> str | None:
    """3. Dezember or 3 December, with the year where it is known. None unless month and day are."""
    if not month or not day_of_month:
        return None
    shown = date(year or 2000, month, day_of_month)  # 2000 has a 29 February
    return date_format(shown, ("j. F" if german() else "j F") + (" Y" if year else ""))


def ago(value: date | None, today: date | None = None) -> str | None:
    """How many days ago, counted in days of the shop's zone: today, yesterday, 19 days ago, in 10 days."""
    if value is None:
        return None
    here = _here(value)
    past = here.date() if isinstance(here, datetime) else here
    days = ((today or timezone.localdate()) - past).days
    if days == 0:
        return gettext("today")
    if days == 1:
        return gettext("yesterday")
    if days == -1:
        return gettext("tomorrow")
    if days < 0:
        return ngettext("in %(n)s day", "in %(n)s days", -days) % {"n": number(-days)}
    return ngettext("%(n)s day ago", "%(n)s days ago", days) % {"n": number(days)}
