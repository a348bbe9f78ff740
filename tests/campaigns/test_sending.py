"""What a sender does when a mail server or another sender gets in its way."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from campaigns import gating, planning, resolving, sending
from campaigns.models import Campaign, Delivery, Receipt
from campaigns.sending import Sender
from crm.models import ContactPoint, Shop
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=1)


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def one_mail(address: str = "anna@example.test") -> Delivery:
    person(address, "newsletter")
    launched()
    return Delivery.objects.get()


def claimed(sender: Sender | None = None) -> tuple[Sender, sending.Claim]:
    sender = sender or Sender("test")
    claim = sender.claim(50)
    return sender, claim if claim.rows else sender.claim(1, suspects=True)


def orders(claim: sending.Claim) -> list[object]:
    found = sending.composing.load([row[0] for row in claim.rows], "advertising", "newsletter", Shop.current())
    return list(found.values())


class TestServerSays:
    def test_not_now_and_the_mail_waits_longer_each_time(self, smtp_sink: SmtpSink) -> None:
        delivery = one_mail()
        smtp_sink.refuse = lambda recipient: "451 4.3.0 greylisted"
        waits = []
        for _ in range(3):
            Delivery.objects.update(not_before=now() - LONG_AGO)
            deliver()
            delivery.refresh_from_db()
            waits.append((delivery.not_before - now()).total_seconds())
        assert (delivery.state, delivery.attempts, delivery.deferrals) == ("planned", 0, 3)
        assert delivery.smtp_reply.startswith("451 4.3.0")
        assert waits[0] < waits[1] < waits[2]

    def test_no_such_mailbox_and_nobody_is_mailed_there_again(self, smtp_sink: SmtpSink) -> None:
        one_mail()
        twin = person("anna@example.test")
        smtp_sink.refuse = lambda recipient: "550 5.1.1 unknown user"
        deliver()
        assert Delivery.objects.values_list("state", "reason").get() == ("failed", "refused")
        assert set(ContactPoint.objects.values_list("state", flat=True)) == {"hard_bounced"}
        assert twin.contact_points.get().state == "hard_bounced"

    def test_never_but_the_mailbox_exists(self, smtp_sink: SmtpSink) -> None:
        one_mail()
        smtp_sink.reply = "554 5.7.1 looks like spam"
        deliver()
        assert states() == {"failed": 1}
        assert ContactPoint.objects.get().state == "usable"

    def test_one_refusal_does_not_stop_the_others(self, smtp_sink: SmtpSink) -> None:
        for name in ("a", "b", "c"):
            person(f"{name}@example.test", "newsletter")
        launched()
        smtp_sink.refuse = lambda recipient: "550 5.1.1 unknown" if recipient.startswith("b@") else None
        deliver()
        assert states() == {"sent": 2, "failed": 1}

    def test_nothing_at_all_and_everything_waits(self, settings: object, smtp_sink: SmtpSink) -> None:
        one_mail()
        settings.EMAIL_PORT = 1  # type: ignore[attr-defined]
        sender = deliver()
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts) == ("planned", 0)
        assert sender.pause_until > 0 and sender.work(1) == 0

    def test_nothing_before_the_text_so_the_mail_was_not_sent(self, settings: object, smtp_sink: SmtpSink) -> None:
        settings.EMAIL_TIMEOUT = 0.5  # type: ignore[attr-defined]
        one_mail()
        smtp_sink.hang_before_data = True
        deliver()
        assert states() == {"planned": 1} and smtp_sink.messages == []

    @pytest.mark.parametrize("trouble", ["hang_after_dot", "drop_after_dot"])
    def test_nothing_after_the_final_dot_so_nobody_knows(
        self, settings: object, smtp_sink: SmtpSink, trouble: str
    ) -> None:
        settings.EMAIL_TIMEOUT = 0.5  # type: ignore[attr-defined]
        settings.SEND_GRACE_S = settings.SEND_LEASE_S = 0  # type: ignore[attr-defined]
        settings.SEND_LEASE_S = 60  # type: ignore[attr-defined]
        one_mail()
        setattr(smtp_sink, trouble, True)
        deliver()
        assert states() == {"unknown": 1} and len(smtp_sink.messages) == 1
        setattr(smtp_sink, trouble, False)
        Delivery.objects.update(lease_until=now() - LONG_AGO)
        resolving.resolve()
        deliver()
        assert states() == {"unknown": 1} and len(smtp_sink.messages) == 1

    def test_good_bye_between_two_mails_and_the_next_still_goes(self, smtp_sink: SmtpSink) -> None:
        one_mail()
        sender = Sender("test")
        sender.work(5)
        sender.mail._backend.connection.sock.close()  # type: ignore[attr-defined]
        person("ben@example.test", "newsletter")
        launched()
        sender.work(5)
        assert "ben@example.test" in [mail["To"] for mail in smtp_sink.messages]


class TestFence:
    """A row belongs to whoever's token stands in it, for as long as the lease lasts."""

    def test_two_senders_never_hold_one_row(self) -> None:
        one_mail()
        first, second = claimed()[1], claimed()[1]
        assert len(first.rows) == 1 and second.rows == []

    def test_a_claim_that_ran_out_passes_no_gate(self) -> None:
        one_mail()
        _sender, claim = claimed()
        Delivery.objects.update(lease_until=now() - LONG_AGO)
        assert gating.gate(orders(claim)[0], claim.token, Shop.current()) == ""  # type: ignore[arg-type]

    def test_a_row_taken_over_passes_the_gate_for_the_new_holder_alone(self) -> None:
        one_mail()
        _sender, stale = claimed()
        Delivery.objects.update(lease_until=now() - LONG_AGO)
        resolving.reap()
        _sender, fresh = claimed()
        order = orders(fresh)[0]
        assert gating.gate(order, stale.token, Shop.current()) == ""  # type: ignore[arg-type]
        assert gating.gate(order, fresh.token, Shop.current()) == "go"  # type: ignore[arg-type]

    def test_without_the_fence_the_stale_holder_would_send(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Positive control of the test above."""
        one_mail()
        _sender, stale = claimed()
        Delivery.objects.update(lease_until=now() - LONG_AGO)
        resolving.reap()
        _sender, fresh = claimed()
        unfenced = gating.GATE.replace("delivery.token = %(token)s AND delivery.state", "delivery.state")
        monkeypatch.setattr(gating, "GATE", unfenced)
        assert gating.gate(orders(fresh)[0], stale.token, Shop.current()) == "go"  # type: ignore[arg-type]

    def test_an_answer_that_comes_late_is_still_evidence(self, smtp_sink: SmtpSink) -> None:
        delivery = one_mail()
        token = uuid4()
        Delivery.objects.update(state="unknown", token=token, lease_until=now())
        sent = {"id": delivery.pk, "token": token, "state": "sent", "reason": None, "reply": "250", "provider_id": ""}
        assert sending.change(sending.SETTLE, sent) == 1

    def test_claimed_rows_are_given_back_when_the_sender_stops(self) -> None:
        for _ in range(3):
            person("", "newsletter")
        launched()
        sender, claim = claimed()
        sender.stop.set()
        sender._send_all(claim, end=10**9)
        assert set(Delivery.objects.values_list("state", "attempts", "token")) == {("planned", 0, None)}


class TestCrashes:
    def crash(self) -> sending.Claim:
        """A sender takes what is due and dies."""
        sender = Sender("test")
        claim = sender.claim(50)
        if not claim.rows:
            claim = sender.claim(1, suspects=True)
        Delivery.objects.filter(state="claimed").update(lease_until=now() - LONG_AGO)
        resolving.reap()
        return claim

    def test_the_third_one_of_its_own_sets_a_row_aside(self) -> None:
        one_mail()
        self.crash()  # in a batch: it may have been a neighbour's
        for _ in range(2):
            self.crash()
        assert states() == {"planned": 1}
        self.crash()
        assert Delivery.objects.values_list("state", "reason").get() == ("quarantined", "crashed_3_times")

    def test_rows_that_only_stood_by_are_not_blamed(self) -> None:
        for _ in range(5):
            person("", "newsletter")
        launched()
        self.crash()
        for _ in range(3):
            assert len(self.crash().rows) == 1
        assert states() == {"planned": 4, "quarantined": 1}

    def test_a_sender_that_dies_while_sending_leaves_a_doubt(self, settings: object) -> None:
        settings.SEND_GRACE_S = 900  # type: ignore[attr-defined]
        one_mail()
        _sender, claim = claimed()
        gating.gate(orders(claim)[0], claim.token, Shop.current())  # type: ignore[arg-type]
        Delivery.objects.update(lease_until=now() - timedelta(seconds=890))
        resolving.resolve()
        assert states() == {"sending": 1}
        Delivery.objects.update(lease_until=now() - timedelta(seconds=910))
        resolving.resolve()
        assert Delivery.objects.values_list("state", "reason").get() == ("unknown", "consent")


class TestDoubt:
    """Rows of which nobody knows whether they went."""

    @pytest.fixture
    def lost(self, settings: object, smtp_sink: SmtpSink) -> Delivery:
        settings.SEND_GRACE_S = 0  # type: ignore[attr-defined]
        delivery = one_mail()
        Delivery.objects.update(
            state="unknown", sending_at=now() - LONG_AGO, lease_until=now() - LONG_AGO,
            transport=Sender("test").mail.name,
        )  # fmt: skip
        return delivery

    def later(self, count: int, receipts: int) -> None:
        for _ in range(count):
            person("", "newsletter")
        launched()
        Delivery.objects.filter(state="planned", customer=Delivery.objects.first().customer).update(state="suppressed")  # type: ignore[union-attr]
        deliver()
        sent = Delivery.objects.filter(state="sent").values_list("pk", flat=True)[:receipts]
        resolving.take_receipts([Receipt(delivery_id=pk, status="delivered", at=now()) for pk in sent])

    def test_a_receipt_settles_it(self, lost: Delivery) -> None:
        resolving.take_receipts([Receipt(delivery_id=lost.pk, status="delivered", at=now())])
        assert states() == {"sent": 1}

    def test_a_receipt_that_came_first_settles_it(self, lost: Delivery) -> None:
        Receipt.objects.create(delivery_id=lost.pk, status="delivered", at=now())
        assert resolving.resolve()["evidence"] == 1
        assert states() == {"sent": 1}

    def test_silence_of_a_live_channel_means_not_sent(self, lost: Delivery, smtp_sink: SmtpSink) -> None:
        self.later(count=20, receipts=21)
        resolving.resolve()
        lost.refresh_from_db()
        assert lost.state == "planned"

    def test_a_mail_that_was_not_sent_goes_though_its_run_was_finished(
        self, lost: Delivery, smtp_sink: SmtpSink
    ) -> None:
        planning.advance_campaigns()
        assert Campaign.objects.get().status == "finished"
        self.later(count=20, receipts=21)
        resolving.resolve()
        planning.advance_campaigns()
        deliver()
        lost.refresh_from_db()
        assert lost.state == "sent"

    @pytest.mark.parametrize(("count", "receipts"), [(19, 20), (25, 20), (25, 0)])
    def test_silence_of_a_doubtful_channel_means_nothing(
        self, lost: Delivery, smtp_sink: SmtpSink, count: int, receipts: int
    ) -> None:
        self.later(count, receipts)
        resolving.resolve()
        lost.refresh_from_db()
        assert lost.state == "unknown"

    def test_a_transactional_mail_is_rather_sent_twice(self, lost: Delivery) -> None:
        Delivery.objects.update(message_class="transactional")
        resolving.resolve()
        lost.refresh_from_db()
        assert lost.state == "planned"

    @pytest.mark.parametrize("state", ["planned", "claimed", "suppressed", "failed"])
    def test_no_receipt_moves_any_other_row(self, lost: Delivery, state: str) -> None:
        Delivery.objects.update(state=state, token=uuid4())
        resolving.take_receipts([Receipt(delivery_id=lost.pk, status="delivered", at=now())])
        assert states() == {state: 1}

    def test_a_bounce_settles_it_and_silences_the_mailbox(self, lost: Delivery) -> None:
        resolving.take_receipts([Receipt(delivery_id=lost.pk, status="bounced", at=now())])
        assert states() == {"sent": 1}
        assert ContactPoint.objects.get().state == "hard_bounced"


class TestBadMails:
    def test_a_text_that_breaks_for_one_person_fails_for_that_person_alone(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        person("ben@example.test", "newsletter", company_name="Beispiel GmbH")
        run = launched()
        version = run.campaign.template_version
        version.blocks[1]["text"]["de"] = "{% if company_name != '' %}{{ nobody }}{% endif %}Hallo"
        version.save()
        from campaigns import rendering

        rendering._kept.cache_clear()
        deliver()
        assert states() == {"sent": 1, "failed": 1}
        assert Delivery.objects.get(state="failed").reason == "render_error"

    def test_an_impossible_address_fails_alone(self, smtp_sink: SmtpSink) -> None:
        person("ann a@example.test", "newsletter")
        person("ben@example.test", "newsletter")
        launched()
        deliver()
        assert states() == {"sent": 1, "failed": 1}
        assert Delivery.objects.get(state="failed").reason == "impossible_address"

    def test_names_cannot_smuggle_headers(self, smtp_sink: SmtpSink) -> None:
        Shop.objects.update(sender_name="Kim\r\nBcc: all@example.test", name="Shop\nX-Evil: 1")
        person("anna@example.test", "newsletter", given_name="Anna\r\nBcc: x@example.test")
        launched()
        deliver()
        [mail] = smtp_sink.messages
        assert mail["Bcc"] is None and mail["X-Evil"] is None
        assert smtp_sink.envelopes[0].rcpt_tos == ["anna@example.test"]

    def test_an_address_in_a_german_domain_goes_in_ascii(self, smtp_sink: SmtpSink) -> None:
        person("anna@bücher.example", "newsletter")
        launched()
        deliver()
        assert smtp_sink.envelopes[0].rcpt_tos == ["anna@xn--bcher-kva.example"]


@pytest.mark.django_db(transaction=True)
def test_the_sender_command_plans_and_sends_until_nothing_is_left(smtp_sink: SmtpSink) -> None:
    person("anna@example.test", "newsletter")
    launched()
    call_command("sender", "--until-idle")
    assert len(smtp_sink.messages) == 1
    assert planning.plan_due() == 0


@pytest.mark.django_db(transaction=True)
def test_the_sender_command_says_why_it_sends_nothing(smtp_sink: SmtpSink, capsys: pytest.CaptureFixture[str]) -> None:
    Shop.objects.update(armed_for="elsewhere")
    person("anna@example.test", "newsletter")
    launched()
    call_command("sender", "--until-idle")
    assert smtp_sink.messages == [] and "arm_sending" in capsys.readouterr().out
