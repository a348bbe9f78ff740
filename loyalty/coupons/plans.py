"""A statement whose plan a connection keeps, for one that takes longer to plan than to run."""

from hashlib import md5
from typing import Any
from weakref import WeakSet

from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from crm import sql

NO_SUCH_PLAN, IS_THERE = "26000", "42P05"


class Planned:
    """One statement with %(name)s for each parameter; types: PostgreSQL's type of each.

    settings: statements SET LOCAL that it runs under. The plan serves any values.
    """

    def __init__(self, statement: str, settings: str, **types: str) -> None:
        self.plain, self.names = settings + statement, list(types)
        places = {name: f"${place}" for place, name in enumerate(types, start=1)}
        body = sql.PARAMETER.sub(lambda found: places[found[1]], statement)
        plan = "planned_" + md5(statement.encode(), usedforsecurity=False).hexdigest()
        self.prepare = f"PREPARE {plan} ({', '.join(types.values())}) AS {body}"
        self.execute = f"{settings}{sql.ONE_PLAN}; EXECUTE {plan} ({', '.join(f'%({name})s' for name in types)})"
        self.prepared: WeakSet[Any] = WeakSet()

    def rows(self, cursor: CursorWrapper, parameters: dict[str, Any]) -> list[tuple]:
        """The rows of the statement. Inside a transaction, which an unknown plan would end, it is planned anew."""
        if connection.in_atomic_block:
            return sql.rows(cursor, self.plain, parameters)
        self._prepare(cursor)
        try:
            return sql.rows(cursor, self.execute, parameters)
        except DatabaseError as error:
            if _code(error) != NO_SUCH_PLAN:  # a pooler between hands each transaction another session
                raise
            self.prepared.discard(connection.connection)
            return sql.rows(cursor, self.plain, parameters)

    def _prepare(self, cursor: CursorWrapper) -> None:
        if connection.connection in self.prepared:
            return
        try:
            cursor.execute(self.prepare, None)
        except DatabaseError as error:
            if _code(error) != IS_THERE:
                raise
        self.prepared.add(connection.connection)


def _code(error: DatabaseError) -> str:
    return getattr(error.__cause__, "pgcode", "") or ""
