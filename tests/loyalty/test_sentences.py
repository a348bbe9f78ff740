"""Every sentence of an explanation, in both languages, over many invented customers: whole, filled in, right for 0, 1, many."""

import re
from collections.abc import Iterator

import pytest
from django.utils import translation

from crm.models import Customer
from loyalty import explain, scoring
from loyalty.actions import ACTIONS, BY_CODE, suggested
from loyalty.barriers import RECORDABLE
from loyalty.explain import Explanation
from loyalty.models import Assessment, RuleSet
from loyalty.stages import every_condition
from tests.factories import (
    AdvocacyActFactory,
    BarrierFactFactory,
    ComplaintFactory,
    CustomerFactory,
    InteractionFactory,
    ParticipationFactory,
    UserFactory,
)
from tests.loyalty.shop import DAY, after_gaps, ago, answers, buyer, fond

pytestmark = pytest.mark.django_db


def people() -> Iterator[Customer]:
    """Somebody for every sentence that may be said."""
    yield CustomerFactory()
    for days in (0, 1, 2, 140, 500, 2000):
        yield buyer(days)
    yield buyer(1, 31)
    yield after_gaps([700], 1)
    for score in (0, 3.33, 5, 6.996, 7, 10):
        yield fond(buyer(10, 40, 90), score)
    compared = fond(buyer(10, 40, 90), 8)
    answers(compared, comparison=-1)
    yield compared
    half = buyer(10, 40, 90)
    answers(half, csat=9)
    yield half
    yield from busy_people()


def busy_people() -> Iterator[Customer]:
    for complaints in (1, 2):
        customer = fond(buyer(10, 40, 90), 9)
        for _ in range(complaints):
            ComplaintFactory(customer=customer)
        yield customer
    for acts in (["social_mention"], ["testimonial"], ["testimonial", "defence"]):
        customer = fond(buyer(10, 40, 90), 9)
        for kind in acts:
            AdvocacyActFactory(customer=customer, kind=kind)
        yield customer
    yield from held_people()


def held_people() -> Iterator[Customer]:
    for value in (0, 1, 2):
        customer = fond(buyer(10, 40), 2 + 3 * value)
        for code in RECORDABLE:
            if code != "contract_cancelled":
                BarrierFactFactory(customer=customer, signal=code, value=value)
        yield customer
    for recorded, cancelled in ((90, False), (5, True), (90, True)):
        customer = buyer(200)
        BarrierFactFactory(customer=customer, signal="remaining_months", value=2, recorded_at=ago(recorded))
        if cancelled:
            BarrierFactFactory(customer=customer, signal="contract_cancelled", recorded_at=ago(1))
        yield customer
    staff = UserFactory(first_name="Mia", last_name="Muster")
    social, friend = fond(buyer(5, 35, 65), 8), buyer(3)
    for days in (1, 2, 3):
        InteractionFactory(customer=social, staff=staff, rating=8, occurred_at=ago(days))
    ParticipationFactory(customer=social, title="Tasting", occurred_at=ago(9))
    AdvocacyActFactory(customer=social, kind="referred_order", referred=friend)
    yield social


def sentences(told: Explanation) -> list[str]:
    said = [
        told.stage,
        told.status,
        told.limits,
        told.interval,
        told.attitude,
        told.type,
        told.lock_in,
        told.bond,
        told.share,
        told.advice,
    ]
    said += told.badges + [one.text for one in told.conditions]
    if told.next:
        said += [told.next.sentence, *(one.text for one in told.next.conditions)]
        said += [str(told.next.action.label)] if told.next.action else []
    said += [part.label for part in told.parts]
    for barrier in told.barriers:
        said += [barrier.label, barrier.coverage, *(part for line in barrier.lines for part in (line.text, line.learn))]
    return [one for one in said if one]


def everything(language: str) -> dict[int, list[str]]:
    with translation.override(language):
        return {one.pk: sentences(explain.explain(one)) for one in Customer.objects.filter(assessment__isnull=False)}


@pytest.fixture
def told() -> dict[str, dict[int, list[str]]]:
    RuleSet.objects.create(version=2, values={"least_gaps": 10_000})
    list(people())
    scoring.score_all()
    return {language: everything(language) for language in ("de", "en")}


def test_every_sentence_is_whole(told):
    for language, people_said in told.items():
        for said in (one for sentences in people_said.values() for one in sentences):
            assert not re.search(r"%\(|%s|None|\{|  |\( | \)|\bnan\b|\.\.| ,|“”|„“", said), (language, said)
            assert said == said.strip(), said


def test_german_is_german(told):
    english = {one for said in told["en"].values() for one in said}
    german = {one for said in told["de"].values() for one in said}
    # Numbers and names alone may be alike.
    assert [one for one in german & english if re.search(r"[a-z]{4,} [a-z]{3,}", one)] == []
    foreign = r"\b(the|and|orders?|days|least|with|of their|unknown|customers?|points)\b"
    assert [one for one in german if re.search(foreign, one)] == []
    for said in german:
        assert not re.search(r"\d\.\d(?!\d)", said), said  # decimals have a comma


def test_one_is_singular_and_many_are_plural(told):
    wrong = {
        "en": r"(?<![\d.,])1 (days|orders|months|things|contacts|customers|parts|times|points|mentions|purchases)\b"
        r"|(?<![\d.,])(0|[2-9]|\d\d+) (day|order|month|thing|contact|customer|mention|purchase)\b(?! of)",
        "de": r"(?<![\d.,])1 (Tage|Monate|Käufe|Bedingungen|Kontakte|Kunden|Punkte)\b"
        r"|(?<![\d.,])(0|[2-9]|\d\d+) (Tag|Monat|Kauf|Bedingung|Kontakt|Punkt)\b(?! von)",
    }
    found = {
        (language, one)
        for language, pattern in wrong.items()
        for said in told[language].values()
        for one in said
        if re.search(pattern, one)
    }
    assert not found


def test_a_stored_past_day_is_counted_from_itself():
    customer = buyer(60, 100)
    past = ago(50).date()
    scoring.score_past(past, store=True)
    with translation.override("en"):
        found = explain.explain(customer)
        assert not found.is_today
        assert found.status.startswith("Active: on 13 Sep 2026 the last order was 10 days old, from 3 Sep 2026.")
    scoring.score_all()
    with translation.override("en"):
        assert explain.explain(customer).is_today
    assert DAY > past


def test_reactivated_says_why():
    customer = after_gaps([700], 1)
    scoring.score_all()
    with translation.override("en"):
        assert (
            "Before it they had stayed away for 700 days, long enough to have lapsed."
            in explain.explain(customer).status
        )
    assert Assessment.objects.get().status_on(DAY) == "reactivated"


def test_too_little_is_never_rounded_up_to_enough():
    from loyalty.conditions import below

    with translation.override("en"):
        assert [below(69.96, 70), below(69.9, 70), below(68, 70), below(0, 70)] == ["69.96", "69.9", "68", "0"]


def test_whatever_is_missing_the_next_step_never_makes_leaving_harder():
    codes = [condition.code for condition in every_condition()]
    for code in codes:
        for bond in ("", "captive", "voluntary"):
            for status in ("", "active", "lapsed"):
                step = suggested([code], [], bond, status)
                assert step in ACTIONS
                if bond == "captive":
                    assert step.code in {"ease_leaving", "solve_complaint"}
    assert suggested(["two_orders"], [], "", "lapsed") == BY_CODE["win_back"]
    assert suggested([], [], "") is None
