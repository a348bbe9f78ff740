"""Silenced addresses by REST: each row answered, repeatable, nothing kept but hashes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from crm import keyed, permission, suppressions
from crm.models import ApiKey, AuditEntry, ConsentState, ContactPoint, Quarantine, Suppression
from tests.campaigns.people import AGREED_AT, open_shop, person
from tests.crm.at_once import at_once
from tests.factories import SourceFactory

URL = "/api/v1/suppressions/batch"
LONG_AGO = "2024-05-01T10:00:00+02:00"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()


def key(*scopes: str) -> str:
    return ApiKey.issue(SourceFactory(name="Old newsletter"), list(scopes), now() + timedelta(days=1))[1]


@pytest.fixture
def post() -> Callable[..., Any]:
    plain = key("consent:write")

    def send(*rows: Any, body: Any = None, authorization: str = f"Bearer {plain}") -> Any:
        return Client().post(
            URL,
            orjson.dumps(body if body is not None else {"suppressions": list(rows)}),
            content_type="application/json",
            headers={"Authorization": authorization, "Accept-Language": "en"},
        )

    return send


def entry(address: str, reason: str = "manual", **more: Any) -> dict[str, Any]:
    return {"address": address, "reason": reason} | more


def statuses(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["status"] for row in response.json()["suppressions"]]


def test_every_row_is_answered_and_a_repetition_changes_nothing(post: Callable[..., Any]) -> None:
    rows = [
        entry("Anna@Example.test", "spam_report", occurred_at=LONG_AGO),
        entry("ben@example.test"),
        entry("+49 221 4710123", "objected"),
        entry("ben@EXAMPLE.test"),
        entry("nobody"),
    ]
    assert statuses(post(*rows)) == ["created", "created", "created", "unchanged", "invalid"]
    answer = post(*rows)
    assert statuses(answer) == ["unchanged"] * 4 + ["invalid"]
    assert answer.json()["counts"] == {"created": 0, "unchanged": 4, "stale": 0, "invalid": 1}
    kept = set(Suppression.objects.values_list("address_hash", "reason", "source"))
    assert kept == {
        (keyed.address_hash("anna@example.test"), "spam_report", "Old newsletter"),
        (keyed.address_hash("ben@example.test"), "manual", "Old newsletter"),
        (keyed.address_hash("+492214710123"), "objected", "Old newsletter"),
    }
    assert not Quarantine.objects.exists() and AuditEntry.objects.filter(action="stop_list_taken").count() == 1


def test_what_was_silenced_gets_no_advertising(post: Callable[..., Any]) -> None:
    anna = person("anna@example.test", "newsletter")
    assert permission.may_send(anna.pk, "advertising", "newsletter").allowed
    post(entry("anna@example.test", "manual"))
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "suppressed"


def test_a_mailbox_that_is_gone_is_gone_for_everybody_who_names_it(post: Callable[..., Any]) -> None:
    person("anna@example.test")
    person("anna@example.test")
    post(entry("anna@example.test", "hard_bounce", occurred_at=LONG_AGO), entry("ben@example.test", "hard_bounce"))
    points = ContactPoint.objects.filter(normal="anna@example.test").values_list("state", "bounced_at")
    assert list(points) == [("hard_bounced", datetime.fromisoformat(LONG_AGO))] * 2


def test_an_objection_stands_in_the_ledger_of_whoever_has_the_address(post: Callable[..., Any]) -> None:
    anna = person("anna@example.test", "newsletter")
    assert (
        statuses(post(entry("anna@example.test", "objected"), entry("ben@example.test", "objected"))) == ["created"] * 2
    )
    assert set(ConsentState.objects.filter(customer=anna).values_list("state", flat=True)) == {"objected"}
    assert Suppression.objects.filter(reason="objected").count() == 2


def test_what_was_lifted_since_stays_lifted(post: Callable[..., Any]) -> None:
    row = entry("anna@example.test", "hard_bounce", occurred_at=LONG_AGO)
    post(row)
    suppressions.lift(Suppression.objects.get().pk, "It works again.", None)
    assert statuses(post(row)) == ["stale"] and not Suppression.objects.filter(lifted_at=None).exists()
    assert statuses(post(entry("anna@example.test", "hard_bounce"))) == ["created"], "it happened again"


def test_who_agreed_since_is_not_silenced_by_an_older_objection(post: Callable[..., Any]) -> None:
    anna = person("anna@example.test", "newsletter")
    before, after = AGREED_AT - timedelta(days=9), AGREED_AT + timedelta(days=9)
    assert statuses(post(entry("anna@example.test", "objected", occurred_at=before.isoformat()))) == ["stale"]
    assert permission.may_send(anna.pk, "advertising", "newsletter").allowed
    assert statuses(post(entry("anna@example.test", "objected", occurred_at=after.isoformat()))) == ["created"]
    assert ConsentState.objects.get(customer=anna, purpose="newsletter").state == "objected"


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ({}, "address", "not_an_address"),
        ({}, "reason", "required"),
        (entry("anna"), "address", "not_an_address"),
        (entry("a@b@example.test"), "address", "not_an_address"),
        (entry("x" * 300), "address", "too_long"),
        (entry("anna@example.test", "erased"), "reason", "not_a_choice"),
        (entry("+49 221 4710123", "hard_bounce"), "reason", "not_possible"),
        (entry("anna@example.test", occurred_at="yesterday"), "occurred_at", "not_a_time"),
        (entry("anna@example.test", occurred_at="2199-01-01T00:00:00Z"), "occurred_at", "in_the_future"),
        (entry("anna@example.test", note="?"), "note", "unknown_field"),
        ("anna@example.test", "", "wrong_type"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(row: Any, field: str, code: str, post: Callable[..., Any]) -> None:
    answer = post(row, entry("ben@example.test"))
    assert statuses(answer) == ["invalid", "created"]
    errors = answer.json()["suppressions"][0]["errors"]
    assert (field, code) in {(one["field"], one["code"]) for one in errors} and all(one["message"] for one in errors)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"suppressions": []}, {"suppressions": {}}, {"suppressions": [{}] * 1001}, {"x": 1, "suppressions": [{}]}],
)
def test_what_is_no_batch_is_refused_as_a_whole(body: Any, post: Callable[..., Any]) -> None:
    assert post(body=body).status_code == 400 and not Suppression.objects.exists()


def test_a_key_without_the_scope_may_not(post: Callable[..., Any]) -> None:
    assert post(entry("anna@example.test"), authorization=f"Bearer {key('customers:write')}").status_code == 403
    assert post(entry("anna@example.test"), authorization="").status_code == 401
    assert not Suppression.objects.exists()


def test_many_rows_ask_as_often_as_few(post: Callable[..., Any]) -> None:
    def queries(number: int, mark: str) -> int:
        rows = [entry(f"{mark}{n}@example.test", ("manual", "hard_bounce")[n % 2]) for n in range(number)]
        with CaptureQueriesContext(connection) as seen:
            post(*rows)
        return len(seen)

    queries(2, "first")
    assert queries(2, "few") == queries(200, "many")


@pytest.mark.django_db(transaction=True)
def test_the_same_list_at_once_silences_each_once(post: Callable[..., Any]) -> None:
    rows = [entry(f"p{n}@example.test", ("manual", "objected")[n % 2]) for n in range(20)]
    answers = at_once(3, lambda: sorted(statuses(post(*rows))))
    assert sum(one.count("created") for one in answers) == 20 == Suppression.objects.count()
