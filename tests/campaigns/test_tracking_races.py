"""A click or a mail against the withdrawal of tracking, in both orders, with real transactions."""

import pytest
from django.db import transaction

from campaigns import composing, gating, planning, plugin, tracking
from campaigns.models import Delivery, LinkCount, MailUse, TemplateVersion
from campaigns.sending import Claim, Sender
from crm import consent, links
from crm.models import Customer, Shop
from tests.campaigns.people import deliver, open_shop
from tests.campaigns.test_races import Side, somebody_waits_for_a_lock, wait_until
from tests.campaigns.test_tracking import agreed, counted, with_button
from tests.factories import UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def counting() -> None:
    open_shop()
    tracking.switch(True, UserFactory(role="admin"))


def withdraw() -> object:
    return consent.withdraw(Customer.objects.get().pk, ["tracking"], consent.How("staff"))


class TestClick:
    @pytest.fixture
    def token(self, smtp_sink: SmtpSink) -> str:
        agreed()
        campaign = with_button()
        planning.launch(campaign.pk, 1)
        planning.advance_campaigns()
        deliver()
        return counted(smtp_sink.messages[0])[0].split("/")[2]

    def test_during_a_withdrawal_leads_on_at_once_and_is_not_noted(self, token: str) -> None:
        with transaction.atomic():
            withdraw()
            assert Side(lambda: tracking.follow(token)).ended(5)
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 1

    def test_before_a_withdrawal_goes_with_it(self, token: str) -> None:
        with transaction.atomic():
            assert tracking.follow(token)
            withdrawal = Side(withdraw)
            wait_until(somebody_waits_for_a_lock)
        withdrawal.ended()
        assert not MailUse.objects.exists()

    def test_would_stay_without_the_lock(self, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Positive control: the withdrawal is committed, and the click after it."""
        monkeypatch.setattr(tracking, "HOLD", "SELECT %(delivery)s")
        with transaction.atomic():
            assert tracking.follow(token)
            Side(withdraw).ended(5)
        assert MailUse.objects.count() == 1

    def test_noted_is_deleted_by_the_withdrawal(self, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Positive control of the deletion."""
        assert tracking.follow(token) and MailUse.objects.count() == 1
        monkeypatch.setattr(plugin.mail_use, "forget", lambda customer_id: 0)
        withdraw()
        assert MailUse.objects.count() == 1


class TestMail:
    @pytest.fixture
    def mail(self) -> tuple[composing.Order, Claim]:
        agreed()
        campaign = with_button()
        planning.launch(campaign.pk, 1)
        planning.advance_campaigns()
        claim = Sender("test").claim(1)
        [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current()).values()
        assert order.tracking == "person"
        return order, claim

    def test_made_before_the_withdrawal_does_not_pass_after_it(self, mail: tuple[composing.Order, Claim]) -> None:
        order, claim = mail
        with transaction.atomic():
            withdraw()
            gate = Side(lambda: gating.gate(order, claim.token, Shop.current()))
            wait_until(somebody_waits_for_a_lock)
        assert gate.ended() == "again"
        assert Delivery.objects.values_list("state", "tracking").get() == ("planned", "")

    def test_past_the_gate_the_withdrawal_waits_for_it(self, mail: tuple[composing.Order, Claim]) -> None:
        order, claim = mail
        with transaction.atomic():
            assert gating.gate(order, claim.token, Shop.current()) == "go"
            withdrawal = Side(withdraw)
            wait_until(somebody_waits_for_a_lock)
        withdrawal.ended()
        assert Delivery.objects.get().tracking == "person"
        # The mail carries her own link; from now on it counts as a total only.
        version = TemplateVersion.objects.get(pk=order.version_id)
        [code] = tracking.codes(order.campaign_id, version).values()
        token = links.sign(tracking.CLICK, order.id, code)
        assert tracking.follow(token)
        assert not MailUse.objects.exists()

    def test_without_the_question_at_the_gate_it_would_pass(
        self, mail: tuple[composing.Order, Claim], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Positive control."""
        order, claim = mail
        monkeypatch.setattr(gating, "GATE", gating.GATE.replace(" OR counted.tracking <> %(tracking)s", ""))
        withdraw()
        assert gating.gate(order, claim.token, Shop.current()) == "go"
