"""What stands still is told where staff look, as long as it does: on Today and on the list of campaigns."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from campaigns import breaker, planning, recipes, transport
from campaigns.models import Campaign, Circuit
from tests.campaigns.people import deliver, launched, open_shop, person
from tests.factories import CampaignFactory, UserFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
PAGES = ("today", "campaigns")


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def told(role: str, language: str = "en") -> Callable[[], list[str]]:
    """The page's notes as somebody of a role sees them: one text for each page they may see."""
    browser = Client()
    user = UserFactory(role=role, language=language)
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def look() -> list[str]:
        answers = [browser.get(reverse(page)) for page in PAGES]
        return [" ".join(one.content.decode().split()) for one in answers if one.status_code == 200]

    return look


def test_a_mail_server_in_trouble_is_told_until_a_mail_goes(smtp_sink: SmtpSink) -> None:
    person("anna@example.test", "newsletter")
    launched()
    marketer, admin, support = told("marketer"), told("admin"), told("support")
    smtp_sink.refuse = lambda recipient: "421 4.3.2 shutting down"
    name = transport.current()
    assert breaker.trouble(name, "421 4.3.2 shutting down") > 0
    for page in marketer():
        assert "The mail server takes no mails" in page and "421 4.3.2" in page and "tell an administrator" in page
        assert reverse("sending") not in page
    for page in admin():
        assert f'href="{reverse("sending")}">The mail server takes no mails' in page
        assert "look at the mail server itself" in page
    assert "takes no mails" not in "".join(support())
    smtp_sink.refuse = lambda recipient: None
    Circuit.objects.update(rests_until=now() - timedelta(seconds=1))
    deliver()
    assert len(smtp_sink.messages) == 1 and "takes no mails" not in "".join(marketer() + admin())


def test_domains_in_trouble_are_named() -> None:
    look = told("marketer")
    for _number in range(2):
        breaker.trouble(transport.current(), "421 4.7.0", "one.test")
    assert "one.test" not in "".join(look()), "noted, but nothing rests yet"
    for number in ("one", "two", "three", "four", "five"):
        for _number in range(3):
            breaker.trouble(transport.current(), "421 4.7.0", f"{number}.test")
    assert all("Mails to five.test, four.test, one.test and 2 more wait" in page for page in look())


def test_another_transport_that_is_not_used_any_more_is_nobodys_trouble() -> None:
    breaker.trouble("old-provider", "")
    assert "takes no mails" not in "".join(told("admin")())


def test_a_mailing_that_was_stopped_is_told_until_somebody_resumes_it() -> None:
    person("anna@example.test", "newsletter")
    campaign = launched().campaign
    look = told("marketer")
    assert breaker.note(campaign.pk, "1" * 40)
    for page in look():
        assert (
            f'href="{reverse("mailing", args=[campaign.pk])}">News</a>: Stopped by itself: mail servers refused 40'
            in page
        )
        assert "Look at their answers before you let it go on" in page
    assert all(
        "Von selbst angehalten: Mailserver lehnten 40 der letzten 40 Mails ab." in page
        for page in told("marketer", "de")()
    )
    planning.resume(campaign.pk)
    assert "Stopped by itself" not in "".join(look())


def test_a_recipe_that_was_stopped_leads_to_its_page() -> None:
    campaign = recipes.standing_campaign(recipes.everything()["birthday"])
    planning.switch(campaign.pk, on=True)
    breaker.note(campaign.pk, "1" * 30, unfilled=30)
    for page in told("marketer")():
        assert f'href="{reverse("recipe", args=["birthday"])}">' in page
        assert "mend the text, then switch it on again" in page


def test_what_people_wait_for_goes_on_and_says_so_until_a_mail_goes() -> None:
    campaign = recipes.standing_campaign(recipes.everything()["double_opt_in"])
    look = told("marketer")
    assert not breaker.note(campaign.pk, "1" * 40)
    assert all("no mail went since. It goes on, for people wait for it." in page for page in look())
    breaker.note(campaign.pk, "0")
    assert "It goes on" not in "".join(look())


def test_pages_ask_as_often_for_forty_troubles_as_for_two() -> None:
    look = told("admin")

    def queries(number: int) -> int:
        for one in range(number):
            Circuit.objects.create(
                transport=transport.current(), domain=f"d{number}-{one}.test", state="open", failures=3
            )
            breaker.note(CampaignFactory().pk, "1" * 40)
        with CaptureQueriesContext(connection) as seen:
            look()
        return len(seen)

    look()
    assert queries(2) == queries(40)
    assert Campaign.objects.filter(status="paused").count() == 42
