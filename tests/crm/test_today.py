"""What waits today, as the staff see it, and how they finish it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from crm import contacts, duties, worklist
from crm.models import Complaint, ConsentState, Customer, Hold, Task
from crm.privacy import erasure
from tests.crm.test_pages import text_of
from tests.factories import ComplaintFactory, CustomerFactory, EmailFactory, UserFactory

pytestmark = pytest.mark.django_db


def alarmed(**fields) -> Customer:
    customer = CustomerFactory(**fields)
    contacts.record_interaction(
        customer, channel="phone", touchpoint="service", staff=None, felt=["irritated", "hurried"]
    )
    return customer


def born_today(**fields) -> Customer:
    day = timezone.localdate()
    return CustomerFactory(birth_month=day.month, birth_day=day.day, **fields)


def names(found) -> list[str]:
    return [entry.customer.family_name for _title, _n, rows, _more in found.groups for entry in rows]


def test_the_nearest_deadline_comes_first_and_birthdays_come_last():
    user, now = UserFactory(), timezone.now()
    born_today(family_name="Born")
    ComplaintFactory(customer=CustomerFactory(family_name="Late"), due_at=now - timedelta(days=1))
    alarmed(family_name="Angry")
    ComplaintFactory(customer=CustomerFactory(family_name="Soon"), due_at=now + timedelta(days=9))
    ComplaintFactory(customer=CustomerFactory(family_name="Over"), state="closed", closed_at=now)
    duties.promise(CustomerFactory(family_name="Ring"), text="Grinder", due_at=now + timedelta(minutes=5), owner=user)
    duties.promise(
        CustomerFactory(family_name="Next month"), text="Grinder", due_at=now + timedelta(days=30), owner=user
    )
    found = worklist.waiting(user)
    assert names(found) == ["Late", "Angry", "Soon", "Ring", "Born"]
    assert (found.waiting, found.chips[0].count, found.chips[1].count) == (5, 5, 1)
    assert [entry.urgent for _t, _n, rows, _m in found.groups for entry in rows][0]


@pytest.mark.parametrize("kind", ["", "first", "call_back", "birthday", "nonsense"])
def test_the_numbers_on_the_chips_do_not_depend_on_what_is_chosen(kind):
    user = UserFactory()
    alarmed(), born_today(), born_today()
    chips = worklist.waiting(user, kind=kind).chips
    known = {chip.query: chip.count for chip in chips}
    assert (known[""], known["kind=first"], known["kind=birthday"]) == (3, 1, 2)


def test_mine_is_what_i_have_and_what_my_customers_have_without_an_owner():
    me, other = UserFactory(), UserFactory()
    alarmed(family_name="Mine", assigned_to=me)
    alarmed(family_name="Others", assigned_to=other)
    ComplaintFactory(customer=CustomerFactory(family_name="Given", assigned_to=other), owner=me, due_at=timezone.now())
    born_today(family_name="Birthday", assigned_to=me)
    found = worklist.waiting(me, mine=True)
    assert sorted(names(found)) == ["Birthday", "Given", "Mine"]


def test_who_may_not_be_mailed_is_congratulated_in_person_and_then_done():
    user = UserFactory()
    silent = born_today(family_name="Silent")
    allowed = born_today(family_name="Allowed")
    mail = EmailFactory(customer=allowed, is_primary=True)
    ConsentState.objects.create(
        customer=allowed,
        purpose_id="birthday",
        channel="email",
        state="given",
        since=timezone.now(),
        evidence=evidence(allowed),
        address=mail.normal,
    )
    for fields in ({"deceased_at": timezone.now()}, {"restricted_at": timezone.now()}, {"is_test": True}):
        born_today(family_name="Never", **fields)
    found = worklist.waiting(user)
    rows = found.groups[0][2]
    assert [row.customer.family_name for row in rows] == ["Silent", "Allowed"]
    duties.congratulated(silent, timezone.localdate().year, outcome="spoke", staff=user)
    duties.congratulated(silent, timezone.localdate().year, outcome="wrote", staff=user)
    assert Task.objects.get().outcome == "spoke"
    assert names(worklist.waiting(user)) == ["Allowed"]


def evidence(customer):
    from crm.models import ConsentEvent

    return ConsentEvent.objects.create(
        person_key=customer.person_key, purpose_id="birthday", channel="email", action="given", method="paper",
        occurred_at=timezone.now(),
    )  # fmt: skip


def test_the_bare_address_and_the_log_in_lead_to_what_waits(as_staff, settings):
    browser = as_staff()
    assert browser.get("/").headers["Location"] == reverse("today") == reverse(settings.LOGIN_REDIRECT_URL)
    assert "Nothing waits today" in text_of(browser.get(reverse("today")))


def test_an_alert_is_finished_from_the_list_and_can_be_taken_back(as_staff):
    customer, browser = alarmed(), as_staff()
    EmailFactory(customer=customer, kind="phone", is_primary=True, value="0551 12345", normal="+4955112345")
    task = Task.objects.get()
    page = text_of(browser.get(f"{reverse('today')}?open=task-{task.pk}"))
    assert "“irritated”, “hurried”" in page and "0551 12345" in page and "1 person waits" in page
    url = reverse("finish_task", args=[task.pk])
    refused = text_of(browser.post(url, {"outcome": "hugged", "next": "/today/"}, follow=True))
    assert "It is not finished" in refused and Hold.objects.get().lifted_at is None
    done = text_of(browser.post(url, {"outcome": "spoke", "note": "Said sorry.", "next": "/today/"}, follow=True))
    assert "Advertising may go to this customer again" in done and "1 is done" in done
    assert Hold.objects.get().lifted_at and Task.objects.get().closed_by == browser.user
    again = text_of(browser.post(reverse("reopen_task", args=[task.pk]), {"next": "/today/"}, follow=True))
    assert "1 person waits" in again and Hold.objects.get().lifted_at is None


def test_a_task_is_put_off_given_away_and_never_led_to_another_site(as_staff):
    customer, browser, other = alarmed(), as_staff(), UserFactory()
    task, due = Task.objects.get(), Task.objects.get().due_at
    answer = browser.post(reverse("put_off_task", args=[task.pk]), {"next": "https://evil.example/"})
    assert answer.headers["Location"] == reverse("customer", args=[customer.pk])
    browser.post(reverse("give_task", args=[task.pk]), {"owner": other.pk})
    task.refresh_from_db()
    assert task.due_at > due and task.owner == other
    browser.post(reverse("give_task", args=[task.pk]), {"owner": "999999"})
    task.refresh_from_db()
    assert task.owner == other


def test_a_promised_call_stands_on_the_list_of_its_day(as_staff):
    customer, browser = CustomerFactory(), as_staff()
    when = timezone.localtime() + timedelta(minutes=90)
    given = {"text": "Delivery plan?", "day": when.date().isoformat(), "hour": f"{when:%H:%M}"}
    browser.post(reverse("promise_call", args=[customer.pk]), given)
    assert Task.objects.get().owner == browser.user
    assert "Delivery plan?" in text_of(browser.get(reverse("today")))
    page = text_of(
        browser.post(reverse("promise_call", args=[customer.pk]), given | {"day": "2001-01-01"}, follow=True)
    )
    assert "This time has passed" in page and Task.objects.count() == 1
    assert "Delivery plan?" in text_of(browser.get(f"/customers/{customer.pk}/"))


def test_only_who_may_edit_finishes_and_only_who_may_sees_the_number(as_staff):
    customer = alarmed()
    EmailFactory(customer=customer, kind="phone", is_primary=True, value="0551 12345", normal="+4955112345")
    marketer = as_staff("marketer")
    page = text_of(marketer.get(f"{reverse('today')}?open=task-{Task.objects.get().pk}"))
    assert "0551" not in page and "How did it go?" not in page
    assert marketer.post(reverse("finish_task", args=[Task.objects.get().pk]), {"outcome": "spoke"}).status_code == 403


def test_the_page_asks_as_often_for_forty_as_for_two(as_staff, count_queries):
    browser = as_staff()

    def fill(number):
        for _ in range(number):
            alarmed(), born_today()
            ComplaintFactory(due_at=timezone.now())
            duties.promise(CustomerFactory(), text="Call", due_at=timezone.now(), owner=None)

    fill(2)
    browser.get(reverse("today"))
    few = count_queries(lambda: browser.get(reverse("today")))
    fill(38)
    assert count_queries(lambda: browser.get(reverse("today"))) == few
    page = text_of(browser.get(reverse("today")))
    assert "60 more come up" in page and "100 more" not in page


def test_erased_people_wait_for_nothing(as_staff):
    customer = alarmed()
    ComplaintFactory(customer=customer, due_at=timezone.now())
    url = reverse("finish_task", args=[Task.objects.get().pk])
    erasure.erase(customer.pk)
    assert not Task.objects.exists() and not Complaint.objects.exists()
    assert worklist.waiting(UserFactory()).waiting == 0
    assert as_staff().post(url, {"outcome": "spoke"}).status_code == 404


def test_a_task_of_an_erased_record_cannot_be_finished(as_staff):
    customer = alarmed()
    Customer.objects.filter(pk=customer.pk).update(erased_at=timezone.now())
    url = reverse("finish_task", args=[Task.objects.get().pk])
    assert as_staff().post(url, {"outcome": "spoke"}).status_code == 404
    assert not worklist.waiting(UserFactory()).groups
