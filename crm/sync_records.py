"""Writing purchases and returns with their lines: only what is new or later than what is stored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.utils import CursorWrapper

from crm import sql
from crm.sync_checks import Record
from crm.sync_products import Goods

CREATED, UPDATED, UNCHANGED, STALE = "created", "updated", "unchanged", "stale"
NO_DIGEST = "0" * 32


@dataclass(frozen=True)
class Kind:
    """A table of records with its table of lines. `columns` are staged in this order, of these types."""

    table: str
    lines: str
    parent: str
    at: str
    day: str
    columns: dict[str, str]
    reset: str
    fields: Callable[[Record, Goods], Iterable[Any]]

    @property
    def staging(self) -> str:
        return f"st_{self.table}"


def purchase_fields(record: Record, goods: Goods) -> Iterable[Any]:
    groups = sorted({goods.ids[line.product][1] for line in record.lines if line.product} - {None})  # type: ignore[type-var]
    listed = "{" + ",".join(map(str, groups)) + "}"
    return record.status, sql.escaped(record.place), record.total, record.total, listed


def return_fields(record: Record, goods: Goods) -> Iterable[Any]:
    held = "unknown_purchase" if record.purchase else ""
    return sql.escaped(record.purchase), held, record.total, 0 if record.purchase else record.total


SHARED = {
    "external_id": "text",
    "customer_id": "bigint",
    "currency": "text",
    "rate": "numeric",
    "version": "timestamptz",
    "digest": "uuid",
}
PURCHASES = Kind(
    "crm_purchase", "crm_purchaseline", "purchase_id", "ordered_at", "ordered_on",
    SHARED | {"ordered_at": "timestamptz", "status": "text", "place": "text", "gross": "numeric", "net": "numeric",
              "categories": "bigint[]"},
    "returned = 0", purchase_fields,
)  # fmt: skip
RETURNS = Kind(
    "crm_return", "crm_returnline", "parent_id", "returned_at", "returned_on",
    SHARED | {"returned_at": "timestamptz", "purchase_ref": "text", "held": "text", "net": "numeric",
              "unallocated": "numeric"},
    "purchase_id = NULL", return_fields,
)  # fmt: skip
LINE_COLUMNS = "position, product_id, description, quantity, unit_price, net"


def staging() -> str:
    tables = [
        f"CREATE TEMP TABLE IF NOT EXISTS {kind.staging}"
        f" ({', '.join(f'{name} {of}' for name, of in kind.columns.items())}) ON COMMIT DELETE ROWS;"
        f" DELETE FROM {kind.staging};"
        for kind in (PURCHASES, RETURNS)
    ]
    return "".join(tables) + (
        "CREATE TEMP TABLE IF NOT EXISTS st_line (parent_id bigint, position int, product_id bigint, description text,"
        " quantity numeric, unit_price numeric, net numeric) ON COMMIT DELETE ROWS; DELETE FROM st_line;"
    )


@dataclass(slots=True)
class Stored:
    """What is known of a record: its id, its rank and its customer."""

    pk: int
    rank: tuple
    customer: int | None


@dataclass(slots=True)
class Plan:
    """What is to be done with the records of one kind, by external id."""

    kind: Kind
    records: dict[str, Record]
    stored: dict[str, Stored] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)

    def having(self, status: str) -> list[str]:
        return [key for key, found in self.status.items() if found == status]

    def written(self, status: str) -> list[int]:
        return [self.ids[key] for key in self.having(status)]

    def customers_before(self) -> set[int]:
        return {self.stored[key].customer for key in self.having(UPDATED)} - {None}  # type: ignore[return-value]


def plan(cursor: CursorWrapper, kind: Kind, source_id: int, records: dict[str, Record]) -> Plan:
    """Compare a batch's records with what is stored."""
    made = Plan(kind, records)
    if not records:
        return made
    found = sql.rows(
        cursor,
        f"SELECT external_id, id, version, digest, customer_id FROM {kind.table}"
        " WHERE source_id = %s AND external_id = ANY(%s)",
        [source_id, list(records)],
    )
    for key, pk, version, digest, customer in found:
        made.stored[key] = Stored(pk, (version, digest.hex if digest else NO_DIGEST), customer)
        made.ids[key] = pk
    for key, record in records.items():
        made.status[key] = compared(record, made, key)
    return made


def compared(record: Record, made: Plan, key: str) -> str:
    if key not in made.stored:
        return CREATED
    version, digest = made.stored[key].rank
    if record.digest == digest:
        if record.version > version:
            made.confirmed.append(key)
        return UNCHANGED
    return UPDATED if record.rank > (version, digest) else STALE


def write(
    cursor: CursorWrapper, made: Plan, source_id: int, zone: str, customers: dict[str, int], goods: Goods
) -> None:
    """Carry a plan out. Raises Raced if another client was quicker with one of the records."""
    hold(cursor, made)
    if made.confirmed:
        keys = made.confirmed
        cursor.execute(
            f"UPDATE {made.kind.table} r SET version = n.version"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS n (id, version) WHERE r.id = n.id",
            [[made.ids[key] for key in keys], [made.records[key].version for key in keys]],
        )
    created, updated = made.having(CREATED), made.having(UPDATED)
    if created or updated:
        upsert(cursor, made, source_id, zone, customers, goods, created + updated)
    if created:
        lines = line_rows(made, created, goods)
        sql.copy(cursor, made.kind.lines, f"{made.kind.parent}, {LINE_COLUMNS}", lines)
    if updated:
        sql.copy(cursor, "st_line", f"parent_id, {LINE_COLUMNS}", line_rows(made, updated, goods))
        replace_lines(cursor, made.kind)


def hold(cursor: CursorWrapper, made: Plan) -> None:
    """Lock what will be changed, in one order for all, and see that it is still as the plan found it."""
    keys = made.having(UPDATED) + made.confirmed
    if not keys:
        return
    found = sql.rows(
        cursor,
        f"SELECT id, version, digest, customer_id FROM {made.kind.table} WHERE id = ANY(%s)"
        " ORDER BY id FOR NO KEY UPDATE",
        [[made.ids[key] for key in keys]],
    )
    now = {(pk, version, digest.hex if digest else NO_DIGEST, customer) for pk, version, digest, customer in found}
    planned = (made.stored[key] for key in keys)
    if now != {(before.pk, *before.rank, before.customer) for before in planned}:
        raise sql.Raced


def upsert(
    cursor: CursorWrapper,
    made: Plan,
    source_id: int,
    zone: str,
    customers: dict[str, int],
    goods: Goods,
    keys: list[str],
) -> None:
    kind = made.kind
    lines = []
    for key in keys:
        record = made.records[key]
        customer = customers[record.customer] if record.customer else sql.NULL
        special = "\t".join(map(str, (record.at, *kind.fields(record, goods))))
        lines.append(
            f"{sql.escaped(key)}\t{customer}\t{record.currency}\t{record.rate}\t{record.version}\t{record.digest}"
            f"\t{special}\n"
        )
    columns = ", ".join(kind.columns)
    sql.copy(cursor, kind.staging, columns, lines)
    assigned = ", ".join(f"{name} = excluded.{name}" for name in kind.columns if name != "external_id")
    cursor.execute(
        f"""INSERT INTO {kind.table} AS r (source_id, {kind.day}, {columns})
        SELECT %s, ({kind.at} AT TIME ZONE %s)::date, {columns} FROM {kind.staging} ORDER BY external_id COLLATE "C"
        ON CONFLICT (source_id, external_id) DO UPDATE SET {kind.day} = excluded.{kind.day}, {assigned}, {kind.reset}
        WHERE (excluded.version, excluded.digest) > (r.version, coalesce(r.digest, '{NO_DIGEST}'))
        RETURNING external_id, id, xmax = 0""",
        [source_id, zone],
    )
    inserted = 0
    for key, pk, is_new in cursor.fetchall():
        made.ids[key] = pk
        inserted += is_new
    if inserted != len(made.having(CREATED)):
        raise sql.Raced


def line_rows(made: Plan, keys: list[str], goods: Goods) -> list[str]:
    rows = []
    for key in keys:
        parent = made.ids[key]
        for place, (product, description, quantity, price, net) in enumerate(made.records[key].lines, 1):
            product_id = goods.ids[product][0] if product else sql.NULL
            rows.append(f"{parent}\t{place}\t{product_id}\t{sql.escaped(description)}\t{quantity}\t{price}\t{net}\n")
    return rows


def replace_lines(cursor: CursorWrapper, kind: Kind) -> None:
    """Bring the staged lines into their records. A line keeps its id, and with it what is allocated to it."""
    side = "purchase_line_id" if kind is PURCHASES else "return_line_id"
    surplus = (
        f"SELECT l.id FROM {kind.lines} l JOIN (SELECT parent_id, max(position) AS last FROM st_line GROUP BY 1) s"
        f" ON s.parent_id = l.{kind.parent} WHERE l.position > s.last"
    )
    cursor.execute(f"DELETE FROM crm_returnallocation WHERE {side} IN ({surplus})")
    cursor.execute(f"DELETE FROM {kind.lines} WHERE id IN ({surplus})")
    names = [name.strip() for name in LINE_COLUMNS.split(",")]
    assigned = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    kept = ", returned_quantity = least(l.returned_quantity, excluded.quantity)" if kind is PURCHASES else ""
    cursor.execute(
        f"""INSERT INTO {kind.lines} AS l ({kind.parent}, {LINE_COLUMNS})
        SELECT parent_id, {LINE_COLUMNS} FROM st_line ORDER BY parent_id, position
        ON CONFLICT ({kind.parent}, position) DO UPDATE SET {assigned}{kept}
        WHERE ({", ".join(f"l.{name}" for name in names[1:])})
          IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in names[1:])})"""
    )
