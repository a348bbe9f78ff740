"""Rows per second of the batch endpoint, as a ratio to COPY into the same tables with the same indexes and keys.

    python -m benchmarks.sync [--customers 100000] [--rounds 7] [--batches 10] [--lines 2]

Works on a PostgreSQL of its own in a throw-away folder. Limit and product take turns within a round, every answer is
checked, and the rows are counted at the end. A row is a purchase; the limit copies purchases and lines whose ids and
amounts were worked out before. The request passes all of Django (middleware, key, parser) but no socket.
"""

# ruff: noqa: E402, S311 - settings are chosen before they are read; the dice are no secrets
import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

FOLDER = tempfile.mkdtemp(prefix="stammkunde-benchmark-")
Path(FOLDER).chmod(0o711)  # the server has a user of its own where we are root
os.environ |= {"STAMMKUNDE_VAR": FOLDER, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings"}

import django

django.setup()

import orjson
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client

from config import embedded
from crm import sql
from crm.models import (
    ApiKey,
    ChangedCustomer,
    Customer,
    CustomerKey,
    Event,
    Product,
    Purchase,
    PurchaseLine,
    Shop,
    Source,
)

BATCH = 1_000
PRODUCTS = 5_000
START = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.dice = random.Random(7)
        self.number = 0
        Shop.current()
        self.source = Source.objects.create(name="benchmark")
        self.key = ApiKey.issue(self.source, ["purchases:write"], datetime.now(UTC) + timedelta(days=1))[1]
        self.people = self.fill()
        self.goods = dict(Product.objects.values_list("external_id", "id"))

    def fill(self) -> dict[str, int]:
        count = self.options.customers
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO crm_customer (given_name, family_name) SELECT 'Ada', 'Beispiel' || n FROM generate_series(1, %s) n",
                [count],
            )
            cursor.execute(
                "INSERT INTO crm_customerkey (source_id, external_id, customer_id) SELECT %s, 'C' || id, id FROM crm_customer",
                [self.source.pk],
            )
            cursor.execute(
                "INSERT INTO crm_product (source_id, external_id) SELECT %s, 'G' || n FROM generate_series(1, %s) n",
                [self.source.pk, PRODUCTS],
            )
        people = dict(CustomerKey.objects.values_list("external_id", "customer_id"))
        self.copy(self.rows(count, people), people, dict(Product.objects.values_list("external_id", "id")))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        return people

    def rows(self, count: int, people: dict[str, int], fields: bool = False) -> list[Row]:
        """New purchases of customers who buy with unequal frequency."""
        made, keys = [], list(people)
        for _ in range(count):
            self.number += 1
            customer: Row = {"external_id": keys[int(self.dice.random() ** 1.6 * len(keys))]}
            if fields:
                customer |= {
                    "given_name": "Ada", "family_name": f"Muster{self.number}", "language": "de",
                    "email": f"{customer['external_id'].lower()}@example.de", "postal": {"city": "Köln"},
                }  # fmt: skip
            lines = [
                {"product": {"external_id": f"G{self.dice.randint(1, PRODUCTS)}"}, "quantity": 1, "unit_price": "19.90"}
                for _line in range(self.options.lines)
            ]
            made.append({
                "external_id": f"O{os.getpid()}-{self.number:09}", "status": "paid", "currency": "EUR",
                "ordered_at": (START + timedelta(seconds=self.number % 20_000_000)).isoformat(),
                "customer": customer, "lines": lines,
            })  # fmt: skip
        return made

    def copied(self, rows: list[Row], people: dict[str, int], goods: dict[str, int]) -> tuple[list[str], list[str]]:
        with connection.cursor() as cursor:
            ids = sql.new_ids(cursor, "crm_purchase", len(rows))
        purchases, lines = [], []
        for pk, row in zip(ids, rows, strict=True):
            gross = f"{19.9 * len(row['lines']):.2f}"
            purchases.append(
                f"{pk}\t{self.source.pk}\t{row['external_id']}\t{people[row['customer']['external_id']]}\t{row['ordered_at']}"
                f"\t{row['ordered_at'][:10]}\tpaid\tEUR\t{gross}\t{gross}\t{row['ordered_at']}\n"
            )
            for place, line in enumerate(row["lines"], 1):
                lines.append(f"{pk}\t{place}\t{goods[line['product']['external_id']]}\t\t1\t19.90\t19.90\n")
        return purchases, lines

    def copy(self, rows: list[Row], people: dict[str, int], goods: dict[str, int]) -> float:
        purchases, lines = self.copied(rows, people, goods)
        begun = perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            columns = (
                "id, source_id, external_id, customer_id, ordered_at, ordered_on, status, currency, gross, net, version"
            )
            sql.copy(cursor, "crm_purchase", columns, purchases)
            columns = "purchase_id, position, product_id, description, quantity, unit_price, net"
            sql.copy(cursor, "crm_purchaseline", columns, lines)
        return perf_counter() - begun

    def limit(self) -> float:
        return sum(
            self.copy(self.rows(BATCH, self.people), self.people, self.goods) for _ in range(self.options.batches)
        )

    def post(self, status: str, fields: bool = False, again: bool = False) -> float:
        client = Client(headers={"Authorization": f"Bearer {self.key}", "Host": "localhost"})
        bodies = [
            orjson.dumps({"purchases": self.rows(BATCH, self.people, fields)}) for _ in range(self.options.batches)
        ]
        if again:
            for body in bodies:
                client.post("/api/v1/purchases/batch", body, content_type="application/json")
        seconds = 0.0
        for body in bodies:
            begun = perf_counter()
            response = client.post("/api/v1/purchases/batch", body, content_type="application/json")
            seconds += perf_counter() - begun
            assert response.json()["counts"][status] == BATCH, response.content[:500]
        return seconds

    def at_once(self, work: str) -> float:
        """Two processes doing the same; the time of the slower one counts."""
        connection.close()
        with get_context("fork").Pool(2) as pool:
            return max(pool.map(in_process, [(self, work, seed) for seed in self.dice.sample(range(10**6), 2)]))


def in_process(task: tuple[Bench, str, int]) -> float:
    bench, work, seed = task
    bench.dice = random.Random(seed)
    seconds = bench.limit() if work == "limit" else bench.post("created")
    connection.close()
    return seconds


def measure(bench: Bench) -> None:
    rows = BATCH * bench.options.batches
    variants: dict[str, tuple[Callable[[], float], int, str]] = {
        "COPY, 1 connection (limit)": (bench.limit, rows, ""),
        "new purchases": (lambda: bench.post("created"), rows, "COPY, 1 connection (limit)"),
        "new purchases with customers' fields": (lambda: bench.post("created", fields=True), rows, "COPY, 1 connection (limit)"),
        "the same again: unchanged": (lambda: bench.post("unchanged", again=True), rows, "COPY, 1 connection (limit)"),
        "COPY, 2 connections (limit)": (lambda: bench.at_once("limit"), 2 * rows, ""),
        "new purchases, 2 clients": (lambda: bench.at_once("post"), 2 * rows, "COPY, 2 connections (limit)"),
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in variants}
    before = Purchase.objects.count(), PurchaseLine.objects.count()
    for _round in range(bench.options.rounds):
        for name, (work, count, _of) in variants.items():
            rates[name].append(count / work())
    added = Purchase.objects.count() - before[0], PurchaseLine.objects.count() - before[1]
    wanted = bench.options.rounds * sum(count for _work, count, _of in variants.values())
    assert added == (wanted, wanted * bench.options.lines), (added, wanted)
    for name, (_work, _count, of) in variants.items():
        share = f"{statistics.median(rates[name]) / statistics.median(rates[of]):6.0%} of the limit" if of else ""
        print(f"{name:40} {statistics.median(rates[name]):9,.0f} rows/s {share}")
    print(f"counted: {added[0]:,} purchases, {added[1]:,} lines, {Customer.objects.count():,} customers,"
          f" {ChangedCustomer.objects.count():,} marks, {Event.objects.count():,} events")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("customers", 100_000), ("rounds", 7), ("batches", 10), ("lines", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    try:
        call_command("migrate", verbosity=0)
        measure(Bench(options))
    finally:
        connection.close()
        embedded.discard()


if __name__ == "__main__":
    main()
