"""Filling empty tables in one go: rows first; indexes, unique and foreign keys once, when all rows are in.

Everything happens in the caller's transaction, so an interrupted filling leaves the tables as they were, with all their
indexes. Only the owner of the tables may do this, and only with tables that nobody needs meanwhile.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db.backends.utils import CursorWrapper

from crm import sql

OWNED = """
SELECT bool_and(pg_has_role(current_user, relowner, 'USAGE')) FROM pg_class WHERE oid = ANY(%s::regclass[])"""
# Foreign keys of other tables that point at these are dropped too: while they stand, none of these can be truncated.
KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid), contype = 'f'
FROM pg_constraint
WHERE contype = 'f' AND (conrelid = ANY(%(tables)s::regclass[]) OR confrelid = ANY(%(tables)s::regclass[]))
  OR contype = 'u' AND conrelid = ANY(%(tables)s::regclass[])
ORDER BY contype, conrelid::regclass::text, conname"""
INDEXES = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index
WHERE indrelid = ANY(%(tables)s::regclass[]) AND NOT indisprimary
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('u', 'x'))
ORDER BY 1, 2"""
# A table with checks that wait for the end of the transaction cannot be altered.
CHECK_WAITING = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
ROOM = "SET LOCAL maintenance_work_mem = '512MB'; SET LOCAL work_mem = '128MB'"


@dataclass
class Bare:
    """Tables without their keys and indexes, and the statements that give them back.

    frozen: those that were empty and can be filled with FREEZE, which also spares the write-ahead log.
    """

    frozen: set[str] = field(default_factory=set)
    indexes: list[tuple[str, str]] = field(default_factory=list)  # (table, statement)
    foreign: list[tuple[str, str]] = field(default_factory=list)

    def index(self, cursor: CursorWrapper, report: Callable[[str], None]) -> None:
        """Build the indexes and unique keys again. Raises IntegrityError if rows contradict one."""
        _run(cursor, self.indexes, "indexes", report)

    def connect(self, cursor: CursorWrapper, report: Callable[[str], None]) -> None:
        """Set the foreign keys again, checking every row. Raises IntegrityError if a row points nowhere."""
        _run(cursor, self.foreign, "foreign keys", report)


def owned(cursor: CursorWrapper, tables: Iterable[str]) -> bool:
    """Whether this role may take the indexes of all these tables away."""
    return sql.rows(cursor, OWNED, [list(tables)])[0][0]


def bare(cursor: CursorWrapper, tables: Iterable[str]) -> Bare:
    """Take unique keys, foreign keys and indexes other than the primary keys' from these tables.

    They are locked until the transaction ends. Call `index` and `connect` in the same transaction.
    """
    named = {"tables": list(tables)}
    cursor.execute(f"{CHECK_WAITING}; {ROOM}")
    found = Bare()
    for table, name, definition, points in sql.rows(cursor, KEYS, named):
        (found.foreign if points else found.indexes).append(
            (table, f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        )
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for table, name, definition in sql.rows(cursor, INDEXES, named):
        found.indexes.append((table, definition))
        cursor.execute(f"DROP INDEX {name}")
    for table in named["tables"]:
        cursor.execute(f"SELECT NOT EXISTS (SELECT FROM {table})")
        if cursor.fetchone()[0]:
            cursor.execute(f"TRUNCATE {table}")
            found.frozen.add(table)
    found.indexes.sort(key=lambda step: step[0])
    return found


def _run(cursor: CursorWrapper, steps: list[tuple[str, str]], what: str, report: Callable[[str], None]) -> None:
    for at, (table, statement) in enumerate(steps):
        if not at or steps[at - 1][0] != table:
            report(f"{what} of {table}")
        cursor.execute(statement)
