"""What a draft's page says about whom it reaches is what a launch would do."""

import pytest
from django.test import Client

from campaigns import planning
from campaigns.models import Campaign
from crm.models import Customer
from tests.campaigns.people import mailing, open_shop, person
from tests.factories import AssessmentFactory, ParticipationFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer() -> Client:
    open_shop()
    client = Client()
    staff = UserFactory(role="marketer", language="en")
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    return client


def regulars(number: int) -> list[Customer]:
    found = [person(f"p{n}@example.test", "newsletter") for n in range(number)]
    for customer in found:
        AssessmentFactory(customer=customer, stage="regular")
    return found


def live(marketer: Client, **given: object) -> object:
    return marketer.get("/campaigns/mailings/audience", {"stages": "regular"} | given)


def test_the_control_group_gets_no_mail_and_the_draft_says_so(marketer: Client) -> None:
    regulars(20)
    draft = mailing(stages=["regular"], hold_out=50)
    planning.check(draft.pk)
    found = planning.preview(draft)
    assert 0 < found.held_out < 20
    page = marketer.get(f"/campaigns/mailings/{draft.pk}/")
    told = page.content.decode()
    assert f"<b>{found.recipients} of 20</b>" in told
    assert f"{found.held_out} more p" in told and "in the control group" in told


def test_a_control_group_is_counted_as_it_is_typed_in(marketer: Client) -> None:
    regulars(20)
    draft = mailing(stages=["regular"])
    assert live(marketer, mailing=draft.pk).context["reach"].held_out == 0
    typed = live(marketer, mailing=draft.pk, hold_out="50").context["reach"]
    draft.hold_out = 50
    assert typed.held_out == planning.preview(draft).held_out
    assert "drawn anew" not in live(marketer, mailing=draft.pk, hold_out="50").content.decode()
    assert "drawn anew" in live(marketer, hold_out="50").content.decode()
    assert live(marketer, hold_out="many").context["reach"].recipients == 20
    assert live(marketer, hold_out="99").context["reach"].recipients > 0


def test_an_invitation_counts_nobody_who_said_yes_already(marketer: Client) -> None:
    guest, *_others = regulars(3)
    ParticipationFactory(customer=guest, kind="gathering", title="Tasting")
    assert live(marketer, recipe="invitation", set_gathering_title="Tasting").context["reach"].recipients == 2
    assert live(marketer, recipe="invitation", set_gathering_title="Walk").context["reach"].recipients == 3
    assert live(marketer).context["reach"].recipients == 3
    assert live(marketer, recipe="birthday").status_code == live(marketer, recipe="none").status_code == 404
    draft = Campaign.objects.create(
        recipe="invitation", name="Come", stages=["regular"], options={"gathering_title": "Tasting"}
    )
    assert marketer.get(f"/campaigns/mailings/{draft.pk}/").context["reach"].matched == 2
