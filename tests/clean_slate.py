"""The test database back as the migrations left it, after a test that commits.

Django's flush truncates every table and loses the rows that migrations brought. This looks first which tables hold rows,
deletes those alone, and puts the migrations' rows back: a few milliseconds instead of a hundred or more.
"""

import io
from dataclasses import dataclass

from django.db import connection, transaction

# From so many rows in one table on, truncating every table is cheaper than deleting row by row.
MANY = 1000


@dataclass(frozen=True)
class CleanSlate:
    """The tables of a database without any test's rows, and `kept`: the rows of a table in COPY's text form."""

    tables: list[str]
    kept: dict[str, str]

    @classmethod
    def seen(cls) -> "CleanSlate":
        """Of the database as it is now."""
        tables = connection.introspection.table_names()
        return cls(tables, {table: content(table) for table in counts(tables)})

    def restore(self) -> None:
        """Make the database what it was. Fails after 30 s if another session still holds a lock on it."""
        filled = counts(self.tables)
        changed = {table for table, rows in self.kept.items() if content(table) != rows}
        wrong = sorted(changed | (filled.keys() - self.kept.keys()))
        if not wrong:
            return
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '30s'")
            if max(filled.values(), default=0) > MANY:
                cursor.execute("TRUNCATE " + ", ".join(map(quoted, self.tables)))
                wrong, changed = [], set(self.kept)
            # Append-only tables refuse a DELETE by their triggers.
            for table in wrong:
                cursor.execute(f"ALTER TABLE {quoted(table)} DISABLE TRIGGER USER")
            for table in wrong:
                cursor.execute(f"DELETE FROM {quoted(table)}")
            for table in changed:
                cursor.copy_expert(f"COPY {quoted(table)} FROM STDIN", io.StringIO(self.kept[table]))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in wrong:
                cursor.execute(f"ALTER TABLE {quoted(table)} ENABLE TRIGGER USER")


def quoted(table: str) -> str:
    return connection.ops.quote_name(table)


def counts(tables: list[str]) -> dict[str, int]:
    """How many rows the tables that have any hold; more than MANY are not counted further."""
    one = "SELECT {}, count(*) FROM (SELECT FROM {} LIMIT {}) AS first_rows"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(one.format(f"'{name}'", quoted(name), MANY + 1) for name in tables))
        return {name: rows for name, rows in cursor.fetchall() if rows}


def content(table: str) -> str:
    rows = io.StringIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {quoted(table)} TO STDOUT", rows)
    return rows.getvalue()
