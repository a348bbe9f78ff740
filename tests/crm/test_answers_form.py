"""Staff write down what a customer answered at the counter or on the phone."""

from uuid import uuid4

import pytest

from crm import timeline
from crm.models import Answer, ChangedCustomer, Hold, MotivatorEvidence, Task
from loyalty import scoring
from loyalty.models import Assessment
from loyalty.motivators import of_customer
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return CustomerFactory(given_name="Anna", family_name="Beispiel")


@pytest.fixture
def told(as_staff, anna):
    """told(csat=9): send the sheet as support, with what it needs."""
    browser = as_staff("support")

    def send(customer=anna, **given):
        sheet = {"sheet": str(uuid4()), "origin": "customer_self", "touchpoint": "service"} | given
        answer = browser.post(f"/customers/{customer.pk}/answers/", {k: v for k, v in sheet.items() if v is not ...})
        answer.user = browser.user
        return answer

    return send


def stored():
    return dict(Answer.objects.values_list("item", "value"))


def test_the_customers_own_words_are_stored_as_such(told, anna):
    answer = told(
        csat=9, disconfirmation=2, trust=8, commitment=0, comparison=-1, nps=10, nev_happy=8, nev_stressed=1,
        motivator_1="belonging", importance_1=9, fulfilment_1=8, motivator_2="freedom", importance_2=0,
        comment="Always friendly.",
    )  # fmt: skip
    assert answer.status_code == 302 and answer.url == f"/customers/{anna.pk}/"
    assert stored() == {
        "csat": 9, "disconfirmation": 2, "trust": 8, "commitment": 0, "comparison": -1, "nps": 10, "nev_happy": 8, "nev_stressed": 1,
    }  # fmt: skip
    assert set(Answer.objects.values_list("origin", "touchpoint", "customer")) == {
        ("customer_self", "service", anna.pk)
    }
    assert (
        Answer.objects.get(item="nev_happy").form == "short" and len(set(Answer.objects.values_list("response"))) == 1
    )
    known = of_customer(anna)
    assert known.connected and {one.motivator.code for one in known.said} == {"belonging", "freedom"}
    assert set(MotivatorEvidence.objects.values_list("recorded_by")) == {(answer.user.pk,)}
    assert ChangedCustomer.objects.filter(customer_id=anna.pk).exists(), "the scores follow"


def test_an_estimate_never_counts_as_the_customers(told, anna):
    told(origin="staff_estimate", csat=9, motivator_1="thrill", importance_1=9, fulfilment_1=9)
    assert Answer.objects.get().origin == "staff_estimate"
    known = of_customer(anna)
    assert not known.said and known.connected is None and [one.motivator.code for one in known.noted] == ["thrill"]


def test_whose_words_they_are_must_be_said(told):
    answer = told(origin=..., csat=9)
    assert answer.status_code == 422 and not stored()
    assert "Say whose words these are" in answer.content.decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Fill in at least one answer."),
        ({"comment": "Nice weather."}, "Fill in at least one answer."),
        ({"csat": 11}, "11"),
        ({"disconfirmation": 4}, "4"),
        ({"motivator_1": "thrill"}, "Say how important it is"),
        ({"importance_2": 5}, "Choose what matters to them."),
        (
            {"motivator_1": "thrill", "importance_1": 5, "motivator_2": "thrill", "importance_2": 5},
            "You chose this one twice.",
        ),
        ({"csat": 5, "touchpoint": "parking"}, "parking"),
        ({"csat": 5, "sheet": "x"}, "UUID"),
    ],
)
def test_what_cannot_be_saved_is_said_and_what_was_entered_stays(told, given, words):
    answer = told(trust="3" if given and "comment" not in given else "", **given)
    page = answer.content.decode()
    assert answer.status_code == 422 and words in page and not stored()
    assert ("checked" in page) and (given.get("comment", "") in page)


def test_a_very_bad_answer_shows_up_as_a_task_on_the_page(told, anna, as_staff):
    told(nev_irritated=8, nev_happy=2)
    task = Task.objects.get()
    assert task.customer == anna and Hold.objects.get().task == task and "irritated" in str(task.detail)
    assert "“irritated” 8 of 10" in as_staff().get(f"/customers/{anna.pk}/").content.decode()


def test_the_judgement_follows_what_was_said_but_not_what_was_guessed(told, anna):
    ben = CustomerFactory()
    told(csat=9, trust=9, commitment=9)
    told(csat=9, trust=9, commitment=9, origin="staff_estimate", customer=ben)
    scoring.score_all()
    attitudes = dict(Assessment.objects.values_list("customer_id", "attitude"))
    assert attitudes[anna.pk] == 90 and attitudes[ben.pk] is None


def test_a_sheet_sent_twice_is_stored_once(told):
    page = str(uuid4())
    for _click in range(2):
        assert told(sheet=page, csat=9, nev_irritated=9, motivator_1="thrill", importance_1=5).status_code == 302
    assert len(stored()) == 2 and Task.objects.count() == 1 and MotivatorEvidence.objects.count() == 1


def test_one_customers_sheet_cannot_be_written_into_anothers(told, anna):
    page, ben = str(uuid4()), CustomerFactory()
    told(sheet=page, csat=9)
    told(sheet=page, csat=2, trust=2, customer=ben)
    assert Answer.objects.filter(customer=anna).count() == 1 and Answer.objects.filter(customer=ben).count() == 2


def test_the_sheet_stands_in_the_timeline(told, anna):
    told(csat=9, comment="Always friendly.")
    entries = [entry for _month, group in timeline.months(anna, "voice", None).groups for entry in group]
    assert [entry.own_words for entry in entries] == ["Always friendly."]


def test_only_who_may_edit_customers_records_answers(as_staff, anna):
    assert as_staff("marketer").get(f"/customers/{anna.pk}/answers/").status_code == 403
    page = as_staff("support").get(f"/customers/{anna.pk}/")
    assert f"/customers/{anna.pk}/answers/" in page.content.decode()
    gone = CustomerFactory(merged_into=anna)
    assert as_staff("support").get(f"/customers/{gone.pk}/answers/").status_code == 404


def test_the_emotions_come_in_another_order_on_each_sheet(as_staff, anna):
    browser = as_staff()
    orders = set()
    for _sheet in range(5):
        form = browser.get(f"/customers/{anna.pk}/answers/").context["form"]
        orders.add(tuple(scale.field.name for scale in form.feelings))
    assert len(orders) > 1


def test_without_an_app_that_names_motivators_the_sheet_asks_for_none(alone, as_staff, anna):
    browser = as_staff()
    assert "What matters to them" not in browser.get(f"/customers/{anna.pk}/answers/").content.decode()
    sent = {"sheet": str(uuid4()), "origin": "customer_self", "touchpoint": "service", "csat": 4}
    assert browser.post(f"/customers/{anna.pk}/answers/", sent).status_code == 302 and stored() == {"csat": 4}


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_stored_once(told):
    page = str(uuid4())
    at_once(3, lambda: told(sheet=page, nev_irritated=9, motivator_1="thrill", importance_1=5))
    assert len(stored()) == 1 and Task.objects.count() == 1 and MotivatorEvidence.objects.count() == 1
