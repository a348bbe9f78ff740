"""Counting clicks: of whom what is kept, of whom nothing, and that no link leads anywhere but where it was made to."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import composing, gating, mail_use, planning, recipes, tracking
from campaigns.models import Campaign, Delivery, Link, LinkCount, MailUse, TemplateVersion
from campaigns.plugin import CampaignsPlugin
from campaigns.sending import Sender
from crm import consent, invariants, links
from crm.models import ContactPoint, Customer, Shop
from crm.privacy import erasure, export, retention
from tests.campaigns.people import AGREED_AT, buys, deliver, mailing, open_shop, person
from tests.factories import UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
TARGET = "https://shop.example/neu?a=1&b=2"
URL = re.compile(r'https?://[^\s"<>]+')
OURS = "http://localhost:8000"


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


@pytest.fixture
def counting(shop: Shop) -> None:
    tracking.switch(True, UserFactory(role="admin"))


def with_button(*urls: str) -> Campaign:
    """A draft whose text has a button for each address, those too that only an older text can still have."""
    campaign = mailing(send_at=now() - timedelta(hours=1))
    version = campaign.template_version
    assert version
    for url in urls or (TARGET,):
        version.blocks.insert(-1, {"kind": "cta", "text": {"de": "Ansehen", "en": "Look"}, "url": url})
    TemplateVersion.objects.filter(pk=version.pk).update(blocks=version.blocks)
    return campaign


def send(campaign: Campaign | None = None) -> Campaign:
    campaign = campaign or with_button()
    planning.launch(campaign.pk, planning.preview(campaign).recipients)
    planning.advance_campaigns()
    deliver()
    return campaign


def parts(mail: EmailMessage) -> str:
    return "".join(mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]


def counted(mail: EmailMessage) -> list[str]:
    """The paths of the mail's counted links, those of the plain text and of the HTML."""
    return [url.removeprefix(OURS) for url in URL.findall(parts(mail)) if "/l/" in url]


def pixels(mail: EmailMessage) -> list[str]:
    return [url.removeprefix(OURS) for url in URL.findall(parts(mail)) if "/o/" in url]


def agreed(email: str = "anna@example.test") -> Customer:
    return person(email, "newsletter", "tracking")


class TestSwitch:
    def test_is_off_and_then_links_lead_straight_to_their_target(self, smtp_sink: SmtpSink) -> None:
        agreed()
        send()
        [mail] = smtp_sink.messages
        assert counted(mail) == pixels(mail) == []
        assert TARGET in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert TARGET.replace("&", "&amp;") in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert Delivery.objects.get().tracking == "" and not Link.objects.exists()

    @pytest.mark.parametrize(("role", "status"), [("admin", 302), ("marketer", 403), ("support", 403)])
    def test_is_the_administrators(self, client: Client, role: str, status: int) -> None:
        client.force_login(UserFactory(role=role), backend="django.contrib.auth.backends.ModelBackend")
        assert client.post("/campaigns/tracking/switch", {"on": "1"}).status_code == status
        assert tracking.is_on() == (role == "admin")
        assert client.post("/campaigns/tracking/switch", {"on": "0"}).status_code == status
        assert not tracking.is_on()

    def test_takes_on_or_off_and_nothing_else(self, client: Client) -> None:
        client.force_login(UserFactory(role="admin"), backend="django.contrib.auth.backends.ModelBackend")
        assert client.post("/campaigns/tracking/switch", {"on": "maybe"}).status_code == 404
        assert client.get("/campaigns/tracking/switch").status_code == 405

    def test_off_again_stops_counting_and_links_still_lead_on(self, counting: None, smtp_sink: SmtpSink) -> None:
        agreed()
        send()
        tracking.switch(False, UserFactory(role="admin"))
        response = Client().get(counted(smtp_sink.messages[0])[0])
        assert response.status_code == 302 and response["Location"] == TARGET
        assert not LinkCount.objects.exists() and not MailUse.objects.exists()


@pytest.mark.usefixtures("counting")
class TestMails:
    def test_of_those_who_did_not_agree_have_one_and_the_same_link(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        person("ben@example.test", "newsletter")
        send()
        first, second = (counted(mail) for mail in smtp_sink.messages)
        assert len(first) == 2 and set(first) == set(second) == {f"/l/{Link.objects.get().code}/"}
        assert not any(pixels(mail) for mail in smtp_sink.messages)
        assert set(Delivery.objects.values_list("tracking", flat=True)) == {"totals"}

    def test_of_those_who_agreed_have_their_own_link_and_a_pixel(self, smtp_sink: SmtpSink) -> None:
        agreed("anna@example.test")
        agreed("ben@example.test")
        send()
        first, second = (set(counted(mail)) for mail in smtp_sink.messages)
        assert len(first) == len(second) == 1 and first != second
        assert len(pixels(smtp_sink.messages[0])) == 1
        assert set(Delivery.objects.values_list("tracking", flat=True)) == {"person"}

    def test_lead_straight_to_legal_and_own_pages_and_to_personal_addresses(self, smtp_sink: SmtpSink) -> None:
        campaign = with_button(
            f"{OURS}/legal/privacy/", "mailto:kim@shop.test", "https://shop.example/{{ given_name }}"
        )
        version = campaign.template_version
        assert version
        imprint = {"kind": "legal", "text": {"de": "Impressum", "en": "Imprint"}, "url": "https://shop.example/imprint"}
        version.blocks.insert(-1, imprint)
        TemplateVersion.objects.filter(pk=version.pk).update(blocks=version.blocks)
        agreed()
        send(campaign)
        [mail] = smtp_sink.messages
        assert counted(mail) == [] and "https://shop.example/imprint" in parts(mail)
        for link in ("/u/", "/preferences/", "/legal/privacy/"):
            assert f"{OURS}{link}" in parts(mail)

    def test_about_a_contract_or_a_confirmation_are_never_counted(self, smtp_sink: SmtpSink) -> None:
        recipe = recipes.everything()["thank_you"]
        campaign = recipes.standing_campaign(recipe)
        campaign.template_version.blocks.insert(  # type: ignore[union-attr]
            -1, {"kind": "cta", "text": {"de": "Ansehen", "en": "Look"}, "url": TARGET}
        )
        campaign.template_version.save()  # type: ignore[union-attr]
        buys(agreed())
        planning.plan_due()
        Delivery.objects.update(message_class="transactional")
        deliver()
        [mail] = smtp_sink.messages
        assert TARGET in parts(mail) and counted(mail) == pixels(mail) == []

    def test_of_a_standing_recipe_are_counted_by_campaign(self, smtp_sink: SmtpSink) -> None:
        from campaigns import rendering

        campaign = recipes.standing_campaign(recipes.everything()["thank_you"])
        version = campaign.template_version
        assert version
        version.blocks.insert(-1, {"kind": "cta", "text": {"de": "Ansehen", "en": "Look"}, "url": TARGET})
        version.save()
        rendering._kept.cache_clear()
        ben = person("ben@example.test", "newsletter")
        buys(ben)
        buys(ben)
        planning.plan_due()
        deliver()
        assert {path for mail in smtp_sink.messages for path in counted(mail)} == {f"/l/{Link.objects.get().code}/"}
        rendering._kept.cache_clear()

    def test_tried_again_are_the_same_to_the_byte(self, smtp_sink: SmtpSink) -> None:
        agreed()
        send()
        Delivery.objects.update(state="planned", token=None)
        Campaign.objects.update(status="running")
        deliver()
        one, two = smtp_sink.envelopes
        assert one.original_content == two.original_content


# Every state of the consent to tracking, and every way in which it does not count for this mailbox.
Change = Callable[[Customer], object]
HOW = consent.How("paper", occurred_at=AGREED_AT)


def asked(customer: Customer) -> object:
    return consent.give(customer.pk, ["tracking"], consent.How("web", occurred_at=AGREED_AT))


def expired(customer: Customer) -> object:
    asked(customer)
    return consent.expire(customer.pk, ["tracking"], consent.How("web"))


def withdrawn(customer: Customer) -> object:
    consent.give(customer.pk, ["tracking"], HOW)
    return consent.withdraw(customer.pk, ["tracking"], consent.How("staff"))


def of_another_mailbox(customer: Customer) -> object:
    how = consent.How("paper", occurred_at=AGREED_AT, address="elsewhere@example.test")
    return consent.give(customer.pk, ["tracking"], how)


def by_phone(customer: Customer) -> object:
    return consent.give(customer.pk, ["tracking"], HOW, "phone")


NOT_AGREED: dict[str, Change] = {
    "never asked": lambda customer: None,
    "not confirmed": asked,
    "expired": expired,
    "withdrawn": withdrawn,
    "of another mailbox": of_another_mailbox,
    "for the phone": by_phone,
}


@pytest.mark.usefixtures("counting")
class TestNothingByPerson:
    """A mail of somebody who did not agree says nothing by person but what text and legal links say."""

    @given(
        first=st.sampled_from(sorted(NOT_AGREED)),
        second=st.sampled_from(sorted(NOT_AGREED)),
        urls=st.lists(
            st.sampled_from([TARGET, "https://shop.example/", "http://a.example/b#c"]), min_size=1, max_size=3
        ),
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def test_whatever_the_state_of_the_consent(self, first: str, second: str, urls: list[str]) -> None:
        with transaction.atomic():
            customers = [
                person("", "newsletter", given_name="Anna", family_name="Beispiel", salutation="ms") for _ in range(2)
            ]
            for customer, state in zip(customers, (first, second), strict=True):
                NOT_AGREED[state](customer)
            one, two = self.mails(with_button(*urls), customers)
            assert self.bare(one) == self.bare(two)
            for mail, customer in zip((one, two), customers, strict=True):
                self.no_canary(mail, customer)
            transaction.set_rollback(True)

    def mails(self, campaign: Campaign, customers: list[Customer]) -> list[str]:
        planning.launch(campaign.pk, len(customers))
        planning.advance_campaigns()
        claim = Sender("test").claim(50)
        found = composing.load([row[0] for row in claim.rows], "advertising", "newsletter", Shop.current())
        by_customer = {order.customer_id: order for order in found.values()}
        version = campaign.template_version
        assert version
        codes = tracking.codes(campaign.pk, version)
        made = []
        for customer in customers:
            order = by_customer[customer.pk]
            assert order.tracking == "totals"
            mail = composing.compose(order, Shop.current(), version, codes)
            made.append(f"{mail.subject}\n{mail.body}\n{mail.alternatives[0][0]}")
            assert gating.gate(order, claim.token, Shop.current()) == "go"
        return made

    def bare(self, mail: str) -> str:
        return re.sub(rf"{OURS}/(u|preferences)/[A-Za-z0-9_-]+/", r"\1", mail)

    def no_canary(self, mail: str, customer: Customer) -> None:
        """Nothing that names person, mail or mailbox, in no address but the two legal ones, plain or in Base64."""
        delivery = Delivery.objects.get(customer=customer)
        point = customer.contact_points.get()
        assert delivery.email_hash
        words = [str(customer.pk), str(customer.person_key), str(delivery.pk), point.value, delivery.email_hash]
        raw = [customer.person_key.bytes, delivery.pk.bytes, point.value.encode(), customer.person_key.hex.encode()]
        urls = URL.findall(mail)
        assert any("/l/" in url for url in urls)
        for url in urls:
            if url.startswith((f"{OURS}/u/", f"{OURS}/preferences/")):
                continue
            path = url.removeprefix(OURS)
            pieces = [piece for piece in re.split(r"[/?&=.]", path) if piece]
            assert not any(word in path for word in words[1:]) and words[0] not in pieces
            for piece in pieces:
                letters = re.sub(r"[^A-Za-z0-9_-]", "", piece)
                for shift in range(4):
                    text = letters[shift:]
                    decoded = base64.urlsafe_b64decode(text[: len(text) // 4 * 4])
                    assert not any(one in decoded for one in raw)

    def test_and_the_search_would_find_a_canary(self) -> None:
        """Positive control: the link of somebody who agreed."""
        anna = agreed()
        campaign = with_button()
        planning.launch(campaign.pk, 1)
        delivery = Delivery.objects.get()
        link = tracking.values(delivery.pk, "person", {1: "c" * 16})["link_1"]
        with pytest.raises(AssertionError):
            self.no_canary(link, anna)


@pytest.mark.usefixtures("counting")
class TestClicks:
    @pytest.fixture
    def ours(self, smtp_sink: SmtpSink) -> tuple[Customer, str, str]:
        """A person who agreed, her link and her pixel."""
        anna = agreed()
        send()
        [mail] = smtp_sink.messages
        # As if it had gone a while ago: what opens within seconds is taken for a machine.
        Delivery.objects.update(settled_at=now() - timedelta(hours=1), sending_at=now() - timedelta(hours=1))
        return anna, counted(mail)[0], pixels(mail)[0]

    @pytest.fixture
    def shared(self, smtp_sink: SmtpSink) -> str:
        person("anna@example.test", "newsletter")
        send()
        return counted(smtp_sink.messages[0])[0]

    def test_of_everybody_are_one_number(self, shared: str) -> None:
        for _ in range(3):
            response = Client().get(shared, headers={"user-agent": "Kanarienvogel"}, REMOTE_ADDR="192.0.2.77")
            assert (response.status_code, response["Location"]) == (302, TARGET)
            assert response["Referrer-Policy"] == "no-referrer" and response["Cache-Control"] == "no-store"
            assert not response.cookies
        assert LinkCount.objects.values_list("clicks", "machine").get() == (3, 0)
        assert not MailUse.objects.exists()

    def test_take_two_queries(self, shared: str) -> None:
        Shop.current()
        with CaptureQueriesContext(connection) as seen:
            Client().get(shared)
        assert len(seen) == 2  # the shop's zone, and one statement that finds and counts

    def test_of_who_agreed_are_noted_and_counted(self, ours: tuple[Customer, str, str]) -> None:
        anna, link, pixel = ours
        assert Client().get(link)["Location"] == TARGET
        assert Client().get(link)["Location"] == TARGET
        response = Client().get(pixel)
        assert response["Content-Type"] == "image/gif" and response["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert LinkCount.objects.get().clicks == 2
        assert sorted(MailUse.objects.values_list("kind", flat=True)) == ["click", "click", "open"]
        delivery = Delivery.objects.get()
        use = mail_use.of_mails(anna, [delivery.pk])[delivery.pk]
        assert use.opened_at and use.clicks == 2 and not use.only_machines
        totals = mail_use.totals(delivery.campaign_id)
        assert (totals.mails, totals.agreed, totals.opened, totals.clicked, totals.clicks) == (1, 1, 1, 1, 2)

    @pytest.mark.parametrize(
        "headers", [{"sec-purpose": "prefetch;prerender"}, {"purpose": "preview"}, {"x-moz": "prefetch"}]
    )
    def test_that_say_they_are_no_persons_are_marked(
        self, ours: tuple[Customer, str, str], headers: dict[str, str]
    ) -> None:
        _anna, link, pixel = ours
        Client().get(link, headers=headers)
        Client().get(pixel, headers=headers)
        assert LinkCount.objects.values_list("clicks", "machine").get() == (1, 1)
        assert set(MailUse.objects.values_list("by_machine", flat=True)) == {True}

    def test_by_head_are_marked_and_lead_on(self, ours: tuple[Customer, str, str]) -> None:
        _anna, link, _pixel = ours
        assert Client().head(link)["Location"] == TARGET
        assert LinkCount.objects.get().machine == 1 and MailUse.objects.get().by_machine

    def test_on_all_links_within_seconds_are_a_scanners(self, smtp_sink: SmtpSink) -> None:
        anna = agreed()
        send(with_button("https://shop.example/a", "https://shop.example/b"))
        Delivery.objects.update(settled_at=now() - timedelta(hours=1), sending_at=now() - timedelta(hours=1))
        for path in sorted(set(counted(smtp_sink.messages[0]))):
            Client().get(path)
        delivery = Delivery.objects.get()
        assert mail_use.of_mails(anna, [delivery.pk])[delivery.pk].only_machines
        assert mail_use.totals(delivery.campaign_id).clicked == 0

    def test_right_after_the_sending_are_a_scanners(self, smtp_sink: SmtpSink) -> None:
        anna = agreed()
        send()
        Client().get(counted(smtp_sink.messages[0])[0])
        delivery = Delivery.objects.get()
        assert mail_use.of_mails(anna, [delivery.pk])[delivery.pk].only_machines

    def test_change_nothing_else(self, ours: tuple[Customer, str, str], django_db_blocker: object) -> None:
        anna, link, pixel = ours
        before = list(Delivery.objects.values()), list(anna.consents.values()), list(Link.objects.values())
        for path in (link, pixel):
            for method in ("get", "head"):
                getattr(Client(), method)(path)
            assert Client().post(path).status_code == 405
        assert before == (list(Delivery.objects.values()), list(anna.consents.values()), list(Link.objects.values()))

    def test_of_one_mail_do_not_fill_the_table(
        self, ours: tuple[Customer, str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _anna, link, _pixel = ours
        monkeypatch.setattr(tracking, "NOTE", tracking.NOTE.replace(f"< {tracking.MOST_USES}", "< 2"))
        for _ in range(4):
            Client().get(link)
        assert MailUse.objects.count() == 2 and LinkCount.objects.get().clicks == 4

    @pytest.mark.parametrize(
        "path",
        [
            "/l/nothing/", "/l/AAAAAAAAAAAAAAAA/", "/l/https:%2F%2Fevil.example/", "/l/%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00/",
            f"/l/{'A' * 68}/", f"/l/{'ä' * 16}/", "/l/" + "x" * 3000 + "/",
        ],
    )  # fmt: skip
    def test_on_links_not_made_here_get_the_helpful_page(self, path: str) -> None:
        response = Client(headers={"accept-language": "en"}).get(path)
        assert response.status_code == 404 and b"<h1" in response.content
        assert not LinkCount.objects.exists()

    def test_cannot_be_sent_elsewhere(self, ours: tuple[Customer, str, str]) -> None:
        _anna, link, _pixel = ours
        for path in (f"{link}?url=https://evil.example", f"{link}?next=//evil.example"):
            assert Client().get(path)["Location"] == TARGET

    def test_with_a_swapped_or_forged_token_count_nothing(self, ours: tuple[Customer, str, str]) -> None:
        anna, link, pixel = ours
        token, delivery, code = link.split("/")[2], Delivery.objects.get().pk, Link.objects.get().code
        forged = [
            token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
            links.sign(tracking.OPEN, delivery, code),
            links.sign("unsubscribe", anna.person_key, "newsletter"),
            links.sign(tracking.CLICK, delivery, "no-such-code-123"),
        ]
        for one in forged:
            assert Client().get(f"/l/{one}/").status_code == 404
        for one in (token, links.sign(tracking.CLICK, delivery, code), "x"):
            assert Client().get(f"/o/{one}.gif").status_code == 200
        assert not MailUse.objects.exists()
        Client().get(f"/l/{links.sign(tracking.CLICK, uuid4(), code)}/")  # a mail that is not ours any more
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 1

    def test_on_a_link_too_old_get_the_helpful_page(self, shared: str) -> None:
        Link.objects.update(good_until=now() - timedelta(seconds=1))
        assert Client().get(shared).status_code == 404
        assert retention.run()["counted_links"] == 1 and not Link.objects.exists()

    def test_keep_a_link_good_while_mails_with_it_go_out(self, shared: str) -> None:
        Link.objects.update(good_until=now() + timedelta(days=10))
        campaign = Campaign.objects.get(standing=False)
        code = Link.objects.get().code
        assert tracking.codes(campaign.pk, campaign.template_version) == {2: code}  # type: ignore[arg-type]
        assert Link.objects.get().good_until > now() + timedelta(days=390)


@pytest.mark.usefixtures("counting")
class TestWithdrawal:
    @pytest.fixture
    def link(self, smtp_sink: SmtpSink) -> str:
        agreed()
        send()
        return counted(smtp_sink.messages[0])[0]

    def withdraw(self) -> Customer:
        anna = Customer.objects.get()
        consent.withdraw(anna.pk, ["tracking"], consent.How("staff"))
        return anna

    def test_deletes_what_was_noted_and_leaves_totals(self, link: str) -> None:
        Client().get(link)
        self.withdraw()
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 1

    def test_makes_earlier_links_count_as_totals_only(self, link: str) -> None:
        anna = self.withdraw()
        assert Client().get(link)["Location"] == TARGET
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 1
        # Whoever agrees again later does so for mails from then on.
        consent.give(anna.pk, ["tracking"], consent.How("paper"))
        Client().get(link)
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 2

    def test_of_another_purpose_changes_nothing(self, link: str) -> None:
        Client().get(link)
        consent.withdraw(Customer.objects.get().pk, ["newsletter"], consent.How("staff"))
        Client().get(link)
        assert MailUse.objects.count() == 2

    @pytest.mark.parametrize("ended", [{"restricted_at": AGREED_AT}, {"erased_at": AGREED_AT}])
    def test_nothing_is_noted_about_who_may_not_be_used(self, link: str, ended: dict[str, object]) -> None:
        Customer.objects.update(**ended)
        assert Client().get(link)["Location"] == TARGET
        assert not MailUse.objects.exists()

    def test_between_planning_and_sending_the_mail_is_not_tracked(self, smtp_sink: SmtpSink) -> None:
        agreed()
        campaign = with_button()
        planning.launch(campaign.pk, 1)
        planning.advance_campaigns()
        self.withdraw()
        deliver()
        assert Delivery.objects.get().tracking == "totals" and pixels(smtp_sink.messages[0]) == []

    def test_between_composing_and_the_gate_the_mail_is_made_anew(self, smtp_sink: SmtpSink) -> None:
        """And the other way round: agreed meanwhile."""
        agreed()
        campaign = with_button()
        planning.launch(campaign.pk, 1)
        planning.advance_campaigns()
        claim = Sender("test").claim(1)
        [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current()).values()
        assert order.tracking == "person"
        anna = self.withdraw()
        assert gating.gate(order, claim.token, Shop.current()) == "again"
        assert Delivery.objects.values_list("state", "attempts", "tracking").get() == ("planned", 0, "")
        claim = Sender("test").claim(1)
        [order] = composing.load([claim.rows[0][0]], "advertising", "newsletter", Shop.current()).values()
        consent.give(anna.pk, ["tracking"], consent.How("paper"))
        assert order.tracking == "totals" and gating.gate(order, claim.token, Shop.current()) == "again"
        deliver()
        assert Delivery.objects.get().tracking == "person" and len(smtp_sink.messages) == 1

    def test_double_opt_in_of_this_mailbox_counts(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        consent.give(anna.pk, ["tracking"], consent.How("web", address="Anna@Example.test", occurred_at=AGREED_AT))
        consent.confirm(anna.pk, ["tracking"], consent.How("mail_link", occurred_at=AGREED_AT))
        send()
        assert Delivery.objects.get().tracking == "person"

    def test_a_new_mailbox_has_not_agreed(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        consent.give(anna.pk, ["tracking"], consent.How("paper", address="anna@example.test", occurred_at=AGREED_AT))
        ContactPoint.objects.update(value="neu@example.test", normal="neu@example.test")
        consent.give(anna.pk, ["newsletter"], consent.How("paper"))
        send()
        assert Delivery.objects.get().tracking == "totals"


@pytest.mark.usefixtures("counting")
class TestRights:
    @pytest.fixture
    def anna(self, smtp_sink: SmtpSink) -> Customer:
        anna = agreed()
        send()
        Delivery.objects.update(settled_at=now() - timedelta(hours=1), sending_at=now() - timedelta(hours=1))
        Client().get(counted(smtp_sink.messages[0])[0])
        Client().get(pixels(smtp_sink.messages[0])[0])
        assert MailUse.objects.count() == 2
        return anna

    def test_nothing_is_noted_of_other_mails(self, anna: Customer) -> None:
        [check] = [one for one in CampaignsPlugin().invariants() if "by her consent" in one.name]
        assert dict(invariants.verify())[check.name] == 0
        Delivery.objects.update(tracking="totals")
        assert dict(invariants.verify())[check.name] == 2

    def test_all_of_it_is_handed_out(self, anna: Customer) -> None:
        [section] = [one for one in export.collect(anna) if one.code == "mailuse"]
        assert len(section.rows) == 2 and any(TARGET in row for row in section.rows)

    def test_erasure_deletes_it_and_keeps_the_totals(self, anna: Customer) -> None:
        erasure.erase(anna.pk)
        assert not MailUse.objects.exists() and LinkCount.objects.get().clicks == 1

    def test_it_is_never_edited(self, anna: Customer) -> None:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            MailUse.objects.update(by_machine=True)

    def test_it_goes_after_thirteen_months_or_with_the_consent(self, anna: Customer) -> None:
        assert retention.run()["mail_use"] == retention.run()["mail_use_ended"] == 0
        anna.consents.filter(purpose_id="tracking").update(state="withdrawn")
        assert retention.run()["mail_use_ended"] == 2

    def test_it_stands_on_the_timeline_while_she_agrees(self, anna: Customer) -> None:
        plugin = CampaignsPlugin()
        later = now() + timedelta(minutes=1)
        with translation.override("en"):
            entries = list(plugin.timeline(anna, {"mail", "mail_use"}, later, 10))
        assert [entry.title for entry in entries] == ["Mail opened: News", "Link clicked: News", "Mail sent: News"]
        assert plugin.timeline_counts(anna)["mail_use"] == 2
        anna.consents.filter(purpose_id="tracking").update(state="withdrawn")
        assert [entry.kind for entry in plugin.timeline(anna, {"mail", "mail_use"}, later, 10)] == ["mail"]
        assert plugin.timeline_counts(anna)["mail_use"] == 0

    def test_many_clicks_are_one_line_of_the_timeline(self, anna: Customer, smtp_sink: SmtpSink) -> None:
        for _ in range(4):
            Client().get(counted(smtp_sink.messages[0])[0])
        plugin = CampaignsPlugin()
        with translation.override("en"):
            entries = list(plugin.timeline(anna, {"mail_use"}, now() + timedelta(minutes=1), 10))
        assert [(entry.title, list(entry.notes)) for entry in entries] == [
            ("Mail opened: News", []),
            ("Link clicked: News", ["5 times"]),
        ]
        assert plugin.timeline_counts(anna)["mail_use"] == 2

    def test_her_mails_say_it_while_she_agrees(self, anna: Customer, client: Client) -> None:
        client.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
        assert "1 click" in client.get(f"/customers/{anna.pk}/mails").content.decode()
        anna.consents.filter(purpose_id="tracking").update(state="withdrawn")
        assert "1 click" not in client.get(f"/customers/{anna.pk}/mails").content.decode()

    def test_the_mailing_says_what_is_counted_of_whom(self, anna: Customer, client: Client) -> None:
        person("ben@example.test", "newsletter")
        client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
        page = " ".join(
            client.get(f"/campaigns/mailings/{Delivery.objects.get().campaign_id}/").content.decode().split()
        )
        assert "shop.example/neu" in page and "1 click" in page and "Openings are unreliable" in page
        assert "1 of 1 recipients had agreed" in page and "1 opened the mail and 1 clicked" in page


def test_the_id_in_a_link_is_the_mails() -> None:
    delivery = UUID(int=7)
    token = tracking.values(delivery, "person", {0: "c" * 16})["link_0"].split("/")[-2]
    assert links.read(tracking.CLICK, token) == (delivery, "c" * 16)
