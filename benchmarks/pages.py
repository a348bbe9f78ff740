"""How long the pages of a shop of many customers take in the server: list, search, profile, Today, insights.

    STAMMKUNDE_VAR=/some/folder python -m benchmarks.pages [--rounds 20] [--slow]

Works on an installation that was filled by `manage.py seed --customers 1000000` and judged by `manage.py score`; reads
only, but for one customer with 2,000 purchases, a user and a session, which go again. Every answer is checked. Time is
that of the whole request: middleware, views, queries, templates; of it CPU is what Python itself worked and SQL what its
queries took, which are the figures to compare on a machine that others load. Goals: list p50 ≤ 20 ms, p95 ≤ 50 ms; exact
search and beginnings p95 ≤ 50 ms; profile p50 ≤ 25 ms, p95 ≤ 60 ms; Today p50 ≤ 50 ms; insights p50 ≤ 300 ms, whose stored figures `manage.py score` makes
and whose past months `manage.py month_ends`.
"""

import argparse
import os
import random
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlencode

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.http import QueryDict  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils.timezone import now  # noqa: E402

import config.wsgi  # noqa: E402, F401 - memory is kept as in the web process
from crm.filters import customer_filter  # noqa: E402
from crm.models import ContactPoint, Customer, CustomerKey, Purchase, PurchaseLine, Source, User  # noqa: E402
from loyalty import scoring  # noqa: E402
from loyalty.insights import TABS  # noqa: E402

MANY = 2_000
LOOKED_AT = 5  # requests a page whose queries are timed; the quickest counts
PER_PAGE = 50
Address = Callable[[], str]


class Shop:
    """The installation, its people to ask for, and a member of staff who asks."""

    def __init__(self, great: Customer, client: Client, seed: int) -> None:
        self.great, self.client, self.dice = great, client, random.Random(seed)  # noqa: S311
        self.last = Customer.objects.order_by("-pk").values_list("pk", flat=True)[0]

    def somebody(self, **wanted: Any) -> Customer:
        """A random customer, by id, so that finding one costs nothing worth mentioning."""
        living = Customer.objects.filter(merged_into=None, erased_at=None, is_placeholder=False, **wanted)
        found = living.filter(pk__gte=self.dice.randrange(1, self.last)).order_by("pk").first() or living.first()
        assert found, f"nobody is {wanted}"
        return found

    def list(self, **query: str) -> str:
        return f"/customers/?{urlencode(query)}"

    def deep(self, **query: str) -> str:
        """A page somewhere in the order, by a key as `crm.paging` writes it."""
        from crm.paging import _write

        return self.list(**query, at=_write("f", "sort_key", self.somebody()))

    def family(self) -> str:
        return self.somebody(kind="person").family_name.split("-")[0].split()[-1]


def umlauts(name: str) -> str:
    for sign, other in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(sign, other)
    return name


def lists(shop: Shop) -> dict[str, Address]:
    pages: dict[str, Address] = {"list, first page": shop.list, "list, deep": shop.deep}
    for name, values in choices().items():
        for value in values:
            pages[f"list, {name}={value}"] = partial(shop.list, **{name: value})
            pages[f"list, {name}={value}, deep"] = partial(shop.deep, **{name: value})
    return pages


def choices() -> dict[str, list[str]]:
    """Every filter of the list with its choices; of long lists, such as staff, the first three."""
    fields = customer_filter(QueryDict(), Customer.objects.all()).form.fields
    found = {
        name: [str(value) for value, _label in getattr(field, "choices", ()) if value] for name, field in fields.items()
    }
    return {name: values if len(values) <= 9 else values[:3] for name, values in found.items()}


def searches(shop: Shop) -> dict[str, Address]:
    def of_point(kind: str) -> str:
        return ContactPoint.objects.filter(kind=kind, customer__gte=shop.somebody().pk).order_by("customer")[0].normal

    def two() -> str:
        person = shop.somebody(kind="person")
        return f"{person.given_name} {person.family_name}"

    def key() -> str:
        return CustomerKey.objects.filter(customer__gte=shop.somebody().pk).order_by("customer")[0].external_id

    def order() -> str:
        known = Purchase.objects.filter(customer__gte=shop.somebody().pk)
        return known.order_by("customer").values_list("external_id", flat=True)[0]

    return {
        "search, customer number": lambda: shop.list(q=f"K-{shop.somebody().pk}"),
        "search, e-mail": lambda: shop.list(q=of_point("email")),
        "search, beginning of e-mail": lambda: shop.list(q=of_point("email").split("@")[0] + "@"),
        "search, phone": lambda: shop.list(q=of_point("phone")),
        "search, customer key": lambda: shop.list(q=key()),
        "search, order number": lambda: shop.list(q=order()),
        "search, family name": lambda: shop.list(q=shop.family()),
        "search, umlaut written out": lambda: shop.list(q=umlauts(shop.family().lower())),
        "search, beginning of name": lambda: shop.list(q=shop.family()[:4]),
        "search, two letters": lambda: shop.list(q=shop.family()[:2]),
        "search, two words": lambda: shop.list(q=two()),
        "search, nobody": lambda: shop.list(q="Xylqorz"),
    }


def profiles(shop: Shop) -> dict[str, Address]:
    return {
        "profile": lambda: f"/customers/{shop.somebody().pk}/",
        f"profile, {MANY:,} purchases": lambda: f"/customers/{shop.great.pk}/",
    }


def insight_pages() -> dict[str, Address]:
    """Every tab as it opens first, and with the most that can be chosen on it."""
    chosen = {
        "insights_stages": ["?months=36"],
        "insights_migration": ["?span=12"],
        "insights_bond": ["?months=36"],
        "insights_feelings": ["?form=tags&by=quarter"],
        "insights_cohorts": ["?show=customers", "?show=revenue"],
        "insights_behaviour": ["?days=365"],
        "insights_what_if": ["?points=5&stage=regular&n=1000"],
    }
    pages: dict[str, Address] = {}
    for tab in TABS:
        for query in ["", *chosen.get(tab.url_name, [])]:
            address = reverse(tab.url_name) + query
            pages[f"insights, {tab.code}{query and f' {query[1:]}'}"] = partial(str, address)
    return pages


def great_buyer() -> Customer:
    """A customer with `MANY` purchases, judged."""
    source = Source.objects.order_by("pk")[0]
    buyer = Customer.objects.create(family_name="Messwert", given_name="Viele")
    made = Purchase.objects.bulk_create(
        Purchase(
            source=source, external_id=f"benchmark-{at}", customer=buyer, status="completed", currency="EUR", gross=20,
            net=20, place="Webshop", version=now(), ordered_at=(when := now() - timedelta(hours=12 * (at + 2))),
            ordered_on=when.date(),
        )
        for at in range(MANY)
    )  # fmt: skip
    PurchaseLine.objects.bulk_create(
        PurchaseLine(purchase=one, position=1, description="Hausmischung", quantity=2, unit_price=10, net=20)
        for one in made
    )
    from crm import changed

    changed.mark([buyer.pk])
    while scoring.score_changed():
        pass
    return buyer


@transaction.atomic
def forget() -> None:
    Purchase.objects.filter(external_id__in=[f"benchmark-{at}" for at in range(MANY)]).delete()
    Customer.objects.filter(family_name="Messwert", given_name="Viele").delete()


@contextmanager
def benchmark_shop(seed: int) -> Iterator[Shop]:
    """Leaves nothing behind. Raises SystemExit where nobody was seeded or judged."""
    if Customer.objects.count() < 100 or not scoring.judged_today():
        raise SystemExit("Fill this installation first: “manage.py seed --customers 1000000”, “manage.py score”.")
    staff = User.objects.update_or_create(username="benchmark", defaults={"role": User.Role.ADMIN})[0]
    client = Client(headers={"Host": "localhost"})
    client.force_login(staff)
    forget()  # what an interrupted run left
    buyer = great_buyer()
    try:
        yield Shop(buyer, client, seed)
    finally:
        client.logout()
        forget()
        staff.delete()


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(shop: Shop, rounds: int, only: str, slow: bool) -> None:
    everything = lists(shop) | searches(shop) | profiles(shop) | {"today": lambda: "/today/"} | insight_pages()
    pages = {
        name: address
        for name, address in everything.items()
        if not only or any(part in name for part in only.split("|"))
    }
    seconds: dict[str, list[float]] = {name: [] for name in pages}
    worked: dict[str, list[float]] = {name: [] for name in pages}
    asked: dict[str, float] = {}
    worst: dict[str, list[dict[str, str]]] = {}
    queries: dict[str, int] = {}
    for turn in range(rounds + LOOKED_AT):
        for name, address in pages.items():
            path = address()
            if turn < LOOKED_AT or slow:
                with CaptureQueriesContext(connection) as captured:
                    answer = shop.client.get(path)
                queries[name] = len(captured)
                took = sum(float(query["time"]) for query in captured.captured_queries)
                asked[name] = min(took, asked.get(name, took))
                worst[name] = sorted(captured.captured_queries, key=lambda query: -float(query["time"]))[:2]
                assert answer.status_code == 200, (name, path, answer.status_code)
                continue
            begun, busy = perf_counter(), process_time()
            answer = shop.client.get(path)
            seconds[name].append(perf_counter() - begun)
            worked[name].append(process_time() - busy)
            assert answer.status_code == 200, (name, path, answer.status_code)
    print(
        f"{Customer.objects.count():,} customers; {rounds} requests a page, turn and turn about; load {os.getloadavg()[0]:.1f}"
    )
    for name, times in seconds.items():
        if times:
            print(f"{name:45} p50 {statistics.median(times) * 1000:7.1f} ms  p95 {quantile(times, 0.95) * 1000:7.1f} ms"
                  f"  best {min(times) * 1000:6.1f}  CPU p50 {statistics.median(worked[name]) * 1000:5.1f}"
                  f" best {min(worked[name]) * 1000:5.1f}  SQL {asked[name] * 1000:6.1f}  {queries[name]:3} queries")  # fmt: skip
        if slow:
            for query in worst[name]:
                print(f"    {name}: {query['time']} s  {query['sql'][:1500]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="pages whose name holds this, or one of these parted by |")
    parser.add_argument("--slow", action="store_true", help="show the slowest queries of each page instead of times")
    options = parser.parse_args()
    with benchmark_shop(options.seed) as shop:
        measure(shop, options.rounds, options.only, options.slow)


if __name__ == "__main__":
    main()
