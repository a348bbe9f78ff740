"""What rests, what is stopped, who tries again: on a real mail server that misbehaves, with rows that senders share."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from campaigns import bounces, breaker, planning, recipes, transport
from campaigns.breaker import Passage
from campaigns.message import StableMessage
from campaigns.models import Campaign, Circuit, Delivery, Pulse, Receipt
from campaigns.sending import Sender
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.crm.at_once import at_once
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def crowd(number: int, domain: str) -> None:
    for one in range(number):
        person(f"p{one}@{domain}", "newsletter")


def rest_is_over() -> None:
    Circuit.objects.update(rests_until=now() - timedelta(seconds=1))
    Delivery.objects.filter(state="planned").update(not_before=now() - timedelta(minutes=1))


class TestDomain:
    @pytest.fixture
    def busy(self, smtp_sink: SmtpSink) -> SmtpSink:
        crowd(5, "busy.test")
        crowd(3, "fine.test")
        launched()
        smtp_sink.refuse = lambda recipient: "421 4.7.0 too many mails" if recipient.endswith("busy.test") else None
        return smtp_sink

    def test_in_trouble_rests_and_the_others_go_on(self, busy: SmtpSink) -> None:
        deliver()
        assert {mail["To"].partition("@")[2] for mail in busy.messages} == {"fine.test"} and len(busy.messages) == 3
        circuit = Circuit.objects.get()
        assert (circuit.domain, circuit.state, circuit.failures) == ("busy.test", "open", 3)
        assert circuit.reply == "421 4.7.0" and circuit.rests_until > now() + timedelta(seconds=15)
        assert Delivery.objects.filter(state="planned", deferrals=0).count() == 2, "these were not even tried"
        assert not Delivery.objects.filter(state="planned", not_before__lte=now()).exists()

    def test_one_mail_tries_and_it_rests_longer(self, busy: SmtpSink) -> None:
        deliver()
        rest_is_over()
        before = Delivery.objects.filter(deferrals__gt=0).count()
        deliver()
        circuit = Circuit.objects.get()
        assert (circuit.state, circuit.failures) == ("open", 4)
        assert circuit.rests_until > now() + timedelta(seconds=40)
        assert Delivery.objects.filter(deferrals__gt=0).count() <= before + 1

    def test_one_mail_tries_and_all_is_well(self, busy: SmtpSink) -> None:
        deliver()
        rest_is_over()
        busy.refuse = lambda recipient: None
        deliver()
        assert not Circuit.objects.exists() and states() == {"sent": 8}

    def test_a_full_mailbox_says_nothing_about_its_neighbours(self, smtp_sink: SmtpSink) -> None:
        crowd(5, "example.test")
        launched()
        smtp_sink.refuse = lambda recipient: None if recipient.startswith("p4") else "452 4.2.2 mailbox full"
        deliver()
        assert not Circuit.objects.exists() and states() == {"sent": 1, "planned": 4}

    def test_two_domains_in_a_row_are_the_server(self, smtp_sink: SmtpSink) -> None:
        crowd(2, "one.test")
        crowd(2, "two.test")
        launched()
        smtp_sink.refuse = lambda recipient: "421 4.3.2 shutting down"
        deliver()
        assert Circuit.objects.get(domain="").state == "open"


class TestServer:
    def test_that_cannot_be_reached_rests_for_every_sender(self, settings: Any, smtp_sink: SmtpSink) -> None:
        crowd(3, "example.test")
        launched()
        port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
        first = deliver()
        assert Circuit.objects.values_list("domain", "state", "failures").get() == ("", "open", 1)
        assert Sender("second", first.mail).claim(50).rows == []
        assert Delivery.objects.filter(deferrals=1).count() == 1
        rest_is_over()
        assert len(Sender("second", first.mail).claim(50).rows) == 1, "one tries"
        assert Sender("third", first.mail).claim(50).rows == [], "and the others wait for what it finds"
        settings.EMAIL_PORT = port

    def test_that_is_back_gets_everything(self, settings: Any, smtp_sink: SmtpSink) -> None:
        crowd(3, "example.test")
        launched()
        name = transport.current()
        breaker.trouble(name, "")
        deliver()
        assert states() == {"planned": 3}
        rest_is_over()
        deliver()
        assert states() == {"sent": 3} and not Circuit.objects.exists()

    def test_that_answers_is_back_whatever_it_says_of_one_domain(self, smtp_sink: SmtpSink) -> None:
        crowd(1, "busy.test")
        crowd(2, "fine.test")
        launched()
        Delivery.objects.filter(domain="busy.test").update(priority=1)
        smtp_sink.refuse = lambda recipient: "451 4.7.0 later" if recipient.endswith("busy.test") else None
        breaker.trouble(transport.current(), "")
        rest_is_over()
        deliver()
        assert states() == {"sent": 2, "planned": 1} and not Circuit.objects.filter(domain="").exists()

    def test_is_tried_by_the_next_where_the_first_had_nothing_to_send(self, smtp_sink: SmtpSink) -> None:
        crowd(2, "example.test")
        run = launched()
        breaker.trouble(transport.current(), "")
        rest_is_over()
        sender = Sender("first")
        claim = sender.claim(50)
        planning.pause(run.campaign_id)
        sender._send_all(claim, time.monotonic() + 60)
        planning.resume(run.campaign_id)
        planning.advance_campaigns()
        deliver()
        assert states() == {"sent": 2}

    def test_that_falls_silent_after_each_mail_does_not_get_them_all(self, settings: Any, smtp_sink: SmtpSink) -> None:
        settings.EMAIL_TIMEOUT = 0.3
        crowd(3, "example.test")
        launched()
        smtp_sink.hang_after_dot = True
        deliver()
        assert states() == {"unknown": 1, "planned": 2}

    def test_rests_longer_each_time_but_not_for_ever(self) -> None:
        rests = []
        for _ in range(9):
            rests.append(breaker.trouble("smtp", "421 4.3.2 bye"))
            Circuit.objects.update(rests_until=now() - timedelta(seconds=1))
        assert 1.5 <= rests[0] <= 2.5 and rests[1] < rests[3] < rests[5] and max(rests) <= 75

    def test_news_of_one_outage_counts_once(self) -> None:
        for _ in range(4):
            breaker.trouble("smtp", "421")
        assert Circuit.objects.get().failures == 1

    def test_a_person_lets_one_mail_try_at_once(self) -> None:
        breaker.trouble("smtp", "421")
        assert breaker.enter("smtp") is Passage.NONE
        assert breaker.try_now(Circuit.objects.get().pk)
        assert breaker.enter("smtp") is Passage.ONE and breaker.enter("smtp") is Passage.NONE
        assert breaker.enter("another") is Passage.OPEN

    def test_readyz_names_it(self) -> None:
        assert breaker.server_finding() == "ok"
        breaker.trouble("smtp", "421 4.3.2 anna@example.test is not welcome")
        Circuit.objects.update(failures=3)
        assert breaker.server_finding() == "the mail server rests after 3 failures (421 4.3.2)"


class TestConnection:
    def test_that_the_relay_closes_after_some_mails_costs_no_mail(self, smtp_sink: SmtpSink) -> None:
        crowd(7, "example.test")
        launched()
        smtp_sink.hang_up_after = 3
        deliver()
        assert states() == {"sent": 7} and not Circuit.objects.exists()
        assert not Delivery.objects.exclude(deferrals=0).exists() and len(smtp_sink.messages) == 7

    def test_is_given_up_after_many_mails(self, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "MAILS_A_CONNECTION", 2)
        crowd(5, "example.test")
        launched()
        sender = Sender("test")
        sender.work(30)
        assert sender.mail._mails == 1 and states() == {"sent": 5}  # type: ignore[attr-defined]
        sender.close()

    def test_the_envelope_names_where_it_returns_to(self, smtp_sink: SmtpSink) -> None:
        mail = StableMessage("s", "t", "Kim <kim@shop.test>", ["anna@example.test"])
        mail.attach_alternative("<p>t", "text/html")
        mail.boundary, mail.envelope_from = "b", "return+1@shop.test"
        carrier = transport.configured()
        assert carrier.send(mail, time.monotonic() + 60).reply == "250 OK"
        carrier.close()
        assert smtp_sink.envelopes[0].mail_from == "return+1@shop.test"


class TestCampaign:
    def test_whose_mails_are_refused_stops_and_a_person_resumes_it(self, smtp_sink: SmtpSink) -> None:
        crowd(50, "example.test")
        run = launched()
        smtp_sink.refuse = lambda recipient: "550 5.7.1 looks like spam"
        deliver()
        campaign = Campaign.objects.select_related("pulse").get(pk=run.campaign_id)
        assert campaign.status == "paused" and states() == {"failed": 40, "planned": 10}
        assert "refused 40 of the last 40 mails" in breaker.why(campaign.pulse)
        assert [one.pk for one, _why in breaker.stopped()] == [campaign.pk]
        smtp_sink.refuse = lambda recipient: None
        planning.resume(campaign.pk)
        planning.advance_campaigns()
        deliver()
        assert states() == {"failed": 40, "sent": 10} and breaker.stopped() == []

    def test_a_fifth_of_the_last_200_is_too_much(self) -> None:
        campaign = launched_to_one()
        assert not breaker.note(campaign, "1" * 39 + "0" * 161)
        assert not breaker.note(campaign, "0" * 50), "older mails have left the window"
        assert not breaker.note(campaign, "1" * 39)
        assert breaker.note(campaign, "1")

    def test_texts_that_cannot_be_filled_in(self) -> None:
        campaign = launched_to_one()
        assert not breaker.note(campaign, "1" * 20 + "0" * 200, unfilled=20)
        assert breaker.note(campaign, "1", unfilled=1)
        assert Pulse.objects.get().reason == "render_errors"

    def test_of_many_mails_two_in_a_hundred(self) -> None:
        campaign = launched_to_one()
        Pulse.objects.create(campaign_id=campaign, handled=9_999, unfilled=199)
        assert not breaker.note(campaign, "1", unfilled=1)
        assert breaker.note(campaign, "1", unfilled=1)

    def test_mails_that_come_back_later_count(self) -> None:
        crowd(40, "example.test")
        run = launched()
        Delivery.objects.update(state="sent", settled_at=now(), reason="consent")
        ids = list(Delivery.objects.values_list("pk", flat=True))
        for part in (ids[:39], ids[:39], ids[39:]):
            assert Campaign.objects.get(pk=run.campaign_id).status == "running"
            bounces.take(bounces.Report(Receipt.Status.BOUNCED, now(), "receipts", pk, "5.1.1") for pk in part)
        assert Campaign.objects.get(pk=run.campaign_id).status == "paused"

    def test_one_that_runs_by_itself_is_switched_off(self) -> None:
        campaign = standing("birthday")
        assert breaker.note(campaign.pk, "1" * 40)
        campaign.refresh_from_db()
        assert not campaign.switched_on and breaker.stopped()

    def test_what_people_asked_for_is_never_stopped(self) -> None:
        campaign = standing("double_opt_in")
        assert not breaker.note(campaign.pk, "1" * 100)
        campaign.refresh_from_db()
        assert campaign.switched_on


def standing(recipe: str) -> Campaign:
    campaign = recipes.standing_campaign(recipes.everything()[recipe])
    planning.switch(campaign.pk, on=True)
    return campaign


def launched_to_one() -> int:
    person("anna@example.test", "newsletter")
    return launched().campaign_id


@pytest.mark.django_db(transaction=True)
def test_one_of_several_senders_tries() -> None:
    breaker.trouble("smtp", "421")
    Circuit.objects.update(rests_until=now() - timedelta(seconds=1))
    assert sorted(at_once(6, lambda: breaker.enter("smtp"))) == ["none"] * 5 + ["one"]
