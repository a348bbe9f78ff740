"""A real shop's year, whole. Set STAMMKUNDE_ONLINE_RETAIL to the path of online-retail.csv.gz (UCI, CC BY 4.0)."""

import csv
import gzip
import os
import random
from io import StringIO
from itertools import groupby
from pathlib import Path
from time import monotonic

import pytest
from django.core.management import call_command
from django.db import connection

from crm import invariants
from crm.models import Purchase, PurchaseLine, Quarantine, Return, Shop
from tests.crm.shop_rows import facts_digest

FILE = os.environ.get("STAMMKUNDE_ONLINE_RETAIL", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE, reason="STAMMKUNDE_ONLINE_RETAIL names no file"),
    pytest.mark.django_db(transaction=True),
]


def bring(path: str | Path) -> None:
    out, begun = StringIO(), monotonic()
    call_command("import_purchases", str(path), profile="online-retail", stdout=out, stderr=StringIO())
    print(f"{monotonic() - begun:.1f} s", out.getvalue(), sep="\n")


def shuffled_by_day(target: Path) -> Path:
    """The file with its days in another order, and the lines of each day too."""
    with gzip.open(FILE, "rt", newline="") as text:
        reader = csv.reader(text)
        header, lines = next(reader), list(reader)
    day = header.index("InvoiceDate")
    dice = random.Random(11)
    days = [list(group) for _day, group in groupby(lines, key=lambda line: line[day][:10])]
    dice.shuffle(days)
    with target.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(header)
        for group in days:
            dice.shuffle(group)
            writer.writerows(group)
    return target


def test_the_year_comes_in_whole_and_any_order_gives_the_same_database(tmp_path):
    Shop.current()
    Shop.objects.update(currency="GBP", time_zone="Europe/London", language="en")
    bring(FILE)
    assert (
        PurchaseLine.objects.count() + sum(made.lines.count() for made in Return.objects.prefetch_related("lines"))
        == 540_570
    )
    assert (Purchase.objects.count() + Return.objects.count(), Quarantine.objects.count()) == (24_561, 1_339)
    once = facts_digest()
    bring(FILE)
    assert facts_digest() == once
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_source CASCADE; TRUNCATE crm_customer, crm_purchase, crm_return CASCADE")
    bring(shuffled_by_day(tmp_path / "shuffled.csv"))
    assert facts_digest() == once
    assert not invariants.broken(invariants.verify())
