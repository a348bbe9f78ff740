"""What the storms of `make check-slow` found, small enough for every run."""

import time

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, ProgrammingError
from django.utils.timezone import now

from campaigns import composing, gating, ledger, planning, resolving, sending
from campaigns.models import Delivery, TemplateVersion
from campaigns.sending import Sender
from crm.models import Shop
from tests.campaigns.people import launched, open_shop, person
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OperationalError("server closed the connection unexpectedly"), True),
        (DatabaseError("server closed the connection unexpectedly"), True),
        (ProgrammingError("no results to fetch"), False),
        (IntegrityError("duplicate key"), False),
        (ValueError("no database at all"), False),
    ],
)
def test_a_line_that_breaks_passes_by_itself_whatever_psycopg2_calls_it(error: Exception, passes: bool) -> None:
    assert ledger.passes_by_itself(error) is passes


def test_a_mail_has_its_time_from_before_the_gate_on(
    smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    """A sender that stood still right behind the gate for longer than lease and grace does not send any more."""
    settings.SEND_LEASE_S = 1  # type: ignore[attr-defined]
    open_shop()
    person("anna@example.test", "newsletter")
    launched()
    passed = gating.gate

    def gate(*given: object, **more: object) -> str:
        ruling = passed(*given, **more)  # type: ignore[arg-type]
        time.sleep(2.1)
        return ruling

    monkeypatch.setattr(gating, "gate", gate)
    sender = Sender("sleeper")
    claim = sender.claim(1)
    shop = Shop.current()
    [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", shop).values()
    mail = composing.compose(order, shop, TemplateVersion.objects.get(pk=order.version_id))
    sender._send_one(mail, order, claim.token, shop)
    sender.close()
    assert smtp_sink.messages == []
    assert Delivery.objects.get().state == "planned"


def test_what_a_cancelled_campaign_gets_back_is_stopped_as_well() -> None:
    """A mail was on its way when the campaign was cancelled, and the server did not take it."""
    open_shop()
    person("anna@example.test", "newsletter")
    run = launched()
    claim = Sender("test").claim(1)
    [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current()).values()
    assert gating.gate(order, claim.token, Shop.current()) == "go"
    planning.cancel(run.campaign_id)
    later = {"id": order.id, "token": claim.token, "reply": "451", "pause": now() - now()}
    sending.change(sending.GIVE_BACK, later)
    assert resolving.resolve()["cancelled"] == 1
    row = Delivery.objects.get()
    assert (row.state, row.reason) == ("suppressed", "cancelled") and row.settled_at
