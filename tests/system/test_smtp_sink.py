"""The tests' own mail server takes, refuses and falls silent as asked."""

import smtplib

import pytest
from django.core.mail import EmailMessage, send_mail


def test_keeps_what_django_sends(smtp_sink):
    send_mail("Grüße", "Hallo Änne", "shop@example.com", ["aenne@example.com"])
    assert [m["Subject"] for m in smtp_sink.to("aenne@example.com")] == ["Grüße"]
    assert smtp_sink.envelopes[0].mail_from == "shop@example.com"


def test_refuses_a_recipient(smtp_sink):
    smtp_sink.refuse = lambda address: "550 5.1.1 unknown" if address.startswith("gone") else None
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send_mail("S", "T", "shop@example.com", ["gone@example.com"])
    assert smtp_sink.messages == []


@pytest.mark.parametrize(("silence", "taken"), [("hang_before_data", 0), ("hang_after_dot", 1), ("drop_after_dot", 1)])
def test_falls_silent_before_or_after_the_mail_is_taken(smtp_sink, settings, silence, taken):
    settings.EMAIL_TIMEOUT = 0.5
    setattr(smtp_sink, silence, True)
    with pytest.raises((OSError, smtplib.SMTPException)):
        EmailMessage("S", "T", "shop@example.com", ["a@example.com"]).send()
    assert len(smtp_sink.messages) == taken


def test_logs_as_a_process(tmp_path, smtp_sink):
    smtp_sink.log = tmp_path / "mails.jsonl"
    EmailMessage("S", "T", "a@example.com", ["b@example.com"], headers={"X-Delivery-ID": "d1"}).send()
    assert '"delivery_id": "d1"' in smtp_sink.log.read_text()
    assert smtp_sink.delivery_ids() == ["d1"]


def test_treats_a_mail_as_its_address_asks(smtp_sink):
    smtp_sink.moods, smtp_sink.hang_up_after = True, 1
    busy = EmailMessage("S", "T", "shop@example.com", ["busy.1@example.com"])
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        busy.send()
    busy.send()
    EmailMessage("S", "T", "shop@example.com", ["anna@example.com"]).send()
    with pytest.raises(smtplib.SMTPDataError):
        EmailMessage("S", "T", "shop@example.com", ["refused.1@example.com"]).send()
    assert [envelope.rcpt_tos for envelope in smtp_sink.envelopes] == [["busy.1@example.com"], ["anna@example.com"]]


def test_breaks_a_connection_that_had_its_share_of_mails(smtp_sink):
    smtp_sink.hang_up_after = 1
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client:
        client.sendmail("shop@example.com", ["a@example.com"], "T")
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("shop@example.com", ["b@example.com"], "T")
    assert len(smtp_sink.messages) == 1
