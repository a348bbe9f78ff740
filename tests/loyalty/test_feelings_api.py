"""A customer's feelings and motivators by REST, with reasons in the caller's language."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from crm.models import ApiKey, CustomerKey, Source
from loyalty.api import JudgementShape
from loyalty.api_feelings import FeelingsShape
from tests.factories import CustomerFactory
from tests.loyalty.test_motivators import says
from tests.loyalty.test_nev import felt

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return Source.objects.create(name="Till", kind="api")


@pytest.fixture
def customer(source):
    made = CustomerFactory()
    CustomerKey.objects.create(source=source, external_id="C-1", customer=made)
    return made


def ask(source, number="C-1", language="en", scopes=("customers:read",)):
    key = ApiKey.issue(source, list(scopes), now() + timedelta(days=1))[1]
    headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}
    return Client().get(f"/api/v1/customers/{number}/feelings", headers=headers)


def test_nothing_known_is_null_and_says_so(source, customer):
    found = ask(source).json()
    assert (found["nev"]["value"], found["nev"]["latest"], found["motivators"]["connected"]) == (None, None, None)
    assert found["phase"]["code"] == "" and "unknown" in found["nev"]["reasons"][0]


def test_value_motivators_and_phase_with_their_reasons(source, customer):
    felt(customer, 8, 2), says(customer, "secure", 9, 8), says(customer, "thrill", 9, 2, origin="staff_note")
    found = ask(source).json()
    assert (found["nev"]["form"], found["nev"]["mean"], found["nev"]["value"], found["nev"]["k"]) == ("short", 6, 6, 3)
    assert found["nev"]["clusters"] == {"advocacy": 8, "recommendation": 8, "attention": 8, "destroying": 2}
    assert found["motivators"]["connected"] is True and found["motivators"]["said"][0]["top"] is True
    assert [one["motivator"] for one in found["motivators"]["noted"]] == ["thrill"]
    german = ask(source, language="de").json()
    assert german["nev"]["reasons"][0].startswith("Geglättet +6,0: Mittel aus 1 eigenen Antwort")


def test_the_answers_behind_the_value_have_their_days_and_links(source, customer):
    felt(customer, 8, 2, 40), felt(customer, 5, 4, 10)
    found = ask(source).json()
    assert found["rules_version"] == 1
    assert [one["value"] for one in found["nev"]["responses"]] == [1, 6]
    assert found["nev"]["responses"][0]["on"] > found["nev"]["responses"][1]["on"]
    assert all(f"/customers/{customer.pk}/" in one["url"] for one in found["nev"]["responses"])


@pytest.mark.parametrize("shape", [JudgementShape, FeelingsShape])
def test_every_figure_is_described(shape):
    """Meaning, unit and range stand in the OpenAPI description; whoever reads a number need not guess."""

    def silent(of, where):
        for name, field in of.fields.items():
            child = getattr(field, "child", field)
            if hasattr(child, "fields"):
                yield from silent(child, f"{where}.{name}")
            elif not field.help_text:
                yield f"{where}.{name}"

    assert list(silent(shape(), shape.__name__)) == []


def test_only_the_own_customers_and_only_with_the_scope(source, customer):
    other = Source.objects.create(name="Web", kind="api")
    assert ask(other).status_code == 404 and ask(source, "C-2").status_code == 404
    assert ask(source, scopes=["purchases:write"]).status_code == 403
    customer.erased_at = now()
    customer.save()
    assert ask(source).status_code == 404
