"""Mails that come back: read from a Maildir, an mbox file and a mail server, each once. All senders are invented."""

import mailbox as boxes
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils.timezone import now

from campaigns import mailbox, return_path, returned
from campaigns.models import Delivery, ReadMail, Receipt
from crm.models import ConsentState, Suppression
from tests.campaigns.people import deliver, launched, open_shop, person
from tests.campaigns.test_bounces import point_of, went
from tests.imap_server import ImapServer, certificate
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
ADDRESS = "bounces@shop.test"
MAIL = UUID("0e7a2f54-90e1-4a1d-9d52-3f1f1b3a9c11")


@pytest.fixture(autouse=True)
def shop() -> Iterator[None]:
    open_shop()
    with override_settings(BOUNCE_ADDRESS=ADDRESS, PUBLIC_BASE_URL="http://localhost:8000"):
        yield


def to(number: UUID = MAIL, detail: str = "") -> str:
    return f"bounces+{detail}{number.hex}@shop.test"


def report(
    number: UUID = MAIL, status: str = "5.1.1", action: str = "failed", said: str = "", address: str = ""
) -> bytes:
    """A delivery report as RFC 3464 has it; the mail is named inside alone, unless an `address` names it."""
    said = said or f"smtp; 550 {status} said the server"
    return f"""Return-Path: <>
Delivered-To: {address or ADDRESS}
Date: Fri, 20 Nov 2026 10:00:00 +0000
From: MAILER-DAEMON@mx.example.test (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {address or ADDRESS}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.test

Final-Recipient: rfc822; anna@example.test
Action: {action}
Status: {status}
Diagnostic-Code: {said}

--b1
Content-Type: message/rfc822

From: Kim Beispiel <kim@shop.test>
To: anna@example.test
Message-ID: <{number}@localhost>
X-Delivery-ID: {number}
Subject: News

Good day.
--b1--
""".replace("\n", "\r\n").encode()


def complaint(number: UUID = MAIL, kind: str = "abuse") -> bytes:
    """A spam report as RFC 5965 has it, with the headers of the mail alone."""
    return f"""From: <abuse@provider.example>
Date: Fri, 20 Nov 2026 10:00:00 +0000
Subject: FW: News
To: <{ADDRESS}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.
--b2
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1

--b2
Content-Type: text/rfc822-headers

From: Kim Beispiel <kim@shop.test>
Message-ID: <{number}@localhost>
Subject: News
--b2--
""".encode()


def letter(text: str, subject: str = "Re: News", **headers: str) -> bytes:
    mail = EmailMessage()
    given = {"From": "anna@example.test", "To": "kim@shop.test", "Date": "Fri, 20 Nov 2026 10:00:00 +0000"}
    for name, value in {**given, "Subject": subject, **headers}.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def short(given: object) -> str:
    return given if isinstance(given, str) else ""


AWAY = letter("I am away until Monday.", "Away", Auto_Submitted="auto-replied", In_Reply_To=f"<{MAIL}@localhost>")
QMAIL = letter(
    "Hi. This is the qmail-send program at mx.example.test.\nI'm afraid I wasn't able to deliver your message to the "
    "following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<anna@example.test>:\n"
    "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.1.\n\n"
    f"--- Below this line is a copy of the message.\n\nMessage-ID: <{MAIL}@localhost>\nX-Delivery-ID: {MAIL}\n",
    "failure notice",
    From="MAILER-DAEMON@mx.example.test",
    To=ADDRESS,
)
EXIM = letter(
    "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered "
    "to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
    f"  anna@example.test\n    mailbox is full\n\n------ This is a copy of the message. ------\n\nX-Delivery-ID: {MAIL}\n",
    "Mail delivery failed: returning message to sender",
    From="Mailer-Daemon@mx.example.test",
    X_Failed_Recipients="anna@example.test",
    Auto_Submitted="auto-replied",
)


class TestWhatItSays:
    @pytest.mark.parametrize(
        ("raw", "kind", "status"),
        [
            (report(), "returned", "bounced"),
            (report(status="5.2.2"), "returned", "soft_bounced"),
            (report(status="4.4.1"), "returned", "soft_bounced"),
            (report(status="4.4.1", action="delayed"), "returned", "deferred"),
            (report(status="2.0.0", action="delivered"), "returned", "delivered"),
            (report(status="5.7.1"), "returned", "rejected"),
            (report(status="5.0.0", said="smtp; 550-5.1.1 no such user"), "returned", "bounced"),
            (QMAIL, "returned", "bounced"),
            (EXIM, "returned", "soft_bounced"),
            (complaint(), "spam_report", "spam_report"),
            (complaint(kind="opt-out"), "other", "unsubscribed"),
            (AWAY, "auto_reply", "auto_reply"),
            (letter("", "unsubscribe", To=to(detail="u-")), "unsubscribe", "unsubscribed"),
        ],
        ids=short,
    )
    def test_of_our_mail(self, raw: bytes, kind: str, status: str) -> None:
        found = returned.read(raw, now())
        assert (found.kind, [one.status for one in found.reports]) == (kind, [status])
        assert found.reports[0].delivery_id == MAIL

    @pytest.mark.parametrize(
        "raw",
        [
            letter("Thank you for the news!", In_Reply_To=f"<{MAIL}@localhost>"),
            letter("Please unsubscribe me. 5.1.1", "unsubscribe"),
            complaint(kind="not-spam"),
            report(number=uuid4()).replace(b"@localhost", b"@elsewhere.test").replace(b"X-Delivery-ID", b"X-Other"),
        ],
        ids=range(4),
    )
    def test_that_is_none_of_ours_or_a_persons_words(self, raw: bytes) -> None:
        assert not returned.read(raw, now()).reports

    def test_the_return_address_goes_before_what_the_mail_claims_inside(self) -> None:
        other = uuid4()
        assert returned.read(report(other, address=to()), now()).reports[0].delivery_id == MAIL

    @pytest.mark.parametrize("charset", ["utf-8", "klingon", "unknown-8bit", '"', "utf-16"])
    @pytest.mark.parametrize("raw", [report(), EXIM, AWAY, complaint()], ids=["report", "exim", "away", "complaint"])
    def test_whatever_the_charset_claims(self, raw: bytes, charset: str) -> None:
        wild = raw.replace(b"us-ascii", charset.encode()).replace(b"US-ASCII", charset.encode())
        wild = wild.replace(b'charset="utf-8"', b"charset=" + charset.encode()).replace(
            b"Good day", b"\xff\xfe\x00 \xf0"
        )
        assert returned.read(wild, now()).reports[0].delivery_id == MAIL

    def test_its_own_date_counts_unless_it_is_impossible(self) -> None:
        arrived = now()
        for date in (
            "Fri, 20 Nov 2099 10:00:00 +0000",
            "rubbish",
            "Mon, 31 Feb 2026 10:00:00",
            "Mon, 1 Jan 1990 00:00:00 +0000",
        ):
            raw = report().replace(b"Fri, 20 Nov 2026 10:00:00 +0000", date.encode())
            assert returned.read(raw, arrived).reports[0].at == arrived


def maildir(path: Path, *raws: bytes) -> mailbox.FileBox:
    box = boxes.Maildir(path / "returned", create=True)
    for raw in raws:
        box.add(raw)
    return mailbox.FileBox("maildir", path / "returned")


class TestMaildir:
    def test_each_mail_is_taken_once_and_deleted_and_others_stay(self, tmp_path: Path) -> None:
        anna = person("anna@example.test", "newsletter")
        went(anna, pk=MAIL)
        human = letter("Do you have tea again?")
        box = maildir(tmp_path, report(), AWAY, human)
        assert mailbox.work(box, 10) == {"returned": 1, "auto_reply": 1, "other": 1}
        assert mailbox.work(box, 10) == {}
        left = boxes.Maildir(tmp_path / "returned")
        assert [(one.get_flags(), one.get_payload()) for one in left] == [("S", "Do you have tea again?\n")]
        assert point_of(anna).state == "hard_bounced" and ConsentState.objects.get().state == "given"
        assert "anna" not in str(list(ReadMail.objects.values())) + str(list(Receipt.objects.values()))

    def test_killed_between_taking_and_deleting_it_counts_once(self, tmp_path: Path) -> None:
        anna = person("anna@example.test")
        went(anna, pk=MAIL)
        box = maildir(tmp_path, report())

        def killed(key: str) -> None:
            raise SystemExit

        delete, box.delete = box.delete, killed  # type: ignore[method-assign]
        with pytest.raises(SystemExit):
            mailbox.work(box, 10)
        Suppression.objects.update(lifted_at=now())  # by staff, meanwhile
        box.delete = delete  # type: ignore[method-assign]
        assert mailbox.work(box, 10) == {"returned": 1}
        assert Receipt.objects.count() == 1 and not Suppression.objects.filter(lifted_at=None).exists()
        assert len(boxes.Maildir(tmp_path / "returned")) == 0

    def test_a_mail_that_breaks_the_reader_is_set_aside_and_the_next_one_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        went(person("anna@example.test"), pk=MAIL)
        box = maildir(tmp_path, b"poison", report())
        whole = returned.message_from_bytes

        def breaks(raw: bytes) -> object:
            if raw == b"poison":
                raise RecursionError
            return whole(raw)

        monkeypatch.setattr(returned, "message_from_bytes", breaks)
        assert mailbox.work(box, 10) == {"set_aside": 1, "returned": 1}
        assert [one.get_flags() for one in boxes.Maildir(tmp_path / "returned")] == ["FS"]

    def test_a_huge_mail_is_read_by_its_beginning(self, tmp_path: Path) -> None:
        went(person("anna@example.test"), pk=MAIL)
        box = maildir(tmp_path, report() + b"x" * 3_000_000)
        assert [len(one.raw) for one in box.letters()] == [mailbox.READ_AT_MOST]
        assert mailbox.work(box, 10) == {"returned": 1}

    @pytest.mark.parametrize(
        "raw",
        [b"", b"\0" * 500, b"\xff" * 900, b"Content-Type: multipart/report\r\n\r\n", b"To: \r\n" * 3000],
        ids=range(5),
    )
    def test_rubbish_stays(self, tmp_path: Path, raw: bytes) -> None:
        assert mailbox.work(maildir(tmp_path, raw), 10) == {"other": 1}


def test_an_mbox_file(tmp_path: Path) -> None:
    anna = person("anna@example.test")
    went(anna, pk=MAIL)
    file = boxes.mbox(tmp_path / "returned")
    for raw in (report(), letter("Do you have tea again?")):
        file.add(raw)
    file.close()
    with override_settings(BOUNCE_MAILBOX=f"mbox://{tmp_path}/returned"):
        assert mailbox.read(10) == {"returned": 1, "other": 1}
        assert mailbox.read(10) == {}
    assert len(boxes.mbox(tmp_path / "returned")) == 1 and point_of(anna).state == "hard_bounced"


class TestMailServer:
    @pytest.mark.parametrize("uidplus", [True, False])
    def test_reads_and_deletes_and_leaves_the_rest(self, uidplus: bool) -> None:
        anna = person("anna@example.test", "newsletter")
        went(anna, pk=MAIL)
        with ImapServer([report(), complaint(), letter("Tea?")], uidplus) as server:
            with override_settings(BOUNCE_MAILBOX=server.url):
                call_command("read_mailbox")
            assert {uid: sorted(kept.flags) for uid, kept in server.mails.items()} == {3: ["\\Seen"]}
        assert set(Receipt.objects.values_list("status", flat=True)) == {"bounced", "spam_report"}

    def test_the_connection_breaks_before_deleting_and_nothing_counts_twice(self) -> None:
        went(person("anna@example.test"), pk=MAIL)

        def breaks(command: str) -> None:
            if command.startswith("UID STORE"):
                raise ConnectionError

        with ImapServer([report()]) as server, override_settings(BOUNCE_MAILBOX=server.url):
            server.before = breaks
            with pytest.raises(CommandError, match="cannot be read"):
                call_command("read_mailbox")
            server.before = lambda command: None
            assert mailbox.read(10) == {"returned": 1} and not server.mails
        assert Receipt.objects.count() == 1

    def test_a_wrong_password_is_said(self) -> None:
        with ImapServer([]) as server, override_settings(BOUNCE_MAILBOX=server.url.replace("geheim", "falsch")):
            with pytest.raises(CommandError, match="cannot be read"):
                call_command("read_mailbox")


class TestTls:
    """Nobody between the mail server and us learns the password: the certificate is looked at before it is said."""

    @pytest.fixture(params=["imaps", "starttls"])
    def server(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[ImapServer]:
        monkeypatch.setattr(mailbox, "LOOPBACK", ())
        with ImapServer([report()], certificate=certificate(tmp_path), starttls=request.param == "starttls") as server:
            with override_settings(BOUNCE_MAILBOX=server.url):
                yield server

    def test_reads_by_a_certificate_that_is_trusted(
        self, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        went(person("anna@example.test"), pk=MAIL)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
        assert mailbox.read(10) == {"returned": 1} and not server.mails

    def test_tells_no_password_to_a_server_it_does_not_know(self, server: ImapServer) -> None:
        with pytest.raises(CommandError, match=r"not trusted \(self.signed certificate.*SSL_CERT_FILE"):
            call_command("read_mailbox")
        assert not [command for command in server.commands if command.startswith("LOGIN")] and server.mails

    def test_nor_to_one_that_has_another_name(
        self, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
        url = server.url.replace("localhost", "127.0.0.1")
        with override_settings(BOUNCE_MAILBOX=url), pytest.raises(CommandError, match="Name the server in BOUNCE_MAILBOX"):
            call_command("read_mailbox")
        assert not [command for command in server.commands if command.startswith("LOGIN")]

    def test_nor_to_one_that_offers_no_tls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mailbox, "LOOPBACK", ())
        with ImapServer([report()]) as server:
            for url in (server.url, server.url.replace("imap:", "imaps:")):
                with override_settings(BOUNCE_MAILBOX=url), pytest.raises(CommandError, match="TLS"):
                    call_command("read_mailbox")
        assert not [command for command in server.commands if command.startswith("LOGIN")]


def test_without_a_mailbox_the_command_says_how_to_name_one() -> None:
    with pytest.raises(CommandError, match="imaps://"):
        call_command("read_mailbox")
    assert mailbox.read(1) == {}


class TestReturnPath:
    def test_a_mail_goes_out_with_its_own_and_comes_back_by_it(self, smtp_sink: SmtpSink, tmp_path: Path) -> None:
        anna = person("anna@example.test", "newsletter")
        launched()
        deliver()
        mail = Delivery.objects.get()
        [sent] = smtp_sink.messages
        assert [one.mail_from for one in smtp_sink.envelopes] == [return_path.of(mail.pk)]
        assert f"<mailto:{to(mail.pk, 'u-')}?subject=unsubscribe>" in sent["List-Unsubscribe"]
        mailbox.work(maildir(tmp_path, report(uuid4(), address=to(mail.pk))), 10)
        assert point_of(anna).state == "hard_bounced"

    @override_settings(BOUNCE_ADDRESS="")
    def test_without_one_mails_go_out_as_before(self) -> None:
        assert return_path.of(MAIL) == return_path.to_unsubscribe(MAIL) == "" and not list(return_path.named_in(to()))
