"""A mailing in a browser: written, aimed, refused, launched, watched."""

from datetime import timedelta

import pytest
from django.utils.timezone import localtime, now

from campaigns.models import Campaign
from tests.campaigns.people import open_shop, person
from tests.factories import AssessmentFactory, CampaignFactory, DeliveryFactory

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 1440), ("de", "dark", 390), ("en", "light", 390), ("de", "light", 320)]


@pytest.fixture
def people():
    open_shop(language="de", name="Rösterei Amsel")
    for number in range(5):
        customer = person(
            f"p{number}@example.test", *(("newsletter",) if number < 3 else ()), family_name=f"Öz{number}"
        )
        AssessmentFactory(customer=customer, stage="regular")


def write(page, **changed):
    """Fill the form in as a marketer would."""
    ahead = localtime(now()) + timedelta(days=2)
    given = {
        "name": "Umbau im Januar",
        "subject_de": "Unser Laden macht im Januar zwei Wochen zu",
        "appreciation_de": "Danke, dass Sie so oft vorbeikommen.",
        "message_de": "Wir bauen um, weil der Boden alt ist.",
        "closing_de": "Bis dahin: Haben Sie es warm.",
        "send_on": ahead.date().isoformat(),
        "send_at": "09:00",
    } | changed
    for name, value in given.items():
        page.locator(f"[name={name}]").fill(value)


def test_a_marketer_writes_aims_and_launches_a_mailing(people, page_as, problems, screenshot):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en")
    write(page)
    page.locator("input[name=stages][value=regular]").check()
    page.get_by_text("3 of 5").wait_for()
    assert "not agreed" in page.locator("#audience").inner_text()
    page.get_by_role("button", name="Keep draft").click()
    frame = page.frame_locator("iframe")
    frame.get_by_text("Wir bauen um").wait_for()
    frame.get_by_text("Wüstenhagen-Özdemir").wait_for()
    screenshot(page, "mailing-draft")
    page.locator("[name=recipients]").fill("5")
    page.get_by_role("button", name="Launch").click()
    assert "3 people" in page.locator(".errorlist").inner_text()
    problems.clear()  # the browser reports the 422 of the refused number
    page.locator("[name=recipients]").fill("3")
    page.get_by_role("button", name="Launch").click()
    page.get_by_text("3 mails").first.wait_for()
    assert Campaign.objects.get(standing=False).status == "scheduled"
    screenshot(page, "mailing-scheduled")


def test_what_is_missing_stands_beside_its_field(people, page_as, axe, problems, screenshot):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en")
    write(page, send_on="2020-01-01", message_de="", cta_url="http://shop.example", cta_de="Hin")
    page.get_by_role("button", name="Keep draft").click()
    said = " ".join(page.locator(".errorlist").all_inner_texts())
    for word in ("past", "at least one stage", "https://", "required"):
        assert word in said
    screenshot(page, "mailing-errors")
    assert axe(page) == []
    assert problems
    problems.clear()


def test_a_mailing_is_written_without_javascript(people, page_as):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en", scripts=False)
    write(page)
    page.locator("input[name=stages][value=regular]").check()
    page.get_by_role("button", name="Keep draft").click()
    assert "3 of 5" in page.locator("#audience").inner_text()


def test_the_counts_move_by_themselves(people, page_as):
    mailing = CampaignFactory(status="running")
    row = DeliveryFactory(campaign=mailing, state="planned")
    page = page_as("marketer", f"/campaigns/mailings/{mailing.pk}/", lang="en")
    assert "0 of 1" in page.locator("#state").inner_text()
    type(row).objects.filter(pk=row.pk).update(state="sent", reason="consent")
    page.get_by_text("1 of 1").wait_for(timeout=8000)


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_the_pages_are_readable_for_everybody(people, page_as, axe, overflow, problems, screenshot, lang, theme, width):
    draft = CampaignFactory(status="draft", launched_at=None, stages=["regular"], send_at=now() + timedelta(days=1))
    mailing = CampaignFactory(status="running", stages=["regular", "loyal"])
    for state, reason in (("sent", "consent"), ("suppressed", "no_permission"), ("unknown", ""), ("planned", "")):
        DeliveryFactory(campaign=mailing, state=state, reason=reason, sending_at=now() if state == "unknown" else None)
    for name, path in (
        ("campaigns", "/campaigns/"),
        ("draft", f"/campaigns/mailings/{draft.pk}/"),
        ("running", f"/campaigns/mailings/{mailing.pk}/"),
    ):
        page = page_as("marketer", path, lang=lang, theme=theme, width=width)
        assert page.locator("[style]").count() == 0
        screenshot(page, f"{name}-{lang}-{theme}-{width}")
        assert not problems
        assert axe(page) == []
        problems.clear()  # axe speaks to the sandboxed frame, which answers nobody
        assert overflow(page) == []
