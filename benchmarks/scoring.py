"""How long judging takes, as ratios to a plain aggregate of the same purchases measured in the same run.

    python -m benchmarks.scoring [--customers 1000000] [--purchases 10] [--rounds 5]

Works on a PostgreSQL of its own in a throw-away folder (or in STAMMKUNDE_VAR, kept). Goals: metrics ≤ 3, the whole
judgement ≤ 8 times the aggregate; 1 changed customer ≤ 10 ms, 1,000 ≤ 250 ms, 10,000 ≤ 1.5 s.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CUSTOMERS = """
INSERT INTO crm_customer (family_name, given_name)
SELECT 'Muster' || i, 'Kim' FROM generate_series(1, %(customers)s) i"""
PURCHASES = """
INSERT INTO crm_purchase (source_id, external_id, customer_id, ordered_at, ordered_on, status, place, currency,
  gross, returned, net, categories, version)
SELECT %(source)s, 'p' || c.id || '-' || n, c.id, at, at::date, CASE WHEN hashint4(c.id::int * 31 + n) %% 20 = 0 THEN
    'cancelled' ELSE 'paid' END, CASE WHEN (c.id + n) %% 5 = 0 THEN 'web' ELSE 'shop ' || c.id %% 4 END,
  'EUR', 10 + abs(hashint4(n)) %% 90, 0, 10 + abs(hashint4(n)) %% 90,
  ARRAY[%(category)s + c.id %% 12, %(category)s + (c.id * n) %% 12], at
FROM crm_customer c CROSS JOIN LATERAL generate_series(1, 1 + abs(hashint8(c.id)) %% (2 * %(purchases)s - 1)) n
  CROSS JOIN LATERAL (SELECT now() - interval '1 day' * (abs(hashint8(c.id * 7919 + n)) %% 1095)) d(at)"""
ANSWERS = """
INSERT INTO crm_answer (customer_id, response, item, value, form, answered_at)
SELECT c.id, md5(c.id::text)::uuid, item, abs(hashint8(c.id)) %% 11, '', now() - interval '1 day' * (c.id %% 500)
FROM crm_customer c, unnest(ARRAY['csat', 'trust', 'commitment']) item WHERE c.id %% 20 = 0"""
# The limit: one index-only pass over the purchases, grouped by customer.
AGGREGATE = """
SELECT count(a.*) FROM (SELECT customer_id, count(*), sum(net), min(ordered_on), max(ordered_on) FROM crm_purchase
  WHERE customer_id IS NOT NULL AND status IN ('paid', 'completed') AND net > 0 GROUP BY customer_id) a"""


def timed(job: Callable[[], Any]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def generate(customers: int, purchases: int) -> None:
    from django.db import connection

    from crm.models import Category, Source

    source = Source.objects.create(name="benchmark")
    made = [Category(source=source, external_id=str(at), name=f"Category {at}") for at in range(12)]
    first = Category.objects.bulk_create(made)[0].pk
    named = {"customers": customers, "purchases": purchases, "source": source.pk, "category": first}
    with connection.cursor() as cursor:
        for statement in (CUSTOMERS, PURCHASES, ANSWERS):
            cursor.execute(statement, named)
        cursor.execute("VACUUM ANALYZE crm_customer, crm_purchase, crm_answer")


def measure(rounds: int) -> None:
    from django.db import connection, transaction

    from crm import changed
    from crm.models import Customer, Purchase
    from loyalty import rules, scoring
    from loyalty.models import Assessment

    def aggregate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
            cursor.execute(AGGREGATE)
            cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")

    def only_metrics() -> None:
        run, in_force = scoring.present_run(), rules.current()
        with transaction.atomic(), connection.cursor() as cursor:
            scoring.side_by_side(cursor, scoring._parts(cursor, run), lambda own, part: scoring._refresh(own, part, in_force))

    def some(how_many: int) -> Callable[[], Any]:
        ids = list(Customer.objects.order_by("?").values_list("pk", flat=True)[:how_many])

        def run() -> None:
            assert scoring.score_changed(limit=how_many) == how_many

        Purchase.objects.filter(customer__in=ids).update(net=11, gross=11)
        changed.mark(ids)
        return run

    print(f"first run (all rows new): {timed(scoring.score_all):.2f} s")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE loyalty_metrics, loyalty_assessment")
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, job in (("aggregate", aggregate), ("metrics", only_metrics), ("everything", scoring.score_all)):
            found.setdefault(name, []).append(timed(job))
        for how_many in (1, 1_000, 10_000):
            if how_many * 10 < Customer.objects.count():
                found.setdefault(f"{how_many:,} changed", []).append(timed(some(how_many)))
    limit = statistics.median(found["aggregate"])
    assert Assessment.objects.count() == Customer.objects.count()
    print(f"{Customer.objects.count():,} customers, {Purchase.objects.count():,} purchases")
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        print(f"{name:<16} {middle * 1000:>10.1f} ms  {middle / limit:>8.3f} x the aggregate")


def main(measure: Callable[[int], None] = measure, about: str = __doc__ or "", rounds: int = 5) -> None:
    """Run a measurement on an installation of its own, or on the one that STAMMKUNDE_VAR names, filled if it is empty."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--purchases", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    kept = bool(os.environ.get("STAMMKUNDE_VAR"))
    folder = os.environ.get("STAMMKUNDE_VAR") or tempfile.mkdtemp(prefix="stammkunde-benchmark-")
    Path(folder).chmod(0o711)  # the server has a user of its own where we are root
    os.environ |= {"STAMMKUNDE_VAR": folder, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    from config import embedded
    from crm.models import Customer

    call_command("migrate", verbosity=0)
    if not Customer.objects.exists():
        print(f"generated in {timed(lambda: generate(options.customers, options.purchases)):.0f} s")
    measure(options.rounds)
    if not kept:
        embedded.discard()


if __name__ == "__main__":
    main()
