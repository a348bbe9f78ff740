"""The calendar of all planned occasions, and what is said to be unwise about a mailing."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import calendar, checks, forecast, recipes, warnings
from campaigns.models import Campaign, WarmUp
from campaigns.transport import configured
from crm import public_holidays
from crm.models import MailLog, Shop
from tests.campaigns.people import launched, mailing, open_shop, person
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

# A Monday in Berlin, far from any change of the clocks.
TODAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def shop() -> Any:
    cache.clear()
    with time_machine.travel(TODAY, tick=False):
        yield open_shop(time_zone="Europe/Berlin", holiday_region="DE")


def on(day: int, hour: int = 9, month: int = 12) -> datetime:
    """A moment in UTC, which is one hour behind the shop."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def warned(**more: Any) -> str:
    given = {"campaign": Campaign(send_at=None), "shop": Shop.current(), "at": on(1)} | more
    return " ".join(warnings.of(warnings.Outlook(**given)))


class TestWarnings:
    def test_of_an_ordinary_day_are_none(self) -> None:
        assert warned() == ""

    @pytest.mark.parametrize(
        ("at", "word"),
        [
            (on(20), "Sunday"),
            (on(25), "Christmas"),
            (on(1, hour=4), "seven in the morning"),
            (datetime(2026, 3, 1, tzinfo=UTC), "passed"),
            (datetime(2027, 3, 28, 9, tzinfo=UTC), "clocks change"),
            (datetime(2026, 12, 19, 23, 30, tzinfo=UTC), "Sunday"),  # half past midnight where the shop is
        ],
    )
    def test_of_an_unwise_time(self, at: datetime, word: str) -> None:
        assert word in warned(at=at)

    @pytest.mark.parametrize(("hour", "quiet"), [(18, False), (19, True), (6, True), (7, False)])
    def test_of_quiet_time_over_midnight(self, hour: int, quiet: bool) -> None:
        open_shop(quiet_from=time(20), quiet_until=time(8), time_zone="Europe/Berlin")
        assert ("quiet time" in warned(shop=Shop.objects.get(), at=on(1, hour=hour))) == quiet

    def test_of_a_window_that_is_closed_then_or_too_short(self) -> None:
        campaign = Campaign(window_from=time(14), window_until=time(16), weekdays=[3])
        said = warned(campaign=campaign, recipients=5_000, rate=20.0)
        assert "from 14:00 to 16:00" in said and "day of the week" in said and "2,400" in said

    def test_of_more_mails_than_may_go(self) -> None:
        assert "300" in warned(recipients=300, capacity=200)
        assert warned(recipients=200, capacity=200) == ""

    def test_of_a_control_group_that_says_nothing(self) -> None:
        assert "too few" in warned(campaign=Campaign(hold_out=5), recipients=400, held_out=20)
        assert warned(campaign=Campaign(hold_out=5), recipients=9_000, held_out=450) == ""

    def test_count_people_who_get_another_mailing_within_the_fortnight(self) -> None:
        for _number in range(3):
            person("", "newsletter")
        launched(send_at=on(3), name="Advent")
        person("", "newsletter")
        draft = mailing(send_at=on(10), checked_recipients=4, checked_at=now())
        said = " ".join(warnings.of_draft(checks.Draft(draft, Shop.current())).warnings)
        assert "3 of these people also get “Advent”" in said
        far = mailing(send_at=on(28), checked_recipients=4, checked_at=now())
        assert "Advent" not in str(warnings.of_draft(checks.Draft(far, Shop.current())).warnings)

    def test_count_whom_the_cap_would_hold_back(self) -> None:
        open_shop(mails_per_fortnight=1, time_zone="Europe/Berlin")
        anna = person("anna@example.test", "newsletter")
        person("ben@example.test", "newsletter")
        MailLog.objects.create(customer=anna, message_class="advertising", at=now() - timedelta(days=1))
        draft = mailing(send_at=on(1), checked_recipients=2, checked_at=now())
        assert "1 person would not get it" in str(warnings.of_draft(checks.Draft(draft, Shop.current())).warnings)


class TestForecast:
    def test_counts_coming_birthdays_of_those_who_agreed(self) -> None:
        person("anna@example.test", "birthday", birth_month=12, birth_day=5)
        person("ben@example.test", birth_month=12, birth_day=5)
        person("cora@example.test", "birthday", birth_month=12, birth_day=6)
        found = forecast.expected(Shop.current(), date(2026, 12, 1), date(2026, 12, 31))
        assert found["birthday"] == {date(2026, 12, 5): 1, date(2026, 12, 6): 1}

    def test_leaves_out_what_is_switched_off(self) -> None:
        Campaign.objects.filter(pk=recipes.standing_campaign(recipes.everything()["birthday"]).pk).update(
            switched_on=False
        )
        assert "birthday" not in forecast.expected(Shop.current(), date(2026, 12, 1), date(2026, 12, 2))

    def test_gives_up_on_what_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forecast, "COUNT", "SELECT now()::date, 1 FROM pg_sleep(5)")
        monkeypatch.setattr(forecast, "PATIENCE_MS", 20)
        found = forecast.expected(Shop.current(), date(2026, 12, 1), date(2026, 12, 2))
        assert found["birthday"] is None

    def test_works_for_every_recipe_of_the_calendar(self) -> None:
        told = [recipe for recipe in recipes.of_occasion(recipes.Occasion.CALENDAR) if not recipe.secret]
        for recipe in told:
            Campaign.objects.filter(pk=recipes.standing_campaign(recipe).pk).update(switched_on=True)
        found = forecast.expected(Shop.current(), date(2026, 12, 1), date(2026, 12, 31))
        assert sorted(found) == sorted(recipe.code for recipe in told)
        assert None not in found.values()


class TestMonth:
    def test_puts_mailings_on_their_day_where_the_shop_is(self) -> None:
        mailing(send_at=datetime(2026, 12, 4, 23, 30, tzinfo=UTC), name="Nikolaus")
        days = {day.day: day for day in calendar.month(date(2026, 12, 1)).days}
        assert [entry.label for entry in days[date(2026, 12, 5)].entries] == ["Nikolaus"]

    def test_is_made_of_whole_weeks(self) -> None:
        month = calendar.month(date(2026, 12, 1))
        assert month.weeks[0][0].day == date(2026, 11, 30) and month.weeks[-1][-1].day == date(2027, 1, 3)
        assert len(month.days) == 31 and all(len(week) == 7 for week in month.weeks)

    def test_weighs_the_load_of_a_day_against_what_may_go(self) -> None:
        WarmUp.objects.create(
            transport=configured().name, started_on=date(2026, 12, 4), per_day=50, growth=2, ceiling=80
        )
        mailing(send_at=on(5), checked_recipients=90)
        person("anna@example.test", "birthday", birth_month=12, birth_day=5)
        days = {day.day: day for day in calendar.month(date(2026, 12, 1)).days}
        day = days[date(2026, 12, 5)]
        assert (day.load, day.capacity, day.full) == (91, 80, True)
        assert "91" in next(entry for entry in day.entries if entry.campaign).warnings[0]

    def test_shows_holidays_and_drops_given_up_drafts(self) -> None:
        mailing(send_at=on(8), status="cancelled")
        days = {day.day: day for day in calendar.month(date(2026, 12, 1)).days}
        assert days[date(2026, 12, 25)].holiday and not days[date(2026, 12, 8)].entries


class TestPage:
    @pytest.fixture
    def marketer(self, client: Client) -> Client:
        user = UserFactory(role="marketer", language="en")
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def test_shows_mailings_with_numbers_and_warnings(self, marketer: Client) -> None:
        mailing(send_at=on(25), name="Festgruß", checked_recipients=1234)
        page = marketer.get("/campaigns/calendar/?month=2026-12").content.decode()
        assert "Festgruß" in page and "1,234" in page and "public holiday" in page

    @pytest.mark.parametrize("asked", ["", "2026-13", "nonsense", "9999-01", "0000-00", "2026-12-01"])
    def test_of_a_month_that_is_none_is_the_current_one(self, marketer: Client, asked: str) -> None:
        assert marketer.get("/campaigns/calendar/", {"month": asked}).context["month"].first == date(2026, 11, 1)

    def test_asks_as_often_for_many_as_for_few(self, marketer: Client) -> None:
        def queries() -> int:
            cache.clear()
            with CaptureQueriesContext(connection) as seen:
                assert marketer.get("/campaigns/calendar/?month=2026-12").status_code == 200
            return len(seen)

        mailing(send_at=on(2))
        person("", "birthday", birth_month=12, birth_day=2)
        queries()
        few = queries()
        for day in range(1, 29):
            mailing(send_at=on(day))
            person("", "birthday", birth_month=12, birth_day=day)
        assert queries() == few


class TestHolidays:
    def test_hang_on_the_land(self) -> None:
        reformation = date(2026, 10, 31)
        assert public_holidays.name_of("DE-NI", reformation) and not public_holidays.name_of("DE", reformation)
        assert public_holidays.between("", reformation, reformation) == {}

    @pytest.mark.parametrize("region", ["XX", "DE-QQ", "Germany", "-"])
    def test_of_an_unknown_region_are_refused(self, region: str) -> None:
        with pytest.raises(ValidationError):
            public_holidays.validate_region(region)
