"""Days are days in the shop's zone; instants are UTC."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.timezone import now

from crm.models import Shop


def shop_zone() -> ZoneInfo:
    return ZoneInfo(Shop.current().time_zone)


def today(zone: ZoneInfo | None = None) -> date:
    """The current day in the shop's zone."""
    return now().astimezone(zone or shop_zone()).date()


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """The day on which an instant fell in `zone`."""
    return at.astimezone(zone).date()
