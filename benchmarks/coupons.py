"""Redemptions per second, distinct codes and one hot code, as a ratio to the bare statement; and a million codes made.

    python -m benchmarks.coupons [--codes 4000] [--rounds 5] [--clients 4] [--make 1000000]

Works on a PostgreSQL of its own in a throw-away folder. The limit runs the one guarding statement, with as many
connections and a commit each; the product passes all of Django (middleware, key, idempotency, throttle) but no socket.
Both take turns within a round. Every answer is checked, and the ledger is counted again at the end.
"""

# ruff: noqa: E402 - settings are chosen before they are read
import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from uuid import uuid4

FOLDER = tempfile.mkdtemp(prefix="stammkunde-benchmark-")
Path(FOLDER).chmod(0o711)  # the server has a user of its own where we are root
os.environ |= {"STAMMKUNDE_VAR": FOLDER, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings"}

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from config import embedded
from crm.models import ApiKey, Shop, Source
from loyalty.coupons import issuing, statements
from loyalty.coupons.issuing import Wanted
from loyalty.models import Coupon, CouponBatch, CouponEntry, Redemption

BASKET = {"total": "50.00", "currency": "EUR"}


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        Shop.current()
        self.source = Source.objects.create(name="benchmark")
        self.key = ApiKey.issue(self.source, ["coupons:redeem"], datetime.now(UTC) + timedelta(days=1))[1]
        self.batch = CouponBatch.objects.create(title="Five off", kind="amount", value=5)
        self.batch.refresh_from_db()

    def share(self) -> int:
        return self.options.codes // self.options.clients

    def fresh(self) -> list[list[str]]:
        """New codes, a list for each client."""
        made = issuing.issue(self.batch, [Wanted()] * (self.share() * self.options.clients))
        return [made[client :: self.options.clients] for client in range(self.options.clients)]

    def hot(self) -> list[list[str]]:
        """The same code for everybody, as often as it is asked for."""
        (code,) = issuing.issue(self.batch, [Wanted(uses=self.share() * self.options.clients)])
        return [[code] * self.share()] * self.options.clients

    def at_once(self, work: str, codes: list[list[str]]) -> float:
        connection.close()
        with get_context("fork").Pool(self.options.clients) as pool:
            return max(pool.map(in_process, [(self, work, mine) for mine in codes]))


def in_process(task: tuple[Bench, str, list[str]]) -> float:
    bench, work, codes = task
    seconds = bare(bench, codes) if work == "bare" else over_rest(bench, codes)
    connection.close()
    return seconds


def bare(bench: Bench, codes: list[str]) -> float:
    ids = dict(Coupon.objects.filter(code__in=codes).values_list("code", "pk"))
    parameters = {
        "customer": None, "day": now().date(), "discount": Decimal(5), "basket": Decimal(50), "reference": "", "until": None,
        "state": "redeemed", "moment": now(), "source": bench.source.pk, "staff": None, "place": "",
    }  # fmt: skip
    begun = perf_counter()
    with connection.cursor() as cursor:
        for code in codes:
            cursor.execute(statements.USE, parameters | {"coupon": ids[code]})
            assert cursor.fetchone()
    return perf_counter() - begun


def over_rest(bench: Bench, codes: list[str]) -> float:
    client = Client(headers={"Authorization": f"Bearer {bench.key}", "Host": "localhost"})
    begun = perf_counter()
    for code in codes:
        answer = client.post(
            "/api/v1/coupons/redeem", {"code": code, "basket": BASKET}, content_type="application/json",
            headers={"Idempotency-Key": uuid4().hex},
        )  # fmt: skip
        assert answer.status_code == 201, answer.content[:300]
    return perf_counter() - begun


def measure(bench: Bench) -> None:
    count = bench.share() * bench.options.clients
    variants: dict[str, tuple[Callable[[], list[list[str]]], str, str]] = {
        "distinct codes, bare statement (limit)": (bench.fresh, "bare", ""),
        "distinct codes, REST": (bench.fresh, "rest", "distinct codes, bare statement (limit)"),
        "one hot code, bare statement (limit)": (bench.hot, "bare", ""),
        "one hot code, REST": (bench.hot, "rest", "one hot code, bare statement (limit)"),
    }
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _round in range(bench.options.rounds):
        for name, (codes, work, _of) in variants.items():
            rates[name].append(count / bench.at_once(work, codes()))
    wanted = bench.options.rounds * len(variants) * count
    counted = Redemption.objects.count(), CouponEntry.objects.filter(step="redeemed").count()
    assert counted == (wanted, wanted), (counted, wanted)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(used) FROM loyalty_coupon")
        assert cursor.fetchone()[0] == wanted
    for name, (_codes, _work, of) in variants.items():
        share = f"{statistics.median(rates[name]) / statistics.median(rates[of]):6.0%} of the limit" if of else ""
        print(f"{name:42} {statistics.median(rates[name]):9,.0f} /s {share}")
    print(f"counted: {counted[0]:,} redemptions, as many entries and uses")


def make(bench: Bench) -> None:
    begun = perf_counter()
    made = issuing.many(bench.batch, bench.options.make)
    seconds = perf_counter() - begun
    assert made == bench.options.make
    print(f"{made:,} codes made in {seconds:.1f} s ({made / seconds:,.0f} /s), each with its entry")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("codes", 4_000), ("rounds", 5), ("clients", 4), ("make", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    try:
        call_command("migrate", verbosity=0)
        bench = Bench(options)
        # The limits of one source would be what is measured; counting against them is part of the price.
        from loyalty.coupons import guarding

        guarding.BY_SOURCE = tuple(replace(limit, most=10**9) for limit in guarding.BY_SOURCE)
        measure(bench)
        make(bench)
    finally:
        connection.close()
        embedded.discard()


if __name__ == "__main__":
    main()
