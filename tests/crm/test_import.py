"""manage.py import_purchases: what it takes, what it refuses, and that nothing is half done."""

import csv
import gzip
import random
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from crm import sync
from crm.management.commands import import_purchases
from crm.models import Event, ImportRun, Purchase, Quarantine, Return, Shop, Source
from tests.crm.shop_rows import days_ago, facts

pytestmark = pytest.mark.django_db
HEADER = "external_id,ordered_at,customer,product,product_name,quantity,unit_price,record_kind,return_of"
LINES = [
    "p1,2026-01-05 10:00,anna,tea,Tea,2,4.50,,",
    "p1,2026-01-05 10:01,anna,cup,Cup,1,8.00,,",
    "p2,2026-01-07 11:00,,tea,Tea,1,4.50,,",
    "p3,2026-01-09 12:00,ben,tea,Tea,5,4.50,,",
    "r1,2026-01-12 12:00,anna,tea,Tea,1,4.50,return,",
    "r2,2026-01-12 12:00,,tea,Tea,1,4.50,return,p3",
]


@pytest.fixture
def write(tmp_path):
    def made(*lines, name="sales.csv", header=HEADER, end="\n", encoding="utf-8"):
        path = tmp_path / name
        content = ("\n".join([header, *lines]) + end).encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return made


def bring(path, profile="standard", **options):
    out, err = StringIO(), StringIO()
    call_command("import_purchases", str(path), profile=profile, stdout=out, stderr=err, **options)
    return out.getvalue()


@pytest.fixture
def english(db):
    Shop.current()
    Shop.objects.update(language="en")


@pytest.fixture
def pounds(english):
    Shop.objects.update(currency="GBP", time_zone="Europe/London")


def test_lines_become_purchases_and_returns(write):
    bring(write(*LINES))
    assert dict(Purchase.objects.values_list("external_id", "gross")) == {"p1": 17, "p2": 4.5, "p3": 22.5}
    assert dict(Purchase.objects.values_list("external_id", "net")) == {"p1": 12.5, "p2": 4.5, "p3": 18}
    first = Purchase.objects.get(external_id="p1")
    assert first.ordered_at.isoformat() == "2026-01-05T09:00:00+00:00"  # the earliest of two times, in the shop's zone
    assert Purchase.objects.get(external_id="p2").customer is None


def test_gzip_is_read_as_well(write):
    bring(write(*LINES, name="sales.csv.gz"))
    assert Purchase.objects.count() == 3


def test_an_import_is_always_historic(write):
    bring(write(f"p1,{days_ago(0.1)},anna,tea,Tea,1,1,,"))
    assert Purchase.objects.count() == 1
    assert not Event.objects.exists()


def test_a_second_import_changes_nothing(write):
    path = write(*LINES)
    bring(path)
    before = facts()
    assert "unchanged          5" in bring(path)
    assert facts() == before


def test_a_shuffled_file_gives_the_same_facts(write, tmp_path):
    random.Random(7).shuffle(shuffled := LINES * 2)  # doubled lines are real lines
    bring(write(*LINES, *LINES), source="one")
    one = facts()
    for model in (Return, Purchase):
        model.objects.all().delete()
    bring(write(*shuffled, name="other.csv"), source="one")
    assert facts() == one


def test_a_dry_run_checks_everything_and_writes_nothing(write, tmp_path, english):
    report = bring(write(*LINES, "p9,2026-01-05,anna,tea,Tea,-1,1,,"), dry_run=True, errors=tmp_path / "errors.csv")
    assert "created            5" in report and "invalid            1" in report
    assert not any(model.objects.exists() for model in (Purchase, Return, Quarantine, ImportRun, Source))
    assert len((tmp_path / "errors.csv").read_text().splitlines()) == 2


def test_every_refused_line_is_in_the_error_file_with_its_reason(write, tmp_path, english):
    lines = [
        *LINES,
        "p4,2026-01-05 10:00,anna,tea,Tea,1,4.50,,",
        "p4,2026-01-05 10:00,anna,cup,Cup,one,8.00,,",
        "p5,5 January,anna,tea,Tea,1,1,,",
        "p6,2026-01-05,anna,tea,Tea,1,1,,,too many",
        "p7,2026-01-05,anna,tea,Tea,1,1,,",
        "p7,2026-01-05,ben,tea,Tea,1,1,,",
        "r9,2026-01-05,anna,tea,Tea,1,1,return,p99",
    ]
    report = bring(write(*lines), errors=tmp_path / "errors.csv")
    rows = list(csv.DictReader((tmp_path / "errors.csv").open()))
    assert {(row["line"], row["column"], row["code"]) for row in rows} == {
        ("8", "", "refused_with_its_record"),
        ("9", "quantity", "not_a_number"),
        ("10", "ordered_at", "not_a_time"),
        ("11", "", "columns"),
        ("12", "customer", "mixed_values"),
        ("13", "customer", "mixed_values"),
        ("14", "return_of", "unknown_purchase"),
    }
    assert {row["external_id"] for row in rows} == {"p4", "p5", "p6", "p7", "r9"}
    assert "invalid            4" in report and "held               1" in report
    assert set(Quarantine.objects.values_list("external_id", flat=True)) == {"p4", "p5", "p6", "p7"}


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_import_goes_on_where_it_stopped(write, monkeypatch, english):
    monkeypatch.setattr(import_purchases, "CHUNK", 2)
    path = write(*LINES)
    real, calls = sync.apply, []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(sync, "apply", failing)
    with pytest.raises(KeyboardInterrupt):
        bring(path)
    assert Purchase.objects.count() == 2
    assert ImportRun.objects.get().next_chunk == 1
    report = bring(path)
    assert [len(args[1]) + len(args[2]) for args in calls] == [2, 2, 2, 1]
    assert "6 lines read, 5 purchases and returns" in report and "created            5" in report
    assert ImportRun.objects.get().state == "done"
    assert Return.objects.filter(held="").count() == 2


REFUSED = {
    "a semicolon file": (
        {"header": HEADER.replace(",", ";")}, [line.replace(",", ";") for line in LINES], "separated by “;”"
    ),
    "a wrong encoding": ({"encoding": "cp1252"}, ["p1,2026-01-05,Grün,tea,Tea,1,1,,"], "not in the encoding utf-8"),
    "a torn last line": ({"end": ""}, [*LINES, "p4,2026-01-09 12:0"], "is cut off"),
    "a torn last line within quotation marks": ({"end": ""}, [*LINES, 'p4,2026-01-09,anna,tea,"Green te'], "is cut off"),
    "missing columns": ({"header": HEADER.replace("unit_price", "price")}, LINES, "lacks the columns unit_price"),
    "an empty file": ({"header": "", "end": ""}, [], "it is empty"),
    "no line below the header": ({}, [], "no line below"),
    "UTF-16": ({"encoding": "utf-16"}, LINES, "not in the encoding utf-8"),
    "a NUL": ({}, [*LINES, "p4,2026-01-09,an\x00na,tea,Tea,1,1,,"], "NUL"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_whole(write, english, name):
    how, lines, said = REFUSED[name]
    with pytest.raises(CommandError, match=said):
        bring(write(*lines, **how))
    assert not (Purchase.objects.exists() or Quarantine.objects.exists() or ImportRun.objects.exists())


def test_a_damaged_gzip_file_is_refused_whole(write, english):
    path = write(*LINES, name="sales.csv.gz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CommandError, match="cut off or damaged"):
        bring(path)
    assert not Purchase.objects.exists()


def test_a_missing_file_and_an_unknown_profile_are_said(tmp_path, write, english):
    with pytest.raises(CommandError, match="No such file"):
        bring(tmp_path / "none.csv")
    with pytest.raises(CommandError, match="Known are: online-retail, standard"):
        bring(write(*LINES), profile="unknown")


def test_a_file_of_another_currency_is_refused_before_anything_is_read(write, english):
    with pytest.raises(CommandError, match="GBP"):
        bring(write(*LINES), profile="online-retail")


ONLINE_RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def test_the_online_retail_profile(write, pounds):
    path = write(
        "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        "536365,71053,LANTERN,2,2010-12-01 08:27:00,3.39,17850.0,United Kingdom",
        "C536379,85123A,HEART,-2,2010-12-02 09:41:00,2.55,17850.0,United Kingdom",
        "536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom",
        "536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom",
        "A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom",
        header=ONLINE_RETAIL,
    )
    report = bring(path, profile="online-retail")
    made = Purchase.objects.get(external_id="536365")
    assert (str(made.gross), str(made.net), made.customer.country) == ("22.08", "16.98", "United Kingdom")
    assert [key.external_id for key in made.customer.keys.all()] == ["17850"]
    assert made.ordered_at.isoformat() == "2010-12-01T08:26:00+00:00"
    assert Purchase.objects.get(external_id="536414").net == 0
    assert "invalid for refused_by_profile                      1" in report
    assert "invalid for negative                                1" in report
    assert set(Quarantine.objects.values_list("external_id", flat=True)) == {"536589", "A563185"}
