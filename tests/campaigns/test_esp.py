"""A provider over HTTP: what a broken request means, and that a key makes asking twice harmless."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils.timezone import now

from campaigns import resolving, transport
from campaigns.models import Circuit, Delivery
from tests.campaigns.people import deliver, launched, open_shop, person, states

pytestmark = pytest.mark.django_db


class Provider:
    """Speaks as Resend does: one mail for each Idempotency-Key. `behave` is how it treats the next requests."""

    def __init__(self) -> None:
        self.behave = "well"
        self.mails: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.requests = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        mail = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        if self.behave == "hang before":
            time.sleep(1)
            return
        if self.behave == "fail before":
            return self.say(request, 500, {})
        if self.behave == "too many":
            return self.say(request, 429, {})
        if self.behave == "refuse":
            return self.say(request, 422, {"message": "invalid"})
        key = request.headers["Idempotency-Key"]
        if key not in self.keys:
            self.keys[key] = f"resend-{len(self.mails)}"
            self.mails.append(mail)
        if self.behave == "hang after":
            time.sleep(1)
        elif self.behave == "fail after":
            self.say(request, 500, {})
        elif self.behave == "mumble":
            self.say(request, 200, None)
        else:
            self.say(request, 200, {"id": self.keys[key]})

    def say(self, request: BaseHTTPRequestHandler, status: int, content: Any) -> None:
        body = b"<html>" if content is None else json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    made = Provider()
    settings.EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
    settings.ANYMAIL = {"RESEND_API_KEY": "k", "RESEND_API_URL": made.url, "REQUESTS_TIMEOUT": 0.5}
    settings.SEND_GRACE_S = 60
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(autouse=True)
def one_mail() -> None:
    open_shop()
    person("anna@example.test", "newsletter")
    launched()


def time_passes() -> None:
    """Lease, grace and the server's rest are over."""
    Delivery.objects.filter(state="unknown").update(lease_until=now() - timedelta(hours=1))
    Delivery.objects.filter(state="planned").update(not_before=now() - timedelta(minutes=1))
    Circuit.objects.update(rests_until=now() - timedelta(minutes=1))


def test_a_mail_goes_with_its_number_as_key(provider: Provider) -> None:
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.provider_id, list(provider.keys)) == ("sent", "resend-0", [str(delivery.pk)])
    assert len(provider.mails) == 1 and provider.mails[0]["to"] == ["anna@example.test"]
    assert json.loads(provider.mails[0]["headers"]["X-Metadata"]) == {"d": str(delivery.pk)}


@pytest.mark.parametrize("trouble", ["hang before", "fail before", "hang after", "fail after"])
def test_an_unclear_request_is_asked_again_and_one_mail_goes(provider: Provider, trouble: str) -> None:
    provider.behave = trouble
    deliver()
    assert states() == {"unknown": 1}
    resolving.resolve()
    assert states() == {"unknown": 1}, "not before the grace is over"
    provider.behave = "well"
    time_passes()
    resolving.resolve()
    deliver()
    assert (states(), len(provider.mails), provider.requests) == ({"sent": 1}, 1, 2)


def test_without_a_key_nobody_asks_again(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control of the test above: the provider would send twice."""
    monkeypatch.setattr(transport, "CAPABILITIES", ())
    provider.behave = "fail after"
    deliver()
    provider.behave = "well"
    time_passes()
    resolving.resolve()
    deliver()
    assert (states(), provider.requests, list(provider.keys)) == ({"unknown": 1}, 1, [None])


def test_a_key_that_has_run_out_makes_nobody_ask(provider: Provider) -> None:
    provider.behave = "fail after"
    deliver()
    provider.behave = "well"
    time_passes()
    Delivery.objects.update(sending_at=now() - timedelta(hours=23))
    resolving.resolve()
    assert states() == {"unknown": 1}


@pytest.mark.parametrize(
    ("behaviour", "state", "rests"),
    [("too many", "planned", True), ("refuse", "failed", False), ("mumble", "sent", False)],
)
def test_what_an_answer_means(provider: Provider, behaviour: str, state: str, rests: bool) -> None:
    provider.behave = behaviour
    deliver()
    assert states() == {state: 1}
    assert Circuit.objects.exclude(state="closed").exists() is rests


def test_a_provider_that_cannot_be_reached_has_not_got_it(provider: Provider, settings: Any) -> None:
    settings.ANYMAIL = settings.ANYMAIL | {"RESEND_API_URL": "http://127.0.0.1:1/"}
    deliver()
    assert Delivery.objects.values_list("state", "attempts").get() == ("planned", 0)
