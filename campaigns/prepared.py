"""Statements that PostgreSQL plans once a connection: planning the gate takes longer than asking it."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connection

TYPES = {
    bool: "boolean",
    int: "bigint",
    str: "text",
    bytes: "bytea",
    list: "text[]",
    UUID: "uuid",
    time: "time",
    timedelta: "interval",
    datetime: "timestamptz",
    date: "date",
    type(None): "timestamptz",  # the only parameter that may be left out is a moment
}
_calls: WeakKeyDictionary[Any, dict[str, tuple[str, list[str]]]] = WeakKeyDictionary()


def fetch(*steps: tuple[str, Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Run statements, each with its parameters by name, in one transaction and one round trip. Returns the last one's rows.

    Outside a transaction PostgreSQL makes one of them all; each sees what was committed before it began, so one that
    follows a lock sees what the lock had to wait for. If one fails, none of them happened.
    """
    with connection.cursor() as cursor:
        known = _calls.setdefault(connection.connection, {})
        calls: list[str] = []
        values: list[Any] = []
        for statement, parameters in steps:
            if statement not in known:
                known[statement] = _prepared(cursor, f"stammkunde_{len(known)}", statement, parameters)
            call, order = known[statement]
            calls.append(call)
            values += [parameters[key] for key in order]
        cursor.execute("; ".join(calls), values)
        return cursor.fetchall()


def _prepared(cursor: Any, name: str, statement: str, parameters: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text that calls a statement from now on, and the names of its parameters in their order."""
    order = sorted(parameters)
    types = ", ".join(TYPES[type(parameters[key])] for key in order)
    places = {key: f"${at}" for at, key in enumerate(order, start=1)}
    cursor.execute("SET plan_cache_mode = force_generic_plan")
    cursor.execute(f"PREPARE {name} ({types}) AS {statement % places}")
    return f"EXECUTE {name} ({', '.join(['%s'] * len(order))})", order
