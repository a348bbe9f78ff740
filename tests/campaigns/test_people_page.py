"""The page of a run: live figures, its people one by one, and what is done about unclear mails."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from campaigns import recipes
from campaigns.models import Campaign, Delivery
from crm.models import AuditEntry, Shop
from tests.campaigns.people import mailing, open_shop, person
from tests.factories import CampaignFactory, CustomerFactory, DeliveryFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def as_role(role: str) -> Client:
    client = Client()
    user = UserFactory(role=role, language="en")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def running() -> Campaign:
    """A mailing of which one mail went, two were refused for two reasons, one waits and one is unclear."""
    campaign = CampaignFactory(status="running")
    for state, reason in (
        ("sent", "consent"),
        ("suppressed", "no_permission"),
        ("suppressed", "hold_out"),
        ("planned", ""),
    ):
        DeliveryFactory(campaign=campaign, state=state, reason=reason)
    DeliveryFactory(campaign=campaign, state="unknown", sending_at=now(), not_after=now() + timedelta(days=1))
    return campaign


def people_of(answer: object) -> int:
    return len(answer.context["mails"])  # type: ignore[attr-defined]


class TestPeople:
    def test_are_narrowed_by_state_and_reason(self, running: Campaign) -> None:
        marketer, path = as_role("marketer"), f"/campaigns/{running.pk}/people"
        assert people_of(marketer.get(path)) == 5
        assert people_of(marketer.get(path, {"state": "suppressed"})) == 2
        assert people_of(marketer.get(path, {"reason": "hold_out"})) == 1
        assert people_of(marketer.get(path, {"state": "nonsense", "after": "x"})) == 5
        assert people_of(marketer.get(path, {"reason": "nothing"})) == 0

    def test_come_in_pages_and_nobody_twice(self) -> None:
        campaign, anna = CampaignFactory(), CustomerFactory()
        made = [
            DeliveryFactory(campaign=campaign, customer=anna, state="suppressed", reason="withdrawn")
            for _n in range(60)
        ]
        marketer, path = as_role("marketer"), f"/campaigns/{campaign.pk}/people"
        first = marketer.get(path, {"reason": "withdrawn"})
        second = marketer.get(path + first.context["next"])
        assert people_of(first) == 50 and people_of(second) == 10 and not second.context["next"]
        assert len(made) == 60 and second.context["asked"] == {"reason": "withdrawn"}

    def test_are_a_file_for_who_may_see_personal_data_and_that_is_written_down(self, running: Campaign) -> None:
        path = f"/campaigns/{running.pk}/people.csv"
        assert as_role("marketer").get(path).status_code == 403
        assert as_role("support").get(path).status_code == 302  # to a log-in that leads no further
        admin = as_role("admin")
        assert admin.get(path).status_code == 302  # a log-in that is not recent
        session = admin.session
        session["account_authentication_methods_user"] = session["_auth_user_id"]
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session.save()
        answer = admin.get(path, {"reason": "hold_out"})
        lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert len(lines) == 2 and ",suppressed,hold_out," in lines[1]
        assert AuditEntry.objects.filter(action="exported", kind="mailing", object_id=running.pk).count() == 1
        Shop.objects.update(exports_per_day=1)
        assert admin.get(path).status_code == 302

    def test_are_read_with_as_many_queries_for_many_as_for_few(self, running: Campaign) -> None:
        marketer, path = as_role("marketer"), f"/campaigns/{running.pk}/people"

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert marketer.get(path).status_code == 200
            return len(seen)

        queries()
        few = queries()
        for _number in range(30):
            DeliveryFactory(campaign=running, state="suppressed", reason="withdrawn")
        assert queries() == few


class TestRun:
    def test_counts_and_asks_again_only_while_it_is_live(self, running: Campaign) -> None:
        marketer = as_role("marketer")
        page = marketer.get(f"/campaigns/mailings/{running.pk}/").content.decode()
        assert "every 4s" in page and f"/campaigns/{running.pk}/people?reason=no_permission" in page
        Campaign.objects.filter(pk=running.pk).update(status="finished")
        assert "every 4s" not in marketer.get(f"/campaigns/mailings/{running.pk}/state").content.decode()

    def test_tells_rate_and_time_left(self, running: Campaign) -> None:
        for _number in range(10):
            DeliveryFactory(campaign=running, state="sent", sending_at=now() - timedelta(seconds=60), transport="t")
        page = as_role("marketer").get(f"/campaigns/mailings/{running.pk}/state").content.decode()
        assert "mails a minute" in page and "left" in page

    def test_is_read_with_as_many_queries_for_many_as_for_few(self, running: Campaign) -> None:
        marketer = as_role("marketer")

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                assert marketer.get(f"/campaigns/mailings/{running.pk}/").status_code == 200
            return len(seen)

        queries()
        few = queries()
        for number in range(30):
            DeliveryFactory(
                campaign=running, state="unknown" if number % 2 else "suppressed", reason="withdrawn", sending_at=now()
            )
        assert queries() == few


class TestUnclear:
    def test_are_asked_about_before_anything_happens(self, running: Campaign) -> None:
        marketer, path = as_role("marketer"), f"/campaigns/mailings/{running.pk}/unclear"
        one = Delivery.objects.get(state="unknown")
        page = marketer.get(path, {"do": "again", "mail": str(one.pk)}).content.decode()
        assert "twice" in page and Delivery.objects.get(pk=one.pk).state == "unknown"
        marketer.post(path, {"do": "again", "mail": str(one.pk)})
        assert Delivery.objects.get(pk=one.pk).state == "planned"

    def test_are_all_marked_as_sent(self, running: Campaign) -> None:
        marketer, path = as_role("marketer"), f"/campaigns/mailings/{running.pk}/unclear"
        assert "never gets it" in marketer.get(path, {"do": "sent", "all": "1"}).content.decode()
        marketer.post(path, {"do": "sent", "all": "1"})
        assert Delivery.objects.filter(state="sent").count() == 2

    def test_of_a_recipe_that_runs_by_itself_are_decided_on_its_people_page(self) -> None:
        campaign = recipes.standing_campaign(recipes.everything()["birthday"])
        one = DeliveryFactory(campaign=campaign, state="unknown", sending_at=now(), not_after=now() + timedelta(days=1))
        marketer, people = as_role("marketer"), f"/campaigns/{campaign.pk}/people"
        path = f"/campaigns/mailings/{campaign.pk}/unclear"
        assert path in marketer.get(people).content.decode()
        assert people in marketer.get(path, {"do": "again", "mail": str(one.pk)}).content.decode()
        answer = marketer.post(path, {"do": "again", "mail": str(one.pk)}, follow=True)
        assert answer.redirect_chain[-1][0] == people and path not in answer.content.decode()
        assert Delivery.objects.get(pk=one.pk).state == "planned"

    def test_need_a_choice_and_the_right_to_decide(self, running: Campaign) -> None:
        path = f"/campaigns/mailings/{running.pk}/unclear"
        assert as_role("support").post(path, {"do": "sent", "all": "1"}).status_code == 403
        marketer = as_role("marketer")
        assert marketer.get(path, {"do": "burn"}).status_code == 404
        assert "Choose at least one" in marketer.get(path, {"do": "sent", "mail": "x"}, follow=True).content.decode()
        assert Delivery.objects.filter(state="unknown").count() == 1


def test_a_copy_carries_no_date_no_check_and_no_launch() -> None:
    """F22: a copy of a scheduled mailing must not send."""
    person("anna@example.test", "newsletter")
    original = mailing(
        send_at=now() + timedelta(days=1), status="scheduled", launched_at=now(), checked_at=now(), checked_recipients=1
    )
    as_role("marketer").post(f"/campaigns/mailings/{original.pk}/copy")
    made = Campaign.objects.latest("pk")
    assert made.pk != original.pk and made.status == "draft"
    dates = (
        made.send_at,
        made.checked_at,
        made.checked_by,
        made.checked_recipients,
        made.launched_at,
        made.expected_recipients,
    )
    assert dates == (None,) * 6
