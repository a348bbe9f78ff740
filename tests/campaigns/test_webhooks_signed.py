"""Amazon SES, whose events come inside SNS messages, and Resend, which signs: posted as both document it.

Addresses and texts are invented. Neither boto3 nor svix is needed: what anymail takes from them is stood in for.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from anymail.webhooks import amazon_ses, resend
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.utils.timezone import now

from campaigns.models import Delivery, Receipt
from crm.models import ConsentState, Suppression
from tests.campaigns.people import open_shop, person
from tests.campaigns.test_bounces import point_of, went
from tests.campaigns.test_webhooks import SECRET, basic

pytestmark = pytest.mark.django_db
SIGNING_SECRET = "whsec_" + base64.b64encode(b"an invented key of many bytes").decode()


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    open_shop()
    with override_settings(ANYMAIL={"WEBHOOK_SECRET": [SECRET]}):
        yield


def post(esp: str, body: str, headers: Mapping[str, str], secret: str = SECRET) -> int:
    given = {"Authorization": basic(secret)} if secret else {}
    with override_settings(EMAIL_BACKEND=f"anymail.backends.{esp}.EmailBackend"):
        client = Client(enforce_csrf_checks=True)
        url = f"/webhooks/mail/{esp}/tracking/"
        return client.post(
            url, body, content_type="text/plain; charset=UTF-8", headers={**headers, **given}
        ).status_code


class TestAmazonSes:
    @pytest.fixture(autouse=True)
    def without_boto3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # It is asked for the way to Amazon alone, which confirms a subscription and fetches inbound mail.
        monkeypatch.setattr(amazon_ses, "_get_anymail_boto3_params", lambda kwargs: ({}, {}))

    @staticmethod
    def event(mail: Delivery, kind: str, named: bool = True, **about: Any) -> dict[str, Any]:
        """As "Examples of event data that Amazon SES publishes to Amazon SNS" shows them."""
        headers = [
            {"name": "From", "value": "Kim Beispiel <kim@shop.test>"},
            {"name": "To", "value": "anna@example.test"},
            {"name": "X-Metadata", "value": json.dumps({"d": str(mail.pk)})},
        ]
        return {
            "eventType": kind,
            "mail": {
                "timestamp": "2026-11-20T09:00:00.000Z",
                "source": "kim@shop.test",
                "sourceArn": "arn:aws:ses:eu-central-1:123456789012:identity/shop.test",
                "sendingAccountId": "123456789012",
                "messageId": "0107019a-7bb1e2f0-000000",
                "destination": ["anna@example.test"],
                "headersTruncated": False,
                **({"headers": headers} if named else {}),
                "commonHeaders": {"from": ["kim@shop.test"], "to": ["anna@example.test"], "subject": "News"},
                "tags": {"ses:configuration-set": ["news"], "ses:from-domain": ["shop.test"]},
            },
            kind.lower(): about,
        }

    @staticmethod
    def bounce(mail: Delivery, kind: str = "Permanent", said: str = "smtp; 550 5.1.1 user unknown", **more: Any) -> Any:
        recipient = {"emailAddress": "anna@example.test", "action": "failed", "status": said[10:15]}
        return TestAmazonSes.event(
            mail, "Bounce", **more, feedbackId="0107019a-1", bounceType=kind, bounceSubType="General",
            bouncedRecipients=[recipient | ({"diagnosticCode": said} if said else {})],
            timestamp="2026-11-20T09:00:05.000Z", reportingMTA="dsn; a8-31.smtp-out.example.test",
        )  # fmt: skip

    @staticmethod
    def sns(event: Any, kind: str = "Notification", **headers: str) -> tuple[str, dict[str, str]]:
        """The message around it, and the headers that have to say the same."""
        number = str(uuid4())
        body = {
            "Type": kind,
            "MessageId": number,
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:ses-events",
            "Subject": "Amazon SES Email Event Notification",
            "Message": event if isinstance(event, str) else json.dumps(event),
            "Timestamp": now().isoformat(),
            "SignatureVersion": "1",
            "Signature": "AAAA",
            "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0.pem",
            "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
        }
        named = {"x-amz-sns-message-type": kind, "x-amz-sns-message-id": number}
        return json.dumps(body), named | headers

    def tell(self, event: Any, **more: Any) -> int:
        return post("amazon_ses", *self.sns(event), **more)

    @pytest.mark.parametrize(
        ("kind", "said", "status"),
        [
            ("Permanent", "smtp; 550 5.1.1 user unknown", "bounced"),
            ("Permanent", "", "bounced"),
            ("Permanent", "smtp; 554 5.7.1 message refused", "rejected"),
            ("Permanent", "smtp; 552 5.2.2 mailbox full", "soft_bounced"),
            ("Transient", "smtp; 452 4.2.2 mailbox full", "soft_bounced"),
            ("Undetermined", "", "soft_bounced"),
        ],
    )
    def test_returned_mails(self, kind: str, said: str, status: str) -> None:
        anna = person("anna@example.test", "newsletter")
        event = self.bounce(went(anna), kind, said)
        assert [self.tell(event) for _time in range(2)] == [200, 200]
        assert Receipt.objects.get().status == status
        assert (point_of(anna).state == "hard_bounced") == (status == "bounced") == Suppression.objects.exists()

    def test_by_its_own_number_where_the_headers_are_left_out(self) -> None:
        anna = person("anna@example.test", "newsletter")
        went(anna, provider_id="0107019a-7bb1e2f0-000000")
        assert self.tell(self.bounce(Delivery(pk=uuid4()), named=False)) == 200
        assert point_of(anna).state == "hard_bounced"

    @pytest.mark.parametrize(
        ("feedback", "ends"), [("abuse", True), (None, True), ("not-spam", False), ("auth-failure", False)]
    )
    def test_complaints(self, feedback: str | None, ends: bool) -> None:
        anna = person("anna@example.test", "newsletter")
        event = self.event(
            went(anna), "Complaint", complaintFeedbackType=feedback, feedbackId="0107019a-2", userAgent="ExampleCorp/1.0",
            complainedRecipients=[{"emailAddress": "anna@example.test"}], timestamp="2026-11-20T09:00:05.000Z",
        )  # fmt: skip
        assert self.tell(event) == 200
        assert Receipt.objects.exists() == ends == Suppression.objects.filter(reason="spam_report").exists()
        assert (ConsentState.objects.get(customer=anna, purpose="newsletter").state == "objected") == ends

    def test_deliveries_settle_and_openings_are_not_kept(self) -> None:
        mail = went(person("anna@example.test"), state="unknown", settled_at=None)
        assert self.tell(self.event(mail, "Open", ipAddress="192.0.2.1", userAgent="x")) == 200
        assert not Receipt.objects.exists()
        delivery = {"recipients": ["anna@example.test"], "smtpResponse": "250 2.6.0 Message received"}
        assert self.tell(self.event(mail, "Delivery", processingTimeMillis=1104, **delivery)) == 200
        mail.refresh_from_db()
        assert mail.state == "sent" and Receipt.objects.get().status == "delivered"

    def test_the_first_message_after_subscribing_is_taken_for_what_it_is(self) -> None:
        assert self.tell("Successfully validated SNS topic for Amazon SES event publishing.") == 200
        assert not Receipt.objects.exists()

    def test_of_others_change_nothing(self) -> None:
        anna = person("anna@example.test", "newsletter")
        mail = went(anna)
        assert self.tell(self.bounce(mail), secret="") == 401
        assert self.tell(self.bounce(mail), secret="mail:wrong") == 403
        other = {"x-amz-sns-message-id": str(uuid4())}
        assert post("amazon_ses", *self.sns(self.bounce(mail), **other)) == 403
        assert post("amazon_ses", *self.sns(self.bounce(mail), **{"x-amz-sns-message-type": "Other"})) == 403
        assert post("amazon_ses", *self.sns("no event")) == 400
        assert not Receipt.objects.exists() and point_of(anna).state == "usable"

    def test_without_boto3_the_start_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        with override_settings(EMAIL_BACKEND="anymail.backends.amazon_ses.EmailBackend"):
            try:
                import boto3  # noqa: F401
            except ImportError:
                assert "boto3" in str(run_checks())


class ForgedError(Exception):
    pass


class Svix:
    """What the package of that name checks, by "Verifying webhooks manually" of its documentation."""

    def __init__(self, secret: str) -> None:
        self.key = base64.b64decode(secret.removeprefix("whsec_"))

    def sign(self, number: str, stamp: str, body: bytes) -> str:
        signed = hmac.new(self.key, f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
        return "v1," + base64.b64encode(signed).decode()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        number, stamp = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
        given = headers.get("svix-signature", "").split(" ")
        expected = self.sign(number, stamp, body)
        if not any(hmac.compare_digest(one, expected) for one in given) or abs(time.time() - int(stamp or 0)) > 300:
            raise ForgedError


class TestResend:
    @staticmethod
    def event(mail: Delivery, kind: str = "email.bounced", named: bool = True, **data: Any) -> str:
        """As "Event types" of Resend's documentation shows them."""
        headers = [{"name": "X-Metadata", "value": json.dumps({"d": str(mail.pk)})}]
        return json.dumps({
            "type": kind,
            "created_at": now().isoformat().replace("+00:00", "Z"),
            "data": {
                "broadcast_id": None,
                "created_at": "2026-11-20T09:00:00.126Z",
                "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
                "from": "Kim Beispiel <kim@shop.test>",
                "to": ["anna@example.test"],
                "subject": "News",
                **({"headers": headers} if named else {}),
                **data,
            },
        })  # fmt: skip

    @staticmethod
    def bounce(kind: str, sub_type: str = "General", message: str = "") -> dict[str, Any]:
        said = message or "The recipient's email provider sent a general bounce message."
        return {"bounce": {"type": kind, "subType": sub_type, "message": said}}

    def tell(self, body: str, **more: Any) -> int:
        return post("resend", body, {"svix-id": "msg_2W2D3qXLS5"}, **more)

    @pytest.mark.parametrize(
        ("bounce", "status"),
        [
            (("Permanent", "General", "The recipient's email provider sent a hard bounce message."), "bounced"),
            (
                ("Permanent", "Suppressed", "The recipient is on the suppression list because of hard bounces."),
                "bounced",
            ),
            (("Transient", "MailboxFull", "sent a bounce message because the inbox was full."), "soft_bounced"),
            (("Transient", "General", "550 5.1.1 no such user"), "bounced"),
            (("Permanent", "General", "554 5.7.1 blocked"), "rejected"),
            (("Undetermined",), "soft_bounced"),
        ],
    )
    def test_returned_mails(self, bounce: tuple[str, ...], status: str) -> None:
        anna = person("anna@example.test", "newsletter")
        body = self.event(went(anna), **self.bounce(*bounce))
        assert [self.tell(body) for _time in range(2)] == [200, 200]
        assert Receipt.objects.get().status == status
        assert (point_of(anna).state == "hard_bounced") == (status == "bounced")

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("email.sent", "sent"),
            ("email.delivered", "delivered"),
            ("email.delivery_delayed", "deferred"),
            ("email.complained", "spam_report"),
            ("email.opened", None),
            ("email.clicked", None),
            ("email.failed", None),
        ],
    )
    def test_other_events(self, kind: str, status: str | None) -> None:
        anna = person("anna@example.test", "newsletter")
        click = {"click": {"ipAddress": "192.0.2.1", "link": "https://shop.test", "timestamp": "", "userAgent": "x"}}
        assert self.tell(self.event(went(anna), kind, **(click if kind == "email.clicked" else {}))) == 200
        assert [one.status for one in Receipt.objects.all()] == ([status] if status else [])
        assert Suppression.objects.filter(reason="spam_report").exists() == (status == "spam_report")

    def test_by_its_own_number_where_the_headers_are_left_out(self) -> None:
        anna = person("anna@example.test", "newsletter")
        went(anna, provider_id="56761188-7520-42d8-8898-ff6fc54ce618")
        assert self.tell(self.event(Delivery(pk=uuid4()), named=False, **self.bounce("Permanent"))) == 200
        assert point_of(anna).state == "hard_bounced"

    def test_forged_though_the_password_is_right(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resend, "SvixWebhook", Svix)
        monkeypatch.setattr(resend, "WebhookVerificationError", ForgedError)
        anna = person("anna@example.test", "newsletter")
        body = self.event(went(anna), **self.bounce("Permanent"))
        number, stamp = "msg_2W2D3qXLS5", str(int(time.time()))
        good = {"svix-id": number, "svix-timestamp": stamp}
        good["svix-signature"] = Svix(SIGNING_SECRET).sign(number, stamp, body.encode())
        old = str(int(time.time()) - 3600)
        another = Svix("whsec_" + base64.b64encode(b"another key").decode()).sign(number, stamp, body.encode())
        forged: list[dict[str, str]] = [
            {},
            good | {"svix-signature": another},
            good | {"svix-id": "msg_other"},
            good | {"svix-timestamp": old, "svix-signature": Svix(SIGNING_SECRET).sign(number, old, body.encode())},
        ]
        with override_settings(ANYMAIL={"WEBHOOK_SECRET": [SECRET], "RESEND_SIGNING_SECRET": SIGNING_SECRET}):
            assert [post("resend", body, headers) for headers in forged] == [403] * 4
            assert post("resend", body.replace("Permanent", "Transient"), good) == 403
            assert post("resend", body, good, secret="mail:wrong") == 403
            assert not Receipt.objects.exists() and point_of(anna).state == "usable"
            assert post("resend", body, good) == 200
        assert point_of(anna).state == "hard_bounced"

    def test_a_secret_without_the_package_that_checks_it_stops_the_start(self) -> None:
        try:
            import svix  # noqa: F401
        except ImportError:
            with override_settings(
                EMAIL_BACKEND="anymail.backends.resend.EmailBackend",
                ANYMAIL={"WEBHOOK_SECRET": [SECRET], "RESEND_SIGNING_SECRET": SIGNING_SECRET, "RESEND_API_KEY": "re_x"},
            ):
                assert "campaigns.E001" in [found.id for found in run_checks()]
