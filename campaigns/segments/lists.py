"""Static lists: who is put on them, from a file or a text, each line with what became of it."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Segment, SegmentMember
from campaigns.segments.keeping import SegmentError
from crm import display
from crm.models import Customer

MOST_LINES = 50_000
MOST_BYTES = 5_000_000
# How a PDF and a spreadsheet (a ZIP file) begin; parts of them would pass for text.
OTHER_FILES = (b"%PDF-", b"PK\x03\x04")
LONGEST = 254
NUMBER = re.compile(r"[Kk]-?\s*(\d{1,18})")
HEADINGS = {
    "e-mail",
    "email",
    "mail",
    "number",
    "customer",
    "customer number",
    "kundennummer",
    "nummer",
    "kunde",
    "e-mail-adresse",
}

ADDED, ALREADY, UNKNOWN, AMBIGUOUS, REMOVED, NOT_ON_IT = (
    "added",
    "already",
    "unknown",
    "ambiguous",
    "removed",
    "not_on_it",
)
OUTCOMES = {
    ADDED: gettext_lazy("put on the list"),
    ALREADY: gettext_lazy("was on the list already"),
    REMOVED: gettext_lazy("taken off the list"),
    NOT_ON_IT: gettext_lazy("was not on the list"),
    UNKNOWN: gettext_lazy("no customer has this address or number"),
    AMBIGUOUS: gettext_lazy("several customers have it; nobody was chosen"),
}
# An address may stand with several customers; a number may be ours or a source's own.
FIND = """
WITH given AS (
  SELECT * FROM unnest(%(places)s::int[], %(texts)s::text[], %(numbers)s::bigint[]) AS given (place, text, number)),
hit AS (
  SELECT given.place, point.customer_id FROM given JOIN crm_contactpoint point
    ON point.kind = 'email' AND point.normal = lower(given.text) AND point.state <> 'gone' WHERE given.text LIKE '%%@%%'
  UNION
  SELECT given.place, given.number FROM given WHERE given.number IS NOT NULL
  UNION
  SELECT given.place, key.customer_id FROM given JOIN crm_customerkey key
    ON key.external_id = given.text AND key.source_id IN (SELECT id FROM crm_source)
  WHERE given.text NOT LIKE '%%@%%')
SELECT hit.place, array_agg(DISTINCT customer.id) FROM hit
JOIN crm_customer customer ON customer.id = hit.customer_id AND customer.merged_into_id IS NULL AND customer.erased_at IS NULL
GROUP BY hit.place"""


@dataclass(frozen=True)
class Line:
    """One line as it was given and what became of it; customer_id where exactly one was meant."""

    number: int
    given: str
    outcome: str
    customer_id: int | None = None

    @property
    def words(self) -> str:
        return str(OUTCOMES[self.outcome])


@dataclass(frozen=True)
class Report:
    lines: Sequence[Line]

    def number(self, outcome: str) -> int:
        return sum(line.outcome == outcome for line in self.lines)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """(words, number) of every outcome that came up."""
        return [(str(words), n) for outcome, words in OUTCOMES.items() if (n := self.number(outcome))]

    @property
    def doubtful(self) -> list[Line]:
        """Lines of which nobody was meant, or too many."""
        return [line for line in self.lines if line.outcome in (UNKNOWN, AMBIGUOUS)]


def read(content: bytes | str) -> list[tuple[int, str]]:
    """(number of the line, address or customer number) of a CSV file or a pasted text; the first column that has one.

    Separators: comma, semicolon, tab or the end of a line. Raises SegmentError for what is no text, or too much of it.
    """
    if isinstance(content, bytes):
        if len(content) > MOST_BYTES:
            raise SegmentError(_("This file is too large: at most %(n)s MB.") % {"n": MOST_BYTES // 1_000_000})
        content = _decoded(content)
    content = content.replace("\0", "").lstrip("\ufeff")
    mark = ";" if content.count(";") >= content.count(",") else ","
    mark = "\t" if content.count("\t") > content.count(mark) else mark
    found = []
    try:
        for row in (reader := csv.reader(io.StringIO(content), delimiter=mark)):
            cells = [cell.strip() for cell in row if cell.strip()]
            address = next((cell for cell in cells if "@" in cell), "")
            if cells and not (reader.line_num == 1 and not address and {cell.lower() for cell in cells} & HEADINGS):
                found.append((reader.line_num, (address or cells[0])[:LONGEST]))
    except csv.Error:
        raise SegmentError(_("This is no CSV file: one address or customer number a line will do.")) from None
    if not found:
        raise SegmentError(_("There is no address and no number in it."))
    if len(found) > MOST_LINES:
        raise SegmentError(_("These are too many lines: at most %(n)s at a time.") % {"n": display.number(MOST_LINES)})
    return found


def _decoded(content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = wide or (b"\0" not in content and not content.startswith(OTHER_FILES))
    for encoding in ("utf-16",) if wide else ("utf-8", "cp1252") if text else ():
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SegmentError(_("This file is no text. Save it as CSV in UTF-8."))


def found(given: Sequence[tuple[int, str]]) -> dict[int, list[int]]:
    """The customers that each line can mean, by the line's place in `given`. One statement."""
    numbers = []
    for _line, text in given:
        number = NUMBER.fullmatch(text)
        digits = number[1] if number else text if text.isascii() and text.isdecimal() and len(text) <= 18 else None
        numbers.append(int(digits) if digits else None)
    with connection.cursor() as cursor:
        cursor.execute(
            FIND, {"places": list(range(len(given))), "texts": [text for _line, text in given], "numbers": numbers}
        )
        return dict(cursor.fetchall())


def put(segment: Segment, given: Sequence[tuple[int, str]]) -> Report:
    """Put whom the lines mean on a list; who is on it stays, who is named twice is there once."""
    meant = found(given)
    members = _on_it(segment, meant)
    lines: list[Line] = []
    fresh: set[int] = set()
    for place, (number, text) in enumerate(given):
        customers = meant.get(place, [])
        if len(customers) != 1:
            lines.append(Line(number, text, AMBIGUOUS if customers else UNKNOWN))
            continue
        outcome = ALREADY if customers[0] in members | fresh else ADDED
        fresh |= {customers[0]} - members
        lines.append(Line(number, text, outcome, customers[0]))
    add(segment, sorted(fresh))
    return Report(lines)


def take_off(segment: Segment, given: Sequence[tuple[int, str]]) -> Report:
    """Take whom the lines mean off a list. An address of several customers takes them all off."""
    meant = found(given)
    members = _on_it(segment, meant)
    lines = []
    for place, (number, text) in enumerate(given):
        customers = meant.get(place, [])
        outcome = REMOVED if set(customers) & members else NOT_ON_IT if customers else UNKNOWN
        lines.append(Line(number, text, outcome))
    gone = {pk for customers in meant.values() for pk in customers}
    SegmentMember.objects.filter(segment=segment, customer__in=gone).delete()
    _touch(segment)
    return Report(lines)


def add(segment: Segment, customer_ids: Sequence[int]) -> None:
    """Put customers on a list; one who was erased meanwhile is left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_segmentmember (segment_id, customer_id) SELECT %s, id FROM crm_customer"
            " WHERE id = ANY(%s) AND merged_into_id IS NULL AND erased_at IS NULL ON CONFLICT DO NOTHING",
            [segment.pk, list(customer_ids)],
        )
    _touch(segment)


def add_all(segment: Segment, customers: QuerySet[Customer]) -> int:
    """Put everybody of a filtered list on it, in one statement. Returns how many are new."""
    try:
        sql, parameters = customers.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO campaigns_segmentmember (segment_id, customer_id) SELECT %s, chosen.* FROM ({sql}) chosen"
            " ON CONFLICT DO NOTHING",
            [segment.pk, *parameters],
        )
        number = cursor.rowcount
    _touch(segment)
    return number


def _on_it(segment: Segment, meant: dict[int, list[int]]) -> set[int]:
    asked = {pk for customers in meant.values() for pk in customers}
    rows = SegmentMember.objects.filter(segment=segment, customer__in=asked)
    return set(rows.values_list("customer_id", flat=True))


def _touch(segment: Segment) -> None:
    Segment.objects.filter(pk=segment.pk).update(changed_at=now(), counted=None, counted_at=None)
