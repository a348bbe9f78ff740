"""Reports of mail providers, as they post them. Addresses and texts in the payloads are invented."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.utils.timezone import now

from campaigns.models import Delivery, Receipt
from crm.models import ConsentState, ContactPoint, Suppression
from tests.campaigns.people import open_shop, person
from tests.campaigns.test_bounces import point_of, went

pytestmark = pytest.mark.django_db
SECRET = "mail:" + "s3cret" * 8
KEYS = {
    "WEBHOOK_SECRET": [SECRET],
    "MAILGUN_API_KEY": "key-test",
    "MANDRILL_API_KEY": "key-test",
    "MANDRILL_WEBHOOK_KEY": "hook-test",
}


def basic(secret: str = SECRET) -> str:
    return "Basic " + base64.b64encode(secret.encode()).decode()


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    open_shop()
    with override_settings(ANYMAIL=KEYS):
        yield


def post(esp: str, body: Any, kind: str = "tracking", secret: str = SECRET, **more: Any) -> int:
    """Post to the webhook of a provider as the provider does, and answer with the status."""
    given = {"content_type": "application/json", "data": json.dumps(body) if not isinstance(body, str) else body}
    headers = {"Authorization": basic(secret)} if secret else {}
    with override_settings(EMAIL_BACKEND=f"anymail.backends.{esp}.EmailBackend"):
        client = Client(enforce_csrf_checks=True)
        return client.post(f"/webhooks/mail/{esp}/{kind}/", headers=headers, **given | more).status_code


def postmark(mail: Delivery, **more: Any) -> dict[str, Any]:
    """As "Bounce webhook" and its neighbours in Postmark's documentation show them."""
    return {
        "RecordType": "Bounce",
        "MessageStream": "outbound",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Tag": "",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Metadata": {"d": str(mail.pk)},
        "ServerID": 23,
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": "anna@example.test",
        "From": "kim@shop.test",
        "BouncedAt": now().isoformat(),
        "DumpAvailable": True,
        "Inactive": True,
        "CanActivate": True,
        "Subject": "News",
    } | more


def mailgun(mail: Delivery, event: str = "failed", forged: bool = False, **more: Any) -> dict[str, Any]:
    """As "Webhooks" in Mailgun's documentation shows them."""
    token, stamp = uuid4().hex + uuid4().hex[:18], str(int(now().timestamp()))
    key = b"another" if forged else b"key-test"
    return {
        "signature": {
            "token": token,
            "timestamp": stamp,
            "signature": hmac.new(key, f"{stamp}{token}".encode(), hashlib.sha256).hexdigest(),
        },
        "event-data": {
            "id": "G9Bn5sl1TC6nu79C8C0bwg",
            "event": event,
            "severity": "permanent",
            "reason": "generic",
            "log-level": "error",
            "timestamp": now().timestamp(),
            "recipient": "anna@example.test",
            "delivery-status": {
                "attempt-no": 1,
                "code": 550,
                "description": "",
                "message": "5.1.1 The email account that you tried to reach does not exist",
                "session-seconds": 0.4,
            },
            "message": {"headers": {"message-id": f"{mail.pk}@localhost", "to": "anna@example.test"}, "size": 512},
            "user-variables": {"d": str(mail.pk)},
            "tags": [],
        }
        | more,
    }


def brevo(mail: Delivery, event: str = "hard_bounce", **more: Any) -> dict[str, Any]:
    """As "Transactional webhooks" in Brevo's documentation shows them."""
    return {
        "event": event,
        "email": "anna@example.test",
        "id": 26224,
        "date": "2026-11-20 10:00:00",
        "ts": 1_700_000_000,
        "ts_epoch": int(now().timestamp() * 1000),
        "message-id": "<202611201000.1234567@smtp-relay.example.test>",
        "X-Mailin-custom": json.dumps({"d": str(mail.pk)}),
        "subject": "News",
        "reason": "server is down",
        "sending_ip": "192.0.2.1",
        "template_id": 0,
    } | more


def sendgrid(mail: Delivery, event: str = "bounce", **more: Any) -> dict[str, Any]:
    """As "Event webhook reference" of SendGrid shows them; they come in lists."""
    return {
        "email": "anna@example.test",
        "timestamp": int(now().timestamp()),
        "smtp-id": f"<{mail.pk}@localhost>",
        "anymail_id": str(uuid4()),
        "event": event,
        "sg_event_id": "sg_event_id",
        "sg_message_id": "sg_message_id",
        "reason": "550 5.1.1 unknown user",
        "status": "5.1.1",
        "type": "bounce",
        "d": str(mail.pk),
    } | more


BOUNCES: dict[str, Callable[[Delivery], Any]] = {
    "postmark": postmark,
    "mailgun": mailgun,
    "brevo": brevo,
    "sendgrid": lambda mail: [sendgrid(mail)],
}
needs_no_warning = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")


@needs_no_warning
@pytest.mark.parametrize("esp", BOUNCES)
class TestEveryProvider:
    def test_reports_a_mailbox_that_does_not_exist_five_times(self, esp: str) -> None:
        anna = person("anna@example.test", "newsletter")
        body = BOUNCES[esp](went(anna, state="unknown", settled_at=None))
        assert [post(esp, body) for _ in range(5)] == [200] * 5
        assert point_of(anna).state == "hard_bounced" and Delivery.objects.get().state == "sent"
        assert (Receipt.objects.get().source, Suppression.objects.get().source) == (esp, esp)

    def test_about_a_mail_that_is_not_ours_is_answered_and_changes_nothing(self, esp: str) -> None:
        person("anna@example.test", "newsletter")
        assert post(esp, BOUNCES[esp](Delivery(pk=uuid4()))) == 200
        assert not Receipt.objects.exists() and ContactPoint.objects.get().state == "usable"

    @pytest.mark.parametrize("secret", ["", "mail:wrong"])
    def test_without_its_password_changes_nothing(self, esp: str, secret: str) -> None:
        anna = person("anna@example.test", "newsletter")
        status = post(esp, BOUNCES[esp](went(anna)), secret=secret)
        assert status == (403 if secret else 401)
        assert not Receipt.objects.exists() and point_of(anna).state == "usable"

    @pytest.mark.parametrize("body", ["", "{", "null", "[]", '{"event": 7}', '"text"', '{"RecordType": []}', "\0"])
    def test_rubbish_is_refused_or_ignored(self, esp: str, body: str) -> None:
        assert post(esp, body) in (200, 400, 403)
        assert not Receipt.objects.exists()


class TestSignatures:
    def test_forged_though_the_password_is_right(self) -> None:
        anna = person("anna@example.test")
        assert post("mailgun", mailgun(went(anna), forged=True)) == 403
        assert point_of(anna).state == "usable"

    def test_mandrill_signs_address_and_form(self) -> None:
        anna = person("anna@example.test")
        events = json.dumps([{"event": "hard_bounce", "ts": int(now().timestamp()), "_id": "x", "msg": {
            "_id": "x", "email": "anna@example.test", "metadata": {"d": str(went(anna).pk)},
            "diag": "smtp;550 5.1.1 unknown user", "bounce_description": "bad_mailbox"}}])  # fmt: skip
        url = f"http://{SECRET}@testserver/webhooks/mail/mandrill/tracking/"
        signed = base64.b64encode(
            hmac.new(b"hook-test", (url + "mandrill_events" + events).encode(), hashlib.sha1).digest()
        )
        for signature, status in (("AAAA", 403), (signed.decode(), 200)):
            with override_settings(
                EMAIL_BACKEND="anymail.backends.mandrill.EmailBackend", ALLOWED_HOSTS=["testserver"]
            ):
                answer = Client().post(
                    "/webhooks/mail/mandrill/tracking/",
                    data={"mandrill_events": events},
                    headers={"Authorization": basic(), "X-Mandrill-Signature": signature},
                )
            assert answer.status_code == status
        assert point_of(anna).state == "hard_bounced"

    @override_settings(ANYMAIL={})
    def test_without_a_password_in_the_settings_nothing_is_taken(self) -> None:
        assert post("postmark", postmark(went(person("anna@example.test")))) == 403

    def test_only_the_configured_provider_is_heard(self) -> None:
        body = postmark(went(person("anna@example.test")))
        assert Client().post("/webhooks/mail/postmark/tracking/", body, "application/json").status_code == 404
        assert post("nobody", body) == post("postmark", body, kind="other") == 404

    def test_the_address_can_be_tried_without_an_event(self) -> None:
        with override_settings(EMAIL_BACKEND="anymail.backends.postmark.EmailBackend"):
            assert Client().head("/webhooks/mail/postmark/tracking/").status_code == 200
            assert Client().get("/webhooks/mail/postmark/tracking/").status_code == 405


class TestKinds:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (lambda mail: postmark(mail, RecordType="Delivery", DeliveredAt=now().isoformat()), "delivered"),
            (lambda mail: postmark(mail, Type="SoftBounce", Details="smtp;452 4.2.2 full"), "soft_bounced"),
            (lambda mail: postmark(mail, Type="AutoResponder"), "auto_reply"),
            (lambda mail: postmark(mail, Type="Transient"), "deferred"),
            (lambda mail: postmark(mail, Type="Blocked", Details="554 5.7.1"), "rejected"),
            (lambda mail: postmark(mail, RecordType="SpamComplaint", Type="SpamComplaint"), "spam_report"),
            (
                lambda mail: postmark(
                    mail, RecordType="SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression"
                ),
                "unsubscribed",
            ),
        ],
    )
    def test_of_postmark(self, body: Any, status: str) -> None:
        assert post("postmark", body(went(person("anna@example.test", "newsletter")))) == 200
        assert Receipt.objects.get().status == status

    @pytest.mark.parametrize("kind", ["Open", "Click"])
    def test_openings_and_clicks_are_not_kept(self, kind: str) -> None:
        body = postmark(went(person("anna@example.test")), RecordType=kind, OriginalLink="https://shop.test")
        assert post("postmark", body) == 200 and not Receipt.objects.exists()

    @pytest.mark.parametrize(
        ("event", "said", "status"),
        [
            ("hard_bounce", "", "bounced"),
            ("hard_bounce", "552 5.2.2 mailbox full", "soft_bounced"),
            ("hard_bounce", "550 5.5.0 mailbox unavailable", "bounced"),
            ("hard_bounce", "554 5.7.1 blocked", "rejected"),
            ("soft_bounce", "mailbox busy", "soft_bounced"),
            ("soft_bounce", "550 5.1.1 no such user", "bounced"),
            ("invalid_email", "", "bounced"),
            ("blocked", "", "rejected"),
            ("spam", "", "spam_report"),
            ("unsubscribe", "", "unsubscribed"),
            ("request", "", "accepted"),
        ],
    )
    def test_the_servers_code_goes_before_the_providers_word(self, event: str, said: str, status: str) -> None:
        assert post("brevo", brevo(went(person("anna@example.test", "newsletter")), event, reason=said)) == 200
        assert Receipt.objects.get().status == status

    def test_mailgun_gave_up_after_days(self) -> None:
        delivery_status = {"code": 498, "message": "No MX for the domain", "description": "Too old"}
        body = mailgun(went(person("anna@example.test")), reason="old", **{"delivery-status": delivery_status})
        post("mailgun", body)
        assert Receipt.objects.get().status == "soft_bounced"

    @needs_no_warning
    def test_shuffled_and_doubled_the_end_is_the_same(self) -> None:
        ends = []
        for seed in range(4):
            anna = person(f"anna{seed}@example.test", "newsletter", "birthday")
            mails = [went(anna, days) for days in (3, 2, 1)]
            stamp = [int(mail.sending_at.timestamp()) for mail in mails if mail.sending_at]
            soft = {"reason": "452 4.2.2 full", "status": "4.2.2"}
            told = [sendgrid(mail, timestamp=at, **soft) for mail, at in zip(mails, stamp, strict=True)] * 3
            told += [sendgrid(mails[0], "delivered", timestamp=stamp[0] + 60), sendgrid(mails[1], "unsubscribe")] * 2
            random.Random(seed).shuffle(told)
            assert post("sendgrid", told) == 200
            states = dict(ConsentState.objects.filter(customer=anna).values_list("purpose", "state"))
            ends.append((point_of(anna).state, states["newsletter"], states["birthday"]))
        assert ends == [("soft_bounced", "withdrawn", "given")] * 4

    def test_an_answer_that_the_provider_received(self) -> None:
        mail = went(person("anna@example.test", "newsletter"))
        body = {
            "FromFull": {"Email": "anna@example.test", "Name": "", "MailboxHash": ""},
            "From": "anna@example.test",
            "To": "kim@shop.test",
            "ToFull": [{"Email": "kim@shop.test", "Name": "", "MailboxHash": ""}],
            "CcFull": [], "BccFull": [], "Attachments": [],
            "Subject": "Away",
            "Date": "Fri, 20 Nov 2026 10:00:00 +0100",
            "TextBody": "I am away until Monday.",
            "HtmlBody": "",
            "Headers": [
                {"Name": "Auto-Submitted", "Value": "auto-replied"},
                {"Name": "In-Reply-To", "Value": f"<{mail.pk}@localhost>"},
            ],
        }  # fmt: skip
        assert post("postmark", body, kind="inbound") == 200
        assert Receipt.objects.get().status == "auto_reply" and ConsentState.objects.get().state == "given"
        assert post("postmark", body) == 400  # at the address for other events


def test_a_provider_without_its_key_stops_the_start() -> None:
    with override_settings(
        EMAIL_BACKEND="anymail.backends.mailersend.EmailBackend", ANYMAIL={"WEBHOOK_SECRET": [SECRET]}
    ):
        assert "campaigns.E001" in [found.id for found in run_checks()]
    with override_settings(EMAIL_BACKEND="anymail.backends.nobody.EmailBackend"):
        assert "campaigns.E002" in [found.id for found in run_checks()]
    with override_settings(EMAIL_BACKEND="anymail.backends.postmark.EmailBackend"):
        assert "campaigns.E001" not in [found.id for found in run_checks()]
