"""Alerts become tasks, tasks hold advertising until somebody did them, and the answers that cause them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from crm import alerts, answers, contacts, days, duties, emotions, invariants, permission, timeline
from crm.models import Answer, ChangedCustomer, Event, Hold, Interaction, Task
from tests.factories import NOW, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db
FULL = dict.fromkeys(emotions.POSITIVE, 6) | dict.fromkeys(emotions.NEGATIVE, 1)
SHORT = {"happy": 8, "trusting": 7, "valued": 8, "irritated": 1, "neglected": 0, "disappointed": 1}


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def tags(customer, *felt, **more):
    return contacts.record_interaction(customer, channel="phone", touchpoint="service", staff=None, felt=felt, **more)


def sheet(customer, felt, form="short", **more):
    return answers.record_response(customer, more.pop("response", uuid4()), items={}, felt=felt, form=form, **more)


# The value of one answer


def test_there_are_twelve_emotions_that_drive_value_and_eight_that_destroy_it():
    assert (len(emotions.EMOTIONS), len(emotions.POSITIVE), len(emotions.NEGATIVE)) == (20, 12, 8)
    sizes = [sum(one.cluster == cluster for one in emotions.EMOTIONS) for cluster in emotions.CLUSTERS]
    assert sizes == [2, 5, 5, 8]


def test_the_value_is_the_difference_of_the_two_means():
    ratings = dict(zip(emotions.POSITIVE, [6, 7] * 6, strict=True)) | dict(
        zip(emotions.NEGATIVE, [1, 1, 1, 2] * 2, strict=True)
    )
    assert emotions.survey_value(ratings, "full") == Decimal("5.25")


@pytest.mark.parametrize(
    ("form", "positive", "negative", "valid"),
    [("full", 6, 4, True), ("full", 6, 3, False), ("full", 5, 8, False), ("short", 3, 3, True), ("short", 3, 2, False),
     ("short", 2, 4, False)],
)  # fmt: skip
def test_too_few_answers_have_no_value(form, positive, negative, valid):
    asked = emotions.FORMS[form]
    ratings = dict.fromkeys(asked.positive[:positive], 5) | dict.fromkeys(asked.negative[:negative], 5)
    assert emotions.survey_value(ratings, form) == (0 if valid else None)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(emotions.BY_CODE)), st.integers(0, 10)), st.sampled_from(["full", "short"])
)
def test_a_value_lies_between_minus_and_plus_ten(ratings, form):
    value = emotions.survey_value(ratings, form)
    assert value is None or -10 <= value <= 10


@pytest.mark.parametrize(
    ("felt", "value"),
    [
        ([], None),
        (["happy"], 1),
        (["happy", "irritated"], 0),
        (["irritated"], -1),
        (["happy", "safe", "hurried"], Decimal(1) / 3),
    ],
)
def test_the_value_of_tags(felt, value):
    assert emotions.tag_value(felt) == value


# What is an alert


@pytest.mark.parametrize(
    ("felt", "form", "alarm"),
    [
        (SHORT, "short", False),
        (SHORT | {"irritated": 6}, "short", False),
        (SHORT | {"irritated": 7}, "short", True),
        ({"stressed": 7}, "short", True),  # one destroying emotion is enough, also where no value can be told
        (dict.fromkeys(emotions.POSITIVE, 2) | dict.fromkeys(emotions.NEGATIVE, 4), "full", True),  # exactly −2
        (dict.fromkeys(emotions.POSITIVE, 3) | dict.fromkeys(emotions.NEGATIVE, 4), "full", False),
    ],
)
def test_which_sheets_are_an_alert(felt, form, alarm):
    customer = CustomerFactory()
    sheet(customer, felt, form)
    assert Task.objects.count() == Hold.objects.count() == Event.objects.filter(kind="alert.raised").count() == alarm


def test_two_destroying_tags_are_a_task_with_its_reason_and_deadline(django_user_model):
    staff = UserFactory()
    customer = CustomerFactory(assigned_to=staff)
    contact = tags(customer, "irritated", "hurried", "pleased")
    task = Task.objects.get()
    assert (task.kind, task.state, task.owner, task.cause) == ("alert", "open", staff, f"interaction:{contact.pk}")
    assert task.due_at == days.within_one_working_day(datetime.now(UTC))
    assert alerts.sentence(task.detail) == "“irritated”, “hurried”, the team's estimate"
    tags(customer, "irritated", "pleased")
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-19 09:00", "2026-11-20 18:00"),  # Thursday
        ("2026-11-20 16:00", "2026-11-23 18:00"),  # Friday
        ("2026-11-21 10:00", "2026-11-23 18:00"),
        ("2026-11-22 10:00", "2026-11-23 18:00"),
        ("2026-03-27 10:00", "2026-03-30 18:00"),  # the clock changes in between
        ("2026-04-02 10:00", "2026-04-07 18:00"),  # Maundy Thursday: Good Friday, the weekend, Easter Monday
        ("2026-12-24 10:00", "2026-12-28 18:00"),
    ],
)
def test_within_one_working_day(at, due):
    zone = days.shop_zone()
    moment = datetime.fromisoformat(at).replace(tzinfo=zone)
    assert days.within_one_working_day(moment, zone) == datetime.fromisoformat(due).replace(tzinfo=zone)


def test_a_cause_makes_one_task_however_often_it_is_told():
    customer, response = CustomerFactory(), uuid4()
    assert sheet(customer, SHORT | {"irritated": 9}, response=response) == 6
    assert sheet(customer, SHORT | {"irritated": 9}, response=response) == 0
    alerts.raise_alert(customer, alerts.Alert(), cause=f"response:{response}", origin="customer_self", at=NOW)
    assert Task.objects.count() == Hold.objects.count() == 1 and Answer.objects.count() == 6


def test_each_bad_experience_has_its_task_and_advertising_rests_until_the_last_is_done():
    customer, staff = CustomerFactory(), UserFactory()
    tags(customer, "irritated", "hurried")
    sheet(customer, SHORT | {"stressed": 8})
    first, second = Task.objects.order_by("pk")

    def rests():
        return (
            permission.may_send(customer.pk, "advertising", "newsletter").code == "open_complaint"
            or Hold.objects.filter(customer=customer, lifted_at=None).exists()
        )

    duties.finish(first, outcome="spoke", note="Sorry said.", staff=staff)
    assert rests()
    ChangedCustomer.objects.all().delete()
    duties.finish(second, outcome="wrote", staff=staff)
    assert not rests() and ChangedCustomer.objects.get().customer_id == customer.pk
    first.refresh_from_db()
    assert (first.state, first.closed_by, first.outcome, first.note) == ("done", staff, "spoke", "Sorry said.")
    duties.finish(first, outcome="wrote", staff=UserFactory())
    first.refresh_from_db()
    assert first.outcome == "spoke" and Event.objects.filter(kind="task.done").count() == 2
    duties.reopen(first)
    assert rests()


def test_an_old_sheet_that_arrives_late_has_been_overtaken():
    customer = CustomerFactory()
    sheet(customer, SHORT, answered_at=NOW)
    sheet(customer, SHORT | {"stressed": 9}, answered_at=NOW - timedelta(days=1))
    sheet(customer, SHORT | {"stressed": 9}, answered_at=NOW + timedelta(days=1), historic=True)
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"items": {}}, "empty"),
        ({"items": {"csat": 11}}, "from 0 to 10"),
        ({"items": {"ces": 0}}, "from 1 to 7"),
        ({"items": {"disconfirmation": -4}}, "from -3 to 3"),
        ({"items": {"mood": 4}}, "no question “mood”"),
        ({"items": {}, "felt": {"happy": 3}}, "which form"),
        ({"items": {}, "felt": {"pleased": 3}, "form": "short"}, "does not ask"),
        ({"items": {}, "felt": {"happy": -1}, "form": "short"}, "from 0 to 10"),
    ],
)
def test_an_impossible_sheet_is_refused_whole(given, problem):
    with pytest.raises(ValueError, match=problem):
        answers.record_response(CustomerFactory(), uuid4(), **given)
    assert not Answer.objects.exists()


def test_the_rules_of_alerts_are_proved_from_the_facts():
    wanted = [check for check in invariants.FACTS if "alert" in check.name or "destroying" in check.name]
    customer, staff = CustomerFactory(), UserFactory()
    tags(customer, "irritated", "hurried")

    def broken():
        from django.db import connection

        with connection.cursor() as cursor:
            return [check.violations(cursor) for check in wanted]

    assert len(wanted) == 2 and broken() == [0, 0]
    Hold.objects.update(lifted_at=NOW)
    assert broken() == [1, 0]
    duties.finish(Task.objects.get(), outcome="spoke", staff=staff)
    assert broken() == [0, 0]
    Task.objects.all().delete()
    assert Interaction.objects.exists() and broken() == [0, 1]


def test_what_was_done_stands_in_the_timeline():
    customer, staff = CustomerFactory(), UserFactory(first_name="Mira")
    tags(customer, "irritated", "hurried")
    duties.finish(Task.objects.get(), outcome="spoke", note="Apologised.", staff=staff)
    sheet(customer, SHORT | {"stressed": 8})
    told = [entry for _month, group in timeline.months(customer).groups for entry in group]
    assert {"Done: Get in touch", "Survey answered"} <= {str(entry.title) for entry in told}
    assert "Alert: “stressed” 8 of 10" in {entry.warning for entry in told}
    assert sum(chip.count for chip in timeline.chips(customer)[1:]) == len(told)


@pytest.mark.parametrize(
    ("value", "words"), [(-1, "expectation missed"), (0, "expectation met"), (2, "expectation exceeded")]
)
def test_what_was_expected_is_told_in_words(value, words):
    customer = CustomerFactory()
    answers.record_response(customer, uuid4(), items={"csat": 8, "disconfirmation": value})
    ((_month, (entry,)),) = timeline.months(customer).groups
    assert entry.text == f"satisfaction 8, {words}" and entry.tone == ""
