"""Where customers stand, on their page, in the list and in the overview of all."""

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from crm.display import number
from crm.models import Shop
from loyalty import scoring
from loyalty.explain import explain
from loyalty.models import Assessment, Transition
from loyalty.overview import Share, overview
from loyalty.panels import ladder
from tests.factories import (
    NOW,
    AssessmentFactory,
    BarrierFactFactory,
    ComplaintFactory,
    CustomerFactory,
    PurchaseFactory,
    UserFactory,
)
from tests.loyalty.shop import ago, buyer, fond

pytestmark = pytest.mark.django_db


def as_role(role):
    client = Client()
    client.force_login(UserFactory(role=role), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def support():
    return as_role("support")


@pytest.fixture
def queries_of():
    def count(action):
        with CaptureQueriesContext(connection) as seen:
            action()
        return len(seen)

    return count


def words(html):
    """What is read on a page, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", str(html)).split())


def panel(client, customer, slot):
    page = client.get(f"/customers/{customer.pk}/")
    assert page.status_code == 200
    return "".join(page.context["panels"].get(slot, []))


# On the customer's page


def test_before_the_first_judgement_the_page_says_so(support):
    customer = CustomerFactory()
    assert "Not judged yet" in words(panel(support, customer, "standing"))
    assert "Bond" not in words(panel(support, customer, "side"))


def test_a_regular_customer_reads_what_is_missing_and_gets_one_button(support):
    customer = fond(buyer(5, 25, 45), 6)
    scoring.score_all()
    shown = panel(support, customer, "standing")
    assert "active" in words(shown)
    assert "is missing for “Loyal customer”" in words(shown)
    assert shown.count("btn-primary") == 1
    assert 'href="#contact"' in shown


def test_a_severe_complaint_comes_first_and_the_button_leads_to_it(support):
    customer = fond(buyer(5, 25, 45), 9)
    complaint = ComplaintFactory(customer=customer)
    scoring.score_all()
    assert f'href="/complaints/{complaint.pk}/"' in panel(support, customer, "standing")


def test_who_may_not_write_here_gets_the_next_step_without_a_button():
    customer = fond(buyer(5, 25, 45), 6)
    scoring.score_all()
    shown = panel(as_role("marketer"), customer, "standing")
    assert "btn-primary" not in shown
    assert "Next step" in words(shown)


def test_nothing_is_suggested_where_nothing_is_to_be_done(support):
    customer = CustomerFactory()
    AssessmentFactory(customer=customer, stage="ambassador", orders=0)
    scoring.score_all()
    Assessment.objects.filter(customer=customer).update(stage="ambassador")
    shown = panel(support, customer, "standing")
    assert "btn-primary" not in shown
    assert "highest stage" in words(shown)


def test_the_ladder_shows_the_day_of_each_stage_and_forgets_what_was_lost(support):
    customer = buyer(5, 25, 45)
    scoring.score_all()
    Transition.objects.all().delete()
    moves = [
        ("prospect", "repeat", 300),
        ("repeat", "regular", 200),
        ("regular", "repeat", 100),
        ("repeat", "regular", 50),
    ]
    for old, new, days in moves:
        Transition.objects.create(
            customer=customer, from_stage=old, to_stage=new, happened_on=ago(days).date(), inputs={}, rules_version=1
        )
    Assessment.objects.filter(customer=customer).update(stage_since=None)
    page = support.get(f"/customers/{customer.pk}/")
    assert page.status_code == 200
    told = explain(customer)
    told.metrics.order_days = []
    found = ladder(told.assessment, told)
    assert found == [None, ago(300).date(), ago(300).date(), ago(50).date(), None, None]


def test_the_first_two_steps_are_the_first_two_orders(support):
    customer = buyer(5, 25, 45)
    scoring.score_all()
    told = explain(customer)
    assert ladder(told.assessment, told)[:3] == [None, ago(45).date(), ago(25).date()]


def test_no_day_is_invented_for_what_the_first_judgement_found(support):
    """A fan of years is not one “since today” because the product was installed today."""
    customer = fond(buyer(5, 25, 45), 9)
    scoring.score_all()
    with translation.override("de"):
        told = explain(customer)
    assert (told.stage, told.since, ladder(told.assessment, told)[4]) == ("Loyaler Kunde", None, None)
    Transition.objects.create(
        customer=customer, from_stage="regular", to_stage="loyal", happened_on=told.assessment.stage_since, inputs={},
        rules_version=1,
    )  # fmt: skip
    with translation.override("de"):
        told = explain(customer)
    assert told.stage.startswith("Loyaler Kunde seit ") and ladder(told.assessment, told)[4] == told.since


def test_a_lapsed_customer_stood_here_last(support):
    customer = buyer(2000)
    scoring.score_all()
    shown = panel(support, customer, "standing")
    assert "is-frozen" in shown
    assert "Very probably they have gone" in words(shown)


def test_key_figures_of_purchases(support):
    customer = buyer(10, 40, gross=30)
    scoring.score_all()
    shown = words(panel(support, customer, "standing"))
    assert "€60.00, Ø €30.00" in shown
    assert "around" in shown


def test_the_bond_shows_threads_bolts_and_what_made_them(support):
    customer = fond(buyer(5, 25, 45), 8)
    BarrierFactFactory(customer=customer, signal="recurring_delivery")
    scoring.score_all()
    shown = panel(support, customer, "side")
    judged = Assessment.objects.get(customer=customer)
    assert f"Bond {number(judged.bond)}, lock-in {number(judged.lock_in)}" in words(shown)
    assert "Recurring delivery" in words(shown)
    assert "strongest bolt counts in full" in words(shown)
    assert "Satisfaction 80, weight 25" in words(shown)
    assert "our convention, rules version 1" in words(shown)


def test_an_unknown_bond_is_dashed_and_says_how_to_learn_it(support):
    customer = buyer(5)
    scoring.score_all()
    shown = panel(support, customer, "side")
    assert "l-unknown" in shown
    assert "Bond unknown" in words(shown)
    assert "Nobody has recorded it. Ask, and note it here." in words(shown)


def test_a_profile_costs_the_same_for_two_and_for_forty_purchases(support, queries_of):
    customer = fond(buyer(5, 25), 8)
    scoring.score_all()
    # Of each kind there is something before and after: what a customer has nothing of is not asked for.
    Transition.objects.create(
        customer=customer, from_stage="first_time", to_stage="repeat", happened_on=date(2026, 1, 1), inputs={},
        rules_version=1,
    )  # fmt: skip
    few = queries_of(lambda: support.get(f"/customers/{customer.pk}/"))
    buyer(*range(30, 68), customer=customer)
    scoring.score_all()
    assert queries_of(lambda: support.get(f"/customers/{customer.pk}/")) == few


# In the list


def test_the_list_shows_stage_and_status_and_filters_by_them(support):
    regular = fond(buyer(5, 25, 45), 6)
    gone, stranger = buyer(2000), CustomerFactory()
    scoring.score_all()
    page = words(support.get("/customers/").content.decode())
    assert "Regular customer" in page
    assert "lapsed" in page

    def found(query):
        return {customer.pk for customer in support.get(f"/customers/?{query}").context["page"].rows}

    assert found("stage=regular") == {regular.pk}
    assert found("status=lapsed") == {gone.pk}
    assert found("status=none") == {stranger.pk}
    assert found("bond=unknown") == {gone.pk}
    newcomer = CustomerFactory()
    assert found("stage=none") == {newcomer.pk}


def test_the_list_costs_the_same_for_two_and_for_forty_customers(support, queries_of):
    buyer(5, 25), CustomerFactory()
    scoring.score_all()
    few = queries_of(lambda: support.get("/customers/?status=active"))
    for _ in range(38):
        buyer(5, 25)
    scoring.score_all()
    assert queries_of(lambda: support.get("/customers/?status=active")) == few


# Insights


def test_without_customers_the_page_says_how_to_bring_data_in(support):
    page = words(support.get("/insights/").content.decode())
    assert "No data yet" in page
    assert "import_purchases" in page


def test_the_figures_are_those_of_the_customers(support):
    fond(buyer(5, 25, 45), 9)
    buyer(2000)
    CustomerFactory()
    erased = CustomerFactory(erased_at=NOW)
    assert erased
    PurchaseFactory(customer=None, gross=25, ordered_at=ago(3))
    PurchaseFactory(customer=CustomerFactory(is_test=True), gross=99, ordered_at=ago(3))
    scoring.score_all()
    found = overview()
    assert found.customers == 4
    assert (found.buyers, found.repurchase.part) == (2, 1)
    assert found.statuses == {"active": 1, "lapsed": 1}
    assert sum(found.stages.values()) == 4
    assert (found.revenue, found.revenue_anonymous) == (55, 25)


def test_who_is_held_but_not_bound_raises_the_alarm(support):
    customer = fond(buyer(5, 25, 45), 2)
    for signal in ("exit_fee", "prepaid_term", "owns_system", "only_supplier"):
        BarrierFactFactory(customer=customer, signal=signal)
    BarrierFactFactory(customer=customer, signal="remaining_months", value=24)
    scoring.score_all()
    assert overview().captive == 1
    page = support.get("/insights/").content.decode()
    assert "1 customer is held, not bound." in words(page)
    assert "/customers/?bond=captive" in page
    rows = support.get("/customers/?bond=captive").context["page"].rows
    assert [row.pk for row in rows] == [customer.pk]


def test_every_number_opens_as_many_people_as_it_says(support):
    fond(buyer(5, 25, 45), 9)
    fond(buyer(5, 25), 4)
    buyer(2000)
    CustomerFactory()
    scoring.score_all()
    context = support.get("/insights/").context
    for group in [*context["stages"], *context["statuses"], *context["bonds"]]:
        rows = support.get(group.url).context["page"].rows
        assert len(rows) == group.n, group


def test_who_is_not_judged_yet_is_counted_as_such(support):
    buyer(5)
    scoring.score_all()
    CustomerFactory()
    found = overview()
    assert found.unjudged == 1
    assert "1 customer is not judged yet" in words(support.get("/insights/").content.decode())


@translation.override("en")
def test_a_title_speaks_of_most_only_if_the_interval_does():
    from loyalty.views.overview import bond_title

    class Figures:
        def __init__(self, part, whole):
            self.voluntary = Share(part, whole)

    assert bond_title(Figures(0, 0)) == "It is not known yet why customers stay"
    assert bond_title(Figures(90, 100)) == "Most of those we know stay because they want to"
    assert bond_title(Figures(6, 10)) == "60% of those we know stay because they want to"
    assert bond_title(Figures(5, 100)) == "Fewer than half of those we know stay because they want to"


def test_the_interval_is_wilsons():
    low, high = Share(8, 10).interval
    assert (round(low, 2), round(high, 2)) == (0.49, 0.94)
    assert Share(0, 0).interval is None


def test_insights_cost_the_same_for_two_and_for_forty_customers(support, queries_of):
    buyer(5, 25), CustomerFactory()
    scoring.score_all()
    few = queries_of(lambda: support.get("/insights/"))
    for _ in range(38):
        fond(buyer(5, 25), 8)
    scoring.score_all()
    assert queries_of(lambda: support.get("/insights/")) == few


def test_nobody_sees_insights_without_signing_in():
    assert Client().get("/insights/").status_code == 302


def test_days_are_days_of_the_shop():
    Shop.current()
    customer = buyer(0)
    scoring.score_all()
    assert Assessment.objects.get(customer=customer).last_order_on == NOW.date()
    assert NOW.date() - timedelta(days=0) == overview().day
