"""What campaigns tells crm's pages, and proves of itself."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from campaigns.models import Delivery
from campaigns.plugin import CampaignsPlugin
from crm import consent, invariants
from crm.models import ConsentEvent, Shop
from crm.privacy import retention
from tests.campaigns.people import deliver, launched, open_shop, person
from tests.factories import DeliveryFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
LATER = timedelta(days=1)


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def test_the_timeline_tells_what_was_mailed_and_what_was_not(smtp_sink: SmtpSink) -> None:
    anna, ben = person("anna@example.test", "newsletter"), person("ben@example.test")
    launched()
    deliver()
    plugin = CampaignsPlugin()
    [sent] = plugin.timeline(anna, {"mail"}, now() + LATER, 10)
    [refused] = plugin.timeline(ben, {"mail"}, now() + LATER, 10)
    assert sent.title == "Mail sent: News" and refused.title == "Mail not sent: News"
    assert refused.notes == ["The person has not agreed to this kind of mail."]
    assert plugin.timeline_counts(anna) == {"mail": 1, "mail_use": 0}
    assert plugin.timeline(anna, {"purchase"}, now() + LATER, 10) == []


def test_what_is_still_to_come_is_no_history() -> None:
    anna = person("anna@example.test", "newsletter")
    launched(send_at=now() + LATER)
    assert CampaignsPlugin().timeline(anna, {"mail"}, now() + LATER, 10) == []


def test_thirteen_months_after_a_mail_nothing_tells_which_server_it_went_to() -> None:
    said = {"state": "sent", "domain": "example.test", "smtp_reply": "250 ok", "message_id": "<1@x>", "provider_id": "7"}
    old = DeliveryFactory(**said, settled_at=now() - timedelta(days=396))
    bare = DeliveryFactory(state="suppressed", domain="example.test", settled_at=now() - timedelta(days=396))
    young = DeliveryFactory(**said, settled_at=now() - timedelta(days=390))
    assert retention.run()["mail_detail"] == 2 and retention.run()["mail_detail"] == 0
    for mail in (old, bare, young):
        mail.refresh_from_db()
    assert {old.domain, old.smtp_reply, old.message_id, old.provider_id, bare.domain} == {""}
    assert (old.state, young.domain, young.smtp_reply) == ("sent", "example.test", "250 ok")


class TestInvariants:
    @pytest.fixture(autouse=True)
    def sent(self, smtp_sink: SmtpSink) -> Delivery:
        person("anna@example.test", "newsletter")
        launched()
        deliver()
        return Delivery.objects.get()

    def broken(self) -> list[str]:
        names = {check.name for check in CampaignsPlugin().invariants()}
        return [name for name, count in invariants.verify() if count and name in names]

    def test_hold_after_sending(self) -> None:
        assert self.broken() == []

    @pytest.mark.parametrize(
        ("fault", "name"),
        [
            ({"token": uuid4()}, "held by a sender"),
            ({"reason": ""}, "names the ground"),
            ({"evidence": None}, "names the ground"),
            ({"settled_at": None}, "says when"),
            ({"sending_at": now() - timedelta(days=400)}, "older than the mail"),
        ],
    )
    def test_notice_a_fault(self, fault: dict[str, object], name: str) -> None:
        Delivery.objects.update(**fault)
        assert any(name in found for found in self.broken())

    def test_notice_a_mail_after_the_withdrawal(self, sent: Delivery) -> None:
        consent.withdraw(sent.customer_id, ["newsletter"], consent.How("staff"))
        assert self.broken() == []
        Delivery.objects.update(
            sending_at=ConsentEvent.objects.get(action="withdrawn").recorded_at + timedelta(minutes=1)
        )
        assert any("had ended" in found for found in self.broken())
