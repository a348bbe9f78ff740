"""Make codes: one for a customer, for every customer of a list, without a customer, thought of, or from elsewhere.

Codes are made in the statement that stores them, as many as are needed: nothing is taken from a stock that could run out.
A collision of 60 random bits meets the UNIQUE constraint; the row is then made anew.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm import sql
from crm.days import today
from crm.models import Customer, User
from loyalty.coupons import codes, ledger, statements, terms
from loyalty.coupons.ledger import Actor
from loyalty.models import Coupon, CouponBatch

CHUNK = 20_000
IN_PARTS = 100_000  # how often an amount may be spent in parts: its `left` ends it first

# Reasons that no person wrote; pages translate them.
NOT_SENT = gettext_noop("mail not sent")
RUN_OUT = gettext_noop("run out")
REPLACED = gettext_noop("replaced by a new code")

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS st_coupon (position bigint, code text, written text, customer_id bigint, cause text,
  uses int, valid_until date, guessable boolean, imported boolean) ON COMMIT DELETE ROWS"""

STORE = """
WITH made AS (
  INSERT INTO loyalty_coupon (batch_id, code, written, customer_id, uses, "left", valid_from, valid_until, guessable,
    imported, cause, issued_at)
  SELECT b.id, s.code, s.written, s.customer_id, coalesce(s.uses, CASE WHEN b.in_parts THEN %(in_parts)s ELSE b.uses END),
    CASE WHEN b.in_parts THEN b.value END, %(start)s, coalesce(s.valid_until, %(end)s),
    s.guessable, s.imported, s.cause, %(moment)s
  FROM st_coupon s JOIN loyalty_couponbatch b ON b.id = %(batch)s
  WHERE s.customer_id IS NULL OR EXISTS (SELECT FROM crm_customer c WHERE c.id = s.customer_id AND c.erased_at IS NULL)
  ORDER BY s.code
  ON CONFLICT DO NOTHING RETURNING id, code),
entered AS (
  INSERT INTO loyalty_couponentry (coupon_id, step, amount, staff_id, source_id, place, reason, at)
  SELECT id, 'issued', 0, %(staff)s, %(source)s, %(place)s, %(reason)s, %(moment)s FROM made)
SELECT code FROM made"""


class IssueError(ValueError):
    """Why a code cannot be made; the text says what to do."""


@dataclass(frozen=True)
class Wanted:
    """A code to be made. `code` '' is made at random. `cause`: made once for it, whatever asks again.

    valid_until: its last day where that is another than the batch says, as of a code issued elsewhere.
    """

    customer_id: int | None = None
    cause: str | None = None
    code: str = ""
    written: str = ""
    uses: int | None = None
    guessable: bool = False
    imported: bool = False
    valid_until: date | None = None


# Who holds it, may use it. Most codes of a million are this one wish.
ANYBODY = Wanted()
_PLAIN = "{place}\t{code}\t\t\\N\t\\N\t\\N\t\\N\tf\tf\n"


def issue(
    batch: CouponBatch, wanted: Sequence[Wanted], staff: User | None = None, reason: str = "", day: date | None = None,
    *, by: Actor | None = None,
) -> list[str]:  # fmt: skip
    """Store codes for one batch in one statement per chunk and answer those that are new, in no order.

    Wishes whose `cause` has its code already, and codes that exist, are left out: ask `of_causes` for the former.
    by: who makes them and where, if more is known than `staff`. Raises IssueError if the batch was stopped.
    """
    if batch.stopped_at:
        raise IssueError(_("This batch was stopped: it issues no more codes. Make a new one."))
    start, end = terms.validity(batch, day or today())
    maker = by.staff if by else staff
    parameters: dict[str, Any] = {
        "batch": batch.pk, "start": start, "end": end, "moment": now(), "staff": maker.pk if maker else None,
        "source": by.source.pk if by else None, "place": by.place[:60] if by else "", "reason": reason[:200],
        "in_parts": IN_PARTS,
    }  # fmt: skip
    made: list[str] = []
    for first in range(0, len(wanted), CHUNK):
        made += _store(wanted[first : first + CHUNK], parameters)
    return made


def again(coupon: Coupon, by: Actor) -> Coupon:
    """A new code in the place of one that was lost: the same terms, holder, last day and uses left; the old one ends.

    Raises IssueError for a code that cannot be used any more, or of which an amount was spent in parts.
    """
    with transaction.atomic():
        old = Coupon.objects.select_for_update(of=["self"]).select_related("batch").get(pk=coupon.pk)
        if ledger.standing(old, today()) not in ("", "not_yet"):
            raise IssueError(_("This code cannot be used any more, so nothing is replaced. Issue a new one instead."))
        if not replaceable(old):
            raise IssueError(_("A part of this code was spent already. End it, and give what is left another way."))
        ledger.void([old.pk], by, REPLACED)
        uses = None if old.batch.in_parts else old.uses - old.used
        wanted = Wanted(old.customer_id, f"instead of {old.pk}", uses=uses, valid_until=old.valid_until)
        (code,) = issue(old.batch, [wanted], reason=REPLACED, by=by)
        return Coupon.objects.select_related("batch", "customer").get(code=code)


def replaceable(coupon: Coupon) -> bool:
    """Whether `again` would make a new code in the place of this one."""
    whole = coupon.left is None or coupon.left == coupon.batch.value
    return whole and ledger.standing(coupon, today()) in ("", "not_yet")


def many(
    batch: CouponBatch, count: int, staff: User | None = None, progress: Callable[[int], None] = lambda made: None
) -> int:
    """Make `count` codes without a customer, each chunk in its own transaction. `progress` hears the number made.

    What an interruption leaves is whole; ask again for the rest.
    """
    made = 0
    while made < count:
        made += len(issue(batch, [ANYBODY] * min(CHUNK, count - made), staff))
        progress(made)
    return made


def to_customers(batch: CouponBatch, customer_ids: Iterable[int], cause: str, staff: User | None = None) -> int:
    """One code for each customer; asked again with the same `cause`, nobody gets a second one. Answers how many are new.

    Lists, segments and campaigns all call this.
    """
    wanted = [Wanted(customer_id, f"{cause}/{customer_id}") for customer_id in customer_ids]
    return len(issue(batch, wanted, staff, reason=cause))


def for_cause(batch: CouponBatch, customer: Customer, cause: str) -> Coupon:
    """The customer's code for one cause, such as a delivery: made the first time, found ever after."""
    issue(batch, [Wanted(customer.pk, cause)], reason=cause)
    return Coupon.objects.select_related("batch").get(cause=cause)


def of_causes(causes: Sequence[str]) -> dict[str, Coupon]:
    """The codes made for these causes."""
    found = Coupon.objects.select_related("batch").filter(cause__in=causes)
    return {coupon.cause: coupon for coupon in found if coupon.cause}


def take_back(causes: Sequence[str], reason: str) -> int:
    """End the codes of causes that came to nothing and that nobody was told of. Used ones stay as they are.

    Answers how many it ended.
    """
    unused = Coupon.objects.filter(cause__in=causes, used=0, voided_at=None)
    parameters = {
        "coupons": list(unused.values_list("pk", flat=True)), "moment": now(), "staff": None, "source": None,
        "place": "", "reason": reason[:200],
    }  # fmt: skip
    with connection.cursor() as cursor:
        return len(sql.rows(cursor, statements.VOID, parameters))


def thought_of(batch: CouponBatch, written: str, uses: int, staff: User | None = None) -> Coupon:
    """A code that the merchant thought of, such as AMSEL26: marked as guessable. Raises IssueError."""
    code = codes.canonical(written)
    if not code:
        raise IssueError(_("A code has 3 to 40 letters A to Z and digits; spaces and dashes may part them."))
    if codes.well_formed(code):
        raise IssueError(_("A code of this shape could be made at random. Take another one."))
    if not issue(batch, [Wanted(code=code, written=written.strip().upper(), uses=uses, guessable=True)], staff):
        raise IssueError(_("This code exists already. Take another one."))
    return Coupon.objects.select_related("batch").get(code=code)


def _store(wanted: Sequence[Wanted], parameters: dict[str, Any]) -> list[str]:
    fresh = iter(codes.random_codes(sum(not one.code for one in wanted)))
    lines = (
        _PLAIN.format(place=place, code=next(fresh)) if one is ANYBODY else _line(place, one, one.code or next(fresh))
        for place, one in enumerate(wanted)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGING)
        sql.copy(
            cursor,
            "st_coupon",
            "position, code, written, customer_id, cause, uses, valid_until, guessable, imported",
            lines,
        )
        return [code for (code,) in sql.rows(cursor, STORE, parameters)]


def _line(place: int, one: Wanted, code: str) -> str:
    fields = [
        place, code, sql.escaped(one.written), one.customer_id, one.cause and sql.escaped(one.cause), one.uses,
        one.valid_until, one.guessable, one.imported,
    ]  # fmt: skip
    return "\t".join(sql.NULL if value is None else str(value) for value in fields) + "\n"
