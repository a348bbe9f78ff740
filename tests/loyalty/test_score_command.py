"""`manage.py score` says what is wrong with a day."""

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-13-01", "is no day of the calendar: write it as 2026-06-30."),
        ("yesterday", "is no day of the calendar"),
        ("0001-01-01", "lies before 1900-01-01: check the year."),
        ("9999-12-31", "is in the future"),
    ],
)
def test_a_day_that_cannot_be_judged_is_refused_with_what_to_do(day, said):
    with pytest.raises(CommandError, match=said):
        call_command("score", f"--as-of={day}")
