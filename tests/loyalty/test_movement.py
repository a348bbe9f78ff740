"""How the shown stage moves: up at once, down late, frozen while lapsed; and what each way of judging agrees on."""

from datetime import timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import changed
from crm.models import ChangedCustomer, Customer, Event, Purchase
from loyalty import metrics, rules, scoring, stages
from loyalty.models import Assessment, Calibration, Metrics, RuleSet, Transition
from tests.factories import NOW, AdvocacyActFactory, CustomerFactory, PurchaseFactory
from tests.loyalty.shop import DAY, after_gaps, ago, answers, buyer, fond, judged

pytestmark = pytest.mark.django_db


def on_day(days: int):
    return time_machine.travel(NOW + timedelta(days=days), tick=False)


def score_on(days: int) -> Assessment:
    with on_day(days):
        scoring.score_all()
    return Assessment.objects.get()


def bought_live(customer: Customer, days: int) -> None:
    at = NOW + timedelta(days=days)
    purchase = PurchaseFactory(customer=customer, ordered_at=at)
    Event.objects.create(kind="purchase.created", customer=customer, purchase=purchase, occurred_at=at, recorded_at=at)


def test_a_first_run_records_no_transition():
    judged(buyer(10, 20, 30))
    assert not Transition.objects.exists()
    assert not Event.objects.exists()


def test_a_live_purchase_raises_the_stage_at_once_and_says_so():
    customer = buyer(10, 20)
    judged(customer)
    bought_live(customer, 1)
    assert score_on(1).stage == "regular"
    moved = Transition.objects.get()
    assert (moved.from_stage, moved.to_stage, moved.happened_on) == ("repeat", "regular", DAY + timedelta(days=1))
    assert (moved.inputs["orders"], moved.rules_version) == (3, 1)
    told = Event.objects.get(kind="stage.changed")
    assert (told.customer, told.detail) == (customer, {"from": "repeat", "to": "regular"})
    score_on(1)
    assert Transition.objects.count() == 1


def test_a_backfilled_purchase_raises_the_stage_without_an_event():
    customer = buyer(10, 20)
    judged(customer)
    buyer(200, customer=customer)
    assert score_on(1).stage == "regular"
    assert Transition.objects.count() == 1
    assert not Event.objects.filter(kind="stage.changed").exists()


def test_a_stage_falls_only_after_it_failed_long_enough():
    RuleSet.objects.create(version=2, values={"default_cycle_days": 45})
    customer = fond(buyer(10, 40, 70))  # E = (135 + 60) / 5 = 39: half of it is below 30 days
    assert judged(customer).stage == "loyal"
    answers(customer, -1, comparison=-3)
    first = score_on(1)
    assert (first.raw_stage, first.stage, first.failing_since) == ("regular", "loyal", DAY + timedelta(days=1))
    assert score_on(30).stage == "loyal"
    fallen = score_on(31)
    assert (fallen.stage, fallen.failing_since, fallen.stage_since) == ("regular", None, DAY + timedelta(days=31))
    assert Event.objects.get(kind="stage.changed").detail == {"from": "loyal", "to": "regular"}


def test_a_stage_that_recovers_in_time_starts_afresh():
    customer = fond(buyer(10, 40, 70))
    judged(customer)
    sheet = AdvocacyActFactory(customer=customer, occurred_at=ago(350))
    assert score_on(0).stage == "ambassador"
    assert score_on(16).failing_since == DAY + timedelta(days=16)
    sheet.occurred_at = ago(0)
    sheet.save()
    found = score_on(20)
    assert (found.stage, found.failing_since) == ("ambassador", None)


def test_lapsing_freezes_the_stage():
    RuleSet.objects.create(version=2, values={"default_cycle_days": 45})
    customer = buyer(10, 40, 70)
    judged(customer)
    lapsed = score_on(400)
    assert (lapsed.status_on(DAY + timedelta(days=400)), lapsed.raw_stage, lapsed.stage) == (
        "lapsed",
        "repeat",
        "regular",
    )
    assert score_on(600).stage == "regular"
    bought_live(customer, 601)
    back = score_on(601)
    assert back.status_on(DAY + timedelta(days=601)) == "reactivated"
    assert back.stage == "regular"


def test_only_what_differs_is_written():
    for _ in range(3):
        buyer(10, 20)
    scoring.score_all()
    assert scoring.score_all().changed == 0


def test_changed_customers_are_judged_and_leave_the_queue():
    customer = buyer(10)
    others = [buyer(10) for _ in range(30)]
    scoring.score_all()
    buyer(5, customer=customer)
    buyer(5, customer=others[0])
    changed.mark([customer.pk, customer.pk])
    assert scoring.score_changed() == 1
    assert Assessment.objects.get(customer=customer).stage == "repeat"
    assert Assessment.objects.get(customer=others[0]).stage == "first_time"
    assert not ChangedCustomer.objects.exists()
    assert scoring.score_changed() == 0


def test_the_first_change_ever_judges_everybody():
    buyer(10)
    changed.mark([buyer(10).pk])
    assert scoring.score_changed() == 2


def test_a_call_takes_no_more_than_its_limit():
    customers = [buyer(10) for _ in range(60)]
    scoring.score_all()
    changed.mark(customer.pk for customer in customers[:5])
    assert [scoring.score_changed(limit=3) for _ in range(3)] == [3, 2, 0]


def test_new_rules_are_applied_to_everybody_at_the_next_change():
    customer = buyer(10, 20)
    for _ in range(30):
        buyer(10)
    scoring.score_all()
    RuleSet.objects.create(version=2, values={"regular_orders": 2})
    changed.mark([CustomerFactory().pk])
    assert scoring.score_changed() == 32
    found = Assessment.objects.get(customer=customer)
    assert (found.stage, found.rules_version) == ("regular", 2)


def test_merged_and_erased_customers_lose_their_judgement():
    kept, merged, erased = buyer(10), buyer(10), buyer(10)
    scoring.score_all()
    Customer.objects.filter(pk=merged.pk).update(merged_into=kept)
    Customer.objects.filter(pk=erased.pk).update(erased_at=NOW)
    changed.mark([merged.pk, erased.pk])
    scoring.score_changed()
    assert [row.customer for row in Assessment.objects.all()] == [kept]
    assert Metrics.objects.count() == 1


def test_a_past_day_knows_only_its_own_facts():
    customer = fond(buyer(10, 100, 130))
    outcome, standing = scoring.score_past(DAY - timedelta(days=50))
    assert outcome.judged == 1
    assert standing == [("repeat", "active", 1)]
    assert not Assessment.objects.exists()
    assert judged(customer).stage == "loyal"


def test_a_past_day_does_not_know_later_returns():
    from crm.models import PurchaseLine, Return, ReturnAllocation, ReturnLine

    customer = buyer(10, 20)
    purchase = Purchase.objects.filter(customer=customer).latest("ordered_at")
    line = PurchaseLine.objects.create(purchase=purchase, position=1, quantity=1, unit_price=10, net=10)
    back = Return.objects.create(
        source=purchase.source, external_id="r", purchase=purchase, customer=customer, returned_at=ago(2),
        returned_on=ago(2).date(), currency="EUR", net=10, version=NOW,
    )  # fmt: skip
    part = ReturnLine.objects.create(parent=back, position=1, quantity=1, unit_price=10, net=10)
    ReturnAllocation.objects.create(return_line=part, purchase_line=line, quantity=1, net=10)
    Purchase.objects.filter(pk=purchase.pk).update(returned=10, net=0)
    assert scoring.score_past(DAY - timedelta(days=3))[1] == [("repeat", "active", 1)]
    assert scoring.score_past(DAY - timedelta(days=2))[1] == [("first_time", "active", 1)]
    assert judged(customer).stage == "first_time"


def test_a_stored_past_day_is_shown_until_the_next_run():
    buyer(10, 100, 130)
    past = DAY - timedelta(days=50)
    scoring.score_past(past, store=True)
    assert (Assessment.objects.get().stage, scoring.shown_day()) == ("repeat", past)
    changed.mark([Customer.objects.get().pk])
    assert scoring.score_changed() == 0
    assert scoring.judged_today()
    scoring.score_all()
    assert (Assessment.objects.get().stage, scoring.shown_day()) == ("regular", DAY)
    assert not Transition.objects.exists()


def test_a_past_day_is_not_stored_over_a_history():
    customer = buyer(10, 20)
    judged(customer)
    buyer(30, customer=customer)
    score_on(1)
    with pytest.raises(scoring.PinnedError):
        scoring.score_past(DAY, store=True)


def test_once_a_day_is_enough():
    from loyalty import tasks

    buyer(10)
    assert tasks.score_all_once_a_day() == 1
    assert tasks.score_all_once_a_day() == 0
    with on_day(1):
        assert tasks.score_all_once_a_day() == 1


def test_judging_asks_as_many_questions_for_forty_customers_as_for_two():
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(job) -> int:
        with CaptureQueriesContext(connection) as found:
            job()
        return len(found)

    buyer(10, 20), buyer(5)
    scoring.score_all()
    few = queries(scoring.score_all)
    customers = [fond(buyer(10, 20, 50)) for _ in range(400)]
    assert queries(scoring.score_all) == few
    changed.mark(customer.pk for customer in customers[:2])
    few = queries(scoring.score_changed)
    changed.mark(customer.pk for customer in customers[2:40])
    assert queries(scoring.score_changed) == few


# What each way of judging agrees on.

HISTORIES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 800), st.sampled_from(["paid", "completed", "cancelled", "placed"])), max_size=8),
        st.lists(st.tuples(st.integers(0, 700), st.sampled_from(["csat", "trust", "commitment", "comparison"]),
                           st.integers(-3, 3)), max_size=5),
        st.lists(st.sampled_from(["own_review", "social_mention"]), max_size=2),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def build(histories, backwards: bool = False) -> list[Customer]:
    step = -1 if backwards else 1
    customers = [CustomerFactory() for _ in histories]
    for customer, (purchases, said, acts) in list(zip(customers, histories, strict=True))[::step]:
        for days, status in purchases[::step]:
            buyer(days, customer=customer, status=status)
        for days, item, value in said[::step]:
            answers(customer, days, **{item: value if item == "comparison" else value + 5})
        for kind in acts[::step]:
            AdvocacyActFactory(customer=customer, kind=kind, occurred_at=ago(20))
    return customers


def forget() -> None:
    for model in (Calibration, ChangedCustomer, RuleSet, Purchase, Customer):
        model.objects.all().delete()


def raw(customers: list[Customer]) -> list[tuple]:
    names = ("raw_stage", "attitude", "lock_in", "expected_interval", "loyalty_type", "points")
    found = {row.pop("customer"): tuple(row.values()) for row in Assessment.objects.values("customer", *names)}
    return [found[customer.pk] for customer in customers]


few_examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few_examples
@given(HISTORIES)
def test_all_chunked_changed_and_past_agree(histories):
    forget()
    customers = build(histories)
    scoring.score_all()
    everybody = raw(customers)
    calibration = Calibration.objects.get()
    scoring.score_past(DAY, store=True)
    assert raw(customers) == everybody
    Calibration.objects.update(pinned_on=None)
    for run in (customers, *[[customer] for customer in customers]):
        with scoring.connection.cursor() as cursor:
            for customer in run:
                Assessment.objects.filter(customer=customer).delete()
                Metrics.objects.filter(customer=customer).delete()
            scoring._judge_some(cursor, [customer.pk for customer in run], calibration, rules.current())
    assert raw(customers) == everybody


@few_examples
@given(HISTORIES)
def test_the_order_of_facts_does_not_matter(histories):
    forget()
    customers = build(histories)
    scoring.score_all()
    forwards = raw(customers)
    forget()
    again = build(histories, backwards=True)
    scoring.score_all()
    assert raw(again) == forwards


@few_examples
@given(HISTORIES.filter(lambda found: any(purchases for purchases, _, _ in found)), st.data())
def test_a_refund_never_raises_a_stage(histories, data):
    """At the same rhythm: own gaps weigh next to nothing here, for a refund in the middle makes one gap of two."""
    forget()
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000, "prior_intervals": 1_000})
    build(histories)
    scoring.score_all()
    before = dict(Assessment.objects.values_list("customer", "raw_stage"))
    purchase = data.draw(st.sampled_from(list(Purchase.objects.order_by("id"))))
    Purchase.objects.filter(pk=purchase.pk).update(returned=purchase.gross, net=0)
    scoring.score_all()
    ladder = [stage.code for stage in stages.STAGES]
    after = dict(Assessment.objects.values_list("customer", "raw_stage"))
    assert all(ladder.index(after[pk]) <= ladder.index(before[pk]) for pk in before)


def test_a_refund_in_the_middle_can_raise_a_stage_by_the_longer_interval_alone():
    """The interval expected grows, and with it the time in which two orders must lie."""
    customer = buyer(374, 373, 366, 298)
    assert judged(customer).raw_stage == "repeat"
    middle = Purchase.objects.get(customer=customer, ordered_on=DAY - timedelta(373))
    Purchase.objects.filter(pk=middle.pk).update(returned=middle.gross, net=0)
    after = judged(customer)
    assert (after.raw_stage, round(after.expected_interval, 1)) == ("regular", 69.2)


@few_examples
@given(HISTORIES, st.integers(0, 900), st.sampled_from(["csat", "trust", "commitment", "comparison", "involvement"]))
def test_more_evidence_never_turns_known_into_unknown(histories, days, item):
    forget()
    customers = build(histories)
    scoring.score_all()
    known = [row.attitude is not None for row in Assessment.objects.order_by("customer")]
    for customer in customers:
        answers(customer, days, **{item: 2})
    scoring.score_all()
    still = [row.attitude is not None for row in Assessment.objects.order_by("customer")]
    assert all(after for before, after in zip(known, still, strict=True) if before)


def test_facts_of_one_customer_are_those_of_all():
    customer = fond(after_gaps([30, 40], 5))
    buyer(3)
    scoring.score_all()
    assert metrics.columns()[0] == "customer_id"
    assert Metrics.objects.get(customer=customer).orders == 3
