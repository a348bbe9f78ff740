"""Limits by domain, the warm-up of a new sender, and send windows: what waits, for how long, and what never does."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.db.models import F
from django.utils.timezone import now

from campaigns import gating, pacing, planning, sending
from campaigns.models import Campaign, Delivery, Pace, WarmUp
from campaigns.sending import Sender
from crm import days
from crm.models import Shop
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.crm.at_once import at_once
from tests.smtp_sink import SmtpSink

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop() -> Shop:
    return open_shop()


def crowd(number: int, domain: str = "gmail.com") -> None:
    for one in range(number):
        person(f"p{one}@{domain}", "newsletter")


def time_passes(by: timedelta) -> None:
    """As if everything had happened earlier by this much."""
    Pace.objects.update(next_at=F("next_at") - by, parked_until=F("parked_until") - by)
    waiting = Delivery.objects.filter(state="planned")
    waiting.update(not_before=F("not_before") - by, not_after=F("not_after") - by, slot_at=F("slot_at") - by)


def waits() -> list[int]:
    """In how many minutes those come that wait, the first one first."""
    rows = Delivery.objects.filter(state="planned", slot_at__isnull=False).order_by("slot_at")
    return [round((row.not_before - now()) / MINUTE) for row in rows]


@pytest.mark.django_db
@pytest.mark.usefixtures("shop")
class TestLimit:
    def test_a_mail_a_minute_and_the_others_get_the_minutes_after(self, smtp_sink: SmtpSink) -> None:
        crowd(4)
        launched()
        pacing.limit(["gmail.com", "googlemail.com"], per_hour=60)
        deliver()
        assert states() == {"sent": 1, "planned": 3} and waits() == [1, 2, 3]
        time_passes(MINUTE)
        deliver()
        assert states() == {"sent": 2, "planned": 2} and waits() == [1, 2]

    def test_without_the_limit_all_go(self, smtp_sink: SmtpSink) -> None:
        """Positive control of the test above."""
        crowd(4)
        launched()
        deliver()
        assert states() == {"sent": 4}

    def test_a_minutes_worth_goes_at_once(self, smtp_sink: SmtpSink) -> None:
        crowd(5)
        launched()
        pacing.limit(["gmail.com"], per_hour=180)
        deliver()
        assert states() == {"sent": 3, "planned": 2}

    def test_domains_of_one_provider_share_it_and_others_do_not_wait(self, smtp_sink: SmtpSink) -> None:
        crowd(2, "gmail.com")
        crowd(2, "googlemail.com")
        crowd(2, "example.test")
        launched()
        pacing.limit(pacing.family_of("googlemail.com"), per_hour=60)
        deliver()
        sent = [mail["To"] for mail in smtp_sink.messages]
        assert (
            sorted(address.partition("@")[2] for address in sent if "mail.com" not in address) == ["example.test"] * 2
        )
        assert len(sent) == 3

    def test_a_free_place_goes_to_who_waits_longest(self, smtp_sink: SmtpSink) -> None:
        """A cancelled mailing leaves its slots unused; nobody waits behind them."""
        crowd(3)
        first = launched()
        pacing.limit(["gmail.com"], per_hour=60)
        deliver()
        launched(name="Second")
        deliver()
        assert waits() == [1, 2, 3, 4, 5]
        planning.cancel(first.campaign_id)
        time_passes(MINUTE)
        pacing.pull_forward()
        deliver()
        assert states()["sent"] == 2 and waits() == [3, 4]
        assert (Pace.objects.get().parked_until - now()) < timedelta(minutes=5)

    def test_a_raised_limit_is_used_at_once(self, smtp_sink: SmtpSink) -> None:
        crowd(4)
        launched()
        pacing.limit(["gmail.com"], per_hour=1)
        deliver()
        assert waits()[0] >= 59
        pacing.limit(["gmail.com"], per_hour=600)
        time_passes(timedelta(hours=1))
        pacing.pull_forward()
        deliver()
        assert states() == {"sent": 4}

    def test_the_end_of_a_limit_frees_who_waits(self, smtp_sink: SmtpSink) -> None:
        crowd(3)
        launched()
        pacing.limit(["gmail.com"], per_hour=1)
        deliver()
        pacing.unlimit("gmail.com")
        deliver()
        assert states() == {"sent": 3}

    def test_whose_time_is_over_before_its_turn_says_so(self, smtp_sink: SmtpSink) -> None:
        crowd(2)
        launched()
        pacing.limit(["gmail.com"], per_hour=60)
        Delivery.objects.update(not_after=now() + timedelta(seconds=50))
        deliver()
        assert sorted(Delivery.objects.values_list("state", "reason")) == [
            ("sent", "consent"),
            ("suppressed", "too_slow"),
        ]

    def test_a_greeting_does_not_wait_behind_a_newsletter(self, smtp_sink: SmtpSink) -> None:
        crowd(40)
        launched()
        pacing.limit(["gmail.com"], per_hour=60)
        deliver()
        Delivery.objects.filter(pk=Delivery.objects.filter(state="planned").order_by("-slot_at").first().pk).update(  # type: ignore[union-attr]
            run=None, slot_at=None, not_before=now()
        )
        deliver()
        greeting = Delivery.objects.get(run=None)
        assert greeting.not_before - now() < timedelta(minutes=22)

    def test_what_was_asked_for_never_waits_but_counts(self, smtp_sink: SmtpSink) -> None:
        crowd(2)
        launched()
        pacing.limit(["gmail.com"], per_hour=60)
        Delivery.objects.update(message_class="transactional")
        deliver()
        assert states() == {"sent": 2}
        assert Pace.objects.get().next_at > now() + 1.5 * MINUTE

    def test_all_advertising_an_hour(self, smtp_sink: SmtpSink) -> None:
        crowd(3, "example.test")
        launched()
        pacing.limit([], per_hour=60)
        deliver()
        assert states() == {"sent": 1, "planned": 2}
        assert Sender("test").claim(50).rows == [], "nothing is claimed while nothing may go"
        time_passes(MINUTE)
        deliver()
        assert states() == {"sent": 2, "planned": 1}

    def test_a_domain_stands_in_one_limit_only(self) -> None:
        pacing.limit(["gmail.com", "googlemail.com"], 60)
        with pytest.raises(ValueError, match="gmail.com"):
            pacing.limit(["googlemail.com"], 30)


@pytest.mark.django_db(transaction=True)
def test_senders_at_once_take_no_place_twice(smtp_sink: SmtpSink) -> None:
    open_shop()
    crowd(8)
    launched()
    pacing.limit(["gmail.com"], per_hour=180)
    claims = [Sender("test").claim(1) for _ in range(8)]
    waiting = list(claims)

    def pass_one() -> str:
        claim = waiting.pop()
        order = sending.composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current())
        return gating.gate(order[claim.rows[0][0]], claim.token, Shop.current(), "test")

    assert sorted(at_once(8, pass_one)) == ["go"] * 3 + ["wait"] * 5
    slots = sorted(one.slot_at for one in Delivery.objects.filter(state="planned") if one.slot_at)
    assert {after - before for before, after in pairwise(slots)} == {timedelta(seconds=20)}


@pytest.mark.django_db
@pytest.mark.usefixtures("shop")
class TestWarmUp:
    def started(self, days_ago: int = 0, per_day: int = 2, **more: object) -> WarmUp:
        began = days.today() - timedelta(days=days_ago)
        return WarmUp.objects.create(
            transport=Sender("test").mail.name,
            started_on=began,
            per_day=per_day,
            **{"growth": "1.5", "ceiling": 10} | more,
        )

    def test_so_many_a_day_and_more_the_next(self, smtp_sink: SmtpSink) -> None:
        crowd(9)
        launched()
        warm_up = self.started()
        deliver()
        assert states() == {"sent": 2, "planned": 7}
        assert Sender("test").claim(50).rows == []
        WarmUp.objects.update(
            started_on=warm_up.started_on - timedelta(days=1), day=warm_up.started_on - timedelta(days=1)
        )
        deliver()
        assert states() == {"sent": 5, "planned": 4}

    def test_what_was_asked_for_goes_on_top_and_counts(self, smtp_sink: SmtpSink) -> None:
        crowd(4)
        launched()
        self.started()
        Delivery.objects.filter(pk__in=Delivery.objects.values("pk")[:3]).update(
            message_class="transactional", priority=1
        )
        deliver()
        assert states() == {"sent": 3, "planned": 1}
        assert WarmUp.objects.get().used == 3

    def test_the_days_of_it(self) -> None:
        warm_up = self.started(per_day=50, ceiling=200)
        warm_up.refresh_from_db()
        steps = pacing.forecast(warm_up, warm_up.started_on)
        assert [step.most for step in steps] == [50, 75, 112, 168, 200]
        assert pacing.capacity(warm_up.started_on + timedelta(days=2)) == 112

    @pytest.mark.parametrize(("growth", "per_day"), [("1.5", 50), ("1.05", 7), ("3.00", 1)])
    def test_database_and_page_count_alike(self, growth: str, per_day: int) -> None:
        warm_up = self.started(growth=growth, per_day=per_day, ceiling=10_000_000)
        warm_up.refresh_from_db()
        for number in range(0, 100, 7):
            day = warm_up.started_on + timedelta(days=number)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {pacing.MOST_OF_DAY} FROM campaigns_warmup warm", {"day": day})
                assert int(cursor.fetchone()[0]) == pacing.most_of_day(warm_up, day)

    def test_no_limit_no_capacity(self) -> None:
        assert pacing.capacity(date(2026, 11, 23)) is None
        pacing.limit([], 100)
        assert pacing.capacity(date(2026, 11, 23)) == 2400


@pytest.mark.django_db
class TestWindow:
    def open_at(
        self, moments: Sequence[str], zone: str, window: tuple[int, int], weekdays: Sequence[int] = ()
    ) -> list[bool]:
        Campaign.objects.create(
            recipe="newsletter", name="x", window_from=time(window[0]), window_until=time(window[1]),
            weekdays=list(weekdays),
        )  # fmt: skip
        found = []
        for moment in moments:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT {pacing.WINDOW.format(at='%(at)s::timestamptz')} FROM campaigns_campaign campaign",
                    {"at": datetime.fromisoformat(moment), "zone": zone},
                )
                found.append(cursor.fetchone()[0])
        return found

    def test_by_the_clock_on_the_wall_when_summer_begins(self) -> None:
        # Berlin, 29 March 2026: 2:00 becomes 3:00.
        moments = ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-03-29T06:59:00Z", "2026-03-29T07:00:00Z"]
        assert self.open_at(moments, "Europe/Berlin", (3, 9)) == [False, True, True, False]

    def test_by_the_clock_on_the_wall_when_summer_ends(self) -> None:
        # Berlin, 25 October 2026: 3:00 becomes 2:00 once more.
        moments = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T08:00:00Z"]
        assert self.open_at(moments, "Europe/Berlin", (2, 3)) == [True, True, False, False]

    def test_days_of_the_week_are_the_shops(self) -> None:
        # Sunday 23:30 UTC is Monday in Kathmandu.
        moments = ["2026-11-22T17:00:00Z", "2026-11-22T23:30:00Z"]
        assert self.open_at(moments, "Asia/Kathmandu", (0, 23), [1]) == [False, True]

    def test_nothing_is_claimed_outside_of_it(self, smtp_sink: SmtpSink) -> None:
        open_shop(time_zone="UTC")
        crowd(1)
        run = launched()
        ahead = (now() + timedelta(hours=2)).time().replace(second=0, microsecond=0, minute=0)
        until = time(23, 59) if ahead < time(23) else time(1)
        start = ahead if ahead < until else time(0)
        weekday = (now() + timedelta(days=2)).isoweekday()
        Campaign.objects.filter(pk=run.campaign_id).update(window_from=start, window_until=until, weekdays=[weekday])
        deliver()
        assert states() == {"planned": 1} and Sender("test").claim(50).rows == []
        Campaign.objects.filter(pk=run.campaign_id).update(window_from=None, window_until=None, weekdays=[])
        deliver()
        assert states() == {"sent": 1}

    def test_that_closes_between_claim_and_gate_keeps_the_mail(self) -> None:
        open_shop()
        crowd(1)
        run = launched()
        claim = Sender("test").claim(50)
        Campaign.objects.filter(pk=run.campaign_id).update(weekdays=[(now() + timedelta(days=3)).isoweekday()])
        order = sending.composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current())
        assert gating.gate(order[claim.rows[0][0]], claim.token, Shop.current(), paced=False) == "closed"
        assert states() == {"planned": 1}
