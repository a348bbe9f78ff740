"""Answers by REST: each row answered, each response stored once, a very bad one made a task."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils.timezone import now

from crm import keyed
from crm.answer_batch import response_of
from crm.models import (
    Answer,
    ApiKey,
    ChangedCustomer,
    Customer,
    CustomerKey,
    ErasedKey,
    Event,
    Hold,
    MotivatorEvidence,
    Quarantine,
    Task,
)
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory, PurchaseFactory, SourceFactory

URL = "/api/v1/responses/batch"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANGRY = {"form": "short", "ratings": {"happy": 1, "irritated": 9}}

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    return ApiKey.issue(SourceFactory(), ["responses:write"], now() + timedelta(days=1))[1]


@pytest.fixture
def anna() -> Customer:
    return customer("C-1")


def customer(number: str) -> Customer:
    made = CustomerFactory()
    CustomerKey.objects.create(source=SourceFactory(), external_id=number, customer=made)
    return made


@pytest.fixture
def post(key: str) -> Any:
    def send(*rows: Any, body: Any = None, authorization: str = f"Bearer {key}", **more: Any) -> Any:
        return Client().post(
            URL,
            orjson.dumps(body if body is not None else {"responses": list(rows)} | more),
            content_type="application/json",
            headers={"Authorization": authorization, "Accept-Language": "en"},
        )

    return send


def row(external_id: str = "S-1", who: str = "C-1", at: datetime = AT, **more: Any) -> dict[str, Any]:
    found = {"external_id": external_id, "customer": who, "answered_at": at.isoformat(), "items": {"csat": 8}} | more
    return {name: value for name, value in found.items() if value is not ...}


def statuses(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [one["status"] for one in response.json()["responses"]]


def errors(response: Any) -> list[tuple[str, str]]:
    return [(error["code"], error["field"]) for one in response.json()["responses"] for error in one["errors"]]


def test_a_sheet_is_stored_with_all_that_was_said(post: Any, anna: Customer) -> None:
    bought = PurchaseFactory(customer=anna, source=SourceFactory(), external_id="W-1")
    ratings = {"happy": 8, "trusting": 7.5, "irritated": 0}
    given = row(
        touchpoint="delivery",
        purchase="W-1",
        items={"csat": 9, "disconfirmation": -2, "trust": None, "wallet_share": 62.5},
        nev={"form": "short", "ratings": ratings},
        motivators=[
            {"motivator": "belonging", "importance": 9, "fulfilment": 8},
            {"motivator": "freedom", "importance": 5},
        ],
        comment="Came a day early.",
    )
    assert statuses(post(given)) == ["created"]
    found = {one.item: one for one in Answer.objects.all()}
    assert {item: one.value for item, one in found.items()} == {
        "csat": 9, "disconfirmation": -2, "wallet_share": Decimal("62.5"), "nev_happy": 8, "nev_trusting": Decimal("7.5"),
        "nev_irritated": 0,
    }  # fmt: skip
    one = found["csat"]
    assert (one.customer, one.purchase, one.touchpoint, one.origin, one.answered_at) == (
        anna, bought, "delivery", "customer_self", AT,
    )  # fmt: skip
    assert one.comment == "Came a day early." and found["nev_happy"].form == "short" and one.form == ""
    assert {one.response for one in found.values()} == {response_of(SourceFactory(), "S-1")}
    moved = MotivatorEvidence.objects.order_by("-importance").values_list(
        "motivator", "importance", "fulfilment", "origin"
    )
    assert list(moved) == [("belonging", 9, 8, "self_report"), ("freedom", 5, None, "self_report")]
    assert ChangedCustomer.objects.filter(customer_id=anna.pk).exists(), "the scores follow"


def test_the_same_response_again_changes_nothing(post: Any, anna: Customer) -> None:
    sheet = row(nev=ANGRY, motivators=[{"motivator": "thrill", "importance": 7}], at=now())
    only_moved = row("S-2", items=..., motivators=[{"motivator": "freedom", "importance": 6}])
    assert statuses(post(sheet, only_moved, sheet)) == ["created", "created", "unchanged"]
    before = [*Answer.objects.order_by("pk").values()], [*MotivatorEvidence.objects.order_by("pk").values()]
    ChangedCustomer.objects.all().delete()
    assert statuses(post(sheet, only_moved)) == ["unchanged", "unchanged"]
    assert before == ([*Answer.objects.order_by("pk").values()], [*MotivatorEvidence.objects.order_by("pk").values()])
    assert Task.objects.count() == 1 and not ChangedCustomer.objects.exists()


def test_what_was_deleted_on_request_does_not_come_back_with_its_sheet(post: Any, anna: Customer) -> None:
    sheet = row(motivators=[{"motivator": "thrill", "importance": 7}])
    post(sheet)
    MotivatorEvidence.objects.all().delete()
    assert statuses(post(sheet)) == ["unchanged"] and not MotivatorEvidence.objects.exists()


def test_a_response_that_says_something_else_now_is_told_so(post: Any, anna: Customer) -> None:
    customer("C-2")
    post(row())
    changed = [
        row(items={"csat": 2}),
        row(items={"csat": 8, "trust": 3}),
        row(who="C-2"),
        row(at=AT + timedelta(days=1)),
    ]
    for other in changed:
        assert errors(post(other)) == [("already_answered", "external_id")]
    assert Answer.objects.get().value == 8


def test_another_sources_number_is_another_response(post: Any, anna: Customer) -> None:
    other = SourceFactory(name="survey tool")
    CustomerKey.objects.create(source=other, external_id="C-1", customer=anna)
    plain = ApiKey.issue(other, ["responses:write"], now() + timedelta(days=1))[1]
    assert statuses(post(row())) == statuses(post(row(), authorization=f"Bearer {plain}")) == ["created"]
    assert Answer.objects.count() == 2


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (row(items={"charm": 8}), "unknown_item", "items.charm"),
        (row(items={"csat": 11}), "out_of_range", "items.csat"),
        (row(items={"disconfirmation": -4}), "out_of_range", "items.disconfirmation"),
        (row(items={"ces": 0}), "out_of_range", "items.ces"),
        (row(items={"csat": "8"}), "not_a_number", "items.csat"),
        (row(items={"csat": True}), "not_a_number", "items.csat"),
        (row(items={"csat": 7.25}), "too_exact", "items.csat"),
        (row(items={"wallet_rank": 1.5}), "too_exact", "items.wallet_rank"),
        (row(items={"wallet_rank": 4, "wallet_shops": 3}), "out_of_range", "items.wallet_rank"),
        (row(items=[]), "wrong_type", "items"),
        (row(items={}), "empty", "items"),
        (row(items={"csat": None}), "empty", "items"),
        (row(nev=[ANGRY, {"form": "full", "ratings": {"happy": 3}}]), "two_forms", "nev"),
        (row(nev={"form": "short", "ratings": {"safe": 3}}), "not_asked", "nev.ratings.safe"),
        (row(nev={"form": "both", "ratings": {"happy": 3}}), "not_a_choice", "nev.form"),
        (row(nev={"form": "full"}), "required", "nev.ratings"),
        (row(nev={"form": "full", "ratings": {"happy": 11}}), "out_of_range", "nev.ratings.happy"),
        (row(motivators=[{"motivator": "fame", "importance": 3}]), "not_a_choice", "motivators[0].motivator"),
        (row(motivators=[{"motivator": "thrill"}]), "required", "motivators[0].importance"),
        (row(motivators=[{"motivator": "thrill", "importance": 3}] * 2), "repeated", "motivators[1].motivator"),
        (row(motivators=[{"motivator": "thrill", "importance": 3}] * 4), "too_many", "motivators"),
        (row(at=now() + timedelta(days=1)), "in_the_future", "answered_at"),
        (row(at=AT.replace(tzinfo=None)), "needs_zone", "answered_at"),
        (row(who="C-404"), "unknown_customer", "customer"),
        (row(customer=...), "required", "customer"),
        (row(external_id=...), "required", "external_id"),
        (row(purchase="W-404"), "unknown_purchase", "purchase"),
        (row(purchase="W-OF-ANOTHER"), "not_theirs", "purchase"),
        (row(touchpoint="parking"), "not_a_choice", "touchpoint"),
        (row(origin="staff_estimate"), "unknown_field", "origin"),
        (row(comment="x" * 5001), "too_long", "comment"),
        ("text", "wrong_type", ""),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_kept_and_loses_no_good_one(
    post: Any, anna: Customer, bad: Any, code: str, field: str
) -> None:
    PurchaseFactory(customer=CustomerFactory(), source=SourceFactory(), external_id="W-OF-ANOTHER")
    response = post(bad, row("S-2"))
    assert (code, field) in errors(response), response.json()
    assert statuses(response) == ["invalid", "created"]
    assert Quarantine.objects.get().payload == bad
    assert Answer.objects.get().response == response_of(SourceFactory(), "S-2")


def test_a_row_that_came_too_early_is_taken_when_it_is_sent_again(post: Any) -> None:
    assert statuses(post(row())) == ["invalid"]
    customer("C-1")
    assert statuses(post(row())) == ["created"]


def test_who_was_erased_stays_unknown_and_nothing_of_the_row_is_kept(post: Any, anna: Customer) -> None:
    hashed = keyed.source_key_hash(SourceFactory().pk, "C-1")
    ErasedKey.objects.create(source=SourceFactory(), key_hash=hashed, erased_at=AT + timedelta(days=1))
    assert errors(post(row())) == [("erased", "customer")]
    assert not Quarantine.objects.exists() and not Answer.objects.exists()
    assert statuses(post(row(at=AT + timedelta(days=2)))) == ["created"], "who came back afterwards is a customer"


def test_a_merged_customers_answers_go_to_the_one_who_is_left(post: Any, anna: Customer) -> None:
    post(row())
    kept = CustomerFactory()
    Customer.objects.filter(pk=anna.pk).update(merged_into=kept)
    assert statuses(post(row(), row("S-2"))) == ["unchanged", "created"]
    assert Answer.objects.get(response=response_of(SourceFactory(), "S-2")).customer == kept


# Alerts


def test_a_very_bad_answer_is_a_task_once_and_holds_advertising(post: Any, anna: Customer) -> None:
    sheet = row(at=now() - timedelta(hours=1), nev=ANGRY)
    post(sheet)
    post(sheet)
    task = Task.objects.get()
    assert (task.customer, task.cause) == (anna, f"response:{response_of(SourceFactory(), 'S-1')}")
    assert task.detail["felt"] == [["irritated", 9.0]] and task.detail["origin"] == "customer_self"
    assert Hold.objects.get().task == task
    assert Event.objects.get(kind="alert.raised").detail == {"task": task.pk}


@pytest.mark.parametrize(("historic", "hours", "tasks"), [(True, 1, 0), (False, 71, 1), (False, 73, 0)])
def test_a_backfill_and_what_is_older_than_72_hours_make_no_task(
    post: Any, anna: Customer, historic: bool, hours: int, tasks: int
) -> None:
    post(row(at=now() - timedelta(hours=hours), nev=ANGRY), historic=historic)
    assert Task.objects.count() == tasks and Answer.objects.count() == 3


def test_an_answer_that_was_overtaken_makes_no_task(post: Any, anna: Customer) -> None:
    content = row("S-2", at=now() - timedelta(hours=1), nev={"form": "short", "ratings": {"happy": 9, "irritated": 0}})
    post(row(at=now() - timedelta(hours=2), nev=ANGRY), content)
    assert not Task.objects.exists()


# The call


def test_a_key_needs_the_scope_and_writes_to_its_own_source(post: Any, anna: Customer) -> None:
    bare = ApiKey.issue(SourceFactory(), ["purchases:write"], now() + timedelta(days=1))[1]
    assert post(row(), authorization=f"Bearer {bare}").status_code == 403
    assert post(row(), source="somebody else").status_code == 403
    assert post(row(), authorization="Bearer stk_no").status_code == 401


@pytest.mark.parametrize(
    "body",
    [[], {}, {"responses": {}}, {"responses": []}, {"responses": [1], "x": 1}, {"responses": [1], "historic": "no"}],
)
def test_bodies_that_are_no_batch_are_refused_whole(post: Any, body: Any) -> None:
    assert post(body=body).status_code == 400


def test_a_batch_holds_1000_rows_at_most(post: Any, anna: Customer) -> None:
    refused = post(*[row(f"S-{n}") for n in range(1001)])
    assert refused.status_code == 400 and b"1,000" in refused.content and not Answer.objects.exists()
    response = post(*[row(f"S-{n}", nev=ANGRY) for n in range(1000)])
    assert response.json()["counts"] == {"created": 1000, "unchanged": 0, "invalid": 0}


def test_a_batch_takes_the_same_queries_for_2_rows_and_40(post: Any, count_queries: Any) -> None:
    for number in range(40):
        PurchaseFactory(customer=customer(f"C-{number}"), source=SourceFactory(), external_id=f"W-{number}")
    rows = [
        row(
            f"S-{n}",
            f"C-{n}",
            at=now(),
            nev=ANGRY,
            purchase=f"W-{n}",
            motivators=[{"motivator": "thrill", "importance": 7}],
        )
        for n in range(40)
    ]
    bad = [row(f"B-{n}", "C-404") for n in range(40)]
    post(row("warm", "C-39"))
    few = count_queries(lambda: post(*rows[:1], *bad[:1]))
    many = count_queries(lambda: post(*rows[1:], *bad[1:]))
    assert few == many and Task.objects.count() == 40


def test_the_schema_documents_the_door() -> None:
    document = Client().get("/api/schema/?format=json").json()
    body = document["paths"]["/api/v1/responses/batch"]["post"]["requestBody"]["content"]["application/json"]
    asked = document["components"]["schemas"]["ItemsShapeRequest"]["properties"]
    assert body["examples"] and (asked["disconfirmation"]["minimum"], asked["csat"]["maximum"]) == (-3, 10)


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_four_times_at_once_is_stored_once(post: Any, anna: Customer) -> None:
    rows = [row(at=now(), nev=ANGRY), row("S-2", motivators=[{"motivator": "thrill", "importance": 7}]), row("S-3", items=...,
            motivators=[{"motivator": "freedom", "importance": 7}])]  # fmt: skip
    found = [status for answer in at_once(4, lambda: statuses(post(*rows))) for status in answer]
    assert sorted(found) == ["created"] * 3 + ["unchanged"] * 9
    assert (Answer.objects.count(), MotivatorEvidence.objects.count(), Task.objects.count()) == (4, 2, 1)
