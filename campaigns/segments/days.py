"""What “in the last 30 days” means: days of the shop's zone as half-open spans, and the instants at which they begin."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Span = tuple[date | None, date | None]

FIRST, LAST = date(1900, 1, 1), date(2200, 12, 31)
MOST_DAYS = 36_500
RELATIVE = ("in_last", "not_in_last", "in_next", "longer_ago")
NEGATIVE = {"never": "ever", "not_in_last": "in_last", "not_since": "since"}


def read(value: Any) -> date | None:
    """A day written as 2026-02-28, between 1900 and 2200; None for anything else."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-02-28") else None
    except ValueError:
        return None
    return found if found and FIRST <= found <= LAST else None


def span(operator: str, value: Any, today: date) -> Span:
    """From the first day to the one after the last; None where there is no end. Today is the first of the last n days."""
    one = timedelta(days=1)
    if operator == "ever":
        return None, None
    if operator in RELATIVE:
        n = timedelta(days=value)
        return {
            "in_last": (today - n + one, today + one),
            "in_next": (today, today + n),
            "longer_ago": (None, today - n + one),
        }[operator]
    if operator == "between":
        low, high = (date.fromisoformat(day) for day in value)
        return low, high + one
    day = date.fromisoformat(value)
    return {"is": (day, day + one), "before": (None, day), "after": (day + one, None), "since": (day, None)}[operator]


def begins(day: date | None, zone: ZoneInfo) -> datetime | None:
    """The instant at which a day begins in a zone."""
    return None if day is None else datetime.combine(day, time(), zone)
