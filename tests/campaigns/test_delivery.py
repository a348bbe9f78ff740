"""A mail from its cause to the mail server, and what stops it on the way."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.utils.timezone import now

from campaigns import planning, recipes
from campaigns.models import Campaign, Delivery, TemplateVersion
from campaigns.planning import LaunchError
from crm import consent
from crm.models import Complaint, ContactPoint, Event, MailLog, Shop
from tests.campaigns.people import buys, deliver, launched, mailing, open_shop, person, states
from tests.factories import ComplaintFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def test_a_live_purchase_is_thanked_for_once(smtp_sink: SmtpSink) -> None:
    anna = person("anna@example.test", "newsletter", salutation="ms", title="Dr.", family_name="Müller")
    purchase = buys(anna, ordered_on=date(2026, 11, 2))
    planning.plan_due()
    planning.plan_due()
    deliver()
    deliver()
    [mail] = smtp_sink.messages
    assert mail["To"] == "anna@example.test"
    assert "am 2.\u00a0November 2026" in mail.get_body(("plain",)).get_content()
    assert mail["From"] == "Kim Beispiel <kim@shop.test>"
    assert mail["Reply-To"] == "antwort@shop.test"
    assert "Sehr geehrte Frau Dr. Müller," in mail.get_body(("plain",)).get_content()
    assert purchase.external_id in mail.get_body(("html",)).get_content()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason, delivery.attempts) == ("sent", "consent", 1)
    assert delivery.dedupe_key == f"thanks:{purchase.source_id}:{purchase.external_id}"
    assert delivery.evidence == anna.consents.get().evidence_id
    assert MailLog.objects.filter(customer=anna, message_class="advertising").count() == 1


def test_a_second_purchase_gets_its_own_thanks(smtp_sink: SmtpSink) -> None:
    anna = person("anna@example.test", "newsletter")
    buys(anna)
    buys(anna)
    planning.plan_due()
    deliver()
    assert len(smtp_sink.messages) == 2


def test_nobody_without_permission_is_mailed_and_the_reason_is_kept(smtp_sink: SmtpSink) -> None:
    buys(person("anna@example.test"))
    planning.plan_due()
    deliver()
    assert smtp_sink.messages == []
    assert Delivery.objects.values_list("state", "reason").get() == ("suppressed", "no_permission")


def test_a_recipe_switched_off_plans_nothing(smtp_sink: SmtpSink) -> None:
    planning.switch(recipes.standing_campaign(recipes.everything()["thank_you"]).pk, on=False)
    buys(person("anna@example.test", "newsletter"))
    planning.plan_due()
    assert not Delivery.objects.exists()
    assert not Event.objects.filter(planned_at=None).exists()


def test_a_purchase_cancelled_meanwhile_is_not_thanked_for(smtp_sink: SmtpSink) -> None:
    purchase = buys(person("anna@example.test", "newsletter"))
    planning.plan_due()
    type(purchase).objects.update(status="cancelled")
    deliver()
    assert smtp_sink.messages == []
    assert Delivery.objects.get().reason == "cause_gone"


def test_mails_carry_what_makes_them_provable_and_stoppable(smtp_sink: SmtpSink) -> None:
    buys(person("anna@example.test", "newsletter"))
    planning.plan_due()
    deliver()
    [mail] = smtp_sink.messages
    delivery = Delivery.objects.get()
    assert mail["X-Delivery-ID"] == str(delivery.pk)
    assert mail["Message-ID"] == f"<{delivery.pk}@localhost>" == delivery.message_id
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail["List-Unsubscribe"].strip()
    assert link.startswith("<http://localhost:8000/u/")
    for kind in ("plain", "html"):
        text = mail.get_body((kind,)).get_content()
        assert link.strip("<>") in text
        assert "widersprechen" in text and "Musterstadt" in text and "zugestimmt" in text


def test_a_mail_tried_again_is_the_same_to_the_byte(smtp_sink: SmtpSink) -> None:
    buys(person("anna@example.test", "newsletter"))
    planning.plan_due()
    deliver()
    Delivery.objects.update(state="planned", token=None)
    deliver()
    first, second = smtp_sink.envelopes
    assert first.original_content == second.original_content


class TestMailing:
    def test_goes_to_those_who_may_get_it_in_the_chosen_stages(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        person("ben@example.test", "birthday")
        run = launched()
        deliver()
        planning.advance_campaigns()
        assert [mail["To"] for mail in smtp_sink.messages] == ["anna@example.test"]
        assert planning.counts(run)["sent"] == 1
        assert planning.reasons(run) == {"no_permission": 1}
        assert Campaign.objects.get(pk=run.campaign_id).status == "finished"

    def test_two_customers_with_one_mailbox_get_one_mail(self, smtp_sink: SmtpSink) -> None:
        first = person("haus@example.test")
        second = person("Haus@example.test", "newsletter")
        person("haus@example.test", "newsletter")
        run = launched()
        deliver()
        assert len(smtp_sink.messages) == 1
        assert Delivery.objects.get(state="sent").customer == second
        assert Delivery.objects.get(customer=first).reason == "no_permission"
        assert planning.reasons(run) == {"no_permission": 1, "same_mailbox": 1}

    def test_is_launched_only_with_the_true_number(self) -> None:
        person("anna@example.test", "newsletter")
        campaign = mailing()
        with pytest.raises(LaunchError, match="1 (person|Mensch) "):
            planning.launch(campaign.pk, 2)
        assert not Delivery.objects.exists()
        planning.launch(campaign.pk, 1)
        with pytest.raises(LaunchError, match="scheduled"):
            planning.launch(campaign.pk, 1)

    def test_freezes_its_text(self) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        assert TemplateVersion.objects.get(pk=run.campaign.template_version_id).frozen_at

    def test_with_a_broken_text_is_not_launched(self) -> None:
        person("anna@example.test", "newsletter")
        campaign = mailing()
        version = campaign.template_version
        version.blocks[1]["text"]["de"] = "Hallo {{ nobody.__class__ }}"
        version.save()
        with pytest.raises(LaunchError, match="nobody"):
            planning.launch(campaign.pk, 1)

    def test_waits_for_its_time(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        launched(send_at=now() + timedelta(hours=1))
        deliver()
        assert smtp_sink.messages == [] and states() == {"planned": 1}

    def test_paused_waits_and_resumed_goes_on_without_doubles(self, smtp_sink: SmtpSink) -> None:
        for _ in range(3):
            person("", "newsletter")
        run = launched()
        planning.pause(run.campaign_id)
        deliver()
        assert smtp_sink.messages == []
        planning.resume(run.campaign_id)
        planning.advance_campaigns()
        deliver()
        assert len(set(smtp_sink.delivery_ids())) == len(smtp_sink.messages) == 3

    def test_cancelled_stops_for_good(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        assert planning.cancel(run.campaign_id) == 1
        deliver()
        assert smtp_sink.messages == []
        assert Delivery.objects.get().reason == "cancelled"

    def test_who_withdraws_after_the_launch_gets_nothing(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        launched()
        consent.withdraw(anna.pk, ["newsletter"], consent.How("staff"))
        deliver()
        assert smtp_sink.messages == []
        assert Delivery.objects.get().reason == "withdrawn"


class TestGate:
    """What time changes between planning and sending."""

    def test_quiet_hours_postpone(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        launched()
        local = now().astimezone()
        Shop.objects.update(time_zone="UTC", quiet_from=_at(-60), quiet_until=_at(60))
        deliver()
        delivery = Delivery.objects.get()
        assert smtp_sink.messages == [] and delivery.state == "planned" and delivery.attempts == 0
        assert timedelta(minutes=58) < delivery.not_before - local < timedelta(minutes=61)

    def test_the_cap_counts_every_kind_of_advertising(self, smtp_sink: SmtpSink) -> None:
        Shop.objects.update(mails_per_fortnight=1)
        anna = person("anna@example.test", "newsletter")
        buys(anna)
        planning.plan_due()
        deliver()
        launched()
        deliver()
        assert len(smtp_sink.messages) == 1
        assert Delivery.objects.get(recipe="newsletter").reason == "frequency_cap"

    def test_an_open_complaint_holds_cheerful_mail(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        launched()
        ComplaintFactory(customer=anna, state=Complaint.State.OPEN)
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "open_complaint"

    def test_a_changed_address_is_not_mailed_by_an_old_plan(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "newsletter")
        launched()
        ContactPoint.objects.update(value="neu@example.test", normal="neu@example.test")
        deliver()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "other_address"

    @pytest.mark.parametrize(
        ("broken", "finding"),
        [
            ({"armed_for": "elsewhere"}, "not armed"),
            ({"sender_email": ""}, "no sender address"),
            ({"imprint": " "}, "no imprint"),
        ],
    )
    def test_a_copied_or_unfinished_installation_sends_nothing(
        self, smtp_sink: SmtpSink, broken: dict[str, str], finding: str
    ) -> None:
        from campaigns import gating

        person("anna@example.test", "newsletter")
        launched()
        Shop.objects.update(**broken)
        deliver()
        assert gating.closed() == finding
        assert smtp_sink.messages == [] and states() == {"planned": 1}


def _at(minutes: int) -> time:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).time().replace(second=0, microsecond=0)


class TestBirthday:
    def test_is_greeted_once_a_year_on_the_day(self, smtp_sink: SmtpSink) -> None:
        person("anna@example.test", "birthday", birth_month=5, birth_day=17)
        for _ in range(3):
            planning.plan_occasions(date(2027, 5, 17))
        delivery = Delivery.objects.get()
        assert delivery.dedupe_key == f"birthday:2027:{delivery.customer_id}"
        assert delivery.not_before == datetime(2027, 5, 17, 7, tzinfo=UTC)
        assert delivery.not_after == datetime(2027, 5, 17, 22, tzinfo=UTC)
        planning.plan_occasions(date(2028, 5, 17))
        assert Delivery.objects.count() == 2

    @pytest.mark.parametrize(
        ("option", "year", "day"),
        [("28-02", 2027, (2, 28)), ("01-03", 2027, (3, 1)), ("28-02", 2028, (2, 29)), ("01-03", 2028, (2, 29))],
    )
    def test_of_29_february_has_its_day_every_year(self, option: str, year: int, day: tuple[int, int]) -> None:
        person("anna@example.test", "birthday", birth_month=2, birth_day=29)
        Campaign.objects.filter(pk=recipes.standing_campaign(recipes.everything()["birthday"]).pk).update(
            options={"leap_day": option}
        )
        for current in (date(year, 2, 27) + timedelta(days=n) for n in range(5)):
            planning.plan_occasions(current)
        delivery = Delivery.objects.get()
        assert delivery.not_before.date() == date(year, *day)

    def test_goes_by_the_customers_own_morning(self) -> None:
        for zone in ("Pacific/Kiritimati", "America/New_York", "Nowhere/Else"):
            person("", "birthday", birth_month=5, birth_day=17, time_zone=zone)
        planning.plan_occasions(date(2027, 5, 16))  # it is the 17th on Kiritimati before Berlin's 16th ends
        assert Delivery.objects.get().not_before == datetime(2027, 5, 16, 19, tzinfo=UTC)
        planning.plan_occasions(date(2027, 5, 17))
        mornings = sorted(Delivery.objects.values_list("not_before", flat=True))
        assert mornings[1:] == [datetime(2027, 5, 17, 7, tzinfo=UTC), datetime(2027, 5, 17, 13, tzinfo=UTC)]

    def test_two_in_one_household_are_each_greeted_but_a_doubled_record_is_not(self) -> None:
        person("haus@example.test", "birthday", birth_month=5, birth_day=17)
        person("haus@example.test", "birthday", birth_month=5, birth_day=17)
        person("haus@example.test", "birthday", birth_month=5, birth_day=18)
        planning.plan_occasions(date(2027, 5, 17))
        planning.plan_occasions(date(2027, 5, 18))
        assert states() == {"planned": 2, "suppressed": 1}

    def test_needs_its_own_permission(self) -> None:
        person("anna@example.test", "newsletter", birth_month=5, birth_day=17)
        planning.plan_occasions(date(2027, 5, 17))
        assert Delivery.objects.get().reason == "no_permission"

    def test_is_never_greeted_days_late(self, smtp_sink: SmtpSink) -> None:
        from campaigns import resolving

        person("anna@example.test", "birthday", birth_month=5, birth_day=17)
        planning.plan_occasions(date(2025, 5, 17))
        deliver()
        resolving.resolve()
        assert smtp_sink.messages == [] and Delivery.objects.get().reason == "expired"
