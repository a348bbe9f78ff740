"""A customer's judgement by REST: every number with its reasons, in the caller's language, for the own source only."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from crm.models import ApiKey, CustomerKey, Source
from loyalty import scoring
from loyalty.actions import BY_CODE
from tests.factories import BarrierFactFactory, ComplaintFactory, CustomerFactory, InteractionFactory, UserFactory
from tests.loyalty.shop import ago, answers, buyer, fond

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return Source.objects.create(name="Till", kind="api")


@pytest.fixture
def ask(source):
    key = ApiKey.issue(source, ["customers:read"], now() + timedelta(days=1))[1]

    def get(number: str = "C-1", language: str = "en", key: str = key):
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}
        return Client().get(f"/api/v1/customers/{number}/judgement", headers=headers)

    return get


def known(source: Source, number: str = "C-1", customer=None):
    customer = customer or CustomerFactory()
    CustomerKey.objects.create(source=source, external_id=number, customer=customer)
    return customer


def test_a_judgement_with_all_its_parts(ask, source):
    customer = known(source, customer=fond(buyer(5, 25, 45), 6))
    complaint = ComplaintFactory(customer=customer)
    BarrierFactFactory(customer=customer, signal="recurring_delivery", note="told me so")
    scoring.score_all()
    found = ask().json()
    assert (found["customer"], found["rules_version"], found["language"]) == ("C-1", 1, "en")
    assert (found["stage"]["code"], found["stage"]["raw"]) == ("regular", "regular")
    following = found["stage"]["next"]
    assert following["code"] == "loyal"
    assert following["action"] == {"code": "solve_complaint", "label": str(BY_CODE["solve_complaint"].label)}
    missing = {one["code"]: one for one in following["conditions"] if one["state"] == "missing"}
    assert set(missing) == {"attitude_high", "no_severe_complaint"}
    assert missing["no_severe_complaint"]["facts"][0]["url"].endswith(f"/complaints/{complaint.pk}/")
    assert found["status"]["code"] == "active"
    assert found["attitude"]["value"] == 60
    assert [part["value"] for part in found["attitude"]["parts"]] == [60, 60, 60, None, None]
    assert found["attitude"]["parts"][0]["facts"][0]["text"] == "6 of 10"
    effort = next(one for one in found["barriers"] if one["code"] == "procedural")
    assert (effort["score"], effort["sign"], effort["weight"]) == (30.83, -1, 0.6)
    line = next(one for one in effort["lines"] if one["code"] == "recurring_delivery")
    assert (line["points"], line["most"]) == (30, 30)
    assert "told me so" in line["facts"][0]["text"]
    assert line["facts"][0]["on"] == "2026-11-02"
    unknown = next(one for one in effort["lines"] if one["code"] == "training_done")
    assert (unknown["points"], unknown["learn"]) == (None, "Nobody has recorded it. Ask, and note it here.")
    assert (found["lock_in"]["value"], found["bond"]["value"]) == (18.5, 60)
    assert found["bond_type"]["code"] == "voluntary"
    assert found["loyalty_type"]["code"] == "developing"


def test_sentences_speak_the_callers_language(ask, source):
    known(source, customer=buyer(5))
    scoring.score_all()
    english, german = ask(language="en").json(), ask(language="de").json()
    assert (english["language"], german["language"]) == ("en", "de")
    assert english["stage"]["label"] == "First-time customer"
    assert german["stage"]["label"] == "Erstkunde"
    assert english["status"]["sentence"] != german["status"]["sentence"]


def test_numbers_are_those_of_the_profile(ask, source):
    customer = known(source, customer=fond(buyer(5, 25, 45), 8))
    scoring.score_all()
    found, judged = ask().json(), customer.assessment
    assert found["bond"]["value"] == judged.bond
    assert [one["score"] for one in found["barriers"]] == judged.scores


def test_a_key_sees_its_own_source_only(ask, source):
    known(Source.objects.create(name="Other", kind="api"), customer=buyer(5))
    scoring.score_all()
    assert ask().status_code == 404
    assert ask(key="stk_no").status_code == 401


def test_a_key_without_the_scope_is_refused(ask, source):
    known(source, customer=buyer(5))
    other = ApiKey.issue(source, ["purchases:write"], now() + timedelta(days=1))[1]
    assert ask(key=other).status_code == 403


def test_who_is_not_judged_yet_or_erased_or_merged(ask, source):
    customer = known(source, customer=buyer(5))
    assert "not judged yet" in ask().content.decode()
    target = buyer(5, 25)
    scoring.score_all()
    customer.merged_into = target
    customer.save()
    scoring.score_all()
    assert ask().json()["stage"]["code"] == "repeat"
    gone = known(source, "C-2", CustomerFactory(erased_at=now()))
    assert ask("C-2").status_code == 404, gone
    assert ask("C-3").status_code == 404


def test_a_number_with_a_slash_is_found(ask, source):
    known(source, "2026/7", buyer(5))
    scoring.score_all()
    assert ask("2026/7").status_code == 200


def test_it_costs_the_same_however_much_is_known(ask, source):
    few, rich = known(source, customer=fond(buyer(5), 8)), known(source, "C-2", fond(buyer(*range(1, 30)), 8))
    contact = UserFactory()
    for customer, many in ((few, 2), (rich, 9)):
        for days in range(1, many):
            answers(customer, days, csat=8)
            InteractionFactory(customer=customer, staff=contact, rating=9, occurred_at=ago(days))
    scoring.score_all()
    counts = []
    ask()
    for number in ("C-1", "C-2"):
        with CaptureQueriesContext(connection) as seen:
            assert ask(number).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_it_stands_in_the_openapi_document():
    document = Client().get("/api/schema/").content.decode()
    assert "/api/v1/customers/{external_id}/judgement" in document
    assert "customer_judgement" in document
    assert "Accept-Language" in document
