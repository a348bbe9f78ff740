"""Feelings and motivators as staff see them: on a customer's page and over all customers."""

import csv
import io
import re

import pytest
from django.urls import reverse

from crm.models import Answer, MotivatorEvidence
from loyalty import figures, nev_facts, scoring
from loyalty.models import StoredFigure
from loyalty.motivator_list import MOTIVATORS
from tests.crm.conftest import as_staff, count_queries  # noqa: F401 - fixtures
from tests.crm.test_pages import text_of
from tests.factories import CustomerFactory, InteractionFactory
from tests.loyalty.shop import answers, buyer
from tests.loyalty.test_motivators import says
from tests.loyalty.test_nev import felt

pytestmark = pytest.mark.django_db
FEELINGS, MOVED = "insights_feelings", "insights_motivators"


def crowd(number=6, place="advice", positive=8, months=1):
    for at in range(number):
        customer = CustomerFactory()
        felt(customer, positive + at % 2, 1, 5 + 31 * (at % months))
        Answer.objects.filter(customer=customer).update(touchpoint=place)


def fresh():
    StoredFigure.objects.all().delete()


# A customer's page


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "Nobody has asked this customer how they feel"),
        (1, "mean of 1 own answer and 3 thought-of average answers"),
        (3, "mean of 3 own answers and 3 thought-of average answers"),
    ],
)
def test_a_customers_feelings_explain_themselves(as_staff, n, words):  # noqa: F811
    customer = buyer(10)
    for at in range(n):
        felt(customer, 8, 2, 10 + at)
    scoring.score_all()
    page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    assert words in page and "Estimated by the team, counts nowhere" in page
    assert ("Latest answer: +6.0" in page) == (n > 0)
    assert "Depth of loyalty (Oliver): unknown" in page


def test_the_page_asks_as_often_for_many_answers_as_for_one(as_staff, count_queries):  # noqa: F811
    few, many, browser = buyer(10), buyer(20), as_staff()
    felt(few, 8, 2), says(few, "secure", 9, 3)
    for at in range(12):
        felt(many, 8, 2, 10 + at), says(many, MOTIVATORS[at % 10].code, 9, 3)
        InteractionFactory(customer=many).emotions.create(slot=1, emotion="happy", origin="customer_self")
    InteractionFactory(customer=few).emotions.create(slot=1, emotion="happy", origin="customer_self")
    scoring.score_all()
    browser.get(f"/customers/{few.pk}/")
    cost = count_queries(lambda: browser.get(f"/customers/{few.pk}/"))
    assert count_queries(lambda: browser.get(f"/customers/{many.pk}/")) == cost


def test_staff_record_what_moves_a_customer_and_delete_it_again(as_staff):  # noqa: F811
    customer, browser = buyer(10), as_staff()
    url = reverse("record_motivator", args=[customer.pk])
    given = {"motivator": "wellbeing", "importance": "9", "fulfilment": "8", "origin": "self_report", "note": "Quiet."}
    page = text_of(browser.post(url, given, follow=True))
    assert "Recorded what moves them." in page and "9 important · 8 fulfilled" in page and "Quiet." in page
    assert "Connected: “Enjoy a sense of well-being” is among their three most important and fulfilled 8 of 10." in page
    refused = text_of(browser.post(url, given | {"motivator": "", "importance": "12"}, follow=True))
    assert "It is not recorded. Choose what matters to them." in refused and MotivatorEvidence.objects.count() == 1
    assert MotivatorEvidence.objects.get().recorded_by == browser.user
    forgotten = browser.post(reverse("forget_motivator", args=[MotivatorEvidence.objects.get().pk]), follow=True)
    assert "nothing of it is kept" in text_of(forgotten) and not MotivatorEvidence.objects.exists()


def test_a_gap_names_what_helps_and_a_guess_asks(as_staff):  # noqa: F811
    customer = buyer(10)
    says(customer, "environment", 8, 4), says(customer, "thrill", 7, origin="behaviour_hypothesis")
    page = text_of(as_staff().get(f"/customers/{customer.pk}/"))
    assert "Gap. What helps: repair" in page and "never counts: ask" in page and "not connected" in page


# All customers


@pytest.mark.parametrize("name", [FEELINGS, MOVED])
def test_a_shop_without_answers_says_what_to_do(as_staff, name):  # noqa: F811
    page = text_of(as_staff().get(reverse(name)))
    assert "Nobody has said yet" in page and "None" not in page and "nan" not in page


def test_touchpoints_that_differ_make_the_title_and_unknown_rates_are_said(as_staff):  # noqa: F811
    crowd(8, "advice", 8), crowd(8, "delivery", 2), crowd(3, "payment", 5)
    page = text_of(as_staff().get(reverse(FEELINGS)))
    assert "Advice carries, Delivery weighs it down" in page
    assert "too few answers for a value" in page and "Response rate unknown: no questionnaire was mailed" in page


def test_one_customer_and_one_answer_are_worded_right(as_staff):  # noqa: F811
    felt(CustomerFactory(), 8, 2)
    assert "too few answers: 1 customer" in text_of(as_staff().get(reverse(FEELINGS)))


@pytest.mark.parametrize(
    "query", ["", "?form=short", "?form=tags&by=quarter", "?by=quarter&at=advice", "?form=x&by=y&at=z"]
)
def test_every_number_opens_as_many_people_as_it_says(as_staff, query):  # noqa: F811
    crowd(7, "advice", 8, months=3), crowd(6, "delivery", 3, months=2)
    customer = CustomerFactory()
    felt(customer, 6, 2)
    for contact in (
        InteractionFactory(),
        InteractionFactory(touchpoint="service"),
        InteractionFactory(customer=customer),
    ):
        contact.emotions.create(slot=1, emotion="happy", origin="customer_self")
    answers(CustomerFactory(), csat=9, nps=10, disconfirmation=1)
    browser = as_staff()
    html = browser.get(reverse(FEELINGS) + query).content.decode()
    links = re.findall(r'href="(/customers/\?felt=[^"]+)">(\d+)<', html)
    assert links
    for url, n in links:
        listed = browser.get(url.replace("&amp;", "&"))
        assert len(listed.context["page"].rows) == int(n), url


def test_motivators_open_their_people(as_staff):  # noqa: F811
    for at in range(3):
        says(CustomerFactory(), "secure", 9, 2 + 6 * (at > 0))
    browser = as_staff()
    page = browser.get(reverse(MOVED))
    assert "The widest gap: “Feel secure”" in text_of(page) and "2 of 3 customers with valid answers" in text_of(page)
    for url, n in (("?moved_by=secure", 3), ("?motivator_gap=secure", 1), ("?connected=yes", 2), ("?connected=no", 1)):
        assert len(browser.get(f"/customers/{url}").context["page"].rows) == n


@pytest.mark.parametrize("bad", ["felt=x", "felt=short.a.b.c", "felt=short..month.", "felt=short..month.2026-99-01", "moved_by=gold",
                                 "motivator_gap=", "connected=perhaps", "felt=%00.%00..'"])  # fmt: skip
def test_an_address_that_no_page_wrote_breaks_nothing(as_staff, bad):  # noqa: F811
    assert as_staff().get(f"/customers/?{bad}").status_code == 200


def test_each_table_is_a_file(as_staff):  # noqa: F811
    crowd(6)
    contact = InteractionFactory()
    contact.emotions.create(slot=1, emotion="hurried", origin="staff_estimate")
    browser = as_staff()
    for code in ("nev-touchpoints", "nev-time", "nev-heat"):
        answer = browser.get(f"{reverse(FEELINGS)}?format=csv&table={code}&form=short")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert len(rows) == 2 and len(rows[0]) == len(rows[1])
    assert browser.get(f"{reverse(FEELINGS)}?format=csv&table=staff").status_code == 404


def test_a_large_shop_reads_what_was_stored(as_staff, monkeypatch, count_queries):  # noqa: F811
    crowd(6)
    scoring.score_all()
    figures.refresh_all()
    monkeypatch.setattr(figures, "SMALL", -1)
    monkeypatch.setattr(nev_facts, "GROUPS", "SELECT nothing that exists")
    browser = as_staff()
    assert "6 customers" in text_of(browser.get(reverse(FEELINGS)))
    assert count_queries(lambda: browser.get(reverse(FEELINGS))) < 20


def test_the_teams_estimates_stand_apart(as_staff):  # noqa: F811
    crowd(6)
    for _ in range(6):
        felt(CustomerFactory(), 1, 9, origin="staff_estimate")
    page = text_of(as_staff().get(f"{reverse(FEELINGS)}?form=short"))
    assert "What the team estimates counts in no headline" in page and "6 customers, 6 answers" in page
