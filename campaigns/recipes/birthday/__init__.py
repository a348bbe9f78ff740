"""A greeting on the birthday, once a year, on the day itself."""

from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import at, kept_on
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

AUDIENCE = f"""
SELECT customer.id AS customer_id,
       'birthday:' || %(audience_year)s || ':' || customer.id AS dedupe_key,
       'birthday:' || %(audience_year)s || ':' || customer.birth_month || '-' || customer.birth_day AS cause,
       NULL::bigint AS event_id,
       {at("%(audience_day)s")} AS not_before,
       {at("%(audience_day)s::date + 1", "00:00")} AS not_after
FROM crm_customer customer
WHERE (customer.birth_month, customer.birth_day) IN ({{days}})
  AND customer.merged_into_id IS NULL AND customer.erased_at IS NULL
"""
# Who corrected the day meanwhile is not congratulated on the wrong one.
STILL = """EXISTS (SELECT FROM crm_customer born WHERE born.id = mine.customer_id
    AND split_part(mine.cause, ':', 3) = born.birth_month || '-' || born.birth_day)"""


def audience(moment: Moment) -> Query:
    """Who has their birthday on the day, at nine where they live. After the day it is too late."""
    assert moment.day
    kept = kept_on(moment.day, LEAP_DAY.of(moment.campaign))
    statement = AUDIENCE.format(days=", ".join(f"({month}, {day})" for month, day in kept))
    return statement, local_days.parameters(moment) | {
        "audience_year": str(moment.day.year),
        "audience_day": moment.day,
    }


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
    cause_holds=STILL,
    priority=30,
    on_by_default=True,
    brings="may",
    settings=(LEAP_DAY,),
    at_most=_("Once a year."),
)
