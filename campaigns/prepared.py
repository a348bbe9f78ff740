"""A statement that PostgreSQL plans once a connection: planning the gate takes longer than asking it."""

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
_names: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def fetch(first: str, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run `first`, then `statement`, in one transaction and one round trip. Returns the rows of `statement`.

    Both take `parameters` by name. Outside a transaction PostgreSQL makes one of the two; each sees what was committed
    before it began, so the second sees what the first had to wait for.
    """
    with connection.cursor() as cursor:
        order = sorted(parameters)
        known = _names.setdefault(connection.connection, {})
        if statement not in known:
            name = f"stammkunde_{len(known)}"
            types = ", ".join(TYPES[type(parameters[key])] for key in order)
            places = {key: f"${at}" for at, key in enumerate(order, start=1)}
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            cursor.execute(f"PREPARE {name} ({types}) AS {statement % places}")
            known[statement] = name
        values = ", ".join(f"%({key})s" for key in order)
        cursor.execute(f"{first}; EXECUTE {known[statement]} ({values})", dict(parameters))
        return cursor.fetchall()
