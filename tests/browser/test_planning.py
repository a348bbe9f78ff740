"""The calendar, a run with unclear mails and the why of a mail, in a browser."""

from datetime import timedelta

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from campaigns.models import Delivery
from tests.campaigns.people import launched, mailing, open_shop, person
from tests.factories import CampaignFactory, DeliveryFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop():
    return open_shop(language="de", name="Rösterei Amsel")


def unclear(mails):
    """A finished mailing of whose mails nobody knows whether they went."""
    campaign = CampaignFactory(status="finished", name="Herbstbrief")
    for _number in range(mails):
        DeliveryFactory(campaign=campaign, state="unknown", sending_at=now(), not_after=now() + timedelta(days=1))
    return campaign


def test_a_marketer_decides_about_an_unclear_mail_after_reading_the_risk(shop, page_as, problems):
    campaign = unclear(2)
    page = page_as("marketer", f"/campaigns/mailings/{campaign.pk}/", lang="en")
    page.locator("#unclear input[name=mail]").first.check()
    page.get_by_role("button", name="Send the chosen again").click()
    expect(page.get_by_text("gets it twice")).to_be_visible()
    page.get_by_role("button", name="Send 1 mail again").click()
    expect(page.get_by_text("1 mail goes again")).to_be_visible()
    assert Delivery.objects.filter(state="planned").count() == 1
    assert not problems


def test_the_calendar_leads_to_a_mailing(shop, page_as):
    mailing(send_at=now(), name="Umbau", checked_recipients=12)
    page = page_as("marketer", "/campaigns/", lang="en")
    page.get_by_role("link", name="Calendar").click()
    page.locator(".mail-calendar-month").get_by_role("link", name="Umbau").click()
    expect(page.get_by_role("heading", name="Umbau")).to_be_visible()


def test_the_profile_leads_to_the_why_of_a_mail(shop, page_as):
    ben = person("ben@example.test", family_name="Beispiel")
    person("anna@example.test", "newsletter")
    launched(name="Neue Röstung")
    page = page_as("marketer", f"/customers/{ben.pk}/", lang="en")
    page.get_by_role("link", name="Neue Röstung").first.click()
    expect(page.get_by_text("The mail did not go.")).to_be_visible()
    expect(page.get_by_role("heading", name="Permission when it was planned")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "theme", "width"), [("de", "dark", 390), ("en", "light", 1440), ("de", "light", 320)])
def test_the_pages_are_readable_for_everybody(shop, page_as, axe, overflow, problems, screenshot, lang, theme, width):
    ben = person("ben@example.test", family_name="Beispiel")
    person("anna@example.test", "newsletter")
    run = launched(name="Neue Röstung")
    campaign = unclear(3)
    page = page_as("marketer", None, lang=lang, theme=theme, width=width)
    for name, path in (
        ("calendar", "/campaigns/calendar/"),
        ("people", f"/campaigns/{run.campaign_id}/people"),
        ("unclear", f"/campaigns/mailings/{campaign.pk}/"),
        ("decide", f"/campaigns/mailings/{campaign.pk}/unclear?do=again&all=1"),
        ("why", f"/customers/{ben.pk}/mails/why/{run.campaign_id}"),
        ("why-choose", f"/customers/{ben.pk}/mails/why"),
    ):
        page.goto(path)
        screenshot(page, f"{name}-{lang}-{theme}-{width}")
        assert not problems
        assert axe(page) == []
        problems.clear()  # axe speaks to the sandboxed frame, which answers nobody
        assert overflow(page) == []
