"""The OpenAPI document names every URL of the API, no call made up from it breaks the server, and it tells no lies.

That answers are as documented is checked wherever a test calls the API (`_api_answers_as_documented` in tests/conftest.py);
here only that this check would notice.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.http import JsonResponse
from django.urls import get_resolver
from django.utils.timezone import now
from hypothesis import HealthCheck, settings

from crm import access
from crm.models import ApiKey
from tests.api_document import contradictions
from tests.factories import SourceFactory


@pytest.fixture
def api_schema(db: None) -> Iterator[schemathesis.BaseSchema]:
    # schemathesis calls the application itself, and Django would close the test's connection after each call.
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def plain_key(db: None) -> str:
    _key, plain = ApiKey.issue(SourceFactory(), list(ApiKey.SCOPES), now() + timedelta(days=1))
    return plain


CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]
schema = schemathesis.pytest.from_fixture("api_schema")


EACH_CALL = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@schema.parametrize()
@settings(max_examples=3, **EACH_CALL)
def test_no_documented_call_breaks_the_server(case: schemathesis.Case, plain_key: str) -> None:
    check(case, plain_key)


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=10, **EACH_CALL)
def test_no_call_among_many_breaks_the_server(case: schemathesis.Case, plain_key: str) -> None:
    check(case, plain_key)


def check(case: schemathesis.Case, plain_key: str) -> None:
    response = case.call(headers={"Authorization": f"Bearer {plain_key}"})
    assert response.status_code < 500, response.text
    case.validate_response(response, checks=CHECKS)


def test_every_api_url_is_in_the_document(client, db: None) -> None:
    documented = set(client.get("/api/schema/?format=json").json()["paths"])
    served = {
        "/" + route.replace("<path:", "{").replace("<int:", "{").replace("<str:", "{").replace(">", "}")
        for route, pattern in access.patterns(get_resolver())
        if (access.declared(pattern) or "").startswith("scope:")
    }
    served.add("/webhooks/receipts/")  # signed instead of keyed
    assert served == {path.replace("{id}", "{pk}") for path in documented}


def test_an_address_that_does_not_exist_is_answered_in_the_same_shape(client, db: None) -> None:
    answer = client.get("/api/v1/nothing", headers={"accept-language": "de"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")
    assert client.get("/nothing/").headers["content-type"].startswith("text/html")


GOOD = {"customer": "C-1", "consents": []}


@pytest.mark.parametrize(
    ("status", "body", "noticed"),
    [
        (200, GOOD, ""),
        (200, {"customer": "C-1"}, "'consents' is a required property"),
        (200, GOOD | {"more": 1}, "'more' was unexpected"),
        (200, GOOD | {"customer": None}, "None is not of type 'string'"),
        (404, {"type": "client_error", "errors": [{"code": "not_found", "detail": "No.", "attr": None}]}, ""),
        (404, {"detail": "No."}, "'errors' is a required property"),
        (418, GOOD, "status 418"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_noticed(status: int, body: dict, noticed: str) -> None:
    found = contradictions("GET", "/api/v1/customers/C-1/consents", JsonResponse(body, status=status))
    assert noticed in "\n".join(found) if noticed else found == []
