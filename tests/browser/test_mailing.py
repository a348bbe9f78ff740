"""A mailing in a browser: written, aimed, refused, launched, watched."""

from datetime import timedelta

import pytest
from django.utils.timezone import localtime, now
from playwright.sync_api import expect

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
    """Fill the form in as a marketer would; the message is the block that was added."""
    ahead = localtime(now()) + timedelta(days=2)
    given = {
        "name": "Umbau im Januar",
        "subject_de": "Unser Laden macht im Januar zwei Wochen zu",
        "b1-text_de": "Danke, dass Sie so oft vorbeikommen.",
        "send_on": ahead.date().isoformat(),
        "send_at": "09:00",
    } | changed
    for name, value in given.items():
        page.locator(f"[name={name}]").fill(value)


def add(page, kind, text):
    """Add a block in front of the closing and write it."""
    at = int(page.locator("[name=blocks]").input_value()) - 1
    page.locator("[name=add_kind]").select_option(kind)
    page.get_by_role("button", name="Add block").click()
    expect(page.locator(f"[name=b{at}-kind]")).to_have_value(kind)
    expect(page.locator("[name=blocks]")).to_have_value(str(at + 2))
    page.locator(f"[name=b{at}-text_de]").fill(text)


def test_a_marketer_writes_aims_checks_and_launches_a_mailing(people, page_as, problems, screenshot):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en")
    add(page, "bad_news", "Wir bauen um.")
    add(page, "reason", "Denn der Boden ist alt.")
    page.get_by_role("button", name="Move block 4 up").click()
    expect(page.locator("[name=b2-text_de]")).to_have_value("Denn der Boden ist alt.")
    expect(page.get_by_role("button", name="Move block 3 up")).to_be_focused()
    page.get_by_role("button", name="Move block 3 down").click()
    expect(page.locator("[name=b3-text_de]")).to_have_value("Denn der Boden ist alt.")
    write(page)
    expect(page.locator("[name=subject_en]")).to_be_hidden()
    page.locator("input[name=stages][value=regular]").check()
    expect(page.locator("#audience")).to_contain_text("3 of 5")
    expect(page.locator("#audience")).to_contain_text("not agreed")
    page.get_by_role("button", name="Keep draft").click()
    frame = page.frame_locator("iframe.on-phone")
    expect(frame.get_by_text("Wir bauen um.")).to_be_visible()
    expect(frame.get_by_text("Wüstenhagen-Özdemir")).to_be_visible()
    screenshot(page, "mailing-draft")
    page.get_by_role("button", name="Check", exact=True).click()
    page.locator("[name=recipients]").fill("5")
    page.get_by_role("button", name="Launch").click()
    expect(page.locator(".errorlist")).to_contain_text("3 people")
    problems.clear()  # the browser reports the 422 of the refused number
    page.locator("[name=recipients]").fill("3")
    page.get_by_role("button", name="Launch").click()
    expect(page.locator("#state")).to_contain_text("3 mails")
    assert Campaign.objects.get(standing=False).status == "scheduled"
    screenshot(page, "mailing-scheduled")


def test_what_is_missing_stands_beside_its_field(people, page_as, axe, problems, screenshot):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en")
    add(page, "cta", "Hin")
    page.locator("[name=also_en]").check()
    expect(page.locator("[name=subject_en]")).to_be_visible()
    write(page, **{"send_on": "2020-01-01", "b1-text_de": "", "b2-url": "http://shop.example"})
    page.get_by_role("button", name="Keep draft").click()
    expect(page.get_by_role("alert").first).to_contain_text("not kept yet")
    said = " ".join(page.locator(".errorlist").all_inner_texts())
    for word in ("past", "at least one stage", "https://", "Write this", "untick English"):
        assert word in said
    screenshot(page, "mailing-errors")
    assert axe(page) == []
    assert problems
    problems.clear()


def test_a_mailing_is_written_without_javascript(people, page_as):
    page = page_as("marketer", "/campaigns/mailings/new", lang="en", scripts=False)
    add(page, "benefit", "Wir haben jetzt sonntags offen.")
    page.get_by_role("button", name="Move block 3 up").click()
    expect(page.locator("[name=b1-text_de]")).to_have_value("Wir haben jetzt sonntags offen.")
    page.get_by_role("button", name="Move block 2 down").click()
    expect(page.locator("[name=b2-text_de]")).to_have_value("Wir haben jetzt sonntags offen.")
    page.get_by_role("button", name="Remove block 2").click()
    expect(page.locator("[name=blocks]")).to_have_value("3")
    page.locator("[name=b1-kind]").select_option("surprise")
    page.get_by_role("button", name="Show its fields").nth(1).click()
    expect(page.locator("[name=b1-name]")).to_be_visible()
    write(page, **{"b1-text_de": "Der Kaffee geht auf uns."})
    page.locator("input[name=stages][value=regular]").check()
    page.get_by_role("button", name="Keep draft").click()
    expect(page.locator("#audience")).to_contain_text("3 of 5")


def test_a_recipe_is_looked_at_and_rewritten(people, page_as, problems):
    page = page_as("marketer", "/campaigns/recipes/birthday/", lang="en")
    page.get_by_text("Computer", exact=True).click()
    expect(page.locator("iframe.on-phone").first).to_be_hidden()
    page.get_by_text("Plain text", exact=True).click()
    expect(page.frame_locator("iframe.on-text").first.get_by_text("Feiern Sie schön!")).to_be_visible()
    page.locator("[name=b1-text_de]").fill("heute ist Ihr Tag!")
    page.get_by_role("button", name="Keep text").click()
    expect(page.get_by_text("Kept as version 2")).to_be_visible()
    page.get_by_role("button", name="Back to the text it came with").click()
    expect(page.get_by_text("The text it came with is back")).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()


def test_the_counts_move_by_themselves(people, page_as):
    mailing = CampaignFactory(status="running")
    row = DeliveryFactory(campaign=mailing, state="planned")
    page = page_as("marketer", f"/campaigns/mailings/{mailing.pk}/", lang="en")
    expect(page.locator("#state")).to_contain_text("0 of 1")
    expect(page.get_by_text("Another time")).to_be_visible()
    type(row).objects.filter(pk=row.pk).update(state="sent", reason="consent")
    expect(page.locator("#state")).to_contain_text("1 of 1")
    expect(page.get_by_text("Another time")).to_have_count(0)


@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_the_pages_are_readable_for_everybody(people, page_as, axe, overflow, problems, screenshot, lang, theme, width):
    draft = CampaignFactory(status="draft", launched_at=None, stages=["regular"], send_at=now() + timedelta(days=1))
    mailing = CampaignFactory(status="running", stages=["regular", "loyal"])
    for state, reason in (("sent", "consent"), ("suppressed", "no_permission"), ("unknown", ""), ("planned", "")):
        DeliveryFactory(campaign=mailing, state=state, reason=reason, sending_at=now() if state == "unknown" else None)
    page = page_as("marketer", None, lang=lang, theme=theme, width=width)
    for name, path in (
        ("campaigns", "/campaigns/"),
        ("draft", f"/campaigns/mailings/{draft.pk}/"),
        ("running", f"/campaigns/mailings/{mailing.pk}/"),
        ("recipe", "/campaigns/recipes/birthday/"),
    ):
        page.goto(path)
        assert page.locator("[style]").count() == 0
        screenshot(page, f"{name}-{lang}-{theme}-{width}")
        assert not problems
        assert axe(page) == []
        problems.clear()  # axe speaks to the sandboxed frame, which answers nobody
        assert overflow(page) == []
