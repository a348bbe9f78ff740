"""How many answered of those whom a questionnaire was mailed to."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import translation

from crm.models import SurveyInvitation
from loyalty.response_rate import response_rate, sentence
from tests.factories import NOW, CustomerFactory

pytestmark = pytest.mark.django_db


def mailed(ended: float, answered: bool = False, **customer: object) -> None:
    """A questionnaire whose time ended so many days ago."""
    SurveyInvitation.objects.create(
        digest=uuid4().hex, customer=CustomerFactory(**customer), response=uuid4(),
        expires_at=NOW - timedelta(days=ended), answered_at=NOW - timedelta(days=ended + 20) if answered else None,
    )  # fmt: skip


def test_only_questionnaires_whose_time_is_over_count():
    mailed(1, answered=True), mailed(29, answered=True), mailed(0), mailed(12), mailed(15)
    mailed(-1, answered=True), mailed(31, answered=True), mailed(5, answered=True, is_test=True)
    found = response_rate()
    assert found == {"asked": 5, "answered": 2}
    with translation.override("en"):
        assert sentence(found) == (
            "Response rate: 2 of 5 questionnaires mailed 30 to 60 days ago were answered, 40% (12% to 77%)."
        )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "Response rate unknown: no questionnaire was mailed 30 to 60 days ago."),
        ({"asked": 0, "answered": 0}, "Response rate unknown: no questionnaire was mailed 30 to 60 days ago."),
        (
            {"asked": 1, "answered": 1},
            "Response rate: 1 of 1 questionnaire mailed 30 to 60 days ago was answered, 100% (21% to 100%).",
        ),
    ],
)
def test_none_and_one_are_worded_right(found, said):
    with translation.override("en"):
        assert sentence(found) == said
