"""The history of a customer: everything once, newest first, at the same cost whatever there is."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone, translation

from crm import complaints, contacts, duties, timeline
from crm.models import (
    AdvocacyAct,
    Answer,
    ConsentEvent,
    Customer,
    Participation,
    PurchaseLine,
    Return,
    ReturnLine,
)
from tests.factories import NOW, CustomerFactory, PurchaseFactory, SourceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"), timezone.override("Europe/Berlin"):
        yield


def entries(customer, kind="", before=None, size=timeline.PAGE):
    return [entry for _, group in timeline.months(customer, kind, before, size).groups for entry in group]


def everything(customer, kind="", size=timeline.PAGE):
    """All pages one after the other, as somebody clicks through them."""
    seen, before = [], None
    while True:
        page = timeline.months(customer, kind, before, size)
        seen += [entry for _, group in page.groups for entry in group]
        before = page.before
        if before is None:
            return seen


def purchases_of(customer, number, lines=2):
    for n in range(number):
        purchase = PurchaseFactory(customer=customer, ordered_at=NOW - timedelta(days=n))
        PurchaseLine.objects.bulk_create(
            PurchaseLine(purchase=purchase, position=at, description=f"Coffee {at}", quantity=1, unit_price=5, net=5)
            for at in range(1, lines + 1)
        )


def full_history():
    """One of everything that can happen."""
    source, staff = SourceFactory(), UserFactory(first_name="Mirjam")
    customer = Customer.objects.get(pk=CustomerFactory().pk)
    purchases_of(customer, 2)
    back = Return.objects.create(
        source=source, external_id=f"r{customer.pk}", purchase_ref="p9", customer=customer, returned_at=NOW, returned_on=NOW.date(),
        currency="EUR", net=5, held="unknown_purchase", version=NOW,
    )  # fmt: skip
    ReturnLine.objects.create(parent=back, position=1, description="Filter", quantity=1, unit_price=5, net=5)
    contacts.record_interaction(
        customer, channel="phone", touchpoint="service", staff=staff, note="Asks for a part.", felt=["hurried"],
        occurred_at=NOW, rating=7,
    )  # fmt: skip
    case = complaints.open_complaint(
        customer, text="It grinds unevenly.", severity="high", owner=staff, due_at=NOW, opened_at=NOW
    )
    complaints.close(case, resolution="New discs.")
    response = uuid4()
    for item, value, form, comment in (
        ("csat", 8, "", "Warm advice."),
        ("disconfirmation", -1, "", ""),
        ("nev_valued", 8, "short", ""),
        ("nev_irritated", 1, "short", ""),
    ):
        Answer.objects.create(
            customer=customer, response=response, item=item, value=value, form=form, comment=comment, answered_at=NOW
        )
    ConsentEvent.objects.create(
        person_key=customer.person_key, purpose_id="newsletter", channel="email", action="withdrawn", method="web",
        occurred_at=NOW,
    )  # fmt: skip
    Participation.objects.create(customer=customer, kind="gathering", title="Tasting", occurred_at=NOW)
    AdvocacyAct.objects.create(customer=customer, kind="own_review", occurred_at=NOW)
    return customer


def test_each_kind_of_moment_is_told_once(alone):
    customer = full_history()
    told = everything(customer)
    assert sorted(entry.title.split()[0] for entry in told) == sorted(
        ["Purchase", "Purchase", "Return", "Contact:", "Complaint", "Complaint", "Survey", "Consent", "Took", "Spoke"]
    )
    by_title = {entry.title.split()[0]: entry for entry in told}
    assert by_title["Return"].warning == "held: its purchase has not arrived"
    assert by_title["Return"].notes == ["Filter"]
    contact = by_title["Contact:"]
    assert contact.body == "Asks for a part." and contact.feelings[0].estimate and "rated 7 of 10" in contact.notes
    sheet = by_title["Survey"]
    assert sheet.text == "satisfaction 8, expectation missed"
    assert sheet.own_words == "Warm advice." and [one.code for one in sheet.feelings] == ["valued"]
    assert any(entry.own_words == "It grinds unevenly." for entry in told)


def test_counts_agree_with_what_is_shown(alone):
    customer = full_history()
    chips = timeline.chips(customer)
    assert chips[0].kind == "" and chips[0].count == len(everything(customer))
    for chip in chips[1:]:
        assert chip.count == len(everything(customer, chip.kind)) > 0


def test_of_another_customer_nothing_is_shown(alone):
    full_history()
    stranger = Customer.objects.get(pk=CustomerFactory().pk)
    assert everything(stranger) == [] and [chip.count for chip in timeline.chips(stranger)] == [0]


@pytest.mark.parametrize("size", [1, 3, 20])
def test_paging_shows_everything_once_and_in_order(alone, size):
    customer = full_history()
    purchases_of(customer, 25, lines=0)
    told = everything(customer, size=size)
    assert len(told) == timeline.chips(customer)[0].count == 35
    assert [entry.at for entry in told] == sorted((entry.at for entry in told), reverse=True)


def test_moments_of_one_instant_are_not_parted_by_a_page(alone):
    customer = CustomerFactory()
    for _ in range(7):
        PurchaseFactory(customer=customer, ordered_at=NOW)
    PurchaseFactory(customer=customer, ordered_at=NOW - timedelta(days=1))
    first = timeline.months(customer, size=5)
    assert len(first.groups[0][1]) == 7 and first.before == NOW
    assert len(entries(customer, before=first.before)) == 1


def test_long_purchases_are_told_by_their_first_lines(alone):
    customer = CustomerFactory()
    purchases_of(customer, 1, lines=600)
    assert entries(customer)[0].notes == ["Coffee 1", "Coffee 2", "Coffee 3", "+597 more lines"]


def test_the_cost_is_the_same_for_2_and_for_40_of_everything(alone, count_queries):
    few, many = full_history(), full_history()
    purchases_of(many, 40, lines=5)
    staff = UserFactory()
    for n in range(40):
        contacts.record_interaction(
            many,
            channel="shop",
            touchpoint="advice",
            staff=staff,
            felt=["pleased"],
            occurred_at=NOW - timedelta(hours=n),
        )
    cost = count_queries(lambda: (entries(few), timeline.chips(few)))
    assert count_queries(lambda: (entries(many), timeline.chips(many))) == cost


def test_two_destroying_emotions_are_an_alert_and_advertising_rests(alone):
    from crm.models import ChangedCustomer, Event, Hold

    customer, staff = CustomerFactory(), UserFactory()
    for felt in (["irritated", "pleased"], ["irritated", "hurried"], ["stressed", "hurried"]):
        contacts.record_interaction(customer, channel="phone", touchpoint="service", staff=staff, felt=felt)
    first, second = Hold.objects.filter(customer=customer)
    assert (first.reason, first.lifted_at, second.lifted_at) == ("alert", None, None)
    assert Event.objects.filter(kind="alert.raised").count() == 2
    ChangedCustomer.objects.all().delete()
    duties.finish(first.task, outcome="spoke", staff=staff)
    first.refresh_from_db()
    assert first.lifted_at and ChangedCustomer.objects.get().customer_id == customer.pk


@pytest.mark.parametrize("felt", [["pleased"] * 2, ["pleased", "valued", "safe", "happy"], ["bored"]])
def test_impossible_emotions_are_refused(felt):
    with pytest.raises(ValueError, match="up to three"):
        contacts.record_interaction(CustomerFactory(), channel="shop", touchpoint="order", staff=None, felt=felt)
