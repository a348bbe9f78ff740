"""The only way by which customers, purchases and returns come in from outside: REST, connectors and files alike.

All rows are checked in one pass; the good ones go by COPY into staging tables and by one statement per table into the
facts, with the customers' change marks and the events, in one transaction. Each row is answered in its place. Any order
and any repetition of rows ends in the same facts: the row with the greater (version, digest) is the later state of a
purchase or return, the greater stamp the later value of a customer's field.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import consent, returns, sql, sync_customers, sync_products, sync_records
from crm.models import Shop, Source
from crm.privacy import resync
from crm.sync_checks import Checked, Record, Side, check, external_id_of
from crm.sync_customers import Known
from crm.sync_fields import Json, Problem
from crm.sync_products import Goods
from crm.sync_records import CREATED, UNCHANGED, UPDATED, Plan

STALE, HELD, INVALID = "stale", "held", "invalid"
STATUSES = (CREATED, UPDATED, UNCHANGED, STALE, HELD, INVALID)

WITH_RETURNS = "SELECT DISTINCT customer_id FROM crm_return WHERE customer_id = ANY(%s)"
EVENTS = """
INSERT INTO crm_event (kind, customer_id, purchase_id, detail, occurred_at)
SELECT 'purchase.created', customer_id, id, '{}', ordered_at FROM crm_purchase WHERE id = ANY(%s) ORDER BY id
"""
MARK = "INSERT INTO crm_changedcustomer (customer_id, changed_at) SELECT unnest(%s::bigint[]), now()"
HELD_RETURNS = """
SELECT external_id, held FROM crm_return WHERE source_id = %s AND external_id = ANY(%s) AND held <> ''
"""
ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
REGROUPED = "SELECT DISTINCT purchase_id FROM crm_purchaseline WHERE product_id = ANY(%s)"


@dataclass(slots=True)
class Answer:
    """What became of a row: created, updated, unchanged, stale, held or invalid, with what is wrong with it."""

    external_id: str | None
    status: str
    errors: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Answers:
    """One answer for each row, in the rows' order."""

    purchases: list[Answer]
    returns: list[Answer]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(answer.status for answer in (*self.purchases, *self.returns))
        return {status: found[status] for status in STATUSES}


def apply(
    source: Source,
    purchases: Sequence[Json] = (),
    returns: Sequence[Json] = (),
    historic: bool = False,
    import_run: int | None = None,
    positions: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Answers:
    """Take decoded rows of one source (`docs/sync.md` has their fields). Rows that are wrong go to quarantine.

    historic:  nothing here happened live, so no event is written and nobody is mailed
    positions: places of the rows in their file, for the quarantine; without them the places in the batch, from 1
    """
    shop, at = Shop.current(), now()
    checked = check(purchases, returns, shop.currency, at)
    batch = _Batch(source, shop, at, checked, historic)
    answers = sql.in_transaction(
        lambda exclusive: batch.write(exclusive, import_run, positions), exclusive=bool(checked.returns.records)
    )
    return answers


class _Batch:
    """The checked rows of one call on their way into the tables."""

    def __init__(self, source: Source, shop: Shop, at: datetime, checked: Checked, historic: bool) -> None:
        self.source, self.shop, self.at, self.checked, self.historic = source, shop, at, checked, historic

    def write(
        self, exclusive: bool, import_run: int | None, positions: tuple[Sequence[int], Sequence[int]] | None
    ) -> Answers:
        checked, source_id = self.checked, self.source.pk
        with connection.cursor() as cursor:
            cursor.execute(sync_customers.STAGING + sync_records.staging() + returns.STAGING)
            sql.lock_source(cursor, source_id, exclusive)
            resync.make_anonymous(cursor, source_id, checked)
            known = sync_customers.find(cursor, source_id, checked.customers)
            goods = sync_products.find(cursor, source_id, checked.products, checked.categories, exclusive)
            purchases = sync_records.plan(cursor, sync_records.PURCHASES, source_id, checked.purchases.records)
            brought_back = sync_records.plan(cursor, sync_records.RETURNS, source_id, checked.returns.records)
            returning = self.lock_and_merge(cursor, known, purchases, brought_back)
            self.write_records(cursor, known, goods, purchases, brought_back, returning)
            sync_customers.write_points(cursor, source_id, known, checked.customers)
            consent.refresh({pk for pk, _kind in known.current} - known.made)
            self.announce(cursor, purchases)
            self.quarantine(cursor, import_run, positions)
            return Answers(
                self.answer(checked.purchases, purchases, known, {}),
                self.answer(checked.returns, brought_back, known, self.held(cursor)),
            )

    def announce(self, cursor: CursorWrapper, purchases: Plan) -> None:
        """Write the events of purchases that are new, of somebody known, and happened just now."""
        since = self.at - timedelta(hours=self.shop.event_window_hours)
        live = [
            purchases.ids[key]
            for key in ([] if self.historic else purchases.having(CREATED))
            if purchases.records[key].customer and purchases.records[key].at >= since
        ]
        if live:
            cursor.execute(EVENTS, [live])

    def lock_and_merge(self, cursor: CursorWrapper, known: Known, purchases: Plan, brought_back: Plan) -> set[int]:
        """Lock the customers whose fields or whose returns' allocation may change; write the fields.

        Returns those concerned who have returns.
        """
        people, bringing = self.customers_of(known, purchases), self.customers_of(known, brought_back)
        returning = {pk for (pk,) in sql.rows(cursor, WITH_RETURNS, [list(people)])} | bringing
        named = {known.ids[key] for key, news in self.checked.customers.items() if news.stamps} - known.made
        locked = sync_customers.lock(cursor, named | (returning - known.made))
        sync_customers.write(cursor, self.source.pk, known, locked, self.checked.customers)
        return returning

    def write_records(
        self,
        cursor: CursorWrapper,
        known: Known,
        goods: Goods,
        purchases: Plan,
        brought_back: Plan,
        returning: set[int],
    ) -> None:
        """Purchases, returns, what follows from them, and the marks of all customers concerned."""
        source_id, zone = self.source.pk, self.shop.time_zone
        lowered = returns.lowered_by(cursor, [brought_back.ids[key] for key in brought_back.having(UPDATED)])
        sync_records.write(cursor, purchases, source_id, zone, known.ids, goods)
        sync_records.write(cursor, brought_back, source_id, zone, known.ids, goods)
        touched = known.changed | self.customers_of(known, purchases) | self.customers_of(known, brought_back)
        created, updated = purchases.written(CREATED), purchases.written(UPDATED) + lowered
        changed = brought_back.written(CREATED) + brought_back.written(UPDATED)
        touched |= returns.reallocate(cursor, created, updated, changed, returning)
        sync_products.settle(cursor, goods)
        if goods.regrouped:
            bought = [pk for (pk,) in sql.rows(cursor, REGROUPED, [list(goods.regrouped)])]
            touched |= returns.recount(cursor, bought)
        if touched:
            cursor.execute(MARK, [sorted(touched)])

    @staticmethod
    def customers_of(known: Known, plan: Plan) -> set[int]:
        """Customers of the records that are written, before and after."""
        keys = plan.having(CREATED) + plan.having(UPDATED)
        return plan.customers_before() | {
            known.ids[plan.records[key].customer] for key in keys if plan.records[key].customer
        }

    def held(self, cursor: CursorWrapper) -> dict[str, str]:
        keys = list(self.checked.returns.records)
        return dict(sql.rows(cursor, HELD_RETURNS, [self.source.pk, keys])) if keys else {}

    def quarantine(
        self, cursor: CursorWrapper, import_run: int | None, positions: tuple[Sequence[int], Sequence[int]] | None
    ) -> None:
        """Keep what is refused, with the reason, so that nothing sent to us is lost."""
        lines = []
        for side, places in zip((self.checked.purchases, self.checked.returns), positions or (None, None), strict=True):
            for index, problems in enumerate(side.problems):
                if problems:
                    fields = (
                        self.source.pk,
                        sql.NULL if import_run is None else import_run,
                        places[index] if places else index + 1,
                        sql.escaped(storable(external_id_of(side.rows[index]) or "")),
                        sql.escaped(storable(orjson.dumps(side.rows[index], default=str).decode())),
                        sql.escaped(orjson.dumps(problems).decode()),
                    )
                    lines.append("\t".join(map(str, fields)) + "\n")
        if lines:
            columns = "source_id, import_run_id, position, external_id, payload, errors"
            sql.copy(cursor, "crm_quarantine", columns, lines)

    def answer(self, side: Side, plan: Plan, known: Known, held: dict[str, str]) -> list[Answer]:
        answers = [
            Answer(external_id_of(row), INVALID, problems)
            for row, problems in zip(side.rows, side.problems, strict=True)
        ]
        for key, record in side.records.items():
            answers[record.index] = self.answer_to(record, key, plan.status[key], held.get(key, ""))
        for record in side.outdone:
            winner = side.records[record.external_id]
            status = UNCHANGED if record.digest == winner.digest else STALE
            answers[record.index] = Answer(record.external_id, status)
        if plan.kind is sync_records.PURCHASES:
            for key, news in self.checked.customers.items():
                if known.ids[key] in known.changed:
                    for index in news.rows:
                        if index >= 0 and answers[index].status == UNCHANGED:
                            answers[index].status = UPDATED
        return answers

    @staticmethod
    def answer_to(record: Record, key: str, status: str, held: str) -> Answer:
        if not held or status == STALE:
            return Answer(key, status)
        waits_for = {
            "unknown_purchase": _("The purchase %(key)s has not arrived yet. The return counts as soon as it does."),
            "exceeds_purchase": _("More is brought back than purchase %(key)s holds. It counts if the purchase grows."),
        }
        message = waits_for[held] % {"key": record.purchase}
        return Answer(key, HELD, [{"code": held, "field": "purchase", "message": message}])


def storable(text: str) -> str:
    """A text, also of JSON, without the character NUL, which PostgreSQL cannot store."""
    return ESCAPED_NUL.sub(r"\1", text).replace("\x00", "")
