"""Mail authentication against a DNS server of the test's own, and probes as they arrive."""

import re
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import breaker, checks, mail_auth, mail_auth_words, pacing, spf, warnings
from campaigns.models import Circuit, MailCheck, Pace, SenderHeartbeat, WarmUp
from crm.models import Shop
from tests.campaigns.people import launched, mailing, open_shop, person
from tests.factories import CampaignFactory, DeliveryFactory, UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db

GOOD = {
    ("shop.test.", "TXT"): ['"v=spf1 include:relay.test -all"', '"something else"'],
    ("relay.test.", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 ~all"'],
    ("mail.relay.test.", "A"): ["192.0.2.7"],
    ("_dmarc.shop.test.", "TXT"): ['"v=DMARC1; p=quarantine"'],
    ("k1._domainkey.shop.test.", "TXT"): ['"v=DKIM1; k=rsa; " "p=MIIB"'],
    ("shop.test.", "MX"): ["10 mail.relay.test."],
}
SIGNED = "DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=k1;\n h=From:To:Subject:Date{more};\n bh=x; b=y\n"
BOTH = ":List-Unsubscribe:\n  List-Unsubscribe-Post"


class DnsServer(socketserver.ThreadingUDPServer):
    """Answers from `zone`; a name in `silent` gets no answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.silent = False


class Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        asked, channel = dns.message.from_wire(self.request[0]), self.request[1]
        assert isinstance(self.server, DnsServer)
        if self.server.silent:
            return
        [question] = asked.question
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(asked, recursion_available=True)
        if found := self.server.zone.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        elif not any(known == name for known, _kind in self.server.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        channel.sendto(answer.to_wire(), self.client_address)


@pytest.fixture
def zone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsServer]:
    server = DnsServer()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.DNS_SERVERS = [f"127.0.0.1:{server.server_address[1]}"]
    settings.DKIM_SELECTORS, settings.BOUNCE_ADDRESS = ["k1"], ""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "mail.relay.test"
    settings.PUBLIC_BASE_URL = "https://crm.shop.test"
    monkeypatch.setattr("campaigns.dns_lookup.SECONDS", 0.3)
    server.zone = dict(GOOD)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def as_role(role: str) -> Client:
    client = Client()
    client.force_login(
        UserFactory(role=role, language="en", email="kim@example.test"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


def found(shop: Shop) -> dict[str, mail_auth.Finding]:
    return {one.check: one for one in mail_auth.known(mail_auth.look_up(shop))}


def test_all_is_well(zone: DnsServer, shop: Shop) -> None:
    verdicts = {code: (one.verdict, one.case) for code, one in found(shop).items()}
    assert verdicts == {
        "spf": ("yes", "covers"), "dkim": ("yes", "found"), "dmarc": ("yes", "found"),
        "replies": ("yes", "found"), "https": ("yes", "found"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "instead", "check", "verdict", "case", "record", "text"),
    [
        ("shop.test. TXT", [], "spf", "no", "none", "shop.test", "v=spf1 a:mail.relay.test ~all"),
        ("shop.test. TXT", ['"v=spf1 mx -all"', '"v=spf1 ip4:192.0.2.1 ~all"'], "spf", "no", "several", "shop.test",
         "v=spf1 ip4:192.0.2.1 mx ~all"),
        ("shop.test. TXT", ['"v=spf1 mx +all"'], "spf", "no", "everybody", "shop.test", "v=spf1 mx ~all"),
        ("shop.test. TXT", ['"v=spf1 ip4:198.51.100.1 -all"'], "spf", "unknown", "not_named", "shop.test",
         "v=spf1 ip4:198.51.100.1 a:mail.relay.test -all"),
        ("shop.test. TXT", ['"v=spf1 mx -all"'], "spf", "yes", "covers", "", ""),
        ("_dmarc.shop.test. TXT", [], "dmarc", "no", "none", "_dmarc.shop.test",
         "v=DMARC1; p=none; rua=mailto:kim@shop.test"),
        ("k1._domainkey.shop.test. TXT", [], "dkim", "no", "none", "k1._domainkey.shop.test", "v=DKIM1; k=rsa; p=…"),
        ("k1._domainkey.shop.test. TXT", ['"v=DKIM1; p="'], "dkim", "no", "revoked", "k1._domainkey.shop.test",
         "v=DKIM1; k=rsa; p=…"),
        ("shop.test. MX", ["0 ."], "replies", "no", "none", "shop.test", "10 mail.shop.test."),
    ],
)  # fmt: skip
def test_what_is_missing_comes_with_the_text_to_publish(
    zone: DnsServer,
    shop: Shop,
    name: str,
    instead: list[str],
    check: str,
    verdict: str,
    case: str,
    record: str,
    text: str,
) -> None:
    zone.zone[tuple(name.split())] = instead  # type: ignore[index]
    one = found(shop)[check]
    assert (one.verdict, one.case, one.record, one.text) == (verdict, case, record, text)
    assert "%(" not in mail_auth_words.said(one).sentence


def test_silence_is_unknown_and_not_for_long(zone: DnsServer, shop: Shop) -> None:
    zone.silent = True
    verdicts = {one.verdict for code, one in found(shop).items() if code != "https"}
    assert verdicts == {"unknown"}


def test_records_that_name_each_other_come_to_an_end(zone: DnsServer, shop: Shop) -> None:
    zone.zone["relay.test.", "TXT"] = ['"v=spf1 include:shop.test -all"']
    assert found(shop)["spf"].case == "not_named"


def test_every_case_has_its_words() -> None:
    source = "".join(open(module.__file__ or "").read() for module in (mail_auth,))
    for check, case in mail_auth_words.SENTENCES:
        assert f'"{check}"' in source and f'"{case}"' in source


class TestProbe:
    def read(self, headers: str, number: str = "") -> MailCheck:
        kept, _made = MailCheck.objects.update_or_create(domain="shop.test", defaults={"probe": uuid4()})
        assert mail_auth.take_evidence(kept, f"X-Delivery-ID: {number or kept.probe}\n{headers}")
        return MailCheck.objects.get()

    def verdict(self, headers: str) -> tuple[str, str]:
        [one] = [one for one in mail_auth.seen(self.read(headers)) if one.check == "one_click"]
        return one.verdict, one.case

    def test_a_signature_covers_the_pair(self) -> None:
        assert self.verdict(SIGNED.format(domain="shop.test", more=BOTH)) == ("yes", "found")

    def test_a_signature_of_the_parent_domain_counts(self) -> None:
        assert self.verdict(SIGNED.format(domain="mail.shop.test", more=BOTH)) == ("yes", "found")

    def test_a_signature_leaves_one_of_them_out(self) -> None:
        assert self.verdict(SIGNED.format(domain="shop.test", more=":List-Unsubscribe")) == ("no", "not_covered")

    def test_a_strangers_signature_does_not_count(self) -> None:
        assert self.verdict(SIGNED.format(domain="esp.test", more=BOTH)) == ("no", "not_signed")

    def test_what_the_receiver_found(self) -> None:
        kept = self.read("Authentication-Results: mx.test; spf=pass smtp.mailfrom=shop.test;\n dkim=fail; dmarc=none\n")
        results = {one.about["name"]: one.verdict for one in mail_auth.seen(kept) if one.check == "result"}
        assert results == {"SPF": "yes", "DKIM": "no", "DMARC": "no"}

    def test_another_mails_headers_are_not_taken(self) -> None:
        kept = MailCheck.objects.create(domain="shop.test", probe=uuid4())
        for headers in (f"X-Delivery-ID: {uuid4()}", "X-Delivery-ID: nonsense", "", "\x00"):
            assert not mail_auth.take_evidence(kept, headers)

    def test_nothing_of_the_mail_is_kept(self) -> None:
        kept = self.read(
            "To: anna@example.test\nAuthentication-Results: mx; spf=pass smtp.mailfrom=anna@example.test\n"
        )
        assert "anna" not in str(kept.evidence)


class TestLaunch:
    def test_a_missing_signature_over_the_pair_keeps_a_mailing_from_going(self, shop: Shop) -> None:
        draft = checks.Draft(mailing(), shop)
        assert list(checks.authentication(draft)) == []
        kept = MailCheck.objects.create(domain="shop.test", probe=uuid4())
        mail_auth.take_evidence(kept, f"X-Delivery-ID: {kept.probe}\n" + SIGNED.format(domain="shop.test", more=""))
        assert "List-Unsubscribe" in next(iter(checks.authentication(draft)))

    def test_other_gaps_are_a_warning(self, zone: DnsServer, shop: Shop) -> None:
        zone.zone = {}
        mail_auth.look_up(shop)
        outlook = type("Outlook", (), {"shop": shop})()
        [sentence] = warnings.authentication(outlook)
        assert "SPF" in sentence and "DMARC" in sentence


class TestPage:
    @pytest.fixture
    def admin(self) -> Client:
        return as_role("admin")

    def test_dns_is_asked_by_a_button_alone(self, zone: DnsServer, admin: Client) -> None:
        assert "not looked up yet" in admin.get("/settings/sending/").content.decode()
        del zone.zone["_dmarc.shop.test.", "TXT"]
        page = admin.post("/settings/sending/look-up", follow=True).content.decode()
        assert "_dmarc.shop.test" in page and "v=DMARC1; p=none" in page

    def test_a_probe_goes_to_who_asks_and_its_headers_are_read(self, admin: Client, smtp_sink: SmtpSink) -> None:
        admin.post("/settings/sending/probe")
        [mail] = smtp_sink.messages
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and mail["To"].endswith("@example.test")
        wrong = admin.post("/settings/sending/evidence", {"headers": "Subject: x"})
        assert wrong.status_code == 422
        headers = "".join(f"{name}: {value}\n" for name, value in mail.items())
        read = headers + SIGNED.format(domain="shop.test", more=BOTH)
        page = admin.post("/settings/sending/evidence", {"headers": read}, follow=True).content.decode()
        assert "List-Unsubscribe and List-Unsubscribe-Post are signed." in page

    def test_costs_the_same_for_two_and_for_forty(self, admin: Client) -> None:
        counts = []
        for number in (2, 40):
            for one in range(number):
                pacing.limit([f"d{one}.test"], 60)
                Circuit.objects.get_or_create(transport="smtp", domain=f"d{one}.test", state="open")
                SenderHeartbeat.objects.update_or_create(name=f"s{one}", defaults={"at": now()})
            with CaptureQueriesContext(connection) as queries:
                assert admin.get("/settings/sending/").status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_says_how_many_wait_under_a_limit_for_all_advertising(self, admin: Client) -> None:
        pacing.limit([], 60)
        due = {"not_before": now(), "not_after": now() + timedelta(days=1)}
        going = DeliveryFactory(**due)
        DeliveryFactory(**due, campaign=going.campaign)
        DeliveryFactory(**due, campaign=going.campaign, message_class="transactional")
        DeliveryFactory(**due | {"not_before": now() + timedelta(hours=1)}, campaign=going.campaign)
        DeliveryFactory(**due, campaign=CampaignFactory(status="paused"))
        page = admin.get("/settings/sending/").content.decode()
        row = page[page.index(">all advertising<") :]
        assert [re.sub("<.*?>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)[:2]] == ["60", "2"]

    def test_limits_and_warm_up_are_set_and_ended(self, admin: Client) -> None:
        assert (
            admin.post("/settings/sending/limit", {"domains": "GoogleMail.com", "per_hour": "500"}).status_code == 302
        )
        assert Pace.objects.get().domains == ["gmail.com", "googlemail.com"]
        for wrong in (
            {"domains": "a.test googlemail.com", "per_hour": "5"},
            {"domains": "no domain!", "per_hour": "5"},
            {"per_hour": "0"},
        ):
            assert admin.post("/settings/sending/limit", wrong).status_code == 422
        admin.post("/settings/sending/unlimit", {"name": "gmail.com"})
        assert not Pace.objects.exists()
        assert (
            admin.post("/settings/sending/warm-up", {"per_day": "50", "growth": "1.5", "ceiling": "10"}).status_code
            == 422
        )
        admin.post("/settings/sending/warm-up", {"per_day": "50", "growth": "1.5", "ceiling": "5000"})
        assert WarmUp.objects.get().per_day == 50 and "112" in admin.get("/settings/sending/").content.decode()
        admin.post("/settings/sending/cool-down")
        assert not WarmUp.objects.exists()

    def test_what_rests_may_be_tried_at_once(self, admin: Client) -> None:
        breaker.trouble("smtp", "421 4.7.0")
        assert "421 4.7.0" in admin.get("/settings/sending/").content.decode()
        admin.post(f"/settings/sending/rests/{Circuit.objects.get().pk}/try")
        assert breaker.enter("smtp") == "one"

    def test_a_stopped_mailing_says_why_wherever_it_stands(self, admin: Client) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        breaker.note(run.campaign_id, "1" * 40)
        for path in ("/settings/sending/", "/campaigns/", f"/campaigns/mailings/{run.campaign_id}/"):
            assert (
                "Stopped by itself: mail servers refused 40 of the last 40 mails." in admin.get(path).content.decode()
            )

    def test_a_marketer_may_not(self) -> None:
        assert as_role("marketer").get("/settings/sending/").status_code == 403


def test_domains_of_one_organization() -> None:
    assert mail_auth.aligned("news.shop.co.uk", "shop.co.uk") and not mail_auth.aligned("a.co.uk", "b.co.uk")
    assert not mail_auth.aligned("news.shop.test", "shop.test", strict=True)
    assert list(spf.upwards("news.shop.test")) == ["news.shop.test", "shop.test"]
