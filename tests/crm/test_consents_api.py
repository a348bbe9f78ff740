"""Consents by REST: each row answered, nothing granted without proof, every end heard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils.timezone import now

from crm import consent, keyed, permission, wordings
from crm.models import (
    ApiKey,
    ConsentEvent,
    ConsentState,
    ContactPoint,
    Customer,
    CustomerKey,
    DoubleOptIn,
    Purpose,
    Quarantine,
    Suppression,
)
from tests.campaigns.people import open_shop
from tests.crm.at_once import at_once
from tests.factories import CustomerFactory, EmailFactory, SourceFactory

URL = "/api/v1/consents/batch"
WORDING = {"version": 1, "language": "de"}
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop() -> None:
    open_shop()
    wordings.publish("newsletter", {"de": "Ja, die Rösterei darf mir mailen."}, None)


@pytest.fixture
def key() -> str:
    return ApiKey.issue(SourceFactory(), ["consent:write"], now() + timedelta(days=1))[1]


@pytest.fixture
def anna() -> Customer:
    return customer("C-1", "anna@example.test")


def customer(number: str, email: str) -> Customer:
    made = CustomerFactory()
    EmailFactory(customer=made, value=email, normal=email.lower())
    CustomerKey.objects.create(source=SourceFactory(), external_id=number, customer=made)
    return made


@pytest.fixture
def post(key: str) -> Any:
    def send(*rows: Any, body: Any = None, authorization: str = f"Bearer {key}") -> Any:
        return Client().post(
            URL,
            orjson.dumps(body if body is not None else {"consents": list(rows)}),
            content_type="application/json",
            headers={"Authorization": authorization, "Accept-Language": "en"},
        )

    return send


def given(who: str = "C-1", at: datetime = AT, **more: Any) -> dict[str, Any]:
    person = {"email": who} if "@" in who else {"customer": who}
    row = {"purpose": "newsletter", "action": "given", "occurred_at": at.isoformat(), "wording": WORDING}
    return {name: value for name, value in (person | row | more).items() if value is not ...}


def withdrawn(who: str = "C-1", at: datetime = AT, **more: Any) -> dict[str, Any]:
    return given(who, at, action="withdrawn", wording=..., **more)


def confirmed(at: datetime = AT) -> dict[str, str]:
    return {"confirmed_at": (at + timedelta(minutes=5)).isoformat()}


def answers(response: Any) -> list[tuple[str, str, str]]:
    assert response.status_code in (200, 202), response.content
    return [(row["status"], row["state"], row["mail"]) for row in response.json()["consents"]]


def errors(response: Any) -> list[tuple[str, str]]:
    return [(error["code"], error["field"]) for row in response.json()["consents"] for error in row["errors"]]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "pending"),
        ({"double_opt_in": confirmed()}, "given"),
        ({"method": "paper", "evidence": "folder 3, sheet 7"}, "given"),
        ({"method": "phone"}, "pending"),
    ],
)
def test_what_a_grant_is_worth(post: Any, anna: Customer, more: dict[str, Any], expected: str) -> None:
    status = "pending" if expected == "pending" else "recorded"
    assert answers(post(given(**more))) == [(status, expected, "")]
    first = ConsentEvent.objects.order_by("pk")[0]
    assert first.source and first.wording and first.wording_hash == first.wording.hash


def test_the_same_row_again_changes_nothing(post: Any, anna: Customer) -> None:
    rows = [given(double_opt_in=confirmed()), withdrawn(at=AT + timedelta(days=1)), given(double_opt_in=confirmed())]
    first, again = answers(post(*rows)), answers(post(*rows))
    assert [row[0] for row in first] == ["stale", "recorded", "unchanged"]
    assert again == [("unchanged", "withdrawn", "")] * 3
    assert ConsentEvent.objects.count() == 3


@pytest.mark.parametrize(("hours", "state"), [(-1, "withdrawn"), (0, "withdrawn"), (1, "given")])
def test_a_grant_counts_only_after_the_last_withdrawal(post: Any, anna: Customer, hours: int, state: str) -> None:
    post(withdrawn())
    grant = given(at=AT + timedelta(hours=hours), method="paper", evidence="sheet 7")
    assert answers(post(grant))[0][:2] == ("stale" if state == "withdrawn" else "recorded", state)


def test_the_order_of_rows_does_not_matter(post: Any, anna: Customer) -> None:
    other = customer("C-2", "ben@example.test")
    rows = [withdrawn(at=AT), given(at=AT + timedelta(days=1), double_opt_in=confirmed(AT + timedelta(days=1)))]
    post(*rows)
    post(*reversed([row | {"customer": "C-2"} for row in rows]))
    found = ConsentState.objects.filter(customer__in=[anna, other]).values_list("state", "since").distinct()
    assert len(found) == 1 and found[0][0] == "given"


def test_a_confirmation_is_asked_for_with_202_and_a_state(post: Any, anna: Customer) -> None:
    row = given(request_double_opt_in=True)
    response = post(row)
    assert response.status_code == 202 and answers(response) == [("pending", "pending", "requested")]
    asked = DoubleOptIn.objects.get()
    assert asked.customer == anna and asked.wordings == {"newsletter": ConsentEvent.objects.get().wording_id}
    again = post(row)
    assert again.status_code == 200 and DoubleOptIn.objects.count() == 1
    for _mail in range(2):
        post(given(at=now(), request_double_opt_in=True))
    assert answers(post(given(at=now(), request_double_opt_in=True)))[0][2] == "limited"


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        (given(purpose="sweets"), "unknown_purpose", "purpose"),
        (given(purpose="survey"), "inactive_purpose", "purpose"),
        (given(at=now() + timedelta(days=1)), "in_the_future", "occurred_at"),
        (given(at=AT.replace(tzinfo=None)), "needs_zone", "occurred_at"),
        (given(wording=...), "required", "wording"),
        (given(wording={"version": 9, "language": "de"}), "unknown_wording", "wording.version"),
        (given(wording={"version": "1", "language": "de"}), "unknown_wording", "wording.version"),
        (given("C-404"), "unknown_customer", "customer"),
        (given("anna@"), "not_an_email", "email"),
        (given(action="confirmed"), "not_a_choice", "action"),
        (given(channel="fax"), "not_a_choice", "channel"),
        (given(method="paper"), "required", "evidence"),
        (given(double_opt_in=confirmed(AT - timedelta(days=1))), "before_request", "double_opt_in.confirmed_at"),
        (given(colour="red"), "unknown_field", "colour"),
        ("text", "wrong_type", ""),
    ],
)  # fmt: skip
def test_bad_rows_are_named_kept_and_harm_no_other(post: Any, anna: Customer, row: Any, code: str, field: str) -> None:
    Purpose.objects.filter(pk="survey").update(active=False)
    response = post(row, given())
    assert (code, field) in errors(response)
    assert [one[0] for one in answers(response)] == ["invalid", "pending"]
    assert Quarantine.objects.get().payload == row


def test_addresses_are_compared_as_everywhere(post: Any) -> None:
    for email in ("Anna+Shop@Example.TEST", "anna+shop@example.test", "ben@köln.example"):
        assert answers(post(given(email)))[0][0] in ("pending", "unchanged")
    assert sorted(ContactPoint.objects.values_list("normal", flat=True)) == [
        "anna+shop@example.test",
        "ben@xn--kln-sna.example",
    ]


def test_who_shares_a_mailbox_must_be_named_to_agree_but_not_to_end(post: Any, anna: Customer) -> None:
    ben = customer("C-2", "anna@example.test")
    post(given(method="paper", evidence="1"), given("C-2", method="paper", evidence="2"))
    assert errors(post(given("anna@example.test"))) == [("shared_mailbox", "email")]
    assert answers(post(withdrawn("ANNA@example.test", at=AT + timedelta(days=1)))) == [("recorded", "withdrawn", "")]
    states = ConsentState.objects.filter(customer__in=[anna, ben]).values_list("state", flat=True)
    assert list(states) == ["withdrawn", "withdrawn"]


def test_an_end_for_a_stranger_outranks_the_grant_that_arrives_later(post: Any) -> None:
    assert answers(post(withdrawn("new@example.test"))) == [("recorded", "withdrawn", "")]
    grant = given("New@example.test", at=AT - timedelta(days=9), double_opt_in=confirmed(AT - timedelta(days=9)))
    assert answers(post(grant)) == [("stale", "withdrawn", "")]
    assert Customer.objects.count() == 1


def test_a_withdrawal_dated_in_the_future_counts_now_and_once(post: Any, anna: Customer) -> None:
    post(given(method="paper", evidence="sheet 7"))
    row = withdrawn(at=now() + timedelta(days=3))
    assert answers(post(row)) == [("recorded", "withdrawn", "")]
    assert answers(post(row)) == [("unchanged", "withdrawn", "")]
    assert ConsentState.objects.get().since <= now()


def test_an_objection_ends_everything_for_strangers_too(post: Any, anna: Customer) -> None:
    post(given(method="paper", evidence="sheet 7"))
    objection = {"action": "objected", "occurred_at": now().isoformat()}
    post({"customer": "C-1"} | objection, {"email": "Stranger@example.test"} | objection)
    assert permission.may_send(anna.pk, "advertising", "newsletter").code == "suppressed"
    assert set(ConsentState.objects.values_list("state", flat=True)) == {"objected"}
    assert Suppression.objects.filter(address_hash=keyed.address_hash("stranger@example.test")).exists()
    assert Customer.objects.count() == 1


def test_what_is_planned_stops_with_the_withdrawal(post: Any, anna: Customer) -> None:
    from campaigns.models import Delivery
    from tests.factories import DeliveryFactory

    planned = DeliveryFactory(customer=anna)
    post(withdrawn(at=now()))
    assert Delivery.objects.get(pk=planned.pk).state == "suppressed"


def test_a_key_without_the_scope_and_another_sources_customer(post: Any, anna: Customer) -> None:
    bare = ApiKey.issue(SourceFactory(), ["purchases:write"], now() + timedelta(days=1))[1]
    assert post(given(), authorization=f"Bearer {bare}").status_code == 403
    other = ApiKey.issue(SourceFactory(name="other"), ["consent:write"], now() + timedelta(days=1))[1]
    assert errors(post(given(), authorization=f"Bearer {other}")) == [("unknown_customer", "customer")]


@pytest.mark.parametrize("body", [[], {}, {"consents": {}}, {"consents": []}, {"consents": [], "x": 1}])
def test_bodies_that_are_no_batch(post: Any, body: Any) -> None:
    assert post(body=body).status_code == 400
    assert post(body={"consents": [{}] * 1001}).status_code == 400


def test_a_batch_takes_the_same_queries_for_2_rows_and_40(post: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        customer(f"N-{number}", f"n{number}@example.test")
    rows = [given(f"N-{number}") for number in range(20)] + [given(f"new{number}@example.test") for number in range(20)]
    with django_assert_max_num_queries(40):
        assert {row[0] for row in answers(post(*rows))} == {"pending"}


def test_a_client_reads_where_its_customer_stands(anna: Customer) -> None:
    consent.give(anna.pk, ["newsletter"], consent.How("paper", occurred_at=AT))
    key = ApiKey.issue(SourceFactory(), ["customers:read"], now() + timedelta(days=1))[1]
    read = Client(headers={"Authorization": f"Bearer {key}"})
    body = read.get("/api/v1/customers/C-1/consents").json()
    assert [(row["purpose"], row["state"], row["method"]) for row in body["consents"]] == [
        ("newsletter", "given", "paper")
    ]
    assert read.get("/api/v1/customers/C-2/consents").status_code == 404


def test_the_schema_documents_both_doors() -> None:
    paths = Client().get("/api/schema/?format=json").json()["paths"]
    assert {"200", "202"} <= set(paths["/api/v1/consents/batch"]["post"]["responses"])
    assert "get" in paths["/api/v1/customers/{external_id}/consents"]


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_twice_at_once_is_recorded_once(post: Any, anna: Customer) -> None:
    rows = [given(request_double_opt_in=True), given("new@example.test"), withdrawn("C-1", at=AT - timedelta(days=1))]
    found = at_once(4, lambda: answers(post(*rows)))
    assert ConsentEvent.objects.count() == 3 and Customer.objects.count() == 2 and DoubleOptIn.objects.count() == 1
    assert sorted(row[0] for answer in found for row in answer) == ["pending"] * 2 + ["recorded"] + ["unchanged"] * 9


def test_a_grant_may_name_the_address_it_was_declared_for(post, anna):
    proof = {"double_opt_in": {"confirmed_at": AT.isoformat()}}
    answer = post(given("C-1", email="former@example.test", **proof)).json()["consents"][0]
    assert answer["state"] == "moved" and permission.may_send(anna.pk, "advertising", "newsletter").code == "other_address"
    assert not Customer.objects.exclude(pk=anna.pk).exists(), "the address names nobody here"
    assert post(given("C-1", email="ANNA@example.test", **proof)).json()["consents"][0]["status"] == "unchanged"
