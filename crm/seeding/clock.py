"""The days of the invented history, and instants on them.

A day is a number from 0, the first day of the history; an instant is a number of seconds since 1970, UTC.
"""

from bisect import bisect_right
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = 3 * 365 + 1
SUNDAY = 6
MINUTE, DAY = 60, 86400
EPOCH = date(1970, 1, 1).toordinal()


class Clock:
    """Three years that end with the day before `until` in the shop's `zone`.

    `season[day]` says how much more (above 1) or less a customer buys on that day than usual.
    """

    def __init__(self, until: date, zone: ZoneInfo) -> None:
        self.until = until
        days = [until - timedelta(days=DAYS - at) for at in range(DAYS + 1)]
        self.dates = days
        self.texts = [day.isoformat() for day in days]
        self.weekdays = [day.weekday() for day in days]
        self.season = [_season(day) for day in days]
        # Nothing happens between midnight and three, so noon's offset from UTC serves for the whole day.
        self._starts = [int(datetime.combine(day, time(12), zone).timestamp()) - DAY // 2 for day in days]
        self.end = self._starts[DAYS]

    def instant(self, day: int, minute: int) -> int:
        """The instant `minute` minutes after midnight (180 to 1439) on a day of the shop's zone."""
        return self._starts[day] + minute * MINUTE

    def day_of(self, instant: int) -> int:
        """The day on which an instant fell; at most the day `until`."""
        return bisect_right(self._starts, instant) - 1

    def day_text(self, instant: int) -> str:
        return self.texts[self.day_of(instant)]


def _season(day: date) -> float:
    """Advent doubles the trade, the weeks after it and July and August are quiet."""
    if (day.month, day.day) >= (12, 27) or (day.month, day.day) <= (1, 20):
        return 0.7
    if (day.month, day.day) >= (11, 20):
        return 1.9
    if day.month in (7, 8):
        return 0.65
    return 1.15 if day.month in (3, 4, 10) else 1.0


def text(instant: int) -> str:
    """An instant as PostgreSQL reads it."""
    day, second = divmod(instant, DAY)
    return f"{_utc_day(day)} {_time_of_day(second)}+00:00"


@lru_cache(maxsize=4 * DAYS)
def _utc_day(day: int) -> str:
    return date.fromordinal(EPOCH + day).isoformat()


@lru_cache(maxsize=DAY)
def _time_of_day(second: int) -> str:
    return f"{second // 3600:02d}:{second // MINUTE % 60:02d}:{second % MINUTE:02d}"
