"""Statements whose plan the session keeps answer as if their values were written into them."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection

from crm import sql

pytestmark = pytest.mark.django_db

NAMED = {
    "day": date(2026, 5, 17), "at": datetime(2026, 5, 17, 12, tzinfo=UTC), "share": 0.15, "days": 365, "big": 2**40,
    "word": "Käthe's", "yes": True, "ids": [3, 1], "none_of_them": [], "shares": [0.5, 1.0],
}  # fmt: skip
STATEMENT = """
SELECT %(day)s::date - %(days)s, %(at)s + interval '1 day', %(share)s * 3, %(big)s, %(word)s || ' 100 %%', NOT %(yes)s,
  2 = ANY(%(ids)s), 2 = ANY(%(none_of_them)s), %(shares)s::float8[], %(share)s = 0.15"""


def planned() -> list[tuple]:
    with connection.cursor() as cursor:
        sql.execute_planned(cursor, STATEMENT, NAMED)
        return cursor.fetchall()


def test_it_answers_as_the_written_statement_does() -> None:
    with connection.cursor() as cursor:
        written = sql.rows(cursor, STATEMENT.replace("%(none_of_them)s", "%(none_of_them)s::bigint[]"), NAMED)
    assert planned() == written
    assert planned() == written


def test_it_is_planned_once_a_session(django_assert_num_queries) -> None:
    planned()
    with django_assert_num_queries(2) as captured:
        planned()
    assert not any("PREPARE" in query["sql"] for query in captured)


def test_a_parameter_without_a_type_is_refused() -> None:
    with connection.cursor() as cursor, pytest.raises(KeyError):
        sql.execute_planned(cursor, "SELECT %(nothing)s", {"nothing": None})
