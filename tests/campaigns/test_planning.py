"""The life of a mailing, its control group, and what is decided about mails that nobody knows of."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now

from campaigns import hold_out, planning, progress, recipes, unclear
from campaigns.models import Campaign, Delivery, Receipt
from campaigns.planning import LaunchError
from campaigns.sending import Sender
from crm import days
from crm.models import ApiKey, AuditEntry
from tests.campaigns.people import deliver, launched, mailing, open_shop, person, states
from tests.factories import CampaignFactory, DeliveryFactory, SourceFactory, UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def draft(**more: object) -> Campaign:
    return mailing(status="draft", **more)  # type: ignore[arg-type]


class TestCheck:
    def test_of_a_good_draft_counts_who_gets_it(self) -> None:
        person("anna@example.test", "newsletter")
        person("ben@example.test")
        kim = UserFactory()
        campaign = draft()
        found = planning.check(campaign.pk, kim)
        campaign.refresh_from_db()
        assert not found.problems and found.audience and found.audience.refused == {"no_permission": 1}
        assert (campaign.status, campaign.checked_by, campaign.checked_recipients) == ("checked", kim, 1)

    def test_shows_everything_that_is_wrong_at_once(self) -> None:
        campaign = draft(recipe="coupon")
        version = campaign.template_version
        version.subject = {"de": "Re: {{ nonsense.x }}"}
        version.save()
        Campaign.objects.update(send_at=None)
        found = planning.check(campaign.pk)
        campaign.refresh_from_db()
        told = " ".join(found.problems)
        assert "nonsense" in told and "coupon" in told and "day and time" in told
        assert campaign.status == "draft" and campaign.checked_at is None

    def test_says_when_nobody_would_get_it(self) -> None:
        person("ben@example.test")
        assert "Nobody would get" in planning.check(draft().pk).problems[0]

    def test_is_needed_for_a_launch_and_again_after_a_change(self) -> None:
        person("anna@example.test", "newsletter")
        campaign = draft()
        with pytest.raises(LaunchError, match="not checked"):
            planning.launch(campaign.pk, 1)
        planning.check(campaign.pk)
        campaign.refresh_from_db()
        planning.touched(campaign)
        campaign.save()
        with pytest.raises(LaunchError, match="not checked"):
            planning.launch(campaign.pk, 1)
        planning.check(campaign.pk)
        planning.launch(campaign.pk, 1)
        with pytest.raises(LaunchError, match="scheduled"):
            planning.check(campaign.pk)

    def test_asks_again_at_the_launch(self) -> None:
        person("anna@example.test", "newsletter")
        campaign = draft()
        planning.check(campaign.pk)
        person("ben@example.test", "newsletter")
        with pytest.raises(LaunchError, match="2 people"):
            planning.launch(campaign.pk, 1)
        assert not Delivery.objects.exists()


class TestHoldOut:
    @pytest.fixture
    def campaign(self) -> Campaign:
        for _number in range(40):
            person("", "newsletter")
        return mailing(hold_out=50)

    def test_takes_its_share_and_gets_a_row_that_says_so(self, campaign: Campaign) -> None:
        found = planning.preview(campaign)
        assert found.matched == 40 and found.recipients == 40 - found.held_out
        assert 2 < found.held_out < 38  # a half; further off not once in a hundred million runs
        run = planning.launch(campaign.pk, found.recipients)
        assert planning.reasons(run) == {"hold_out": found.held_out}
        row = Delivery.objects.filter(reason="hold_out").first()
        assert row and row.state == "suppressed" and row.evidence and row.email_hash is None

    def test_is_the_same_whoever_asks(self, campaign: Campaign) -> None:
        run = planning.launch(campaign.pk, planning.preview(campaign).recipients)
        recipe = recipes.everything()["newsletter"]
        for row in Delivery.objects.filter(run=run).select_related("customer"):
            held = hold_out.is_member(campaign, recipe, row.customer.person_key)
            assert held == (row.reason == "hold_out")

    def test_draws_anew_for_another_mailing(self, campaign: Campaign) -> None:
        recipe, other = recipes.everything()["newsletter"], mailing(hold_out=50)
        keys = [uuid4() for _number in range(40)]
        first = [hold_out.is_member(campaign, recipe, key) for key in keys]
        assert first != [hold_out.is_member(other, recipe, key) for key in keys]
        assert first == [hold_out.is_member(campaign, recipe, key) for key in keys]

    def test_never_takes_a_mail_that_is_owed(self) -> None:
        recipe = recipes.everything()["double_opt_in"]
        campaign = recipes.standing_campaign(recipe)
        campaign.hold_out = 50
        assert hold_out.share(campaign, recipe) == 0
        assert not any(hold_out.is_member(campaign, recipe, uuid4()) for _number in range(50))

    def test_of_more_than_half_is_refused(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            mailing(hold_out=51)


class TestReschedule:
    def test_moves_the_window_of_every_mail(self) -> None:
        person("anna@example.test", "newsletter")
        run = launched(send_at=now() + timedelta(hours=1))
        before = Delivery.objects.get()
        later = run.campaign.send_at + timedelta(days=2)
        planning.reschedule(run.campaign_id, later)
        after = Delivery.objects.get()
        assert after.not_before - before.not_before == after.not_after - before.not_after == timedelta(days=2)
        assert Campaign.objects.get(pk=run.campaign_id).send_at == later
        assert AuditEntry.objects.filter(action="rescheduled").count() == 1

    def test_refuses_the_past(self) -> None:
        person("anna@example.test", "newsletter")
        run = launched(send_at=now() + timedelta(hours=1))
        with pytest.raises(LaunchError, match="passed"):
            planning.reschedule(run.campaign_id, now() - timedelta(minutes=1))

    def test_refuses_what_runs_or_has_begun(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        with pytest.raises(LaunchError, match="running"):
            planning.reschedule(run.campaign_id, now() + timedelta(days=1))
        deliver()
        planning.pause(run.campaign_id)
        with pytest.raises(LaunchError, match="went already"):
            planning.reschedule(run.campaign_id, now() + timedelta(days=1))

    def test_keeps_the_mails_until_the_new_time(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        planning.pause(run.campaign_id)
        planning.reschedule(run.campaign_id, now() + timedelta(hours=2))
        planning.resume(run.campaign_id)
        planning.advance_campaigns()
        deliver()
        assert not smtp_sink.messages and states() == {"planned": 1}


class TestPausing:
    def test_loses_and_doubles_nothing_in_the_middle_of_a_run(self, smtp_sink: SmtpSink) -> None:
        for _number in range(6):
            person("", "newsletter")
        run = launched()
        sender = Sender("test")
        claimed = sender.claim(4)
        planning.pause(run.campaign_id)
        assert sender._send_all(claimed, end=float("inf")) == 4
        assert not smtp_sink.messages and states() == {"planned": 6}
        planning.resume(run.campaign_id)
        planning.advance_campaigns()
        deliver()
        assert len(smtp_sink.messages) == 6 and states() == {"sent": 6}


class TestUnclear:
    @pytest.fixture
    def campaign(self) -> Campaign:
        for _number in range(3):
            person("", "newsletter")
        run = launched()
        Delivery.objects.update(state="unknown", token=uuid4(), sending_at=now(), lease_until=now())
        planning.advance_campaigns()
        return Campaign.objects.get(pk=run.campaign_id)

    def test_mails_sent_again_go_once_more(self, campaign: Campaign, smtp_sink: SmtpSink) -> None:
        kim = UserFactory()
        assert unclear.send_again(campaign, None, kim).changed == 3
        planning.advance_campaigns()
        deliver()
        assert len(smtp_sink.messages) == 3 and states() == {"sent": 3}
        assert AuditEntry.objects.get(action="sent_again").actor == kim

    def test_mails_marked_as_sent_never_go(self, campaign: Campaign, smtp_sink: SmtpSink) -> None:
        one = Delivery.objects.first()
        assert one
        assert unclear.mark_sent(campaign, [one.pk, uuid4()], None) == unclear.Decided(1, 1)
        deliver()
        assert not smtp_sink.messages and states() == {"sent": 1, "unknown": 2}

    def test_a_silent_sender_cannot_write_over_the_decision(self, campaign: Campaign) -> None:
        from campaigns import sending

        one = Delivery.objects.first()
        assert one
        token = one.token
        unclear.send_again(campaign, None, None)
        late = {"id": one.pk, "token": token, "state": "sent", "reason": None, "reply": "", "provider_id": ""}
        assert sending.change(sending.SETTLE, late) == 0
        assert states() == {"planned": 3}

    def test_what_is_over_cancelled_or_reported_is_left(self, campaign: Campaign) -> None:
        over, reported, _rest = Delivery.objects.order_by("pk")
        Delivery.objects.filter(pk=over.pk).update(not_before=now() - timedelta(2), not_after=now() - timedelta(1))
        Receipt.objects.create(delivery_id=reported.pk, status="delivered", at=now())
        assert unclear.send_again(campaign, None, None) == unclear.Decided(1, 2)
        Delivery.objects.update(state="unknown")
        Campaign.objects.filter(pk=campaign.pk).update(status="cancelled")
        assert unclear.send_again(campaign, None, None).changed == 0

    def test_mails_of_another_campaign_stay(self, campaign: Campaign) -> None:
        other = DeliveryFactory(campaign=CampaignFactory(), state="unknown", sending_at=now())
        assert unclear.mark_sent(campaign, [other.pk], None) == unclear.Decided(0, 1)

    def test_are_decided_over_rest_with_the_scope(self, campaign: Campaign, client: Client) -> None:
        run = campaign.runs.get()
        path = f"/api/v1/runs/{run.pk}/unknown/"

        def ask(scope: str, given: dict[str, object]) -> tuple[int, dict[str, int]]:
            _key, plain = ApiKey.issue(SourceFactory(), [scope], now() + timedelta(days=1))
            headers = {"authorization": f"Bearer {plain}"}
            answer = client.post(path, given, content_type="application/json", headers=headers)
            return answer.status_code, answer.json()

        assert ask("reports:read", {"action": "send_again", "all": True})[0] == 403
        assert ask("campaigns:write", {"action": "send_again"})[0] == 400
        assert ask("campaigns:write", {"action": "burn", "all": True})[0] == 400
        one = str(Delivery.objects.values_list("pk", flat=True)[0])
        assert ask("campaigns:write", {"action": "mark_sent", "deliveries": [one]}) == (200, {"changed": 1, "left": 0})
        assert ask("campaigns:write", {"action": "send_again", "all": True}) == (200, {"changed": 2, "left": 0})
        assert states() == {"sent": 1, "planned": 2}


class TestProgress:
    def test_tells_the_rate_of_the_last_minutes_and_what_is_left(self) -> None:
        campaign = CampaignFactory(status="running")
        for seconds in (30, 60, 600):
            DeliveryFactory(
                campaign=campaign, state="sent", transport="smtp", sending_at=now() - timedelta(seconds=seconds)
            )
        for _number in range(4):
            DeliveryFactory(campaign=campaign, state="planned")
        found = progress.of_campaign(campaign)
        assert found.rate == pytest.approx(2, rel=0.1) and found.open == 4
        assert found.left and 110 <= found.left.total_seconds() <= 140

    def test_knows_no_rate_while_nothing_goes(self) -> None:
        found = progress.of_campaign(CampaignFactory(status="running"))
        assert found.rate is None and found.left is None

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(1, "1 second"), (89, "89 seconds"), (600, "10 minutes"), (7200, "2 hours"), (259200, "3 days")],
    )
    def test_says_a_span_as_people_do(self, seconds: int, said: str) -> None:
        assert progress.about(timedelta(seconds=seconds)) == said


class TestHoldOutOfARecipe:
    def test_stays_the_same_however_often_the_day_is_planned(self) -> None:
        today = days.today()
        for _number in range(24):
            person("", "birthday", birth_month=today.month, birth_day=today.day)
        campaign = recipes.standing_campaign(recipes.everything()["birthday"])
        Campaign.objects.filter(pk=campaign.pk).update(hold_out=50)
        planning.plan_occasions(today)
        first = dict(Delivery.objects.values_list("customer_id", "reason"))
        assert 0 < sum(reason == "hold_out" for reason in first.values()) < 24
        planning.plan_occasions(today)
        assert dict(Delivery.objects.values_list("customer_id", "reason")) == first
