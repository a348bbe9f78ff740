"""Every page of campaigns is found from another one, and speaks the reader's language."""

import pytest
from django.test import Client
from django.utils.translation import override

from campaigns import recipes
from campaigns.models import Delivery
from campaigns.segments import options
from crm.models import Customer
from tests.campaigns.people import mailing, open_shop, person
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def as_marketer(language: str) -> Client:
    client = Client()
    staff = UserFactory(role="marketer", language=language)
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def english() -> Client:
    open_shop()
    return as_marketer("en")


def refused(recipe: str) -> tuple[Customer, Delivery]:
    """A mail of a recipe that was planned and did not go."""
    customer = person("nora@example.test")
    campaign = recipes.standing_campaign(recipes.everything()[recipe])
    row = Delivery.objects.create(
        campaign=campaign,
        customer=customer,
        template_version=campaign.template_version,
        recipe=recipe,
        message_class="advertising",
        purpose="birthday",
        dedupe_key=f"{recipe}:1",
        state=Delivery.State.SUPPRESSED,
        reason="no_permission",
        not_before="2026-01-01T09:00Z",
        not_after="2026-01-02T09:00Z",
    )
    return customer, row


def test_each_recipe_is_opened_from_the_list_of_campaigns(english: Client) -> None:
    page = english.get("/campaigns/").content.decode()
    for recipe in recipes.everything().values():
        if recipe.standing:
            assert f'href="/campaigns/recipes/{recipe.code}/"' in page
            assert english.get(f"/campaigns/recipes/{recipe.code}/").status_code == 200


def test_a_mailing_leads_to_what_the_law_says_of_its_kind(english: Client) -> None:
    for address in ("mailings/new?recipe=invitation", f"mailings/{mailing(recipe='invitation', status='draft').pk}/"):
        assert 'href="/campaigns/recipes/invitation/"' in english.get(f"/campaigns/{address}").content.decode()


def test_a_recipe_leads_to_its_people_and_these_to_the_reasons_of_one(english: Client) -> None:
    customer, row = refused("birthday")
    page = english.get("/campaigns/recipes/birthday/").content.decode()
    assert f'href="/campaigns/{row.campaign_id}/people?reason=no_permission"' in page
    people = english.get(f"/campaigns/{row.campaign_id}/people?reason=no_permission").content.decode()
    assert f'href="/customers/{customer.pk}/mails/why/{row.campaign_id}"' in people
    assert 'href="/campaigns/recipes/birthday/"' in people
    why = english.get(f"/customers/{customer.pk}/mails/why/{row.campaign_id}").content.decode()
    assert 'href="/campaigns/recipes/birthday/"' in why


@pytest.mark.parametrize(("language", "name"), [("en", "Birthday greeting"), ("de", "Geburtstagsgruß")])
def test_a_recipe_is_called_as_the_reader_calls_it(language: str, name: str) -> None:
    open_shop()
    customer, row = refused("birthday")
    type(row.campaign).objects.filter(pk=row.campaign_id).update(name="Anniversaire")
    client = as_marketer(language)
    for address in (
        f"/customers/{customer.pk}/mails",
        f"/customers/{customer.pk}/mails/why",
        f"/customers/{customer.pk}/mails/why/{row.campaign_id}",
        f"/campaigns/{row.campaign_id}/people",
    ):
        page = client.get(address).content.decode()
        assert name in page and "Anniversaire" not in page, address
    assert recipes.name_of(mailing()) == "News"


def test_what_cannot_be_undone_is_asked_about_first(english: Client) -> None:
    run = mailing(status="running", launched_at="2026-01-01T09:00Z")
    page = english.get(f"/campaigns/mailings/{run.pk}/").content.decode()
    assert '<dialog class="sk-dialog" id="cancel"' in page and 'commandfor="cancel"' in page
    assert "dialog" not in english.get(f"/campaigns/mailings/{run.pk}/state").content.decode().replace(
        'aria-haspopup="dialog"', ""
    )


def test_a_rule_names_recipes_as_the_reader_does(english: Client) -> None:
    campaign = recipes.standing_campaign(recipes.everything()["birthday"])
    type(campaign).objects.filter(pk=campaign.pk).update(name="Anniversaire")
    for language, name in (("en", "Birthday greeting"), ("de", "Geburtstagsgruß")):
        with override(language):
            assert (str(campaign.pk), name) in options.any_campaign([])


def test_the_people_of_a_surprise_are_counted_as_they_are_named(english: Client) -> None:
    _customer, row = refused("surprise")
    page = english.get(f"/campaigns/{row.campaign_id}/people")
    assert (page.context["all"], page.context["states"], page.context["reasons"]) == (0, [], [])
    assert "told to nobody" in page.content.decode()
