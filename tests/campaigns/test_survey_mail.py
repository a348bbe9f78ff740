"""The mail that asks how it was: some days after a purchase that was kept, seldom, and with a link of its own."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from campaigns import occasions, recipes
from campaigns.models import Campaign, Delivery
from crm import consent
from crm.models import Answer, Customer, Purchase, Shop, SurveyInvitation
from tests.campaigns.people import buys, deliver, open_shop, person
from tests.crm.at_once import at_once
from tests.factories import ComplaintFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop(language="de")


@pytest.fixture
def campaign() -> Campaign:
    """The recipe, switched on; the thank-you is off, so that every mail here asks."""
    found = recipes.standing_campaign(recipes.everything()["survey"])
    Campaign.objects.filter(pk=found.pk).update(switched_on=True)
    thanks = recipes.standing_campaign(recipes.everything()["thank_you"])
    Campaign.objects.filter(pk=thanks.pk).update(switched_on=False)
    found.refresh_from_db()
    return found


@pytest.fixture
def anna() -> Customer:
    return person("anna@example.test", "survey", language="de")


def bought(customer: Customer, days_ago: int = 0, **more: object) -> Purchase:
    return buys(customer, ordered_at=now() - timedelta(days=days_ago), **more)


def time_comes() -> None:
    """The days of all planned mails pass."""
    Delivery.objects.filter(state="planned").update(not_before=now() - timedelta(minutes=1))


def planned() -> list[Delivery]:
    occasions.plan_events()
    return list(Delivery.objects.order_by("planned_at", "pk"))


def test_it_is_off_until_somebody_switches_it_on(anna):
    bought(anna)
    occasions.plan_events()
    assert not Delivery.objects.filter(recipe="survey").exists()


def test_ten_days_after_the_purchase_and_with_a_purpose_of_its_own(campaign, anna):
    purchase = bought(anna)
    other = person("ben@example.test", "newsletter")
    bought(other)
    asks, refused = sorted(planned(), key=lambda one: one.customer_id)
    assert (asks.customer, asks.state, asks.purpose) == (anna, "planned", "survey")
    assert (asks.not_before.date() - purchase.ordered_on).days == 10
    assert (refused.state, refused.reason) == ("suppressed", "no_permission")


def test_a_buyer_may_be_asked_without_a_consent_and_a_withdrawal_ends_it(campaign, anna):
    bought(anna)
    assert planned()[0].state == "planned"
    consent.withdraw(anna.pk, ["survey"], consent.How("staff"))
    assert Delivery.objects.get().state == "suppressed"


def test_the_link_in_the_mail_opens_the_questionnaire_once(campaign, anna, smtp_sink):
    purchase = bought(anna)
    delivery = planned()[0]
    time_comes()
    deliver()
    mail = smtp_sink.messages[0]
    said = mail.get_body(("plain",)).get_content()
    path = re.search(r"https?://[^/\s]+(/survey/\S+/)", said)[1]
    assert path in mail.get_body(("html",)).get_content()
    assert "Wie war Ihr Einkauf" in mail["Subject"] and purchase.external_id not in path
    assert "Thank you" in Client(headers={"accept-language": "en"}).post(path, {"csat": "9"}).content.decode()
    answer = Answer.objects.get()
    assert (answer.response, answer.purchase, answer.customer) == (delivery.pk, purchase, anna)
    assert SurveyInvitation.objects.get().expires_at > now() + timedelta(days=29)


def test_every_attempt_carries_the_same_link(campaign, anna):
    bought(anna)
    pk = planned()[0].pk
    recipe = recipes.everything()["survey"]
    assert recipe.own_values([pk]) == recipe.own_values([pk])
    assert SurveyInvitation.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"status": "cancelled"}, {"status": "refunded"}, {"status": "placed"}, {"gross": 0}]
)
def test_what_was_not_kept_is_no_occasion(campaign, anna, smtp_sink, change):
    purchase = bought(anna)
    planned()
    if "gross" in change:
        change = {"gross": 10, "returned": 10, "net": 0}
    Purchase.objects.filter(pk=purchase.pk).update(**change)
    time_comes()
    deliver()
    assert Delivery.objects.values_list("state", "reason").get() == ("suppressed", "cause_gone")
    assert smtp_sink.messages == []


def test_nobody_is_asked_while_a_complaint_is_open(campaign, anna, smtp_sink):
    bought(anna)
    planned()
    ComplaintFactory(customer=anna)
    time_comes()
    deliver()
    assert Delivery.objects.values_list("state", "reason").get() == ("suppressed", "open_complaint")


def test_nobody_is_asked_twice_within_ninety_days(campaign, anna):
    for _ in range(2):
        bought(anna)
    assert len(planned()) == 1
    bought(anna)
    assert len(planned()) == 1
    Delivery.objects.update(state="sent", settled_at=now(), not_before=now() - timedelta(days=79))
    bought(anna)
    assert len(planned()) == 1
    Delivery.objects.update(not_before=now() - timedelta(days=81))
    bought(anna)
    assert len(planned()) == 2


def test_a_mail_that_never_went_does_not_count(campaign, anna):
    bought(anna)
    planned()
    Delivery.objects.update(state="suppressed", reason="open_complaint", settled_at=now())
    bought(anna)
    assert [one.state for one in planned()] == ["suppressed", "planned"]


def test_two_planners_at_once_ask_a_person_once(campaign, anna):
    for _ in range(6):
        bought(anna)
    at_once(3, lambda: occasions.plan_events(limit=2))
    occasions.plan_events()
    assert Delivery.objects.filter(recipe="survey").count() == 1


def test_the_shop_sets_when_and_how_often(campaign, anna):
    Campaign.objects.filter(pk=campaign.pk).update(options={"after_days": 3, "rest_days": 30})
    purchase = bought(anna)
    assert (planned()[0].not_before.date() - purchase.ordered_on).days == 3
    Delivery.objects.update(state="sent", settled_at=now(), not_before=now() - timedelta(days=28))
    bought(anna)
    assert len(planned()) == 2


def test_a_text_without_the_link_says_so(campaign):
    recipe = recipes.everything()["survey"]
    assert recipe.trouble(campaign) == ""
    campaign.template_version.blocks = [block for block in campaign.template_version.blocks if block["kind"] != "cta"]
    assert "{{ survey_url }}" in recipe.trouble(campaign)
