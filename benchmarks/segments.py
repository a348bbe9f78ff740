"""How long segments take to count in a shop of many customers, against one index-only scan of all customers.

    STAMMKUNDE_VAR=/some/folder python -m benchmarks.segments [--rounds 5]

Works on an installation that was filled by `manage.py seed --customers 1000000` and judged by `manage.py score`; reads only.
Each rule is counted as the page counts it, without its limit of a second. Medians, and their ratio to the median of the scan
in the same run. Goal: at most a second for rules that an index answers; what takes longer is estimated, whose time and error
are shown, too.
"""

import argparse
import os
import statistics
from time import perf_counter
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

import django

django.setup()

from django.db import connection  # noqa: E402

from campaigns.segments import members  # noqa: E402
from campaigns.segments.compiling import asking, table_of  # noqa: E402
from crm.models import Category, Customer  # noqa: E402

SCAN = "SELECT count(id) FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL AND id > 0"


def one(field: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value, **more}


def group(match: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "rules": list(rules)}


def rules() -> dict[str, dict[str, Any]]:
    category = str(Category.objects.order_by("pk").values_list("pk", flat=True)[0])
    town = Customer.objects.exclude(city="").values_list("city", flat=True)[0]
    stage = one("stage", "one_of", ["regular", "loyal"])
    silent = one("last_purchase", "longer_ago", 60)
    agreed = one("consent", "is", "given", of="newsletter/email")
    return {
        "stage is loyal": one("stage", "is", "loyal"),
        "regular or loyal, silent for 60 days": group("all", stage, silent),
        "the same with consent": group("all", stage, silent, agreed),
        "birthday in 14 days": one("birthday", "in_next", 14),
        "status lapsed": one("status", "is", "lapsed"),
        "lock-in at least 40, no kind of bond": group(
            "all", one("lock_in", "at_least", 40), one("bond_type", "unknown")
        ),
        "value at least 500": one("value_year", "at_least", 500),
        "bought a category in 90 days": one("bought", "in_last", 90, of=category),
        "no mail in 30 days, agreed": group("all", agreed, one("got", "not_in_last", 30, of="any")),
        "town": one("city", "is", town),
        "open complaint": one("open_complaint", "is", True),
        "nested: any of three": group(
            "all", group("any", stage, one("value", "at_least", 1000), one("city", "is", town)), group("none", silent)
        ),
    }


def timed(statement: str, parameters: dict[str, Any], rounds: int) -> tuple[float, int]:
    times, number = [], 0
    for _round in range(rounds):
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '64MB'")
            begun = perf_counter()
            cursor.execute(statement, parameters)
            number = cursor.fetchone()[0]
            times.append(perf_counter() - begun)
    return statistics.median(times), number


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    scan, customers = timed(SCAN, {}, rounds)
    print(f"{customers:,} customers, index-only scan {scan * 1000:,.0f} ms")
    print(f"{'rule':42}{'found':>10}{'ms':>8}{'× scan':>8}{'estimate':>10}{'ms':>7}")
    for name, rule in rules().items():
        asked, bind = asking(rule)
        took, found = timed(f"{table_of(asked, 'count(*)')} AND ({asked})", bind.parameters, rounds)
        begun = perf_counter()
        guess = members.estimated(asked, bind.parameters).number
        estimating = perf_counter() - begun
        guessed = "-" if guess is None else f"{guess:,}"
        print(f"{name:42}{found:>10,}{took * 1000:>8,.0f}{took / scan:>8.2f}{guessed:>10}{estimating * 1000:>7,.0f}")


if __name__ == "__main__":
    main()
