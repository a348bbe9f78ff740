"""The hand-written statements' common ground: COPY, locks, and what may be tried again."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import md5
from io import StringIO
from random import uniform
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

NULL = r"\N"
# Those of PostgreSQL's errors that another try cures: serialization failure and deadlock.
PASSING = {"40001", "40P01"}
TRIES = 6
# Read by the driver at a time. With its usual 8 KB, it waits for Python's lock thousands of times where threads work.
COPY_CHARACTERS = 1 << 20
ONE_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan"
PARAMETER = re.compile(r"%\((\w+)\)s")
TYPES = {bool: "boolean", float: "numeric", Decimal: "numeric", str: "text", date: "date", datetime: "timestamptz"}
SYNC_LOCK = 0x73796E63  # "sync": the first half of the advisory lock, the source's id is the second

_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
Answer = TypeVar("Answer")


class Raced(Exception):
    """Another transaction came between two statements of ours. Begin again: it is committed by now.

    `exclusive` says that the next try must hold the source's lock alone.
    """

    def __init__(self, exclusive: bool = False) -> None:
        super().__init__()
        self.exclusive = exclusive


def escaped(text: str) -> str:
    """A text as a field of COPY's text format."""
    return text.translate(_ESCAPES)


def copy(cursor: CursorWrapper, table: str, columns: str, lines: Iterable[str], how: str = "") -> None:
    """COPY lines of tab-separated, escaped fields, each with its line end, into `table`. how: COPY's options."""
    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN {how}", StringIO("".join(lines)), COPY_CHARACTERS)


def execute_planned(cursor: CursorWrapper, statement: str, named: dict[str, Any]) -> None:
    """Execute a statement whose plan the session keeps: for one that takes longer to plan than to run.

    named: no None and no list of anything but whole numbers or floats, because every parameter must have a type. The plan
    serves any values, so the statement should always be about few rows. Works behind a pooler, too, that hands each
    transaction another session.
    """
    names = list(dict.fromkeys(PARAMETER.findall(statement)))
    types = ", ".join(_type(named[name]) for name in names)
    plan = "planned_" + md5(f"{types} {statement}".encode(), usedforsecurity=False).hexdigest()
    if not rows(cursor, "SELECT FROM pg_prepared_statements WHERE name = %s", [plan]):
        places = {name: f"${place}" for place, name in enumerate(names, start=1)}
        body = PARAMETER.sub(lambda found: places[found[1]], statement).replace("%%", "%")
        cursor.execute(f"PREPARE {plan} ({types}) AS {body}", None)
    values = ", ".join(["%s"] * len(names))
    cursor.execute(f"{ONE_PLAN}; EXECUTE {plan} ({values})", [named[name] for name in names])


def _type(value: Any) -> str:
    """The type that PostgreSQL gives a value written into a statement."""
    if isinstance(value, list):
        return f"{'numeric' if any(isinstance(one, float) for one in value) else 'bigint'}[]"
    if type(value) is int:
        return "integer" if -(2**31) <= value < 2**31 else "bigint"
    return TYPES[type(value)]


def rows(cursor: CursorWrapper, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple]:
    cursor.execute(statement, parameters)
    return cursor.fetchall()


def about_how_many(table: str) -> int:
    """The rows of a table as PostgreSQL's statistics know them; 0 before it has looked. Reads none of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def new_ids(cursor: CursorWrapper, table: str, count: int) -> list[int]:
    """`count` unused ids of a table."""
    cursor.execute(f"SELECT nextval('{table}_id_seq') FROM generate_series(1, %s)", [count])
    return [pk for (pk,) in cursor.fetchall()]


def lock_source(cursor: CursorWrapper, source_id: int, exclusive: bool) -> None:
    """Hold the source's sync lock until the transaction ends: shared among batches that only add and change
    purchases, alone for one with returns, because returns and purchases must see each other."""
    kind = "" if exclusive else "_shared"
    cursor.execute(f"SELECT pg_advisory_xact_lock{kind}(%s, %s)", [SYNC_LOCK, source_id % 2**31])


def in_transaction(work: Callable[[bool], Answer], exclusive: bool = False) -> Answer:
    """Run `work(exclusive)` in a transaction, again where another client was in the way.

    Inside a caller's transaction only `Raced` is tried again, on a savepoint; the rest is the caller's to repeat.
    """
    nested = connection.in_atomic_block
    for left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return work(exclusive)
        except Raced as raced:
            exclusive = exclusive or raced.exclusive
            if not left:
                raise
        except OperationalError as error:
            if nested or not left or getattr(error.__cause__, "pgcode", "") not in PASSING:
                raise
            time.sleep(uniform(0.01, 0.1))  # noqa: S311 - no secret, only to part the contenders
    raise AssertionError("unreachable")
