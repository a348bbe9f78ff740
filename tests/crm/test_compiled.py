"""A query written once answers as the query set that it was written from."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection
from django.db.models import Count, F, QuerySet
from django.utils.timezone import now

from crm.compiled import compiled
from crm.models import ApiKey, Customer, Purchase, Source
from tests.factories import CustomerFactory, PurchaseFactory, SourceFactory

pytestmark = pytest.mark.django_db


@compiled
def of(customer: int, since: date, *, limit: int) -> QuerySet[Purchase]:
    bought = Purchase.objects.filter(customer=customer, ordered_on__gte=since).select_related("customer")
    return bought.prefetch_related("lines").order_by("ordered_on", "pk")[:limit]


@compiled
def numbers(customers: tuple[int, ...]) -> QuerySet[Purchase, dict]:
    bought = Purchase.objects.filter(customer__in=customers)
    return bought.order_by("customer").values("customer").annotate(n=Count("pk"))


@compiled
def names(customer: int) -> QuerySet[Customer, tuple]:
    own, other = Customer.objects.filter(pk=customer), Customer.objects.exclude(pk=customer)
    return own.values_list("family_name").union(other.values_list("family_name"), all=True)


@compiled
def keys(source: str) -> QuerySet[ApiKey]:
    return ApiKey.objects.select_related("source").filter(source__name=source)


@compiled
def doubled(customer: int) -> QuerySet[Customer]:
    return Customer.objects.annotate(double=F("pk") * 2).filter(pk=customer)


@pytest.fixture
def two() -> tuple[Customer, Customer]:
    first, second = CustomerFactory(family_name="100 %"), CustomerFactory(family_name="Beispiel")
    for day in (1, 2, 3):
        PurchaseFactory(customer=first, ordered_on=date(2026, 3, day))
    PurchaseFactory(customer=second, ordered_on=date(2026, 3, 2))
    return first, second


def days(purchases: list[Purchase]) -> list[int]:
    return [one.ordered_on.day for one in purchases]


def test_each_customer_gets_their_own_rows(two, django_assert_num_queries):
    first, second = two
    of(first.pk, date(2026, 3, 1), limit=5)
    with django_assert_num_queries(2):  # the purchases and their lines
        found = of(first.pk, date(2026, 3, 2), limit=5)
        assert [list(one.lines.all()) for one in found] == [[], []]
        assert {one.customer.family_name for one in found} == {"100 %"}
    assert days(found) == [2, 3]
    assert days(of(second.pk, date(2026, 1, 1), limit=5)) == [2]


def test_a_limit_is_written_into_the_query(two):
    assert days(of(two[0].pk, date(2026, 1, 1), limit=1)) == [1]
    assert days(of(two[0].pk, date(2026, 1, 1), limit=2)) == [1, 2]


def test_a_tuple_says_among_whom(two):
    first, second = two
    assert numbers((first.pk, second.pk)) == [{"customer": first.pk, "n": 3}, {"customer": second.pk, "n": 1}]
    assert numbers((second.pk,)) == [{"customer": second.pk, "n": 1}]
    with pytest.raises(ValueError, match="among no values"):
        numbers(())


def test_queries_put_together_keep_their_places(two):
    assert [name for (name,) in names(two[1].pk)] == ["Beispiel", "100 %"]


@pytest.mark.django_db(transaction=True)
def test_every_thread_asks_by_its_own_connection(two):
    def elsewhere() -> list[int]:
        try:
            return days(of(two[0].pk, date(2026, 1, 1), limit=5))
        finally:
            connection.close()

    assert days(of(two[1].pk, date(2026, 1, 1), limit=5)) == [2]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result() == [1, 2, 3]


def test_a_joined_record_is_a_whole_one_that_can_be_saved(django_assert_num_queries):
    ApiKey.issue(SourceFactory(name="till"), ["coupons:redeem"], now())
    with django_assert_num_queries(1):
        (key,) = keys("till")
        assert (key.scopes, key.source.name) == (["coupons:redeem"], "till")
    key.source.name = "shop"
    key.source.save()
    assert keys("till") == [] and Source.objects.get().name == "shop"


def test_what_the_driver_cannot_read_alone_and_what_is_worked_out_arrive_too():
    customer = CustomerFactory(attributes={"a": [1, None]})
    (found,) = doubled(customer.pk)
    assert (found.attributes, found.double) == ({"a": [1, None]}, 2 * customer.pk)
