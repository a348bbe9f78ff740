"""Days are days in the shop's zone; instants are UTC."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.timezone import now

from crm import public_holidays
from crm.models import Shop

SATURDAY = 5
CLOSING = time(18)
LONGEST_REST = timedelta(days=14)  # as far as holidays are looked for


def shop_zone() -> ZoneInfo:
    return ZoneInfo(Shop.current().time_zone)


def today(zone: ZoneInfo | None = None) -> date:
    """The current day in the shop's zone."""
    return now().astimezone(zone or shop_zone()).date()


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The day on which an instant fell in `zone`."""
    return at.astimezone(zone).date()


def next_working_day(day: date) -> date:
    """The first day after `day` from Monday to Friday that is no public holiday of the shop's region."""
    region, following = Shop.current().holiday_region, day + timedelta(days=1)
    rests = public_holidays.between(region, following, following + LONGEST_REST)
    while following.weekday() >= SATURDAY or following in rests:
        following += timedelta(days=1)
    return following


def within_one_working_day(at: datetime, zone: ZoneInfo | None = None) -> datetime:
    """18:00 of the next working day in the shop's zone: by then somebody got in touch."""
    zone = zone or shop_zone()
    return datetime.combine(next_working_day(day_of(at, zone)), CLOSING, zone)
