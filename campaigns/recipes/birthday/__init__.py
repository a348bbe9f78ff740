"""A greeting on the birthday, once a year, on the day itself."""

from datetime import date, timedelta

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.birthday.texts import BLOCKS, SUBJECT

LEAP_DAY = Setting(
    "leap_day",
    _("Born on 29 February"),
    "choice",
    default="28-02",
    help=_("When they are greeted in years without that day."),
    choices=(("28-02", _("on 28 February")), ("01-03", _("on 1 March"))),
)

AUDIENCE = """
SELECT born.id AS customer_id,
       'birthday:' || %(audience_year)s || ':' || born.id AS dedupe_key,
       'birthday:' || %(audience_year)s || ':' || born.birth_month || '-' || born.birth_day AS cause,
       NULL::bigint AS event_id,
       (%(audience_day)s::date + time '09:00') AT TIME ZONE born.zone AS not_before,
       (%(audience_day)s::date + interval '1 day') AT TIME ZONE born.zone AS not_after
FROM (
  SELECT customer.*, CASE WHEN customer.time_zone IN ('', %(audience_zone)s) THEN %(audience_zone)s
                          ELSE public.f_zone(customer.time_zone, %(audience_zone)s) END AS zone
  FROM crm_customer customer
  WHERE (customer.birth_month, customer.birth_day) IN ({days})
    AND customer.merged_into_id IS NULL AND customer.erased_at IS NULL
) born
"""


def audience(moment: Moment) -> Query:
    """Who has their birthday on the shop's day. Midnight to nine is no time for mail; after the day it is too late."""
    assert moment.day
    days = birthdays_kept_on(moment.day, LEAP_DAY.of(moment.campaign))
    return AUDIENCE.format(days=", ".join(f"({month}, {day})" for month, day in days)), {
        "audience_year": str(moment.day.year),
        "audience_day": moment.day,
        "audience_zone": moment.shop.time_zone,
    }


def birthdays_kept_on(day: date, leap_day: str = "28-02") -> list[tuple[int, int]]:
    """The (month, day) pairs greeted on a day.

    Born on 29 February: in a common year greeted on 28 February, or on 1 March if `leap_day` is "01-03".
    """
    pairs = [(day.month, day.day)]
    common = (date(day.year, 3, 1) - timedelta(days=1)).day == 28
    if common and day == (date(day.year, 3, 1) if leap_day == "01-03" else date(day.year, 2, 28)):
        pairs.append((2, 29))
    return pairs


RECIPE = Recipe(
    code="birthday",
    label=_("Birthday greeting"),
    description=_("Congratulates on the day itself, once a year, and only those who agreed to it."),
    occasion=Occasion.CALENDAR,
    audience=audience,
    message_class="advertising",
    purpose="birthday",
    subject=SUBJECT,
    blocks=BLOCKS,
    priority=30,
    on_by_default=True,
    brings="may",
    settings=(LEAP_DAY,),
    at_most=_("Once a year."),
)
