"""Rows on their way into the database: ids from the sequences, lines for COPY."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from crm import sql

ID_BLOCK = 10_000

COLUMNS = {
    "crm_customer": "id person_key kind salutation title given_name family_name company_name birth_day birth_month "
    "birth_year language country city assigned_to_id attributes is_placeholder is_test since created_at updated_at",
    "crm_customerkey": "source_id external_id customer_id",
    "crm_purchase": "id source_id external_id customer_id ordered_at ordered_on status place currency gross net "
    "categories version received_at",
    "crm_purchaseline": "purchase_id position product_id description quantity unit_price net",
    "crm_return": "id source_id external_id purchase_ref purchase_id customer_id returned_at returned_on held currency "
    "net version received_at",
    "crm_returnline": "parent_id position product_id description quantity unit_price net",
    "crm_contactpoint": "customer_id kind value normal state is_primary source_id purchase_id notice_version created_at",
    "crm_consentevent": "id person_key purpose_id channel action method wording_id source_id actor_id double_opt_in "
    "note address_hash occurred_at recorded_at",
    "crm_consenttrace": "event_id address ip user_agent",
    "crm_consentstate": "customer_id purpose_id channel state since evidence_id address",
    "crm_suppression": "address_hash reason created_at",
    "crm_interaction": "id customer_id channel touchpoint occurred_at note rating staff_id source_id created_at",
    "crm_interactionemotion": "interaction_id slot emotion origin",
    "crm_answer": "customer_id response item value form origin touchpoint comment purchase_id answered_at",
    "crm_complaint": "id customer_id text severity state owner_id purchase_id opened_at due_at closed_at resolution",
    "crm_task": "id customer_id kind cause detail owner_id created_at due_at state closed_at closed_by_id outcome",
    "crm_hold": "customer_id reason complaint_id task_id created_at lifted_at",
    "crm_participation": "customer_id kind title occurred_at ended_at",
    "crm_motivatorevidence": "customer_id motivator importance fulfilment origin note recorded_by_id recorded_at",
    "crm_advocacyact": "customer_id kind referred_id note recorded_by_id occurred_at",
    "crm_barrierfact": "customer_id signal value note origin recorded_by_id recorded_at expires_at",
    "crm_maillog": "customer_id message_class at",
    "crm_event": "kind customer_id purchase_id detail occurred_at recorded_at",
}


class Rows:
    """The rows of one chunk, by table, already in COPY's text format."""

    def __init__(self) -> None:
        self.lines: dict[str, list[str]] = {table: [] for table in COLUMNS}
        self.returns: list[int] = []  # to be allocated once their lines are stored
        self.silenced: dict[str, str] = {}  # address hash: since when; two customers may share an address

    def add(self, table: str, *values: Any) -> None:
        self.lines[table].append("\t".join(map(_field, values)) + "\n")

    def copy(self, cursor: CursorWrapper, frozen: Collection[str] = ()) -> dict[str, int]:
        """Write all rows; returns how many by table. Foreign keys are checked at the end of the transaction.

        frozen: tables truncated in this transaction, where rows can be stored as if they had been there for long.
        """
        for address_hash, since in self.silenced.items():
            self.add("crm_suppression", address_hash, "objected", since)
        for table, lines in self.lines.items():
            how = "WITH (FREEZE)" if table in frozen else ""
            sql.copy(cursor, table, ", ".join(COLUMNS[table].split()), lines, how)
        return {table: len(lines) for table, lines in self.lines.items()}


def _field(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return value if value.isprintable() and "\\" not in value else sql.escaped(value)
    if kind is bool:
        return "t" if value else "f"
    return sql.NULL if value is None else str(value)


def ids(table: str) -> Callable[[], int]:
    """A function that answers with the next free id of a table each time it is called.

    Ids are drawn from the table's own sequence, so whatever is stored later gets others.
    """
    return _drawn(table).__next__


def _drawn(table: str) -> Iterator[int]:
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, ID_BLOCK]
            )
            block = [row[0] for row in cursor.fetchall()]
        yield from block
