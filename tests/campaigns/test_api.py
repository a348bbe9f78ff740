"""What relays report and others ask over REST."""

from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from django.test import Client
from django.utils.timezone import now

from campaigns.api import signature
from campaigns.models import Delivery, Receipt
from crm.models import ApiKey
from tests.campaigns.people import deliver, launched, open_shop, person, states
from tests.factories import SourceFactory
from tests.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
PATH = "/webhooks/receipts/"


@pytest.fixture(autouse=True)
def delivery() -> Delivery:
    open_shop()
    person("anna@example.test", "newsletter")
    launched()
    Delivery.objects.update(state="unknown", sending_at=now(), lease_until=now())
    return Delivery.objects.get()


def report(client: Client, rows: object, *, age: timedelta = timedelta(0), sign: str = "") -> object:
    body = orjson.dumps(rows)
    header = sign or signature(body, now() - age)
    return client.post(PATH, body, content_type="application/json", headers={"x-signature": header})


def row(delivery: Delivery, status: str = "delivered") -> dict[str, str]:
    return {"delivery_id": str(delivery.pk), "status": status, "at": now().isoformat()}


class TestReceipts:
    def test_settle_an_unclear_mail_once(self, client: Client, delivery: Delivery) -> None:
        assert report(client, [row(delivery)]).json() == {"received": 1, "new": 1}  # type: ignore[attr-defined]
        assert report(client, [row(delivery)]).json() == {"received": 1, "new": 0}  # type: ignore[attr-defined]
        assert states() == {"sent": 1} and Receipt.objects.count() == 1

    def test_may_name_the_mail_by_its_message_id(self, client: Client, delivery: Delivery) -> None:
        given = {"message_id": f"<{delivery.pk}@localhost>", "status": "delivered", "at": now().isoformat()}
        assert report(client, [given]).status_code == 200  # type: ignore[attr-defined]
        assert states() == {"sent": 1}

    def test_of_an_unknown_mail_are_kept_for_later(self, client: Client) -> None:
        given = {"delivery_id": str(uuid4()), "status": "delivered", "at": now().isoformat()}
        assert report(client, [given]).json()["new"] == 1  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("age", "sign"),
        [
            (timedelta(minutes=6), ""),
            (timedelta(minutes=-6), ""),
            (timedelta(0), "t=1,v1=" + "0" * 64),
            (timedelta(0), "nonsense"),
        ],
    )
    def test_forged_or_old_are_refused(self, client: Client, delivery: Delivery, age: timedelta, sign: str) -> None:
        response = report(client, [row(delivery)], age=age, sign=sign)
        assert response.status_code in (401, 403) and states() == {"unknown": 1}  # type: ignore[attr-defined]

    def test_are_refused_where_no_secret_is_set(self, client: Client, delivery: Delivery, settings: object) -> None:
        settings.RECEIPT_SECRET = ""  # type: ignore[attr-defined]
        assert report(client, [row(delivery)]).status_code in (401, 403)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("rows", [[{"status": "delivered"}], [{"delivery_id": "x"}], {"a": 1}, "x", [1], None])
    def test_that_make_no_sense_are_refused_whole(self, client: Client, rows: object) -> None:
        assert report(client, rows).status_code == 400  # type: ignore[attr-defined]
        assert not Receipt.objects.exists()


class TestRuns:
    @pytest.fixture
    def key(self) -> dict[str, str]:
        _key, plain = ApiKey.issue(SourceFactory(), ["reports:read"], now() + timedelta(days=1))
        return {"authorization": f"Bearer {plain}"}

    def test_show_counts_reasons_and_what_nobody_knows(
        self, client: Client, key: dict[str, str], delivery: Delivery
    ) -> None:
        [head] = client.get("/api/v1/runs/", headers=key).json()["runs"]
        answer = client.get(f"/api/v1/runs/{head['id']}/", headers=key).json()
        assert answer["counts"]["unknown"] == 1 and answer["counts"]["sent"] == 0
        assert answer["expected_recipients"] == 1 and answer["reasons"] == {}
        assert [found["id"] for found in answer["unknown"]] == [str(delivery.pk)]

    def test_need_a_key_with_the_scope(self, client: Client) -> None:
        assert client.get("/api/v1/runs/").status_code == 401
        _key, plain = ApiKey.issue(SourceFactory(), ["purchases:write"], now() + timedelta(days=1))
        assert client.get("/api/v1/runs/", headers={"authorization": f"Bearer {plain}"}).status_code == 403

    def test_that_do_not_exist_are_not_found(self, client: Client, key: dict[str, str]) -> None:
        assert client.get("/api/v1/runs/987654/", headers=key).status_code == 404


class TestReadiness:
    def test_names_a_missing_sender_and_a_late_mail(self, client: Client, smtp_sink: SmtpSink) -> None:
        Delivery.objects.update(
            state="planned", planned_at=now() - timedelta(minutes=9), not_before=now() - timedelta(minutes=9)
        )
        found = client.get("/readyz").json()
        assert not found["ready"]
        assert found["sender"] == "no sender has run yet" and found["oldest_due"].startswith("a mail has waited")

    def test_is_fine_once_a_sender_has_done_its_work(self, client: Client, smtp_sink: SmtpSink) -> None:
        from campaigns import heartbeat

        deliver()
        heartbeat.beat("test", 1)
        found = client.get("/readyz").json()
        assert (found["sender"], found["oldest_due"]) == ("ok", "ok")
