"""An invitation: its facts stand in the draft, and nobody is invited to what has begun."""

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns import planning, recipes
from campaigns.models import Campaign, Delivery
from campaigns.planning import LaunchError
from crm.models import Shop
from tests.campaigns.people import deliver, open_shop, person
from tests.factories import ParticipationFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db

SEND_AT = datetime(2099, 11, 30, 8, tzinfo=UTC)
FACTS = {
    "gathering_title": "Kaffeeverkostung",
    "gathering_day": "2099-12-01",
    "gathering_time": "18:30",
    "gathering_place": "Laden Ost, Beispielweg 1",
}


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def invitation(**facts: str) -> Campaign:
    return Campaign.objects.create(
        recipe="invitation",
        name="Tasting",
        template_version=recipes.first_version(recipes.everything()["invitation"]),
        send_at=SEND_AT,
        options=FACTS | facts,
    )


def launched(campaign: Campaign) -> None:
    found = planning.check(campaign.pk)
    assert found.problems == [] and found.audience
    planning.launch(campaign.pk, found.audience.recipients)
    planning.advance_campaigns()


def mails(sink: SmtpSink) -> dict[str, Any]:
    return {
        mail["To"]: (mail["Subject"], mail.get_body(("plain",)).get_content().replace("\u00a0", " "))
        for mail in sink.messages
    }


def test_says_what_when_and_where_in_the_guests_language(smtp_sink: SmtpSink) -> None:
    for name, language in (("anna", "de"), ("ben", "en")):
        person(f"{name}@example.test", "newsletter", language=language)
    launched(invitation(answer_until="2099-11-30"))
    Campaign.objects.update(status="running")
    Delivery.objects.update(not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2120, 1, 1, tzinfo=UTC))
    deliver()
    said = mails(smtp_sink)
    assert said["anna@example.test"][0] == "Einladung: Kaffeeverkostung am Dienstag, 1. Dezember 2099"
    assert "18:30 Uhr\r\nLaden Ost, Beispielweg 1" in said["anna@example.test"][1].replace("\n", "\r\n").replace(
        "\r\r", "\r"
    )
    assert "antworten Sie bitte auf diese Mail, am besten bis zum 30. November 2099." in said["anna@example.test"][1]
    assert (
        "Tuesday, 1 December 2099" in said["ben@example.test"][0]
        and "reply to this mail" in said["ben@example.test"][1]
    )


def test_names_the_page_where_guests_answer(smtp_sink: SmtpSink) -> None:
    person("anna@example.test", "newsletter", language="de")
    launched(invitation(answer_link="https://shop.example/zusage"))
    Campaign.objects.update(status="running")
    Delivery.objects.update(not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2120, 1, 1, tzinfo=UTC))
    deliver()
    assert (
        "sagen Sie bitte auf dieser Seite zu: https://shop.example/zusage" in mails(smtp_sink)["anna@example.test"][1]
    )


def test_ends_when_the_gathering_begins() -> None:
    person("anna@example.test", "newsletter")
    launched(invitation())
    assert Delivery.objects.get().not_after == datetime(2099, 12, 1, 17, 30, tzinfo=UTC)


def test_leaves_out_who_said_yes_already() -> None:
    person("anna@example.test", "newsletter")
    ParticipationFactory(customer=person("ben@example.test", "newsletter"), title="kaffeeverkostung")
    ParticipationFactory(customer=person("cleo@example.test", "newsletter"), title="Röstkurs")
    assert planning.preview(invitation()).matched == 2


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"gathering_title": " "}, "what you invite to"),
        ({"gathering_day": ""}, "on which day"),
        ({"gathering_day": "2099-11-29"}, "begins before the mail goes"),
        ({"gathering_place": ""}, "where it is"),
        ({"answer_until": "2099-12-02"}, "after the gathering"),
        ({"answer_link": "shop.example"}, "https://"),
    ],
)
def test_is_not_launched_while_a_guest_would_have_to_ask(facts: dict[str, str], problem: str) -> None:
    person("anna@example.test", "newsletter")
    campaign = invitation(**facts)
    [found] = planning.check(campaign.pk).problems
    assert problem in found
    with pytest.raises(LaunchError, match=problem):
        planning.launch(campaign.pk, 1)
