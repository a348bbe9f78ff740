"""How many a rule means, and who: exact within a second, estimated beyond, and said so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns.segments.compiling import asking, table_of
from crm.models import Customer

PATIENCE_MS = 1_000
ESTIMATE_MS = 500
SAMPLE_ROWS = 20_000  # about so many customers are looked at for an estimate
SHOWN = 5
TOO_SLOW = "57014"
ROOMY = {"work_mem": "64MB"}
# A sample is few rows: to hash whole tables for them would take longer than everything else.
ONE_BY_ONE = {"enable_hashjoin": "off", "enable_mergejoin": "off"}

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Count:
    """number: customers for whom the rule holds; None if not even an estimate came in time.

    exact: counted; else estimated from a part of the customers, to two digits. unknown: of whom the rule cannot say, None
    where that was not counted. everybody: all customers, None likewise.
    """

    number: int | None
    exact: bool = True
    unknown: int | None = None
    everybody: int | None = None


def count(rule: Any, launched: bool = False) -> Count:
    """Count within a second, or estimate from a sample of the table's pages. Raises RuleError."""
    asked, bind = asking(rule, launched)
    found = within(PATIENCE_MS, f"{table_of(asked, 'count(*)')} AND ({asked})", bind.parameters, _one)
    if found is None:
        return estimated(asked, bind.parameters)
    rest = f"{table_of(asked, f'count(*), count(*) FILTER (WHERE ({asked}) IS NULL)')}"
    everybody, unknown = within(PATIENCE_MS // 2, rest, bind.parameters, lambda rows: rows[0]) or (None, None)
    return Count(found, True, unknown, everybody)


def estimated(asked: str, parameters: dict[str, Any]) -> Count:
    """From about 20,000 customers whose rows lie on pages drawn by lot."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(reltuples, 1) FROM pg_class WHERE oid = 'crm_customer'::regclass")
        share = min(100.0, 100 * SAMPLE_ROWS / cursor.fetchone()[0])
    drawn = table_of(asked, "count(*)").replace(
        "crm_customer customer", f"crm_customer customer TABLESAMPLE SYSTEM ({share:.4f})"
    )
    found = within(ESTIMATE_MS, f"{drawn} AND ({asked})", parameters, _one, ONE_BY_ONE)
    return Count(None, False) if found is None else Count(two_digits(found * 100 / share), False)


def two_digits(number: float) -> int:
    """48,213 as 48,000: an estimate is not surer than that."""
    whole = round(number)
    return whole if whole < 100 else round(whole, 1 - floor(log10(whole)))


def sample(rule: Any, number: int = SHOWN) -> Sequence[Customer]:
    """Some for whom the rule holds; none if they are not found in time. Raises RuleError."""
    asked, bind = asking(rule)
    statement = f"{table_of(asked)} AND ({asked}) LIMIT {number}"
    ids = within(PATIENCE_MS, statement, bind.parameters, lambda rows: [pk for (pk,) in rows]) or []
    return list(Customer.objects.filter(pk__in=ids).select_related("assessment").order_by("sort_key", "pk"))


def _one(rows: Sequence[tuple[Any, ...]]) -> int:
    return rows[0][0]


def within(
    milliseconds: int,
    statement: str,
    parameters: dict[str, Any],
    read: Callable[[Sequence[tuple]], Answer],
    settings: Mapping[str, str] = ROOMY,
) -> Answer | None:
    """The answer of a statement, or None if it takes longer. Leaves the transaction's settings as they were."""
    wanted = {**settings, "statement_timeout": str(milliseconds)}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(['current_setting(%s)'] * len(wanted))}", list(wanted))
            before = dict(zip(wanted, cursor.fetchone(), strict=True))
            _set(cursor, wanted)
            cursor.execute(statement, parameters)
            found = read(cursor.fetchall())
            _set(cursor, before)
            return found
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != TOO_SLOW:
            raise
        return None


def _set(cursor: CursorWrapper, settings: Mapping[str, str]) -> None:
    set_each = ", ".join("set_config(%s, %s, true)" for _name in settings)
    cursor.execute(f"SELECT {set_each}", [text for pair in settings.items() for text in pair])
