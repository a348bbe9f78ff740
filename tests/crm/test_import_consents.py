"""Consents from a file: with their evidence, by the rules of the API, and without causing a mail."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm import wordings
from crm.models import ConsentEvent, ConsentState, Customer, CustomerKey, Event, Quarantine
from tests.campaigns.people import open_shop
from tests.factories import CustomerFactory, EmailFactory, SourceFactory

pytestmark = pytest.mark.django_db
HEADER = "customer;email;purpose;action;occurred_at;wording_version;wording_language;method;evidence;confirmed_at"


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()
    wordings.publish("newsletter", {"de": "Ja, die Rösterei darf mir mailen."}, None)
    anna = CustomerFactory()
    EmailFactory(customer=anna, value="anna@example.test")
    CustomerKey.objects.create(source=SourceFactory(), external_id="C-1", customer=anna)


def imported(folder: Path, *lines: str, header: str = HEADER, **options: Any) -> str:
    file = folder / "consents.csv"
    file.write_text("\n".join([header, *lines, ""]), encoding="utf-8-sig")
    out = StringIO()
    call_command("import_consents", file, source="test-shop", stdout=out, **options)
    return out.getvalue()


CONFIRMED = "C-1;;newsletter;given;2024-05-01 10:00;1;de;;;2024-05-01 10:06"
STRANGER = ";Ben@Example.test;newsletter;given;2024-05-01T10:00:00+02:00;1;de;web;;"
PAPER = "C-1;;newsletter;given;2024-05-01 10:00;1;de;paper;folder 3, sheet 7;"


def test_a_consent_comes_with_its_evidence_and_causes_no_mail(tmp_path: Path) -> None:
    imported(tmp_path, CONFIRMED, STRANGER)
    states = dict(ConsentState.objects.values_list("customer__contact_points__normal", "state"))
    assert states == {"anna@example.test": "given", "ben@example.test": "pending"}
    assert not Event.objects.filter(kind="consent.requested").exists()
    anna = Customer.objects.get(keys__external_id="C-1")
    given, confirmed = ConsentEvent.objects.filter(person_key=anna.person_key).order_by("occurred_at")
    assert given.method == "import" and confirmed.double_opt_in
    assert given.occurred_at.isoformat() == "2024-05-01T08:00:00+00:00", "a time without zone is the shop's"


def test_paper_needs_its_place(tmp_path: Path) -> None:
    imported(tmp_path, PAPER)
    assert ConsentEvent.objects.get().trace.note == "folder 3, sheet 7"


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    imported(tmp_path, CONFIRMED, STRANGER)
    before = list(ConsentEvent.objects.values_list("pk", flat=True))
    assert "unchanged          2" in imported(tmp_path, CONFIRMED, STRANGER)
    assert list(ConsentEvent.objects.values_list("pk", flat=True)) == before and Customer.objects.count() == 2


def test_a_trial_writes_nothing(tmp_path: Path) -> None:
    assert "recorded           1" in imported(tmp_path, CONFIRMED, STRANGER, dry_run=True)
    assert not ConsentEvent.objects.exists() and Customer.objects.count() == 1


def test_refused_lines_stand_in_the_error_file(tmp_path: Path) -> None:
    errors = tmp_path / "errors.csv"
    bad = [
        "C-404;;newsletter;given;2024-05-01 10:00;1;de;;;",
        "C-1;;newsletter;given;yesterday;1;de;;;",
        "C-1;;newsletter;given;2024-05-01 10:00;7;de;;;",
        "C-1;;sweets;given;2999-01-01 10:00;1;de;;;",
        "too;few",
    ]
    imported(tmp_path, *bad, CONFIRMED, errors=errors)
    rows = list(csv.DictReader(errors.open(encoding="utf-8")))
    found = {(row["line"], row["code"]) for row in rows}
    assert {("2", "unknown_customer"), ("3", "not_a_time"), ("4", "unknown_wording"), ("5", "in_the_future")} <= found
    assert {row["line"] for row in rows} == {"2", "3", "4", "5", "6"}
    assert Quarantine.objects.count() == 5 and ConsentState.objects.get().state == "given"


@pytest.mark.parametrize("header", ["email;purpose;action", HEADER + ";colour", "purpose;action;occurred_at"])
def test_a_file_with_other_columns_is_refused_as_a_whole(tmp_path: Path, header: str) -> None:
    with pytest.raises(CommandError):
        imported(tmp_path, header=header)
