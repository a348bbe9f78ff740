"""Thanks on the day on which somebody bought for the first time, years ago."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import LIVING, at, kept_on, written
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.anniversary.texts import BLOCKS, IN_WORDS, SUBJECT, YEARS
from loyalty.status import status_sql

LONGEST = 100
FIRST = Setting(
    "first_year",
    _("First anniversary"),
    "number",
    1,
    help=_("With 3, the mail goes after three years for the first time, then every year."),
    minimum=1,
    maximum=50,
    unit=_("years"),
)
AUDIENCE = f"""
SELECT customer.id AS customer_id, 'anniversary:' || %(audience_year)s || ':' || customer.id AS dedupe_key,
       'anniversary:' || known.first_order_on || ':' || %(audience_year)s AS cause, NULL::bigint AS event_id,
       {at("%(audience_day)s")} AS not_before, {at("%(audience_day)s::date + 1", "00:00")} AS not_after
FROM loyalty_metrics known
JOIN loyalty_assessment judged ON judged.customer_id = known.customer_id
JOIN crm_customer customer ON customer.id = known.customer_id
WHERE known.first_order_on = ANY(%(audience_days)s::date[]) AND {LIVING}
  AND {status_sql("%(audience_day)s::date")} NOT IN ('', 'lapsed')
"""
# Returned or cancelled meanwhile, it was not the first purchase.
STILL_FIRST = """EXISTS (SELECT FROM loyalty_metrics known WHERE known.customer_id = mine.customer_id
    AND known.first_order_on = split_part(mine.cause, ':', 2)::date)"""


def audience(moment: Moment) -> Query:
    """Whose first kept purchase was on this day years ago and who has not lapsed, at nine where they live."""
    assert moment.day
    return AUDIENCE, local_days.parameters(moment) | {
        "audience_day": moment.day,
        "audience_year": str(moment.day.year),
        "audience_days": first_days(moment.day, FIRST.of(moment.campaign)),
    }


def first_days(day: date, first: int = 1) -> list[date]:
    """The days whose anniversary is kept on a day, from `first` years ago on."""
    return [
        found
        for month, number in kept_on(day)
        for year in range(day.year - LONGEST, day.year - first + 1)
        if (found := _day(year, month, number))
    ]


def _day(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The day of the first purchase, and how long ago that is, in words up to twelve."""
    _name, first, year = detail["cause"].split(":")
    began = date.fromisoformat(first)
    return {
        "first_purchase_date": written(began, language),
        "time_together": in_words(int(year) - began.year, language),
    }


def in_words(years: int, language: str) -> str:
    """ "ein Jahr", "two years", "13 years"."""
    one, many = YEARS[language]
    words = IN_WORDS[language]
    return one if years == 1 else f"{words[years - 2] if years - 2 < len(words) else years} {many}"


RECIPE = Recipe(
    code="anniversary",
    label=_("Anniversary of the first purchase"),
    description=_("Thanks on the day of the first purchase, every year, those who still buy."),
    occasion=Occasion.CALENDAR,
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"first_purchase_date": "23. November 2024", "time_together": "zwei Jahre"},
    more_values=more_values,
    example={"cause": "anniversary:2024-11-23:2026"},
    cause_holds=STILL_FIRST,
    priority=35,
    brings="may",
    settings=(FIRST,),
    at_most=_("Once a year."),
)
