"""Days where the customer lives: SQL that the recipes share.

They read `customer` (crm_customer) and the parameters of `parameters`.
"""

from datetime import date, timedelta
from typing import Any

from django.utils import formats, translation

from campaigns.recipe import Moment

MORNING = "09:00"
ZONE = """CASE WHEN customer.time_zone IN ('', %(audience_zone)s) THEN %(audience_zone)s
    ELSE public.f_zone(customer.time_zone, %(audience_zone)s) END"""
LIVING = "customer.merged_into_id IS NULL AND customer.erased_at IS NULL AND NOT customer.is_placeholder"


def parameters(moment: Moment) -> dict[str, Any]:
    """What `at` needs."""
    return {"audience_zone": moment.shop.time_zone}


def at(day: str, hour: str = MORNING) -> str:
    """The instant of an hour of a day (SQL) where the customer lives. Midnight to nine is no time for mail."""
    return f"((({day})::date + time '{hour}') AT TIME ZONE ({ZONE}))"


def written(day: date, language: str, weekday: bool = False) -> str:
    """A day as a letter writes it: "2. November 2026", "Monday, 2 November 2026"."""
    pattern = ("l, " if weekday else "") + ("j.\u00a0F Y" if language == "de" else "j F Y")
    with translation.override(language):
        return formats.date_format(day, pattern)


def kept_on(day: date, leap_day: str = "28-02") -> list[tuple[int, int]]:
    """The (month, day) pairs that are kept on a day.

    29 February: in a common year kept on 28 February, or on 1 March if `leap_day` is "01-03".
    """
    pairs = [(day.month, day.day)]
    common = (date(day.year, 3, 1) - timedelta(days=1)).day == 28
    if common and day == (date(day.year, 3, 1) if leap_day == "01-03" else date(day.year, 2, 28)):
        pairs.append((2, 29))
    return pairs
