"""Why somebody did or did not get a mail: every step, from a row where there is one, else from the rules."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import planning, recipes, why
from campaigns.models import Campaign, Delivery, Receipt
from crm import consent, days
from crm.models import Customer, Shop
from tests.campaigns.people import AGREED_AT, buys, deliver, launched, mailing, open_shop, person
from tests.factories import AssessmentFactory, DeliveryFactory, UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop(time_zone="UTC")


def told(customer: Customer, campaign: Campaign, **more: Any) -> dict[str, tuple[str, str]]:
    """Each step's answer and sentence, by its title."""
    return {step.title: (step.answer, step.told) for step in why.explain(customer, campaign, **more).steps}


def standing(code: str) -> Campaign:
    return recipes.standing_campaign(recipes.everything()[code])


class TestOfAMailing:
    def test_who_got_it_sees_audience_permission_and_server(self, smtp_sink: SmtpSink) -> None:
        anna = person("anna@example.test", "newsletter")
        run = launched()
        deliver()
        found = why.explain(anna, run.campaign, sees_all=True)
        assert found.got_it == "yes" and "handed to the mail server" in found.outcome
        steps = told(anna, run.campaign)
        assert [answer for answer, _said in steps.values()] == ["yes"] * 5
        evidence = next(step for step in found.steps if step.title.startswith("Permission when"))
        assert "consent ledger" in evidence.lines[0][1] and "signed paper" in evidence.lines[0][1]

    def test_who_had_not_agreed_sees_that(self) -> None:
        ben = person("ben@example.test")
        person("anna@example.test", "newsletter")
        run = launched()
        found = why.explain(ben, run.campaign)
        assert found.got_it == "no" and "not agreed" in found.outcome
        assert told(ben, run.campaign)["Permission when it was planned"][0] == "no"

    def test_who_withdrew_afterwards_sees_when_it_was_stopped(self) -> None:
        anna = person("anna@example.test", "newsletter")
        run = launched(send_at=now() + timedelta(hours=1))
        consent.withdraw(anna.pk, ["newsletter"], consent.How("staff"))
        steps = told(anna, run.campaign)
        assert steps["Permission when it was planned"][0] == "yes"
        assert steps["Time and pace"][0] == "no" and "withdrew" in steps["Time and pace"][1]
        assert steps["Permission now"][0] == "no"

    def test_who_is_in_the_control_group_sees_that(self) -> None:
        people = [person("", "newsletter") for _number in range(12)]
        campaign = mailing(hold_out=50)
        planning.launch(campaign.pk, planning.preview(campaign).recipients)
        Delivery.objects.filter(customer=people[0]).delete()
        DeliveryFactory(
            campaign=campaign,
            customer=people[0],
            state="suppressed",
            reason="hold_out",
            settled_at=now() - timedelta(1),
        )
        assert told(people[0], campaign)["Control group"] == (
            "no", "The customer belongs to the control group of 50 per cent, which gets nothing, for comparison."
        )  # fmt: skip

    def test_who_waits_sees_for_what(self) -> None:
        anna = person("anna@example.test", "newsletter")
        run = launched(send_at=now() + timedelta(hours=1))
        assert "waits for its time" in told(anna, run.campaign)["Time and pace"][1]
        planning.pause(run.campaign_id)
        run.campaign.refresh_from_db()
        assert told(anna, run.campaign)["Time and pace"] == ("open", "The mailing is paused.")

    def test_what_a_server_wrote_is_for_those_who_may_see_addresses(self) -> None:
        anna, campaign = person("anna@example.test", "newsletter"), mailing()
        row = DeliveryFactory(
            campaign=campaign, customer=anna, state="failed", reason="refused", sending_at=now(),
            settled_at=now() + timedelta(seconds=1), smtp_reply="550 5.1.1 <anna@example.test> unknown",
        )  # fmt: skip
        Receipt.objects.create(delivery_id=row.pk, status="bounced", at=now())

        def lines(**more: bool) -> str:
            return str([step.lines for step in why.explain(anna, campaign, **more).steps])

        assert "anna@" in lines(sees_all=True) and "anna@" not in lines() and "550 5.1.1" in lines()
        assert told(anna, campaign)["Report"][0] == "no"

    def test_who_came_later_sees_that(self) -> None:
        person("anna@example.test", "newsletter")
        run = launched()
        late = person("late@example.test", "newsletter")
        run.campaign.refresh_from_db()
        assert told(late, run.campaign)["Launch"][0] == "no"
        assert "No mail was planned" in why.explain(late, run.campaign).outcome

    def test_who_stands_in_another_stage_sees_both(self) -> None:
        anna = person("anna@example.test", "newsletter")
        AssessmentFactory(customer=anna, stage="repeat")
        other = person("other@example.test", "newsletter")
        AssessmentFactory(customer=other, stage="first_time")
        run = launched(stages=["repeat"])
        run.campaign.refresh_from_db()
        answer, said = told(other, run.campaign)["Stage"]
        assert answer == "no" and said.count(":") == 2

    def test_that_was_never_launched_says_so(self) -> None:
        anna = person("anna@example.test", "newsletter")
        assert told(anna, mailing())["Launch"][0] == "no"


class TestOfARecipe:
    def test_no_greeting_because_the_birthday_is_unknown(self) -> None:
        anna = person("anna@example.test", "birthday")
        assert told(anna, standing("birthday"))["Occasion"] == ("no", "The birthday is not known.")

    def test_no_greeting_because_it_is_switched_off_or_not_agreed(self) -> None:
        today = days.today()
        ben = person("ben@example.test", birth_month=today.month, birth_day=today.day)
        campaign = standing("birthday")
        planning.switch(campaign.pk, False)
        campaign.refresh_from_db()
        found = why.explain(ben, campaign, sees_all=True)
        steps = told(ben, campaign, sees_all=True)
        assert "switched off" in found.outcome and steps["Occasion"][0] == "yes"
        assert steps["Permission now"] == ("no", "The person has not agreed to this kind of mail.")

    def test_the_day_stays_hidden_from_who_may_not_see_birthdays(self) -> None:
        soon = days.today() + timedelta(days=5)
        anna = person("anna@example.test", "birthday", birth_month=soon.month, birth_day=soon.day)
        assert told(anna, standing("birthday"))["Occasion"] == ("open", "It is the customer's turn in the next days.")
        assert str(soon.year) in told(anna, standing("birthday"), sees_all=True)["Occasion"][1]

    def test_no_thanks_because_nothing_was_bought_live(self) -> None:
        anna = person("anna@example.test", "newsletter")
        assert "has not happened" in told(anna, standing("thank_you"))["Occasion"][1]

    def test_no_thanks_because_the_recipe_was_off(self) -> None:
        anna = person("anna@example.test", "newsletter")
        campaign = standing("thank_you")
        planning.switch(campaign.pk, False)
        buys(anna)
        planning.plan_events()
        campaign.refresh_from_db()
        answer, said = told(anna, campaign)["Occasion"]
        assert answer == "no" and "switched off" in said

    def test_every_recipe_answers_for_everybody(self) -> None:
        anna = person("anna@example.test", "newsletter")
        for recipe in recipes.everything().values():
            if recipe.standing:
                found = why.explain(anna, recipes.standing_campaign(recipe))
                assert bool(found.steps) != recipe.secret and found.got_it != "yes"


class TestPage:
    @pytest.fixture
    def support(self, client: Client) -> Client:
        client.force_login(UserFactory(role="support"), backend="django.contrib.auth.backends.ModelBackend")
        return client

    def test_says_why_and_leads_to_other_mails(self, support: Client) -> None:
        ben = person("ben@example.test")
        person("anna@example.test", "newsletter")
        run = launched()
        page = support.get(f"/customers/{ben.pk}/mails/why/{run.campaign_id}").content.decode()
        assert "not agreed" in page and f"/customers/{ben.pk}/mails/why" in page
        chosen = support.get(f"/customers/{ben.pk}/mails/why", {"campaign": run.campaign_id})
        assert chosen.url == f"/customers/{ben.pk}/mails/why/{run.campaign_id}"
        assert "News" in support.get(f"/customers/{ben.pk}/mails/why").content.decode()

    def test_is_not_found_for_who_is_gone_and_what_is_not(self, support: Client) -> None:
        ben = person("ben@example.test")
        assert support.get(f"/customers/{ben.pk}/mails/why/987654").status_code == 404
        Customer.objects.filter(pk=ben.pk).update(erased_at=AGREED_AT)
        assert support.get(f"/customers/{ben.pk}/mails/why").status_code == 404

    def test_asks_as_often_for_many_mails_as_for_few(self, support: Client) -> None:
        ben, campaign = person("ben@example.test", "newsletter"), mailing()

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert support.get(f"/customers/{ben.pk}/mails/why/{campaign.pk}").status_code == 200
                assert support.get(f"/customers/{ben.pk}/mails/why").status_code == 200
            return len(seen)

        DeliveryFactory(campaign=campaign, customer=ben)
        queries()
        few = queries()
        for _number in range(20):
            DeliveryFactory(campaign=campaign, customer=ben)
            DeliveryFactory(campaign=mailing(), customer=ben)
        assert queries() == few
