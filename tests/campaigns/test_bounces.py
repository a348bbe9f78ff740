"""What is reported about mails after they went, whoever reports it, in any order and as often as they like."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.utils.timezone import now

from campaigns import bounces, resolving
from campaigns.bounces import Report
from campaigns.models import Campaign, Delivery, Receipt
from campaigns.plugin import CampaignsPlugin
from crm import consent, keyed, permission
from crm.models import ConsentEvent, ConsentState, ContactPoint, Customer, Suppression
from tests.campaigns.people import mailing, open_shop, person
from tests.factories import AssessmentFactory, EmailFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def went(customer: Customer, days_ago: float = 0, campaign: Campaign | None = None, **more: Any) -> Delivery:
    """A newsletter that went to the customer's address of today."""
    campaign = campaign or Campaign.objects.first() or mailing()
    at = now() - timedelta(days=days_ago)
    given = {
        "template_version": campaign.template_version,
        "recipe": "newsletter",
        "message_class": "advertising",
        "purpose": "newsletter",
        "dedupe_key": f"test:{uuid4()}",
        "email_hash": keyed.address_hash(customer.contact_points.get(kind="email", is_primary=True).normal),
        "state": "sent",
        "reason": "consent",
        "transport": "smtp:test",
        "not_before": at,
        "not_after": at + timedelta(days=3),
        "sending_at": at,
        "settled_at": at,
    }
    return Delivery.objects.create(campaign=campaign, customer=customer, **given | more)


def tell(mail: Delivery, status: str, days_ago: float = 0, source: str = "mailbox", **more: Any) -> int:
    at = (mail.sending_at if not days_ago else now() - timedelta(days=days_ago)) or now()
    return bounces.take([Report(status, at, source, mail.pk, **more)])


def point_of(customer: Customer) -> ContactPoint:
    return customer.contact_points.get(kind="email", is_primary=True)


class TestCameBackForGood:
    def test_nobody_mails_this_mailbox_again_whoever_names_it(self) -> None:
        anna, twin, ben = (person(email) for email in ("anna@example.test", "ANNA@example.test", "ben@example.test"))
        assert tell(went(anna), "bounced", code="5.1.1") == 1
        assert [point_of(one).state for one in (anna, twin, ben)] == ["hard_bounced", "hard_bounced", "usable"]
        silenced = Suppression.objects.get()
        assert (silenced.reason, silenced.source) == ("hard_bounce", "mailbox")
        assert permission.may_send(twin.pk, "transactional", "contract").code == "undeliverable"

    def test_the_new_address_of_someone_whose_old_mail_comes_back_stays_open(self) -> None:
        anna = person("old@example.test")
        mail = went(anna)
        ContactPoint.objects.filter(customer=anna).update(is_primary=False, state="gone")
        EmailFactory(customer=anna, value="new@example.test", normal="new@example.test")
        tell(mail, "bounced")
        assert point_of(anna).state == "usable"
        assert Suppression.objects.get().address_hash == keyed.address_hash("old@example.test")

    def test_a_delivered_before_or_after_makes_no_difference(self) -> None:
        for number, order in enumerate((("bounced", "delivered"), ("delivered", "bounced"))):
            anna = person(f"anna{number}@example.test")
            mail = went(anna)
            for status in order:
                tell(mail, status)
            assert point_of(anna).state == "hard_bounced"

    def test_told_again_after_staff_lifted_it_nothing_happens(self) -> None:
        anna = person("anna@example.test")
        mail = went(anna)
        tell(mail, "bounced")
        Suppression.objects.update(lifted_at=now())
        ContactPoint.objects.update(state="usable")
        assert tell(mail, "bounced", source="postmark") == 0
        assert point_of(anna).state == "usable" and not Suppression.objects.filter(lifted_at=None).exists()


class TestCameBackForNow:
    def test_the_third_mail_in_two_weeks_lets_the_address_rest_for_thirty_days(self) -> None:
        anna = person("anna@example.test", "newsletter")
        for days in (14, 7):
            tell(went(anna, days), "soft_bounced")
            assert point_of(anna).state == "usable"
        last = went(anna, 0)
        tell(last, "soft_bounced")
        point = point_of(anna)
        assert point.state == "soft_bounced" and point.rests_until
        assert abs((point.rests_until - (last.sending_at or now())).total_seconds() - 30 * 86400) < 2
        assert permission.may_send(anna.pk, "advertising", "newsletter").code == "resting"
        assert permission.may_send(anna.pk, "transactional", "contract").allowed

    def test_five_reports_of_one_mail_are_one(self) -> None:
        anna = person("anna@example.test")
        mail = went(anna, 4)
        for days in (4, 3, 2, 1, 0.5):
            tell(mail, "soft_bounced", days, source=f"source {days}")
        assert point_of(anna).state == "usable" and Receipt.objects.count() == 1

    def test_three_over_two_months_are_too_few(self) -> None:
        anna = person("anna@example.test")
        for days in (50, 25, 0):
            tell(went(anna, days), "soft_bounced")
        assert point_of(anna).state == "usable"

    def test_a_delivered_mail_in_between_wipes_those_before(self) -> None:
        anna = person("anna@example.test")
        for days, status in ((5, "soft_bounced"), (4, "soft_bounced"), (3, "delivered"), (2, "soft_bounced")):
            tell(went(anna, days), status)
        assert point_of(anna).state == "usable"

    def test_the_order_in_which_reports_come_makes_no_difference(self) -> None:
        told = ((9, "soft_bounced"), (6, "delivered"), (5, "soft_bounced"), (3, "soft_bounced"), (1, "soft_bounced"))
        anna = person("anna@example.test")
        mails = [(went(anna, days), status) for days, status in told]
        ends = set()
        for order in list(permutations(mails))[::17]:
            Receipt.objects.all().delete()
            ContactPoint.objects.update(state="usable", rests_until=None, bounced_at=None)
            for mail, status in order:
                tell(mail, status)
            ends.add((point_of(anna).state, point_of(anna).rests_until))
        assert len(ends) == 1 and ends.pop()[0] == "soft_bounced"

    def test_after_its_rest_the_address_is_tried_again(self) -> None:
        anna = person("anna@example.test")
        ContactPoint.objects.update(state="soft_bounced", rests_until=now() + timedelta(days=1))
        assert bounces.wake() == 0
        ContactPoint.objects.update(rests_until=now() - timedelta(seconds=1))
        assert resolving.resolve()["awake"] == 1
        assert point_of(anna).state == "usable"

    def test_all_customers_with_this_mailbox_count_together(self) -> None:
        anna, twin = person("anna@example.test"), person("anna@example.test")
        for days, whose in ((2, anna), (1, twin), (0, anna)):
            tell(went(whose, days), "soft_bounced")
        assert {point_of(anna).state, point_of(twin).state} == {"soft_bounced"}


class TestCalledSpam:
    def test_it_is_an_objection_and_what_waits_never_goes(self) -> None:
        anna = person("anna@example.test", "newsletter", "birthday")
        waiting = went(anna, state="planned", sending_at=None, settled_at=None, purpose="birthday", reason="")
        mail = went(anna)
        assert tell(mail, "spam_report", source="postmark") == 1
        assert set(Suppression.objects.values_list("reason", flat=True)) == {"spam_report", "objected"}
        assert set(ConsentState.objects.values_list("state", flat=True)) == {"objected"}
        waiting.refresh_from_db()
        assert (waiting.state, waiting.reason) == ("suppressed", "withdrawn")
        proof = ConsentEvent.objects.filter(action="objected", purpose="newsletter").get()
        assert proof.method == "report" and str(mail.pk) in proof.message_id
        assert proof.trace.note == "postmark: spam_report"

    def test_told_five_times_it_stands_in_the_ledger_once(self) -> None:
        anna = person("anna@example.test", "newsletter")
        mail = went(anna)
        for source in ("postmark", "postmark", "mailbox", "postmark", "mailbox"):
            tell(mail, "spam_report", source=source)
        assert ConsentEvent.objects.filter(action="objected", purpose="newsletter").count() == 1

    def test_a_former_mailbox_speaks_for_itself_only(self) -> None:
        anna = person("old@example.test", "newsletter")
        mail = went(anna)
        ContactPoint.objects.update(value="new@example.test", normal="new@example.test")
        tell(mail, "spam_report")
        assert Suppression.objects.get().address_hash == keyed.address_hash("old@example.test")
        assert not ConsentEvent.objects.filter(action="objected").exists()

    def test_the_mails_of_an_erased_person_silence_the_address_alone(self) -> None:
        anna = person("anna@example.test", "newsletter")
        mail = went(anna)
        Customer.objects.update(erased_at=now())
        tell(mail, "spam_report")
        assert not ConsentEvent.objects.filter(action="objected").exists()


class TestUnsubscribed:
    def test_only_this_kind_of_mail_ends(self) -> None:
        anna = person("anna@example.test", "newsletter", "birthday")
        tell(went(anna), "unsubscribed")
        states = dict(ConsentState.objects.values_list("purpose", "state"))
        assert states == {"newsletter": "withdrawn", "birthday": "given"}
        assert ConsentEvent.objects.get(action="withdrawn").method == "mail"

    def test_an_old_report_does_not_end_a_newer_consent_but_a_new_one_does(self) -> None:
        anna = person("anna@example.test", "newsletter")
        mail = went(anna, 9)
        tell(mail, "unsubscribed", 8)
        consent.give(anna.pk, ["newsletter"], consent.How("paper", occurred_at=now() - timedelta(days=5)))
        for _ in range(3):
            tell(mail, "unsubscribed", 8)
        assert ConsentState.objects.get().state == "given"
        tell(mail, "unsubscribed", 1)
        assert ConsentState.objects.get().state == "withdrawn"


class TestSaysNothing:
    @pytest.mark.parametrize("status", ["auto_reply", "rejected", "deferred", "delivered", "accepted", "failed"])
    def test_of_the_address_or_the_permission(self, status: str) -> None:
        anna = person("anna@example.test", "newsletter")
        assert tell(went(anna), status) == 1
        assert point_of(anna).state == "usable" and ConsentState.objects.get().state == "given"
        assert not Suppression.objects.exists()

    def test_about_mails_that_are_not_ours(self) -> None:
        anna = person("anna@example.test")
        went(anna, provider_id="same"), went(anna, provider_id="same")
        strange = [
            Report("bounced", now(), "postmark", uuid4()),
            Report("bounced", now(), "postmark", provider_id="same"),
            Report("bounced", now(), "postmark", provider_id="other"),
            Report("bounced", now(), "postmark"),
        ]
        assert bounces.take(strange) == 0
        assert not Receipt.objects.exists() and point_of(anna).state == "usable"

    def test_by_the_providers_number_where_that_is_all_it_has(self) -> None:
        anna = person("anna@example.test")
        went(anna, provider_id="0123")
        assert bounces.take([Report("bounced", now(), "mailersend", provider_id="0123")]) == 1
        assert point_of(anna).state == "hard_bounced"


class TestEvidence:
    @pytest.mark.parametrize("status", ["delivered", "bounced", "spam_report", "auto_reply", "deferred"])
    def test_any_report_settles_an_unclear_mail(self, status: str) -> None:
        mail = went(person("anna@example.test"), state="unknown", reason="consent", settled_at=None)
        tell(mail, status, source="postmark")
        mail.refresh_from_db()
        assert (mail.state, mail.reason) == ("sent", "consent")

    def test_silence_counts_as_not_sent_only_where_all_later_mails_were_reported(self) -> None:
        anna = person("anna@example.test")
        long_ago = now() - timedelta(hours=3)
        lost = went(anna, 0.1, state="unknown", settled_at=None, lease_until=long_ago)
        later = [went(anna, 0.05) for _ in range(20)]
        for number, mail in enumerate(later[:-1]):
            tell(mail, "delivered", source=("postmark", "mailbox", "receipts")[number % 3])
        assert resolving.resolve()["again"] == 0
        tell(later[-1], "delivered", source="postmark")
        assert resolving.resolve()["again"] == 1
        lost.refresh_from_db()
        assert lost.state == "planned"


class TestStaff:
    def test_see_it_on_the_mail_in_the_timeline(self) -> None:
        anna = person("anna@example.test", "newsletter")
        mail = went(anna)
        tell(mail, "delivered")
        tell(mail, "bounced")
        [entry] = CampaignsPlugin().timeline(anna, {"mail"}, now() + timedelta(days=1), 10)
        assert (entry.tone, entry.warning) == ("bad", "came back for good")
        assert [note for note in entry.notes if note.startswith("came back for good on ")]

    def test_are_asked_to_find_the_new_address_of_loyal_customers(self) -> None:
        loyal, other, long_ago = (person(f"p{number}@example.test") for number in range(3))
        for customer, stage in ((loyal, "loyal"), (other, "repeat"), (long_ago, "ambassador")):
            AssessmentFactory(customer=customer, stage=stage)
            tell(went(customer), "bounced")
        ContactPoint.objects.filter(customer=long_ago).update(bounced_at=now() - timedelta(days=40))
        [entry] = CampaignsPlugin().worklist(UserFactory(), 10)
        assert (entry.customer_id, entry.group) == (loyal.pk, "data")


def test_a_batch_is_the_same_as_one_by_one_in_a_fixed_number_of_queries(django_assert_max_num_queries: Any) -> None:
    people = [person(f"p{number}@example.test") for number in range(30)]
    reports = [Report("soft_bounced", now(), "mailbox", went(one).pk) for one in people]
    reports += [Report("bounced", now(), "mailbox", went(one).pk) for one in people[:10]]
    with django_assert_max_num_queries(12):
        assert bounces.take([*reports, *reports]) == 40
    assert bounces.take(reports) == 0
    assert ContactPoint.objects.filter(state="hard_bounced").count() == 10


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("550 5.1.1 <x> user unknown", "bounced"),
        ("smtp; 550 5.1.10 null MX", "bounced"),
        ("552 5.2.2 mailbox full", "soft_bounced"),
        ("554 5.7.1 spam", "rejected"),
        ("4.4.1 no answer for five days", "soft_bounced"),
        ("550 no", "soft_bounced"),
        ("connection to 10.5.1.1 refused by 5.1.1.7", "soft_bounced"),
        ("", "soft_bounced"),
    ],
)
def test_only_a_mailbox_that_does_not_exist_is_closed(said: str, status: str) -> None:
    assert bounces.judged(said)[0] == status


def test_the_senders_word_for_a_refusal_counts_like_any_other() -> None:
    anna = person("anna@example.test")
    mail: Sequence[Delivery] = [went(anna, state="failed", reason="refused")]
    assert bounces.refused(mail[0].pk, "550 5.1.1 unknown user", "smtp:test") == 1
    assert point_of(anna).state == "hard_bounced" and Suppression.objects.get().source == "smtp:test"
