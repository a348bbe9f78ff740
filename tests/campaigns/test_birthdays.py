"""Every birthday is greeted exactly once a year: on the day, between nine and midnight where the person lives.

The planner is driven by simulated clocks of shops and people all over the world, as often and as seldom as it may run.
What would go, and when, is judged by Python's own calendar, not by the statement that planned it.
"""

import random
from calendar import isleap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from campaigns import occasions, planning, recipes
from campaigns.models import Campaign, Delivery
from campaigns.recipe import Moment, Query
from campaigns.sending import Sender
from crm.models import Customer, Purpose, Shop
from tests.campaigns.people import open_shop, person

pytestmark = pytest.mark.django_db

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC")
BIRTHDAYS = [
    ((date(2024, 1, 1) + timedelta(days=n)).month, (date(2024, 1, 1) + timedelta(days=n)).day) for n in range(366)
]
YEARS = range(2024, 2029)
# The year's ends, the leap day's neighbours, and the nights of 2026 in which clocks change in Berlin, New York and Lord Howe.
NOTABLE = [(1, 1), (2, 28), (2, 29), (3, 1), (3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1), (12, 31)]

PEOPLE = """
WITH born AS (
  INSERT INTO crm_customer (given_name, birth_month, birth_day, time_zone, attributes, field_versions)
  SELECT CASE WHEN agreed THEN 'agreed' ELSE 'silent' END, month, day, zone, '{}', '{}'
  FROM unnest(%(months)s::int[], %(days)s::int[]) AS birthday(month, day), unnest(%(zones)s::text[]) AS zone,
    (VALUES (true), (false)) AS answer(agreed)
  RETURNING id, given_name, person_key
), reached AS (
  INSERT INTO crm_contactpoint (customer_id, kind, value, normal, is_primary)
  SELECT id, 'email', 'p' || id || '@example.test', 'p' || id || '@example.test', true FROM born
), declared AS (
  INSERT INTO crm_consentevent (person_key, purpose_id, channel, action, method, occurred_at)
  SELECT person_key, 'birthday', 'email', 'given', 'paper', '2023-01-01Z' FROM born WHERE given_name = 'agreed'
  RETURNING id, person_key
)
INSERT INTO crm_consentstate (customer_id, purpose_id, channel, state, since, address, evidence_id)
SELECT born.id, 'birthday', 'email', 'given', '2023-01-01Z', 'p' || born.id || '@example.test', declared.id
FROM born JOIN declared USING (person_key)
"""


# Notes the simulated instant with each mail.
STAMP = """
CREATE OR REPLACE FUNCTION pg_temp.stamp() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.provider_id := current_setting('clock.at', true); RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER stamp BEFORE INSERT ON campaigns_delivery FOR EACH ROW EXECUTE FUNCTION pg_temp.stamp()
"""


@dataclass(frozen=True)
class Greeting:
    """One mail as it would go: `planned` by the simulated clock, `goes` as soon as that and its window allow."""

    customer: int
    month: int
    day: int
    zone: ZoneInfo
    planned: datetime
    opens: datetime
    ends: datetime

    @property
    def goes(self) -> datetime | None:
        at = max(self.planned, self.opens)
        return at if at < self.ends else None


def people(birthdays: Iterable[tuple[int, int]], zones: Iterable[str] = ZONES) -> None:
    """For each birthday and zone one who agreed and one who was never asked, by one statement; and the clock's trigger."""
    Purpose.objects.get_or_create(code="birthday")
    months, days = zip(*birthdays, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, {"months": list(months), "days": list(days), "zones": list(zones)})
        cursor.execute(STAMP)
        cursor.execute("ANALYZE crm_customer, crm_contactpoint, crm_consentstate")


def plan(at: datetime, zone: ZoneInfo) -> int:
    """Run the planner at an instant, which STAMP notes with what it planned."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('clock.at', %s, true)", [at.isoformat()])
    return planning.plan_occasions(at.astimezone(zone).date())["birthday"]


def runs(start: datetime, hours: int, rng: random.Random) -> Iterator[datetime]:
    """Up to five runs an hour, and now and then up to seven hours without any."""
    silent = 0
    for hour in range(hours):
        silent = rng.randint(1, 7) if not silent and rng.random() < 0.15 else max(0, silent - 1)
        for _run in range(0 if silent else rng.randint(1, 5)):
            yield start + timedelta(hours=hour, minutes=rng.randint(0, 59))


def drive(start: date, days: int, zone: ZoneInfo, rng: random.Random) -> int:
    """Let the planner run from a day on, and the same day's runs again at times. Returns how often it ran.

    What a run plans hangs on the shop's day and the facts alone, so of the runs of one day the first is made, and some
    of the others.
    """
    begin = datetime.combine(start, time(), zone).astimezone(UTC)
    done, last = 0, None
    for at in runs(begin, days * 24, rng):
        day = at.astimezone(zone).date()
        if day != last or rng.random() < 0.003:
            plan(at, zone)
            done, last = done + 1, day
    return done


def greetings() -> list[Greeting]:
    rows = Delivery.objects.filter(recipe="birthday", state="planned").values_list(
        "customer_id", "customer__birth_month", "customer__birth_day", "customer__time_zone", "provider_id", "not_before",
        "not_after",
    )  # fmt: skip
    zones = {name: ZoneInfo(name) for name in ZONES}
    return [
        Greeting(pk, m, d, zones[zone], datetime.fromisoformat(at), *window) for pk, m, d, zone, at, *window in rows
    ]


def kept_on(month: int, day: int, year: int, leap_day: tuple[int, int] = (2, 28)) -> date:
    """The day of a year on which a birthday is greeted."""
    return date(year, *((month, day) if (month, day) != (2, 29) or isleap(year) else leap_day))


def prove(birthdays: Iterable[tuple[int, int]], years: Iterable[int], leap_day: tuple[int, int] = (2, 28)) -> int:
    """Exactly one greeting a person and year, on the day, from nine to midnight there, to nobody without permission."""
    agreed = set(Customer.objects.filter(given_name="agreed").values_list("pk", flat=True))
    expected = {
        (pk, kept_on(month, day, year, leap_day))
        for pk, month, day in Customer.objects.filter(pk__in=agreed).values_list("pk", "birth_month", "birth_day")
        for year in years
    }
    seen = []
    for one in greetings():
        assert one.customer in agreed, "nobody without permission"
        assert one.goes is not None, "nothing that could never go"
        there = one.goes.astimezone(one.zone)
        seen.append((one.customer, there.date()))
        assert there.time() >= time(9), f"not in the night: {there}"
        assert one.ends.astimezone(one.zone) <= datetime.combine(there.date() + timedelta(days=1), time(), one.zone)
    assert len(seen) == len(set(seen)), "nobody twice"
    assert set(seen) == expected, f"{len(expected - set(seen))} missed, {len(set(seen) - expected)} on a wrong day"
    return len(seen)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20261123)


@pytest.mark.parametrize("shop_zone", ["Pacific/Kiritimati", "America/New_York"])
def test_notable_days_are_greeted_once_wherever_people_live(shop_zone: str, rng: random.Random) -> None:
    open_shop(time_zone=shop_zone)
    people(NOTABLE)
    zone = ZoneInfo(shop_zone)
    done: set[date] = set()
    for month, day in NOTABLE:
        around = [kept_on(month, day, 2026) + timedelta(days=far) for far in (-1, 0, 1)]
        for one in around:
            if one not in done:
                drive(one, 1, zone, rng)
                done.add(one)
    drive(date(2027, 1, 1), 1, zone, rng)  # ends the last day of the year in the west …
    Delivery.objects.filter(dedupe_key__startswith="birthday:2027:").delete()  # … and begins another year
    Delivery.objects.filter(dedupe_key__startswith="birthday:2025:").delete()
    assert prove(NOTABLE, [2026]) == len(NOTABLE) * len(ZONES)


def test_the_leap_day_may_be_kept_in_march(rng: random.Random) -> None:
    open_shop()
    campaign = recipes.standing_campaign(recipes.everything()["birthday"])
    Campaign.objects.filter(pk=campaign.pk).update(options=campaign.options | {"leap_day": "01-03"})
    people([(2, 29)])
    drive(date(2027, 2, 26), 6, ZoneInfo("Europe/Berlin"), rng)
    assert prove([(2, 29)], [2027], leap_day=(3, 1)) == len(ZONES)


CLOCK = "".join(
    f"CREATE FUNCTION clock.{name}() RETURNS timestamptz LANGUAGE sql STABLE AS"
    " $$ SELECT current_setting('clock.at')::timestamptz $$;"
    for name in ("now", "clock_timestamp", "statement_timestamp")
)


@pytest.mark.parametrize("birthday", [(3, 29), (4, 5)])
def test_senders_take_a_greeting_up_only_in_its_window(birthday: tuple[int, int]) -> None:
    """The sender's own statement, by a simulated clock of the database, every half hour of days with changing clocks."""
    open_shop()
    people([birthday])
    berlin, sender, taken = ZoneInfo("Europe/Berlin"), Sender("test"), 0
    start = datetime(2026, *birthday, 12, tzinfo=UTC) - timedelta(hours=30)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA clock; {CLOCK} SET LOCAL search_path = clock, pg_catalog, public")
    for at in (start + timedelta(minutes=30 * n) for n in range(130)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('clock.at', %s, true)", [at.isoformat()])
        if at.hour % 5 == 0 and not at.minute:
            plan(at, berlin)
        claimed = [row[0] for row in sender.claim(50).rows]
        for zone in Delivery.objects.filter(pk__in=claimed).values_list("customer__time_zone", flat=True):
            there = at.astimezone(ZoneInfo(zone))
            assert (there.month, there.day) == birthday and there.time() >= time(9)
            taken += 1
        Delivery.objects.filter(pk__in=claimed).update(state="sent", token=None, lease_until=None)
    assert taken == len(ZONES)


class TestLateFacts:
    """A birthday that becomes known late is greeted while it is that day there, and never afterwards."""

    ZONE = ZoneInfo("Europe/Berlin")

    @pytest.mark.parametrize(
        ("lives_in", "known_at", "greeted"),
        [
            ("Europe/Berlin", datetime(2026, 6, 1, 15), True),
            ("Europe/Berlin", datetime(2026, 6, 1, 23, 50), True),
            ("Europe/Berlin", datetime(2026, 6, 2, 0, 10), False),
            ("America/New_York", datetime(2026, 6, 2, 5, 50), True),
            ("America/New_York", datetime(2026, 6, 3, 0, 10), False),
            ("Pacific/Kiritimati", datetime(2026, 6, 2, 0, 10), False),
        ],
    )
    def test_while_it_lasts(self, lives_in: str, known_at: datetime, greeted: bool) -> None:
        open_shop()
        with connection.cursor() as cursor:
            cursor.execute(STAMP)
        person("anna@example.test", "birthday", birth_month=6, birth_day=1, time_zone=lives_in)
        for hours in range(4):
            plan(known_at.replace(tzinfo=self.ZONE) + timedelta(days=hours), self.ZONE)
        assert [one.goes is not None for one in greetings()] == [True] * greeted


class TestControls:
    """The proof goes red without each of the guards."""

    @pytest.fixture(autouse=True)
    def shop(self) -> None:
        open_shop()
        people([(6, 1)], ["Europe/Berlin"])

    def run_twice(self) -> None:
        for hour in (6, 12):
            plan(datetime(2026, 6, 1, hour, tzinfo=UTC), ZoneInfo("Europe/Berlin"))

    def test_with_all_of_them_it_is_green(self) -> None:
        self.run_twice()
        assert prove([(6, 1)], [2026]) == 1

    def test_without_the_key_somebody_is_greeted_twice(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE campaigns_delivery DROP CONSTRAINT campaigns_delivery_once")
            cursor.execute("DROP INDEX campaigns_delivery_one_per_cause")
        self.run_twice()
        with pytest.raises(AssertionError, match="nobody twice"):
            prove([(6, 1)], [2026])

    @pytest.mark.parametrize(
        ("window", "found"),
        [
            ("not_before - interval '9 hours' AS not_before, not_after", "not in the night"),
            (
                "not_before + interval '1 day' AS not_before, not_after + interval '1 day' AS not_after",
                "on a wrong day",
            ),
        ],
    )
    def test_without_the_window_it_comes_at_another_time(
        self, window: str, found: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = recipes.everything()["birthday"]

        def loose(moment: Moment) -> Query:
            asked, parameters = own.audience(moment)
            return f"SELECT customer_id, dedupe_key, cause, event_id, {window} FROM ({asked}) kept", parameters

        monkeypatch.setitem(recipes.everything(), "birthday", replace(own, audience=loose))
        plan(datetime(2026, 5, 31, 20, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
        self.run_twice()
        with pytest.raises(AssertionError, match=found):
            prove([(6, 1)], [2026])

    def test_without_the_days_elsewhere_somebody_is_missed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        people([(6, 1)], ["America/New_York"])
        monkeypatch.setattr(occasions, "_meeting", lambda recipe, day, zone: replace(recipe, audience=nobody))
        Shop.objects.update(time_zone="Pacific/Kiritimati")
        plan(datetime(2026, 6, 1, 15, tzinfo=UTC), ZoneInfo("Pacific/Kiritimati"))
        with pytest.raises(AssertionError, match="missed"):
            prove([(6, 1)], [2026])

    def test_without_permission_asked_somebody_gets_what_they_never_wanted(self) -> None:
        self.run_twice()
        Delivery.objects.filter(reason="no_permission").update(state="planned")
        with pytest.raises(AssertionError, match="without permission"):
            prove([(6, 1)], [2026])


def nobody(moment: Moment) -> Query:
    columns = "NULL::bigint AS customer_id, '' AS dedupe_key, '' AS cause, NULL::bigint AS event_id"
    return f"SELECT {columns}, now() AS not_before, now() AS not_after WHERE false", {}


@pytest.mark.slow
@pytest.mark.parametrize("shop_zone", ZONES)
def test_every_birthday_of_five_years_is_greeted_once(
    shop_zone: str, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """366 birthdays × 5 years × 6 zones in which people live, for shops in each of these zones."""
    recipe, shop = recipes.everything()["birthday"], open_shop(time_zone=shop_zone)
    campaign = recipes.standing_campaign(recipe)
    # They stay as they are for five years; asking for them anew each day takes as long as the planning.
    monkeypatch.setattr(recipes, "of_occasion", lambda occasion: [recipe])
    monkeypatch.setattr(recipes, "standing_campaign", lambda recipe: campaign)
    monkeypatch.setattr(Shop, "current", lambda: shop)
    people(BIRTHDAYS)
    zone = ZoneInfo(shop_zone)
    days = (date(2029, 1, 2) - date(2023, 12, 31)).days
    assert drive(date(2023, 12, 31), days, zone, rng) >= days
    outside: dict[str, Any] = {"dedupe_key__regex": r"^birthday:(2023|2029):"}
    Delivery.objects.filter(**outside).delete()
    assert prove(BIRTHDAYS, YEARS) == 366 * 5 * 6
    assert Delivery.objects.exclude(state="planned").count() == 366 * 5 * 6, "one reason for each who never agreed"
