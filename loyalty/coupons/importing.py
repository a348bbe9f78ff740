"""Bring in codes that were issued elsewhere, such as by the shop's former system: row by row, as often as you like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from crm.days import today
from crm.models import CustomerKey, Source
from loyalty.coupons import codes, issuing
from loyalty.coupons.issuing import Wanted
from loyalty.models import Coupon, CouponBatch

COLUMNS = ("code", "customer", "uses", "valid_until")
MOST_USES = 1_000_000
EASY = 10  # symbols; a shorter code can be guessed
REASON = "import"


@dataclass(frozen=True)
class Answer:
    """What became of a row: created, unchanged (it is here already, with the same terms) or refused, and why."""

    status: str
    column: str = ""
    why: str = ""


class RowError(ValueError):
    """A row that cannot be taken; `column` is where."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


def take(batch: CouponBatch, rows: Sequence[Mapping[str, str]], source: Source | None) -> list[Answer]:
    """Take rows of COLUMNS into a batch; one answer for each, in their order. A few statements, however many rows.

    `customer` is the number that `source` gives its customers. An empty `valid_until` or `uses` is as the batch says. What
    is refused does not stop the others. Raises IssueError if the batch was stopped.
    """
    customers = _customers(rows, source)
    answers: list[Answer | None] = [None] * len(rows)
    wanted: dict[str, tuple[int, Wanted]] = {}
    for place, row in enumerate(rows):
        try:
            one = _wish(row, batch, customers)
            if one.code in wanted:
                raise RowError("code", _("This code stands in the file twice. Only its first row was taken."))
            wanted[one.code] = (place, one)
        except RowError as error:
            answers[place] = Answer("refused", error.column, str(error))
    made = set(issuing.issue(batch, [one for _place, one in wanted.values()], reason=REASON))
    there = {known.code: known for known in Coupon.objects.filter(code__in=set(wanted) - made)}
    for code, (place, one) in wanted.items():
        answers[place] = Answer("created") if code in made else _known(batch, one, there.get(code))
    return [answer for answer in answers if answer]


def _known(batch: CouponBatch, one: Wanted, known: Coupon | None) -> Answer:
    """A row whose code is not new: the same again, or another promise under the same code."""
    if known is None:
        return Answer("refused", "customer", _("The data of this customer was erased meanwhile."))
    if known.batch_id != batch.pk or not known.imported:
        return Answer("refused", "code", _("This code exists already, for something else."))
    same = known.customer_id == one.customer_id and one.uses in (None, known.uses)
    if same and one.valid_until in (None, known.valid_until):
        return Answer("unchanged")
    return Answer(
        "refused",
        "code",
        _("This code is here already with other terms. A promise is not changed; end it and issue another."),
    )


def _customers(rows: Sequence[Mapping[str, str]], source: Source | None) -> dict[str, int]:
    numbers = {row.get("customer", "") for row in rows} - {""}
    if source is None or not numbers:
        return {}
    known = CustomerKey.objects.filter(source=source, external_id__in=numbers, customer__erased_at=None)
    return {
        number: merged or pk
        for number, pk, merged in known.values_list("external_id", "customer_id", "customer__merged_into_id")
    }


def _wish(row: Mapping[str, str], batch: CouponBatch, customers: Mapping[str, int]) -> Wanted:
    """A row as a wish. Raises RowError."""
    written = row.get("code", "")
    code = codes.canonical(written)
    if not code or len(written) > 60:
        raise RowError("code", _("A code has 3 to 40 letters A to Z and digits; spaces and dashes may part them."))
    number = row.get("customer", "")
    if number and number not in customers:
        raise RowError(
            "customer",
            _("This customer is not known. Name the source whose number it is, and bring the customer first."),
        )
    return Wanted(
        customer_id=customers.get(number),
        code=code,
        written="" if codes.well_formed(code) else written.upper(),
        uses=_uses(row.get("uses", ""), batch),
        guessable=len(code) < EASY,
        imported=True,
        valid_until=_day(row.get("valid_until", "")),
    )


def _uses(text: str, batch: CouponBatch) -> int | None:
    if not text:
        return None
    if batch.in_parts:
        raise RowError("uses", _("Codes of this batch are spent in parts; leave the uses empty."))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_USES or len(text) > 7:
        raise RowError("uses", _("Give a whole number from 1 to 1,000,000, or nothing."))
    return int(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise RowError("valid_until", _("Give the last day as 2026-12-31, or nothing.")) from error
    if day < today():
        raise RowError("valid_until", _("This day is past, so the code is worth nothing any more."))
    return day
