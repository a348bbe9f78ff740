"""How fast an audience becomes delivery rows, as a ratio to writing the same rows into the same table.

    python -m benchmarks.planning [--customers 1000000] [--rounds 5]

Works on a PostgreSQL of its own in a throw-away folder. The limit is a bare INSERT … SELECT of the finished rows, kept
in a plain table, into the same table with the same indexes. Planning judges everybody (consent, suppression, mailbox),
with and without a control group. Both take turns within a round, each in a transaction that is rolled back; rows are
counted again before that. Goal: ≥ 60,000 rows/s with a reason for everyone left out, and at least half of the limit.
"""

# ruff: noqa: E402 - settings are chosen before they are read
import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter

FOLDER = tempfile.mkdtemp(prefix="stammkunde-benchmark-")
Path(FOLDER).chmod(0o711)  # the server has a user of its own where we are root
os.environ |= {"STAMMKUNDE_VAR": FOLDER, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings"}

import django

django.setup()

from django.core.management import call_command
from django.db import connection, transaction
from django.utils.timezone import now

from benchmarks.sending import prepare
from campaigns import freezing, recipes
from campaigns.models import Campaign, Delivery, Run
from campaigns.recipe import Moment
from config import embedded
from crm.models import Shop

KEPT = "CREATE UNLOGGED TABLE benchmark_rows AS SELECT * FROM campaigns_delivery"
# The rows lie as planning finds them, so that the indexes are met in the same order.
BARE = "INSERT INTO campaigns_delivery SELECT * FROM benchmark_rows"


class Undo(Exception):
    """Ends a round's transaction."""


def undone(job: Callable[[], object], rows: int) -> float:
    """Seconds of a job, whose rows are counted and taken back."""
    seconds = 0.0
    try:
        with transaction.atomic():
            began = perf_counter()
            job()
            execute("SET CONSTRAINTS ALL IMMEDIATE")  # what the commit would check
            seconds = perf_counter() - began
            assert Delivery.objects.count() == rows, "rows are missing"
            raise Undo
    except Undo:
        pass
    with connection.cursor() as cursor:
        cursor.execute("VACUUM campaigns_delivery")
    return seconds


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def mailing(hold_out: int) -> Callable[[], int]:
    """What plans a mailing to everybody."""
    recipe = recipes.everything()["newsletter"]
    campaign = Campaign.objects.create(
        recipe="newsletter", name="Benchmark", send_at=now() + timedelta(days=1), hold_out=hold_out,
        template_version=recipes.first_version(recipe),
    )  # fmt: skip
    run = Run.objects.create(campaign=campaign)
    return lambda: freezing.freeze(recipe, Moment(campaign, Shop.current()), run.pk)


def measure(customers: int, rounds: int) -> None:
    whole, held = mailing(0), mailing(10)
    whole()
    execute(KEPT)
    execute("TRUNCATE campaigns_delivery CASCADE")
    execute("ANALYZE benchmark_rows")
    jobs = {"bare insert": lambda: execute(BARE), "planned": whole, "with control group": held}
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _round in range(rounds):
        for name, job in jobs.items():
            found[name].append(undone(job, customers))
    limit = statistics.median(found["bare insert"])
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        print(f"{name:<20} {middle:>7.2f} s {customers / middle:>11,.0f} rows/s {limit / middle:>7.0%} of the limit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    prepare(options.customers)
    try:
        measure(options.customers, options.rounds)
    finally:
        connection.close()
        embedded.discard()


if __name__ == "__main__":
    main()
