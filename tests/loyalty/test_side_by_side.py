"""Of many customers, halves are judged on two connections at once: with the same outcome, and nothing told twice."""

import pytest

from crm.models import ChangedCustomer, Event
from loyalty import metrics, scoring
from loyalty.models import Assessment, Metrics, Transition
from tests.factories import CustomerFactory
from tests.loyalty.shop import buyer, fond

pytestmark = pytest.mark.django_db(transaction=True)
UNLIKE = {"judged_at"}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MANY", 0)


def stored() -> list[dict]:
    rows = [*Metrics.objects.order_by("pk").values(), *Assessment.objects.order_by("pk").values()]
    return [{name: value for name, value in row.items() if name not in UNLIKE} for row in rows]


def shop_of_all_kinds() -> list:
    return [CustomerFactory(), buyer(10), buyer(10, 20), fond(buyer(10, 40, 70)), buyer(400, 500), buyer(3, 3, 90)]


def test_halves_come_to_what_the_whole_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    shop_of_all_kinds()
    scoring.score_all()
    whole = stored()
    Assessment.objects.all().delete()
    Metrics.objects.all().delete()
    monkeypatch.setattr(scoring, "MANY", 0)
    outcome = scoring.score_all()
    assert stored() == whole
    assert (outcome.judged, outcome.changed, outcome.moved) == (6, 6, 0)
    assert scoring.score_all().changed == 0


def test_a_rise_in_each_half_is_told_once(many: None) -> None:
    customers = shop_of_all_kinds()
    scoring.score_all()
    for customer in (customers[0], customers[5]):
        buyer(1, customer=customer)
    assert scoring.score_all().moved == 2
    assert Transition.objects.count() == 2
    scoring.score_all()
    assert Transition.objects.count() == 2 and Event.objects.filter(kind="stage.changed").count() < 3


def test_a_half_that_fails_leaves_everybody_in_the_queue(many: None, monkeypatch: pytest.MonkeyPatch) -> None:
    customers = shop_of_all_kinds()
    ChangedCustomer.objects.bulk_create(ChangedCustomer(customer_id=one.pk) for one in customers)
    whole = scoring._refresh

    def second_fails(cursor, run, in_force):
        if run.part.startswith(">"):
            cursor.execute("SELECT 1 / 0")
        whole(cursor, run, in_force)

    with monkeypatch.context() as broken:
        broken.setattr(scoring, "_refresh", second_fails)
        with pytest.raises(Exception, match="division by zero"):
            scoring.score_all()
    assert set(ChangedCustomer.objects.values_list("customer_id", flat=True)) == {one.pk for one in customers}
    scoring.score_all()
    assert Assessment.objects.count() == 6 and not ChangedCustomer.objects.exists()


def test_many_changed_customers_are_judged_in_halves_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    customers = shop_of_all_kinds()
    scoring.score_all()
    for customer in customers:
        buyer(1, customer=customer)
    changed = [ChangedCustomer(customer_id=one.pk) for one in customers]
    halves: list[list[int]] = []
    with monkeypatch.context() as few:
        few.setattr(scoring, "MANY_CHANGED", 2)
        few.setattr(scoring, "_everybody_is_cheaper", lambda cursor, known: False)
        whole = scoring._refresh
        few.setattr(scoring, "_refresh", lambda cursor, run, rules: (halves.append(run.ids), whole(cursor, run, rules)))
        ChangedCustomer.objects.all().delete()
        ChangedCustomer.objects.bulk_create(changed)
        assert scoring.score_changed() == 6
    assert sorted(len(half) for half in halves) == [3, 3]
    assert not ChangedCustomer.objects.exists()
    found = stored()
    scoring.score_all()
    assert stored() == found and any(row.get("last_order_on") for row in found)


def test_a_part_narrows_what_is_joined_and_a_few_customers_do_not() -> None:
    assert metrics.beside("k", "> 7") == "AND k.customer_id > 7"
    assert metrics.beside("k", metrics.SOME) == metrics.beside("k", "") == ""
