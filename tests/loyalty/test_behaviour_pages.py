"""The pages about cohorts, behaviour and what-if, and what the profile says of the future."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.models import Customer
from loyalty import lifetime_value, scoring
from loyalty.lifetime_panel import rounded
from loyalty.models import Assessment, LifetimeFit, LifetimeValue, RuleSet
from loyalty.what_if import factor, gain, more_retention, rise
from tests.factories import NOW, UserFactory
from tests.loyalty.crowd import crowd, judged_crowd

pytestmark = pytest.mark.django_db

PAGES = ("cohorts", "behaviour", "what-if")


@pytest.fixture
def marketer():
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def words(response):
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def fitted(**values):
    """A fit that may be shown."""
    made = {
        "as_of": NOW.date(), "since": NOW.date(), "customers": 400, "repeaters": 150, "months": 12, "margin": 1,
        "discount_rate": 0.1, "rules_version": 1, "predicted": 95, "actual": 100, "test_from": NOW.date(),
        "parameters": {"r": 0.2, "alpha": 4, "a": 0.8, "b": 2}, "spending": {"p": 6, "q": 4, "gamma": 15},
    }  # fmt: skip
    return LifetimeFit.objects.create(**made | values)


# The arithmetic


@pytest.mark.parametrize(("r", "points", "rises"), [(0.80, 5, 0.275), (0.60, 5, 0.204), (0.90, 5, 0.407)])
def test_retention_is_worth_what_the_specification_says(r, points, rises):
    assert gain(r, points, 0.10) == pytest.approx(rises, abs=0.0006)
    assert factor(0.80, 0.10) == pytest.approx(2.667, abs=0.001) and factor(0.85, 0.10) == pytest.approx(3.4)


def test_retention_cannot_exceed_one_and_nobody_can_stay():
    assert gain(1, 5, 0.1) == 0 and gain(0, 5, 0.1) == 0
    assert gain(0.98, 5, 0.1) == pytest.approx(factor(1, 0.1) / factor(0.98, 0.1) - 1)
    for r, d in ((1.01, 0.1), (-0.01, 0.1), (0.5, 0)):
        with pytest.raises(ValueError):
            factor(r, d)


def test_own_retention_with_its_range_and_worth():
    found = {"retention": [80, 100], "buyers": [50, 5_000.0, 600_000.0], "stages": {}}
    kept = more_retention(found, 5, 0.10, 0.5)
    assert kept.gain == pytest.approx(0.275) and kept.gains[0] <= kept.gain <= kept.gains[1]
    assert kept.worth == pytest.approx(50 * 50 * (3.4 - 8 / 3))
    assert kept.worths[0] < kept.worth < kept.worths[1]


def test_the_range_holds_the_least_gain_inside_the_interval():
    # At d = 10 % one point gains least around r = 0.545; both ends of this interval gain more.
    kept = more_retention({"retention": [54, 100], "buyers": [0, 0, 0], "stages": {}}, 1, 0.10, 1)
    assert kept.gains[0] == pytest.approx(min(gain(r / 1000, 1, 0.1) for r in range(442, 635)), rel=1e-4)


def test_customers_who_rise_bring_the_difference_of_the_stages():
    stage = {"n": 10, "total": 100.0, "squares": 1_090.0, "median": 9.0, "median_low": 7.0, "median_high": 12.0}
    above = {"n": 5, "total": 150.0, "squares": 4_540.0, "median": 30.0, "median_low": 25.0, "median_high": 36.0}
    found = {"retention": [0, 0], "buyers": [0, 0, 0], "stages": {"repeat": stage, "regular": above}}
    risen = rise(found, "repeat", 4, 0.5)
    assert risen.mean.value == pytest.approx(10) and risen.worth == pytest.approx(40)
    assert risen.worths[0] < 40 < risen.worths[1]
    assert risen.median == pytest.approx(10.5)
    assert rise(found, "repeat", 99, 1).n == 10  # no more than stand there
    assert rise(found, "loyal", 4, 1).worth is None
    with pytest.raises(KeyError):
        rise(found, "ambassador", 1, 1)


# The pages


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_shop_is_told_so(marketer, page):
    scoring.score_all()
    assert "Nobody" in words(marketer.get(f"/insights/{page}/"))


@pytest.mark.parametrize("page", PAGES)
def test_a_single_customer_breaks_nothing(marketer, page):
    judged_crowd([400, 20])
    assert "unknown" in words(marketer.get(f"/insights/{page}/")) or page == "cohorts"


@pytest.mark.parametrize("page", PAGES)
def test_customers_who_are_all_alike_break_nothing(marketer, page):
    judged_crowd(*([[500, 300, 100]] * 12))
    assert "12" in words(marketer.get(f"/insights/{page}/"))


def test_every_rate_stands_with_its_name_interval_and_number(marketer):
    judged_crowd([700, 400, 20], [500, 480], [100], [5])
    shown = words(marketer.get("/insights/behaviour/"))
    for name in ("WKR-K, customers", "WKR-B, orders", "WKR-P, 30 days", "WKR-P, 365 days", "WKR-H, 90 days"):
        assert name in shown
    assert "50.0% (15.0% to 85.0%)" in shown  # Wilson's interval of 2 of 4
    assert "self-report" in shown
    assert "the model needs 300" in shown or "has not run yet" in shown


def test_the_days_of_the_cohort_rate_can_be_chosen_and_nonsense_is_the_preset(marketer):
    judged_crowd([300, 271], [300])
    assert "WKR-H, 30 days" in words(marketer.get("/insights/behaviour/?days=30"))
    assert "WKR-H, 90 days" in words(marketer.get("/insights/behaviour/?days=31"))
    RuleSet.objects.create(version=2, values={"repurchase_days": 45})
    assert "WKR-H, 45 days" in words(marketer.get("/insights/behaviour/?days=x"))


@pytest.mark.parametrize("show", ["share", "customers", "revenue", "nonsense"])
def test_cohorts_in_each_measure(marketer, show):
    judged_crowd([60, 25], [50], net=[[10, 40], [5]])
    page = marketer.get(f"/insights/cohorts/?show={show}")
    assert "Sep 2026" in words(page)
    assert "cohort=2026-09.1" in page.content.decode()
    if show == "revenue":
        assert "€40.00" in words(page)


def test_tables_are_files_too(marketer):
    judged_crowd([60, 25], [50], [400, 20])
    for page, tables in (
        ("cohorts", ["cohorts-coming-back", "cohorts-share"]),
        ("behaviour", ["repurchase", "repurchase-cohorts", "intervals", "cross-buying", "rfm", "rfm-classes"]),
        ("what-if", ["retention", "stage-values"]),
    ):
        for table in tables:
            file = marketer.get(f"/insights/{page}/?format=csv&table={table}")
            assert file["Content-Type"].startswith("text/csv"), table
            assert len(file.content.decode("utf-8-sig").splitlines()) > 1, table


@pytest.mark.parametrize(
    "query",
    [
        "",
        "points=5&stage=repeat&n=2",
        "points=-1&n=-5",
        "points=99999999999&n=9e9&stage=x",
        "points=²&stage=ambassador",
    ],
)
def test_sliders_are_a_plain_form_and_take_no_nonsense(marketer, query):
    judged_crowd([500, 100], [500, 60], [100], [80, 40], [600])
    shown = words(marketer.get(f"/insights/what-if/?{query}"))
    assert "Own retention: 66.7%" in shown  # the first two of three stayed
    assert "not a forecast" in shown


def test_what_if_answers_the_points_asked_for(marketer):
    judged_crowd(*([[500, 100]] * 8), *([[500]] * 2))
    assert "With 5 points more, the value of the years to come rises by 27.5%" in words(
        marketer.get("/insights/what-if/?points=5")
    )


def test_a_page_makes_as_many_queries_for_40_customers_as_for_2(marketer):
    judged_crowd([500, 100], [60])
    few = {}
    for page in PAGES:
        marketer.get(f"/insights/{page}/")
        with CaptureQueriesContext(connection) as seen:
            marketer.get(f"/insights/{page}/")
        few[page] = len(seen)
    judged_crowd(*([[500, 100]] * 20), *([[60]] * 18))
    for page in PAGES:
        with CaptureQueriesContext(connection) as seen:
            marketer.get(f"/insights/{page}/")
        assert len(seen) <= few[page], page


# The profile


def test_the_profile_says_what_to_expect_and_that_the_rule_decides(marketer):
    customer = judged_crowd([90, 60, 30])[0]
    fitted()
    LifetimeValue.objects.create(customer=customer, orders=2.4, chance=0.83, alive=0.91, order_value=25, value=58.4)
    shown = words(marketer.get(f"/customers/{customer.pk}/"))
    assert "Chance of another order in 12 months 83%" in shown
    assert "Chance of still being a customer 91%" in shown
    assert "Expected value in 12 months €58.40" in shown
    assert "From 3 order days" in shown and "95 orders of all, 100 came" in shown
    assert "the status is decided by the rule alone" in shown


def test_of_a_one_time_buyer_nobody_says_that_they_are_still_a_customer(marketer):
    customer = judged_crowd([90])[0]
    fitted()
    LifetimeValue.objects.create(customer=customer, orders=0.4, chance=0.2, order_value=25, value=10)
    shown = words(marketer.get(f"/customers/{customer.pk}/"))
    assert "Chance of another order in 12 months 20%" in shown
    assert "Chance of still being" not in shown
    assert "With one order nobody can tell" in shown


def test_a_hidden_model_says_nothing_on_the_profile(marketer):
    customer = judged_crowd([90])[0]
    fitted(hidden=[{"code": "back_test", "predicted": 10, "actual": 100}])
    LifetimeValue.objects.create(customer=customer, orders=0.4, chance=0.2)
    assert "What to expect" not in words(marketer.get(f"/customers/{customer.pk}/"))
    page = words(marketer.get("/insights/behaviour/"))
    assert "The back-test failed" in page and "predicted 10 orders, 100 came" in page


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ({"code": "customers", "n": 1, "least": 300}, "Only 1 customer has bought; the model needs 300."),
        ({"code": "test_repeaters", "n": 7, "least": 100}, "Only 7 customers had come back"),
        ({"code": "history", "n": 0, "least": 270.0}, "The history is 0 days long"),
        ({"code": "no_fit"}, "could not be fitted"),
    ],
)
def test_each_reason_is_a_sentence(marketer, reason, text):
    judged_crowd([90])
    fitted(parameters=None, spending=None, hidden=[reason])
    assert text in words(marketer.get("/insights/behaviour/"))


def test_nothing_is_certain():
    with translation.override("en"):
        assert (rounded(0.001), rounded(0.5), rounded(0.999)) == ("below 1%", "50%", "above 99%")


def test_an_erased_customer_leaves_no_expectation():
    customer = judged_crowd([90])[0]
    fitted()
    LifetimeValue.objects.create(customer=customer, orders=0.4, chance=0.2)
    Customer.objects.filter(pk=customer.pk).delete()
    assert not LifetimeValue.objects.exists() and not Assessment.objects.exists()


def test_values_are_written_for_everybody_by_a_fixed_number_of_statements(monkeypatch):
    monkeypatch.setattr(lifetime_value, "LEAST_CUSTOMERS", 1)
    monkeypatch.setattr(lifetime_value, "LEAST_REPEATERS", 1)
    monkeypatch.setattr(lifetime_value, "RATIO_BOUNDS", (0, 1e9))
    crowd([[400, 350, 200, 100, 50], [500, 300, 20], [600]])
    scoring.score_all()
    with CaptureQueriesContext(connection) as few:
        lifetime_value.refit()
    crowd([[day + 100, day + 50, day] for day in range(1, 40)])
    scoring.score_all()
    with CaptureQueriesContext(connection) as many:
        lifetime_value.refit()
    assert len(many) <= len(few) + 1
