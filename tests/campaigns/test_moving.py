"""A mailing of many gets another time: at once as a whole, its mails' windows some at a time, each once."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import moving, planning, resolving
from campaigns.models import Campaign, Delivery, Move, Run
from campaigns.sending import Sender
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.crm.at_once import at_once
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
PEOPLE, FAR = 24, timedelta(days=2)
Window = tuple[datetime, datetime]


@pytest.fixture(autouse=True)
def a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop()
    monkeypatch.setattr(moving, "CHUNK", 5)


def crowd() -> None:
    for _number in range(PEOPLE):
        person("", "newsletter")


def windows() -> dict[object, Window]:
    return {pk: (start, end) for pk, start, end in Delivery.objects.values_list("pk", "not_before", "not_after")}


def shifted(before: dict[object, Window], by: timedelta) -> dict[object, Window]:
    return {pk: (start + by, end + by) for pk, (start, end) in before.items()}


def rests_at_its_time() -> Run:
    """Due by its windows, and paused before the first mail went."""
    crowd()
    run = launched()
    planning.pause(run.campaign_id)
    return run


def later(run: Run, by: timedelta = FAR) -> None:
    send_at = Campaign.objects.get(pk=run.campaign_id).send_at
    assert send_at is not None
    planning.reschedule(run.campaign_id, send_at + by)


def time_comes(run: Run) -> None:
    """As if FAR had passed."""
    Campaign.objects.filter(pk=run.campaign_id).update(send_at=F("send_at") - FAR)
    Delivery.objects.filter(run=run).update(not_before=F("not_before") - FAR, not_after=F("not_after") - FAR)


def test_the_page_waits_for_a_few_mails_and_the_planner_moves_the_rest_once() -> None:
    crowd()
    run = launched(send_at=now() + timedelta(hours=1))
    before = windows()
    later(run)
    expected = shifted(before, FAR)
    moved = [pk for pk, window in windows().items() if window == expected[pk]]
    assert 0 < len(moved) < PEOPLE / 2 and Move.objects.count() == 1
    planning.plan_due()
    assert windows() == expected and not Move.objects.exists()
    planning.plan_due()
    assert windows() == expected


def test_no_mail_goes_at_the_old_time_while_others_are_being_moved(smtp_sink: SmtpSink) -> None:
    run = rests_at_its_time()
    later(run)
    planning.resume(run.campaign_id)
    assert Move.objects.exists() and Delivery.objects.filter(not_before__lte=now()).count() > PEOPLE / 2
    planning.advance_campaigns()
    assert Sender("eager").claim(50).rows == []
    deliver()
    assert not smtp_sink.messages
    moving.move_due()
    time_comes(run)
    planning.advance_campaigns()
    deliver()
    assert len({mail["To"] for mail in smtp_sink.messages}) == len(smtp_sink.messages) == PEOPLE


def test_it_does_not_start_before_all_have_moved() -> None:
    run = rests_at_its_time()
    later(run)
    planning.resume(run.campaign_id)
    Campaign.objects.filter(pk=run.campaign_id).update(send_at=now() - FAR)
    planning.advance_campaigns()
    assert Campaign.objects.get(pk=run.campaign_id).status == "scheduled"
    moving.move_due()
    planning.advance_campaigns()
    assert Campaign.objects.get(pk=run.campaign_id).status == "running"


def test_the_old_end_is_no_end_while_they_move() -> None:
    run = rests_at_its_time()
    Delivery.objects.update(not_before=now() - FAR, not_after=now() - timedelta(minutes=1))
    later(run)
    assert Delivery.objects.filter(not_after__lt=now()).exists()
    assert resolving.resolve()["expired"] == 0
    moving.move_due()
    assert resolving.resolve()["expired"] == 0 and states() == {"planned": PEOPLE}


def test_moved_again_before_the_first_has_ended_adds_up() -> None:
    crowd()
    run = launched(send_at=now() + timedelta(hours=1))
    before = windows()
    later(run)
    moving.step()
    later(run, timedelta(hours=-30))
    moving.move_due()
    assert windows() == shifted(before, FAR - timedelta(hours=30)) and not Move.objects.exists()


def test_what_a_sender_holds_moves_with_the_others() -> None:
    crowd()
    run = launched()
    held = Sender("slow").claim(3)
    planning.pause(run.campaign_id)
    before = windows()
    later(run)
    moving.move_due()
    assert windows() == shifted(before, FAR)
    assert Delivery.objects.filter(token=held.token, state="claimed").count() == 3


def test_cancelled_meanwhile_leaves_nothing_to_move() -> None:
    run = rests_at_its_time()
    later(run)
    assert planning.cancel(run.campaign_id) == PEOPLE
    moving.move_due()
    assert states() == {"suppressed": PEOPLE} and not Move.objects.exists()


def test_nobody_looks_through_the_mails_of_what_is_still_ahead() -> None:
    crowd()
    run = launched(send_at=now() + timedelta(hours=1))
    with CaptureQueriesContext(connection) as seen:
        later(run)
    assert not [one["sql"] for one in seen if "sending_at" in one["sql"]]


@pytest.mark.django_db(transaction=True)
def test_two_planners_move_each_mail_once() -> None:
    crowd()
    run = launched(send_at=now() + timedelta(hours=1))
    before = windows()
    later(run)
    at_once(4, moving.move_due)
    moving.move_due()
    assert windows() == shifted(before, FAR) and not Move.objects.exists()
