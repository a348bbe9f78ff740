"""Surprises: on a day nobody knows, within a budget that holds whoever plans at once, never the same twice."""

from contextlib import contextmanager
from datetime import UTC, date, timedelta
from threading import Event
from unittest.mock import patch

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.timezone import now

from campaigns import freezing, hold_out, panels, recipes, surprises
from campaigns.models import (
    Campaign,
    Delivery,
    Segment,
    SegmentMember,
    SurpriseGift,
    SurprisePeriod,
    TemplateVersion,
)
from campaigns.recipe import Moment, Occasion
from campaigns.recipes.surprise import settings
from crm.models import Customer, Hold, Shop
from tests.campaigns.people import deliver, open_shop, person
from tests.crm.at_once import at_once
from tests.factories import UserFactory
from tests.loyalty import coupons as made

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
RECIPE = recipes.everything()["surprise"]


@pytest.fixture(autouse=True)
def shop() -> Shop:
    return open_shop()


def campaign(**options: object) -> Campaign:
    """The recipe, switched on, with one window of thirty days and a budget of three gifts."""
    found = recipes.standing_campaign(RECIPE)
    given = {"from_day": str(FIRST), "until_day": str(LAST), "gifts": 3} | options
    found.options = found.options | given
    found.switched_on = True
    found.save()
    return found


def people(number: int) -> list[Customer]:
    return [person(f"p{n}@example.test", "newsletter") for n in range(number)]


def plan(one: Campaign, day: date = LAST) -> int:
    """What the planner does on a day. Answers how many gifts stand in the budget after it."""
    freezing.freeze(RECIPE, Moment(one, Shop.current(), day=day))
    period = SurprisePeriod.objects.first()
    return period.gifts if period else 0


def begun(one: Campaign, day: date = FIRST) -> None:
    """The window was first planned on a day, before anybody was there."""
    plan(one, day)


def whole_window(one: Campaign, days: int = 30) -> dict[date, int]:
    """Every day planned; how many gifts each day took."""
    taken = {}
    for n in range(days):
        before = Delivery.objects.filter(state="planned").count()
        plan(one, FIRST + timedelta(days=n))
        taken[FIRST + timedelta(days=n)] = Delivery.objects.filter(state="planned").count() - before
    return taken


def given() -> set[int]:
    return set(Delivery.objects.filter(state="planned").values_list("customer_id", flat=True))


def test_off_by_default_and_a_recipe_of_the_calendar():
    assert RECIPE.occasion is Occasion.CALENDAR and not RECIPE.on_by_default
    assert not recipes.standing_campaign(RECIPE).switched_on


def test_the_budget_is_given_in_full_over_the_window_and_not_on_its_first_day():
    one = campaign(gifts=6)
    people(25)
    days = whole_window(one)
    assert sum(days.values()) == 6 == SurprisePeriod.objects.get().gifts == SurpriseGift.objects.count()
    assert max(days.values()) <= 2 and len([n for n in days.values() if n]) >= 4


def test_the_day_is_drawn_for_each_person_and_stays_the_same():
    one = campaign(gifts=1000, until_day="2026-11-10")
    people(20)
    whole_window(one, 10)
    drawn = dict(Delivery.objects.values_list("customer_id", "not_before"))
    assert len(drawn) == 20 and len({at.date() for at in drawn.values()}) > 4
    assert all(9 <= at.astimezone(UTC).hour + 1 <= 19 for at in drawn.values())
    Delivery.objects.all().delete()
    SurprisePeriod.objects.all().delete()
    whole_window(one, 10)
    assert dict(Delivery.objects.values_list("customer_id", "not_before")) == drawn


def test_planning_again_changes_nothing():
    one = campaign()
    people(10)
    assert [plan(one), plan(one), Delivery.objects.filter(state="planned").count()] == [3, 3, 3]


def test_money_limits_as_well_and_the_smaller_limit_counts():
    batch = made.batch(value=4)
    one = campaign(gifts=5, money=9, coupon=batch.pk)
    people(10)
    assert plan(one) == 2 and SurprisePeriod.objects.get().money == 8


@pytest.mark.parametrize(
    "options", [{"gifts": 0}, {"money": 50, "gift_cost": 0}, {"from_day": "2026-12-01", "until_day": "2026-12-02"}]
)
def test_without_a_budget_or_a_window_nothing_is_given_and_it_says_why(options):
    one = campaign(**options)
    people(3)
    assert plan(one) == 0 and not Delivery.objects.exists()
    assert settings.trouble(one, LAST)


def test_a_coupon_that_was_stopped_is_no_gift():
    batch = made.batch()
    one = campaign(coupon=batch.pk)
    people(3)
    type(batch).objects.filter(pk=batch.pk).update(stopped_at=now())
    assert plan(one) == 0 and "stopped" in settings.trouble(one, LAST)


def test_a_smaller_budget_takes_nothing_back_and_gives_nothing_more():
    one = campaign()
    people(10)
    plan(one)
    one = campaign(gifts=1)
    assert plan(one) == 3 and Delivery.objects.filter(state="planned").count() == 3


def test_what_finally_did_not_go_is_given_to_somebody_else():
    one = campaign()
    people(10)
    plan(one)
    first = Delivery.objects.filter(state="planned").first()
    Delivery.objects.filter(pk=first.pk).update(state="failed", reason="refused", settled_at=now())
    assert plan(one) == 3
    assert Delivery.objects.filter(state="planned").count() == 3
    assert SurpriseGift.objects.filter(returned_at=None).count() == 3
    assert SurpriseGift.objects.exclude(returned_at=None).get().delivery_id == first.pk
    assert plan(one) == 3  # given back once


def test_a_mail_of_which_nobody_knows_keeps_its_gift():
    one = campaign()
    people(10)
    plan(one)
    Delivery.objects.filter(state="planned").update(state="unknown")
    assert plan(one) == 3 and given() == set()


def test_a_complaint_postpones_and_does_not_cost_the_gift():
    one = campaign(gifts=1000)
    anna = people(1)[0]
    hold = Hold.objects.create(customer=anna, reason="complaint")
    begun(one)
    plan(one, LAST - timedelta(days=1))
    assert not Delivery.objects.exists()
    Hold.objects.filter(pk=hold.pk).update(lifted_at=now())
    assert plan(one) == 1 and given() == {anna.pk}


def test_who_may_get_no_advertising_has_a_row_that_says_so_and_takes_no_gift():
    one = campaign()
    refused = [person(f"r{n}@example.test") for n in range(5)]
    people(3)
    assert plan(one) == 3
    said = Delivery.objects.filter(state="suppressed").values_list("customer_id", "reason")
    assert set(said) == {(customer.pk, "no_permission") for customer in refused}


def test_the_control_group_gets_nothing_and_takes_no_gift():
    one = campaign(gifts=1000)
    Campaign.objects.filter(pk=one.pk).update(hold_out=50)
    one.hold_out = 50
    everybody = people(24)
    plan(one)
    held = set(Delivery.objects.filter(reason=hold_out.REASON).values_list("customer_id", flat=True))
    assert 0 < len(held) < 24 and given() == {customer.pk for customer in everybody} - held
    assert SurprisePeriod.objects.get().gifts == 24 - len(held)


def test_one_mailbox_gets_a_gift_once():
    one = campaign(gifts=1000)
    for _ in range(2):
        person("anna@example.test", "newsletter")
    plan(one)
    assert sorted(Delivery.objects.values_list("reason", flat=True)) == ["", "same_mailbox"]


def next_window(one: Campaign, **more: object) -> Campaign:
    return campaign(from_day="2026-12-01", until_day="2026-12-31", **more)


def test_the_same_gift_never_comes_again_and_the_same_words_not_within_a_year():
    batches = [made.batch(), made.batch()]
    one = campaign(gifts=1000, coupon=batches[0].pk)
    anna = people(1)[0]
    plan(one)
    assert given() == {anna.pk}
    one = next_window(one)
    plan(one, date(2026, 12, 31))
    one = next_window(one, coupon=batches[1].pk)  # another gift in the same words
    plan(one, date(2026, 12, 31))
    assert Delivery.objects.count() == 1
    version = TemplateVersion.objects.get(pk=one.template_version_id)
    version.pk, version.number, version.blocks = None, 2, [*version.blocks[:-1], version.blocks[0]]
    version.save()
    one.template_version = version
    one.save()
    plan(one, date(2026, 12, 31))
    assert Delivery.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        SurpriseGift.objects.create(
            period=SurprisePeriod.objects.first(), customer=anna, delivery=Delivery.objects.first(),
            gift=f"coupon:{batches[0].pk}", words="", cost=1,
        )  # fmt: skip


def test_windows_of_some_months_follow_one_another():
    one = campaign(from_day="", until_day="", every_months=6)
    assert settings.window(one, date(2026, 11, 23)) == (date(2026, 7, 1), date(2026, 12, 31))
    assert settings.window(one, date(2027, 1, 1)) == (date(2027, 1, 1), date(2027, 6, 30))


def test_stages_narrow_whom_it_may_reach():
    from tests.factories import AssessmentFactory

    one = campaign(gifts=1000)
    Campaign.objects.filter(pk=one.pk).update(stages=["loyal"])
    one.stages = ["loyal"]
    anna, _ben = people(2)
    AssessmentFactory(customer=anna, stage="loyal")
    plan(one)
    assert given() == {anna.pk}


def test_no_page_names_who_is_going_to_be_surprised(smtp_sink):
    one = campaign(gifts=1000)
    anna = people(1)[0]
    begun(one)
    plan(one)
    staff = Client()
    staff.force_login(UserFactory(role="admin"))
    pages = [f"/customers/{anna.pk}/", f"/customers/{anna.pk}/mails", "/today/"]
    assert all(one.name not in staff.get(page, follow=True).content.decode() for page in pages)
    assert panels.mails(anna, 8) == []
    Delivery.objects.update(not_before=now() - timedelta(minutes=1), not_after=now() + timedelta(days=1))
    deliver()
    assert len(smtp_sink.messages) == 1
    assert all(one.name in staff.get(page, follow=True).content.decode() for page in pages[:2])


def test_routine_mails_carry_no_surprise():
    for recipe in recipes.everything().values():
        assert recipe.code == "surprise" or all(block["kind"] != "surprise" for block in recipe.blocks), recipe.code


# Two planners at once


def race(one: Campaign, patience: float) -> int:
    """A planner reads what is left and rests; another one plans meanwhile, if it can. How many mails they planned."""
    begun(one)
    people(3)
    read, planned = Event(), Event()
    questions = freezing.question

    def slowly(*given: object) -> object:
        asked = questions(*given)  # what is left was read for this
        if not read.is_set():
            read.set()
            planned.wait(patience)
        return asked

    def second() -> None:
        read.wait(10)
        plan(one)
        planned.set()

    tasks = iter([lambda: plan(one), second])
    with patch("campaigns.freezing.question", slowly):
        outcomes = at_once(2, lambda: _tried(next(tasks)))
    assert len(outcomes) == 2
    return Delivery.objects.filter(state="planned").count()


def _tried(task: object) -> object:
    try:
        return task()  # type: ignore[operator]
    except (surprises.Overspent, IntegrityError) as error:
        return error


def test_two_planners_at_once_never_overspend():
    assert race(campaign(gifts=2), 0.5) == 2
    assert SurprisePeriod.objects.get().gifts == 2


@contextmanager
def unguarded():
    """No lock, no condition, no CHECK: what the guards are there for."""
    check = "campaigns_surprise_within_budget"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [check])
        definition = cursor.fetchone()[0]
        cursor.execute(f"ALTER TABLE campaigns_surpriseperiod DROP CONSTRAINT {check}")
    reads = "SELECT id FROM campaigns_surpriseperiod WHERE campaign_id = %(campaign)s AND first_day = %(first)s"
    spends = surprises.SPEND.split(" AND (")[0]
    try:
        with patch("campaigns.surprises.OPEN", reads), patch("campaigns.surprises.SPEND", spends):
            yield
    finally:
        SurprisePeriod.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE campaigns_surpriseperiod ADD CONSTRAINT {check} {definition}")


def test_without_the_guards_two_planners_overspend():
    one = campaign(gifts=2)
    begun(one)
    with unguarded():
        assert race(one, 30) == 3


def test_a_marketer_sets_window_budget_and_audience_and_sees_totals():

    segment = Segment.objects.create(name="Few", kind="list")
    staff = Client()
    staff.force_login(UserFactory(role="marketer"))
    given = {
        "set_every_months": "6", "set_from_day": str(FIRST), "set_until_day": "", "set_gifts": "0", "set_money": "0",
        "set_gift_cost": "0", "stages": ["loyal", "ambassador"], "segment": str(segment.pk), "hold_out": "10",
    }  # fmt: skip
    path = "/campaigns/recipes/surprise/settings"
    page = staff.post(path, given, follow=True).content.decode()
    kept = recipes.standing_campaign(RECIPE)
    assert (kept.stages, kept.segment, kept.hold_out) == (["loyal", "ambassador"], segment, 10)
    assert kept.options["gifts"] == 0 and "Without a budget nothing is given." in page
    page = staff.post(path, given | {"set_gifts": "5", "set_money": "20", "set_gift_cost": "4"}, follow=True)
    assert "0 of 5 gifts, €0.00 of €20.00" in page.content.decode()


def test_only_those_in_the_segment():

    segment = Segment.objects.create(name="Few", kind="list")
    one = campaign(gifts=1000)
    one.segment = segment
    one.save()
    anna, _ben = people(2)
    SegmentMember.objects.create(segment=segment, customer=anna)
    plan(one)
    assert given() == {anna.pk}


def test_a_surprise_is_known_by_its_name_and_else_by_its_words():
    version = recipes.first_version(RECIPE)
    words = settings.words_of(version)
    version.blocks[1]["text"] = {"de": "Anders.", "en": "Another."}
    assert settings.words_of(version) != words
    version.blocks[2]["name"] = "Postkarte"
    named = settings.words_of(version)
    version.blocks[1]["text"] = {"de": "Noch einmal anders.", "en": "Another again."}
    assert settings.words_of(version) == named
