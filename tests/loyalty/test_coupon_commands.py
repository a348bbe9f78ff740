"""Codes in bulk: made by the thousand, and brought in from elsewhere row by row."""

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from django.utils.timezone import now

from crm.days import today
from crm.invariants import verify
from crm.models import CustomerKey
from loyalty.coupons import codes, ledger
from loyalty.models import Coupon, CouponBatch, CouponEntry
from tests.factories import CustomerFactory, SourceFactory
from tests.loyalty import coupons as made

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    from crm.models import Shop

    Shop.current()
    Shop.objects.update(language="en")
    with translation.override("en"):
        yield


def told(command: str, *given: object, **options: object) -> str:
    out = StringIO()
    call_command(command, *given, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def file_of(folder: Path, *rows: str, header: str = "code;customer;uses;valid_until") -> Path:
    file = folder / "codes.csv"
    file.write_text("\n".join([header, *rows, ""]), encoding="utf-8-sig")
    return file


def counts(said: str) -> tuple[int, ...]:
    return tuple(
        int(line.split()[1]) for line in said.splitlines() if line.split()[0] in ("created", "unchanged", "refused")
    )


def test_codes_are_made_in_bulk_each_with_its_entry():
    batch = made.batch()
    assert told("issue_coupons", batch=batch.pk, count=25_000).strip() == "25,000"
    assert Coupon.objects.filter(batch=batch).count() == CouponEntry.objects.filter(step="issued").count() == 25_000
    assert codes.well_formed(Coupon.objects.first().code)


@pytest.mark.parametrize("count", ["0", "-1", "10000001", "many"])
def test_an_impossible_number_of_codes_is_refused(count):
    with pytest.raises(CommandError):
        call_command("issue_coupons", "--batch", str(made.batch().pk), "--count", count)


def test_a_stopped_or_unknown_batch_issues_none():
    batch = made.batch(stopped_at=now())
    with pytest.raises(CommandError, match="stopped"):
        told("issue_coupons", batch=batch.pk, count=1)
    with pytest.raises(CommandError, match="no batch"):
        told("issue_coupons", batch=0, count=1)


def test_codes_from_elsewhere_keep_customer_uses_and_last_day(tmp_path):
    batch, source, customer = (
        made.batch(valid_until=today() + timedelta(days=5)),
        SourceFactory(name="old till"),
        CustomerFactory(),
    )
    CustomerKey.objects.create(source=source, external_id="K-7", customer=customer)
    end = today() + timedelta(days=90)
    said = told(
        "import_coupons",
        file_of(tmp_path, f"xmas-42;K-7;3;{end}", "SUMMER-2026-ABCDEF;;;"),
        batch=batch.pk,
        source="old till",
    )
    assert counts(said) == (2, 0, 0)
    first = ledger.find("XMAS 42")
    assert (first.customer, first.uses, first.valid_until, first.imported, first.guessable) == (
        customer,
        3,
        end,
        True,
        True,
    )
    second = ledger.find("summer 2026 abcdef")
    assert (second.uses, second.valid_until, second.guessable) == (1, batch.valid_until, False)
    assert CouponEntry.objects.filter(step="issued", reason="import").count() == 2
    assert ledger.redeem("xmas42", made.basket(50), made.till()).coupon == first
    assert all(number == 0 for _name, number in verify())


def test_the_same_file_again_changes_nothing(tmp_path):
    batch = made.batch()
    file = file_of(tmp_path, "OLD-CODE-1;;2;", "OLD-CODE-2;;;")
    assert counts(told("import_coupons", file, batch=batch.pk)) == (2, 0, 0)
    before = list(Coupon.objects.order_by("pk").values())
    assert counts(told("import_coupons", file, batch=batch.pk)) == (0, 2, 0)
    assert list(Coupon.objects.order_by("pk").values()) == before


def test_what_is_wrong_is_told_row_by_row_and_stops_nobody_else(tmp_path):
    batch, other = made.batch(), made.coupon()
    yesterday = today() - timedelta(days=1)
    file = file_of(
        tmp_path, "GOOD-CODE;;;", "no;;;", "STRANGER-1;K-99;;", "USES-NULL;;0;", "USES-HUGE;;99999999999999;", "DAY-ODD;;;31.12.2026",
        f"DAY-PAST;;;{yesterday}", "good code;;;", f"{other.code};;;", "", "LAST-CODE",
    )  # fmt: skip
    errors = tmp_path / "errors.csv"
    assert counts(told("import_coupons", file, batch=batch.pk, errors=errors)) == (2, 0, 8)
    rows = list(csv.reader(errors.open(encoding="utf-8")))
    assert [row[:2] for row in rows] == [
        ["line", "field"], ["3", "code"], ["4", "customer"], ["5", "uses"], ["6", "uses"], ["7", "valid_until"],
        ["8", "valid_until"], ["9", "code"], ["10", "code"],
    ]  # fmt: skip
    assert all(len(row[2]) > 20 for row in rows[1:]) and rows[1][3] == "no"
    assert set(Coupon.objects.filter(batch=batch).values_list("written", flat=True)) == {"GOOD-CODE", "LAST-CODE"}


def test_a_promise_is_not_changed_by_another_file(tmp_path):
    batch = made.batch()
    told("import_coupons", file_of(tmp_path, "OLD-CODE-1;;2;"), batch=batch.pk)
    assert counts(told("import_coupons", file_of(tmp_path, "OLD-CODE-1;;3;"), batch=batch.pk)) == (0, 0, 1)
    assert ledger.find("old code 1").uses == 2


def test_a_trial_writes_nothing(tmp_path):
    said = told("import_coupons", file_of(tmp_path, "OLD-CODE-1;;;"), batch=made.batch().pk, dry_run=True)
    assert counts(said) == (1, 0, 0) and "nothing has been written" in said
    assert not Coupon.objects.exists()


@pytest.mark.parametrize("header", ["customer;uses", "code;code", "code;price"])
def test_a_file_with_other_columns_is_refused_whole(tmp_path, header):
    with pytest.raises(CommandError, match="column code"):
        told("import_coupons", file_of(tmp_path, "A;B", header=header), batch=made.batch().pk)


def test_a_source_nobody_knows_is_refused(tmp_path):
    with pytest.raises(CommandError, match="no source"):
        told("import_coupons", file_of(tmp_path, "OLD-CODE-1"), batch=made.batch().pk, source="nowhere")
    assert not CouponBatch.objects.exclude(stopped_at=None).exists()


def test_codes_made_together_are_well_formed_and_unlike():
    found = codes.random_codes(5_000)
    assert len(set(found)) == 5_000 and all(codes.well_formed(code) for code in found)
    assert set("".join(code[:-1] for code in found)) == set(codes.ALPHABET)
    assert codes.random_codes(0) == []
