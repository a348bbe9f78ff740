"""Whatever the order, the batches and the repetitions in which rows arrive: the facts end the same."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import sync
from crm.models import Source
from tests.crm.shop_rows import brought_back, facts, fixed_day, line, purchase
from tests.factories import SourceFactory

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
HOUR = timedelta(hours=1)

products = st.fixed_dictionaries(
    {"external_id": st.sampled_from(["tea", "cup", "pot"])},
    optional={
        "name": st.sampled_from(["Tea", "Green tea", None]),
        "category": st.sampled_from([None, {"external_id": "drinks", "name": "Drinks"}, {"external_id": "tableware", "name": "Tableware"}]),
    },
)  # fmt: skip
lines = st.lists(
    st.builds(
        lambda product, quantity, price: {"product": product, "quantity": quantity, "unit_price": price},
        products,
        st.integers(1, 4),
        st.sampled_from(["1.00", "2.505", "0"]),
    ),
    min_size=1,
    max_size=3,
)
customers = st.none() | st.fixed_dictionaries(
    {"external_id": st.sampled_from(["anna", "ben"])},
    optional={
        "version": st.sampled_from([fixed_day(day) for day in range(3)]),
        "given_name": st.sampled_from(["Anna", "Änne", None]),
        "email": st.sampled_from(["anna@example.test", "Anna@example.test", "ben@example.test", None]),
        "notice_version": st.sampled_from(["1", "2"]),
        "phone": st.sampled_from(["0221 4710123", "+49 221 4710123", None]),
        "birthday": st.sampled_from(["05-24", "1980-05-24", None]),
        "postal": st.sampled_from([{"city": "Köln", "country": "DE"}, {"city": "Bonn"}, None]),
        "attributes": st.sampled_from([{"club": True}, {"sizes": ["S", "M"]}, {}, None]),
    },
)
versions = st.sampled_from([fixed_day(20, hour) for hour in range(4)])
purchases = st.builds(
    lambda name, day, customer, version, status, sold: (
        "purchases",
        purchase(name, customer, fixed_day(day), version=version, status=status, lines=sold),
    ),
    st.sampled_from(["p1", "p2", "p3"]),
    st.integers(0, 6),
    customers,
    versions,
    st.sampled_from(["paid", "cancelled", "completed"]),
    lines,
)
returns = st.builds(
    lambda name, day, customer, version, reference, back: (
        "returns",
        brought_back(name, fixed_day(day), customer=customer, version=version, purchase=reference, lines=back),
    ),
    st.sampled_from(["r1", "r2", "r3"]),
    st.integers(0, 9),
    customers,
    versions,
    st.sampled_from([None, None, "p1", "p2", "p9"]),
    lines,
)
deliveries = st.lists(purchases | returns, min_size=2, max_size=12)


def deliver(source, batches):
    for batch in batches:
        answers = sync.apply(
            source,
            [row for kind, row in batch if kind == "purchases"],
            [row for kind, row in batch if kind == "returns"],
            historic=True,
        )
        assert not answers.counts["invalid"], answers


def facts_after(source, batches):
    with transaction.atomic():
        deliver(source, batches)
        found = facts()
        transaction.set_rollback(True)
    return found


@pytest.mark.django_db
@FEW
@given(st.data(), deliveries)
def test_any_order_and_any_replay_end_in_the_same_facts(data, rows):
    source = SourceFactory()
    repeated = rows + data.draw(st.lists(st.sampled_from(rows), max_size=5), label="sent again")
    shuffled = data.draw(st.permutations(repeated), label="order")
    size = data.draw(st.integers(1, len(shuffled)), label="rows a batch")
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    assert facts_after(source, batches) == facts_after(source, [[row] for row in rows])


@pytest.mark.django_db
@FEW
@given(deliveries)
def test_a_replay_answers_that_nothing_changed(rows):
    source = SourceFactory()
    with transaction.atomic():
        deliver(source, [rows])
        before = facts()
        again = sync.apply(source, [r for k, r in rows if k == "purchases"], [r for k, r in rows if k == "returns"])
        assert facts() == before
        assert not (again.counts["created"] or again.counts["updated"])
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_two_clients_at_once_lose_nothing_and_do_not_stop_each_other():
    """Both send the same days, one forwards and one backwards, with purchases and returns of the same customers."""
    source = SourceFactory()
    day = datetime(2026, 1, 1, 12, tzinfo=UTC)
    batches = [
        [
            ("purchases", purchase(f"p{n}", f"c{n % 7}", (day + n * HOUR).isoformat(), lines=[line(f"g{n % 5}", 3)]))
            for n in range(at, at + 20)
        ]
        + [
            ("returns", brought_back(f"u{n}", (day + (n + 1) * HOUR).isoformat(), customer={"external_id": f"c{n % 7}"}, lines=[line(f"g{n % 5}", 2)]))
            for n in range(at, at + 20, 3) if at % 40
        ]
        + [
            ("returns", brought_back(f"r{n}", (day + (n + 9) * HOUR).isoformat(), purchase=f"p{(n + 30) % 200}", lines=[line(f"g{n % 5}", 1)]))
            for n in range(at, at + 20, 5) if at % 40 == 0
        ]
        for at in range(0, 200, 20)
    ]  # fmt: skip
    failures = []

    def client(sent):
        try:
            deliver(source, sent)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    clients = [
        threading.Thread(target=client, args=(sent,)) for sent in (batches, batches[::-1], batches[5:] + batches[:5])
    ]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(120)
    assert not failures
    together = facts()
    wipe()
    deliver(Source.objects.get(pk=source.pk), batches)
    assert together == facts()


def wipe():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_customer, crm_purchase, crm_return, crm_product, crm_category CASCADE")
