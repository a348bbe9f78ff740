"""The REST door: what a client sends, and what it is told."""

from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from crm.models import ApiKey, Event, Purchase, Quarantine, Return
from tests.crm.shop_rows import brought_back, days_ago, line, purchase
from tests.factories import SourceFactory

URL = "/api/v1/purchases/batch"
pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    return ApiKey.issue(SourceFactory(), ["purchases:write"], now() + timedelta(days=1))[1]


@pytest.fixture
def post(key):
    def send(body, authorization=f"Bearer {key}", language="en", **extra):
        return Client().post(
            URL,
            body if isinstance(body, bytes) else orjson.dumps(body),
            content_type="application/json",
            headers={"Authorization": authorization, "Accept-Language": language},
            **extra,
        )

    return send


def errors_of(response, side="purchases", at=0):
    return [(error["code"], error["field"]) for error in response.json()[side][at]["errors"]]


def test_each_row_is_answered_in_its_place(post):
    response = post(
        {
            "purchases": [purchase("p1"), purchase("p2", status="lost"), purchase("p3")],
            "returns": [brought_back("r1", purchase="p1"), brought_back("r2", purchase="p9")],
        }
    )
    assert response.status_code == 200
    body = response.json()
    assert [(row["external_id"], row["status"]) for row in body["purchases"]] == [
        ("p1", "created"),
        ("p2", "invalid"),
        ("p3", "created"),
    ]
    assert [(row["external_id"], row["status"]) for row in body["returns"]] == [("r1", "created"), ("r2", "held")]
    assert body["returns"][1]["errors"][0]["code"] == "unknown_purchase"
    assert body["counts"] == {"created": 3, "updated": 0, "unchanged": 0, "stale": 0, "held": 1, "invalid": 1}


def test_a_repeated_batch_changes_nothing(post):
    batch = {"purchases": [purchase()], "returns": [brought_back(purchase="p1")]}
    post(batch)
    assert post(batch).json()["counts"] == {
        "created": 0, "updated": 0, "unchanged": 2, "stale": 0, "held": 0, "invalid": 0
    }  # fmt: skip


def test_a_refused_row_is_kept_with_its_reason(post):
    post({"purchases": [purchase("p1"), purchase("p2", lines=[line(price="-1")])]})
    kept = Quarantine.objects.get()
    assert (kept.position, kept.external_id, kept.payload["lines"][0]["unit_price"]) == (2, "p2", "-1")
    assert kept.errors[0]["code"] == "negative"
    assert not Purchase.objects.filter(external_id="p2").exists()


BAD_ROWS = {
    "a currency that is not the shop's, without a rate": ({"currency": "USD"}, ("needs_rate", "rate")),
    "a currency of two letters": ({"currency": "EU"}, ("not_a_currency", "currency")),
    "a rate of nothing": ({"currency": "USD", "rate": 0}, ("not_positive", "rate")),
    "another rate for the shop's own currency": ({"rate": "1.2"}, ("rate_of_own_currency", "rate")),
    "a negative price": ({"lines": [line(price="-0.01")]}, ("negative", "lines[0].unit_price")),
    "a quantity of nothing": ({"lines": [line(quantity=0)]}, ("not_positive", "lines[0].quantity")),
    "a negative quantity": ({"lines": [line(quantity=-2)]}, ("negative", "lines[0].quantity")),
    "a quantity that is no number": ({"lines": [line(quantity="two")]}, ("not_a_number", "lines[0].quantity")),
    "a quantity that is true": ({"lines": [line(quantity=True)]}, ("not_a_number", "lines[0].quantity")),
    "a price with a decimal comma": ({"lines": [line(price="1,50")]}, ("not_a_number", "lines[0].unit_price")),
    "a price of five decimals": ({"lines": [line(price="1.00001")]}, ("out_of_range", "lines[0].unit_price")),
    "a price beyond all numbers": ({"lines": [line(price="HUGE")]}, ("out_of_range", "lines[0].unit_price")),
    "a sum beyond all numbers": ({"lines": [line(quantity=999_999_999, price=9_999_999_999)]}, ("out_of_range", "lines[0].unit_price")),
    "no price": ({"lines": [{"quantity": 1}]}, ("required", "lines[0].unit_price")),
    "no lines": ({"lines": []}, ("no_lines", "lines")),
    "lines that are no list": ({"lines": {"quantity": 1}}, ("no_lines", "lines")),
    "a line that is no object": ({"lines": ["tea"]}, ("wrong_type", "lines[0]")),
    "a time in the future": ({"ordered_at": "2999-01-01T00:00:00Z"}, ("in_the_future", "ordered_at")),
    "a version in the future": ({"version": "2999-01-01T00:00:00Z"}, ("in_the_future", "version")),
    "a time without its zone": ({"ordered_at": "2026-01-01T00:00:00"}, ("needs_zone", "ordered_at")),
    "a time before 1900": ({"ordered_at": "1899-12-31T23:00:00Z"}, ("too_old", "ordered_at")),
    "a time beyond the calendar": ({"ordered_at": "9999-12-31T23:59:59-05:00"}, ("not_a_time", "ordered_at")),
    "no time": ({"ordered_at": None}, ("required", "ordered_at")),
    "a time as a number": ({"ordered_at": 1767265200}, ("wrong_type", "ordered_at")),
    "an empty customer key": ({"customer": {"external_id": ""}}, ("required", "customer.external_id")),
    "a customer key of spaces": ({"customer": {"external_id": "  "}}, ("malformed_key", "customer.external_id")),
    "a customer key with a line break": ({"customer": {"external_id": "a\nb"}}, ("malformed_key", "customer.external_id")),
    "a customer key that is a number": ({"customer": {"external_id": 17}}, ("wrong_type", "customer.external_id")),
    "a customer key of 101 letters": ({"customer": {"external_id": "x" * 101}}, ("too_long", "customer.external_id")),
    "a customer that is a text": ({"customer": "anna"}, ("wrong_type", "customer")),
    "an e-mail address without @": ({"customer": {"external_id": "a", "email": "anna"}}, ("not_an_email", "customer.email")),
    "a phone number of letters": ({"customer": {"external_id": "a", "phone": "call me"}}, ("not_a_phone", "customer.phone")),
    "a birthday on 30 February": ({"customer": {"external_id": "a", "birthday": "02-30"}}, ("not_a_birthday", "customer.birthday")),
    "an unknown salutation": ({"customer": {"external_id": "a", "salutation": "Dr"}}, ("not_a_choice", "customer.salutation")),
    "an unknown field": ({"colour": "red"}, ("unknown_field", "colour")),
    "an unknown field of the customer": ({"customer": {"external_id": "a", "e-mail": "a@b.test"}}, ("unknown_field", "customer.e-mail")),
    "an unknown field of a line": ({"lines": [line(colour="red")]}, ("unknown_field", "lines[0].colour")),
    "an unknown status": ({"status": "lost"}, ("not_a_choice", "status")),
    "no status": ({"status": None}, ("required", "status")),
    "a place too long": ({"place": "x" * 61}, ("too_long", "place")),
    "a category without a name": ({"lines": [line(None) | {"product": {"external_id": "t", "category": {"external_id": "c"}}}]}, ("required", "lines[0].product.category.name")),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_named_and_the_good_one_beside_it_counts(post, name):
    fields, expected = BAD_ROWS[name]
    body = orjson.dumps({"purchases": [purchase("bad") | fields, purchase("good")]})
    body = body.replace(b'"HUGE"', b"1" + b"0" * 300)
    response = post(body)
    assert response.status_code == 200
    assert expected in errors_of(response)
    assert [row["status"] for row in response.json()["purchases"]] == ["invalid", "created"]
    assert Quarantine.objects.count() == 1


def test_a_row_that_is_no_object_is_refused_alone(post):
    response = post({"purchases": [17, purchase("good")]})
    assert errors_of(response) == [("wrong_type", "")]


def test_all_mistakes_of_a_row_are_named_at_once(post):
    response = post({"purchases": [purchase(status="", currency="euro", lines=[line(quantity=0, price=-1)])]})
    assert len(errors_of(response)) == 4


def test_a_return_larger_than_its_purchase_is_held(post):
    response = post({"purchases": [purchase()], "returns": [brought_back(purchase="p1", lines=[line(quantity=2)])]})
    assert response.json()["returns"][0]["status"] == "held"
    assert errors_of(response, "returns") == [("exceeds_purchase", "purchase")]
    assert Purchase.objects.get().net == 10


def test_messages_speak_the_callers_language(post, settings):
    english = post({"purchases": [purchase(status="lost")]}, language="en").json()
    assert english["purchases"][0]["errors"][0]["message"].startswith("Send one of: cancelled")


def test_another_currency_counts_with_its_rate(post):
    post({"purchases": [purchase(currency="USD", rate="0.9", lines=[line(quantity=3, price="1.15")])]})
    assert str(Purchase.objects.get().gross) == "3.11"  # 3 × 1.15 × 0.9 = 3.105, halves up


def test_a_batch_of_1001_rows_is_refused_whole(post):
    response = post({"purchases": [purchase(f"p{n}") for n in range(1001)]})
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "too_many_rows"
    assert not Purchase.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff\xfe", b'{"purchases": [NaN]}', b'{"a": "\\ud800"}'])
def test_malformed_json_is_a_400(post, body):
    response = post(body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "parse_error"


def test_a_body_over_5_mb_is_a_413(post):
    response = post(b'{"purchases": ["' + b"x" * 5 * 1024 * 1024 + b'"]}')
    assert response.status_code == 413
    assert response.json()["errors"][0]["code"] == "too_large"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "wrong_type"),
        ({}, "no_rows"),
        ({"purchases": []}, "no_rows"),
        ({"purchases": {}}, "wrong_type"),
        ({"orders": []}, "unknown_field"),
        ({"historic": "yes", "purchases": [1]}, "wrong_type"),
    ],
)
def test_a_body_that_is_no_batch_is_a_400(post, body, code):
    response = post(body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == code


@pytest.mark.parametrize("authorization", ["", "Bearer stk_unknown", "Basic YTpi", "Bearer"])
def test_without_a_valid_key_it_is_a_401(post, authorization):
    assert post({"purchases": [purchase()]}, authorization=authorization).status_code == 401
    assert not Purchase.objects.exists()


def test_a_key_without_the_scope_is_a_403(post):
    other = ApiKey.issue(SourceFactory(), ["customers:read"], now() + timedelta(days=1))[1]
    assert post({"purchases": [purchase()]}, authorization=f"Bearer {other}").status_code == 403
    assert not Purchase.objects.exists()


def test_a_key_cannot_write_for_another_source(post):
    response = post({"source": "other-shop", "purchases": [purchase()]})
    assert response.status_code == 403
    assert response.json()["errors"][0]["code"] == "wrong_source"
    assert not Purchase.objects.exists()
    assert post({"source": "test-shop", "purchases": [purchase()]}).status_code == 200


def test_a_live_purchase_makes_one_event_and_a_historic_one_none(post):
    live, old = purchase("live", at=days_ago(0.1)), purchase("old", at=days_ago(4))
    for _repeat in range(2):
        post({"purchases": [live, old]})
    post({"historic": True, "purchases": [purchase("backfill", at=days_ago(0.1))]})
    assert [event.purchase.external_id for event in Event.objects.all()] == ["live"]


def test_as_many_queries_for_40_rows_as_for_2(post):
    def rows(count, mark):
        customers = [{"external_id": f"{mark}{n}", "given_name": "Ada", "email": f"{mark}{n}@example.test"} for n in range(count)]
        return {
            "purchases": [purchase(f"{mark}{n}", customer=customers[n]) for n in range(count)],
            "returns": [brought_back(f"{mark}{n}", purchase=f"{mark}{n}") for n in range(count)],
        }

    post(rows(1, "first"))
    with CaptureQueriesContext(connection) as few:
        post(rows(2, "few"))
    with CaptureQueriesContext(connection) as many:
        post(rows(40, "many"))
    assert Return.objects.filter(held="").count() == 43
    assert len(few) == len(many) <= 60


def test_the_batch_is_in_the_openapi_document(client):
    response = client.get("/api/schema/?format=json")
    assert b"/api/v1/purchases/batch" in response.content
    assert b"MM-DD or YYYY-MM-DD" in response.content
