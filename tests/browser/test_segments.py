"""The builder of segments in a browser: built, counted while building, kept."""

import re

import pytest
from playwright.sync_api import expect

from campaigns.models import Segment
from campaigns.segments import keeping
from tests.campaigns.people import open_shop
from tests.factories import AssessmentFactory, CampaignFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS = [("de", "light", 1440), ("en", "dark", 1440), ("de", "dark", 390), ("en", "light", 390), ("de", "light", 320)]


@pytest.fixture
def people():
    open_shop(language="de", name="Rösterei Amsel")
    for stage in ("regular", "regular", "repeat"):
        AssessmentFactory(customer=CustomerFactory(family_name="Öztürk"), stage=stage)


def test_a_segment_is_built_and_counted_while_building(people, page_as, problems):
    page = page_as("marketer", "/campaigns/segments/new", lang="en")
    page.locator("[name=name]").fill("Regulars")
    page.get_by_label("What to ask").select_option("stage")
    page.get_by_label("How", exact=True).select_option("is")
    page.get_by_label("Value").select_option("regular")
    look = page.locator("#segment-look")
    expect(look).to_contain_text("stage is Regular customer")
    expect(look).to_contain_text("2 of 3 customers")
    page.get_by_role("button", name="Add a group").click()
    expect(look).to_contain_text("not finished")
    page.get_by_role("button", name="Take group 2 away").click()
    expect(look).to_contain_text("2 of 3 customers")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("What to ask").nth(1).select_option("city")
    page.get_by_label("Value").nth(1).press_sequentially("Kassel")
    expect(look).to_contain_text("town is “Kassel”")  # while the keyboard is still in the field
    page.get_by_role("button", name="Take condition 2 away").click()
    expect(look).to_contain_text("2 of 3 customers")
    page.get_by_role("button", name="Keep segment").click()
    expect(page).to_have_url(re.compile(r"/campaigns/segments/\d+/$"))
    assert Segment.objects.get().rule["rules"][0]["value"] == "regular"


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "theme", "width"), SCREENS)
def test_the_pages_on_every_screen(people, page_as, axe, overflow, screenshot, lang, theme, width):
    staff = UserFactory(role="marketer", first_name="Kim", last_name="Wüstenhagen-Özdemir")
    condition = {"field": "last_purchase", "operator": "longer_ago", "value": 60}
    several = {"field": "stage", "operator": "one_of", "value": ["regular", "loyal"]}
    nested = {"match": "none", "rules": [{"field": "got", "operator": "in_last", "value": 30, "of": "any"}, condition]}
    name = "Treue mit Newsletter, keine offene Reklamation und lange nichts gehört"
    made = keeping.save(Segment(), name, {"match": "all", "rules": [several, nested]}, staff)
    CampaignFactory(segment=made, name="Donaudampfschifffahrtsgesellschaftskapitän " * 2)
    chosen = keeping.save_list(Segment(), "Gäste", staff)
    page = page_as("marketer", "/campaigns/segments/", lang=lang, theme=theme, width=width)
    for path in ("", "new", f"{made.pk}/", "lists/new", f"lists/{chosen.pk}/", "lists/from-customers"):
        page.goto(page.url.partition("/campaigns/")[0] + f"/campaigns/segments/{path}")
        assert axe(page) == [], path
        assert overflow(page) == [], path
        screenshot(page, f"segments-{path.strip('/').replace('/', '-') or 'all'}-{lang}-{theme}-{width}")
