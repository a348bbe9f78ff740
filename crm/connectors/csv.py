"""Purchases and returns out of a CSV file, plain or gzipped, whose lines are positions in any order.

The file is staged in the database, grouped there by number of purchase or return, and read back record by record in the
order of time. Positions are put into an order of their own, so a shuffled file gives the same records.
"""

import csv
import gzip
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext as _

from crm import sql
from crm.connectors.profile import FIELDS, HEAD, NEEDED, PERSON, POSTAL, Profile
from crm.sync_fields import Problem

PURCHASE, RETURN, REFUSED = "p", "r", "x"
UNIT_SEPARATOR = "\x1f"
COPY_LINES = 20_000
FETCH_LINES = 10_000
CURSORS = itertools.count()

STAGING = """
DROP TABLE IF EXISTS st_file;
CREATE TEMP TABLE st_file (line int, kind text, key text, at timestamptz, fields text)
"""
COUNT = "SELECT count(*) FROM (SELECT DISTINCT kind, key FROM st_file) q"
# WITH HOLD: the rows outlast the transaction of each chunk.
ORDERED = """
DECLARE {cursor} NO SCROLL CURSOR WITH HOLD FOR
SELECT place, kind, key, first_at, line, at IS NULL, fields FROM (
  SELECT *, dense_rank() OVER (ORDER BY first_at NULLS FIRST, kind, key COLLATE "C") - 1 AS place
  FROM (SELECT *, min(at) OVER (PARTITION BY kind, key) AS first_at FROM st_file) q
) r WHERE place >= %s ORDER BY place, fields COLLATE "C", line
"""


class FileError(Exception):
    """The file as a whole cannot be read with this profile. Nothing of it has been written."""


@dataclass(slots=True)
class FileRecord:
    """One purchase or return of a file: the row for `crm.sync`, and the lines it was made from."""

    kind: str
    key: str
    row: dict[str, Any]
    lines: list[int]
    cells: list[list[str]]
    problems: list[tuple[int | None, Problem]] = field(default_factory=list)


class PurchaseFile:
    """A file with its profile. Use `stage()` once, then `records()`."""

    def __init__(self, path: Path, profile: Profile, zone: ZoneInfo, currency: str) -> None:
        self.path, self.profile, self.zone = path, profile, zone
        self.currency = profile.currency or currency
        self.header: list[str] = []
        # Where our fields stand in a line's cells. Cell 0 is always empty: there stand those that the file lacks.
        self.at: dict[str, int] = {}
        self.lines = 0

    @contextmanager
    def opened(self) -> Iterator[IO[str]]:
        encoding = "utf-8-sig" if self.profile.encoding.lower() in ("utf-8", "utf8") else self.profile.encoding
        opener: Any = gzip.open if self.path.suffix == ".gz" else open
        with opener(self.path, "rb") as binary, TextIOWrapper(binary, encoding=encoding, newline="") as text:
            yield text

    def stage(self) -> int:
        """Read the whole file into the database. Returns the number of records. Raises FileError."""
        with connection.cursor() as cursor, self.explained(), self.opened() as text:
            cursor.execute(STAGING)
            reader = csv.reader(text, delimiter=self.profile.delimiter, strict=True)
            self.read_header(next(reader, []))
            buffer: list[str] = []
            last: list[str] = []
            for cells in reader:
                if cells:
                    self.lines += 1
                    buffer.append(self.staged(reader.line_num, cells))
                    last = cells
                if len(buffer) >= COPY_LINES:
                    sql.copy(cursor, "st_file", "line, kind, key, at, fields", buffer)
                    buffer.clear()
            self.check_end(reader.line_num, last)
            sql.copy(cursor, "st_file", "line, kind, key, at, fields", buffer)
            cursor.execute(COUNT)
            return cursor.fetchone()[0]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say of what is wrong with the whole file what can be done about it."""
        try:
            yield
        except UnicodeDecodeError as error:
            raise FileError(
                _("The file is not in the encoding %(encoding)s: after line %(line)s stands the byte 0x%(byte)02x. Save it as "
                  "UTF-8, or name its encoding (often cp1252) in the profile.")
                % {"encoding": self.profile.encoding, "line": self.lines + 1, "byte": error.object[error.start]}
            ) from error  # fmt: skip
        except (EOFError, gzip.BadGzipFile) as error:
            raise FileError(_("The gzip file is cut off or damaged. Copy it again.")) from error
        except csv.Error as error:
            raise FileError(
                _("After line %(line)s the file is no valid CSV (%(error)s): it is cut off, or a quotation mark is missing. "
                  "Export it again.")
                % {"line": self.lines + 1, "error": error}
            ) from error  # fmt: skip

    def read_header(self, header: list[str]) -> None:
        profile = self.profile
        self.header = [name.strip() for name in header]
        wanted = dict(profile.columns)
        if "column" in profile.returns:
            wanted["returns"] = profile.returns["column"]
        self.at = {name: self.header.index(column) + 1 for name, column in wanted.items() if column in self.header}
        missing = [profile.columns[name] for name in NEEDED if name not in self.at]
        self.at |= {name: 0 for name in FIELDS | {"returns"} if name not in self.at}
        if not missing:
            return
        only = self.header[0] if len(self.header) == 1 else ""
        other = next((mark for mark in ";\t,|" if mark != profile.delimiter and mark in only), "")
        if other:
            raise FileError(
                _("The columns are separated by “%(found)s”, the profile “%(profile)s” expects “%(expected)s”. Choose another "
                  "profile, or save the file with “%(expected)s”.")
                % {"found": other.replace("\t", "TAB"), "profile": profile.name, "expected": profile.delimiter}
            )  # fmt: skip
        raise FileError(
            _(
                "The file lacks the columns %(missing)s. It has %(found)s. Choose another profile, or rename the columns."
            )
            % {"missing": ", ".join(missing), "found": ", ".join(self.header) or _("none, it is empty")}
        )

    def staged(self, line: int, found: list[str]) -> str:
        cells = ["", *[cell.strip() for cell in found]]
        joined = UNIT_SEPARATOR.join(cells)
        self.fill(cells)
        key = cells[self.at["record"]]
        at = moment(cells[self.at["at"]], self.profile.time_format, self.zone)
        if "\x00" in joined:
            raise FileError(
                _("Line %(line)s holds the character NUL: this is no text file, or one in UTF-16.") % {"line": line}
            )
        return f"{line}\t{self.kind(key, cells)}\t{sql.escaped(key)}\t{at or sql.NULL}\t{sql.escaped(joined)}\n"

    def kind(self, key: str, cells: list[str]) -> str:
        refused, returns = self.profile.refused, self.profile.returns
        if refused and key.startswith(refused["starts_with"]):
            return REFUSED
        if "column" in returns:
            return RETURN if cells[self.at["returns"]] == returns["value"] else PURCHASE
        return RETURN if returns and key.startswith(returns["starts_with"]) else PURCHASE

    def fill(self, cells: list[str]) -> None:
        """Give a line that is too short the cells it lacks."""
        cells += [""] * (len(self.header) + 1 - len(cells))

    def check_end(self, line: int, last: list[str]) -> None:
        if not last:
            raise FileError(_("The file holds a header and no line below it."))
        if len(last) < len(self.header):
            raise FileError(
                _(
                    "The last line, %(line)s, has %(found)s of %(expected)s columns: the file is cut off. Export it again."
                )
                % {"line": line, "found": len(last), "expected": len(self.header)}
            )

    def records(self, start: int) -> Iterator[FileRecord]:
        """The records from number `start` on, in the order of time."""
        name = f"file_records_{next(CURSORS)}"
        with connection.cursor() as cursor:
            cursor.execute(ORDERED.format(cursor=name), [start])
            for _place, rows in itertools.groupby(self.fetched(cursor, name), key=itemgetter(0)):
                yield self.record(list(rows))
            cursor.execute(f"CLOSE {name}")

    @staticmethod
    def fetched(cursor: Any, name: str) -> Iterator[tuple]:
        while True:
            cursor.execute(f"FETCH {FETCH_LINES} FROM {name}")
            rows = cursor.fetchall()
            if not rows:
                return
            yield from rows

    def record(self, rows: list[tuple]) -> FileRecord:
        _place, kind, key, first_at, *_rest = rows[0]
        cells = [text.split(UNIT_SEPARATOR) for *_head, text in rows]
        made = FileRecord(kind, key, {}, [row[4] for row in rows], cells)
        for place, row in enumerate(rows):
            count = len(cells[place]) - 1
            self.fill(cells[place])
            if count != len(self.header):
                text = _("This line has %(found)s columns instead of %(expected)s.")
                self.wrong(made, place, "columns", "", text % {"found": count, "expected": len(self.header)})
            elif row[5]:
                text = _("This is no time of the form %(form)s.") % {"form": self.profile.time_format}
                self.wrong(made, place, "not_a_time", "at", text)
        if kind == REFUSED:
            self.wrong(made, None, "refused_by_profile", "record", _(self.profile.refused["reason"]))
        made.row = self.row(made, first_at)
        return made

    def wrong(self, made: FileRecord, place: int | None, code: str, name: str, message: str) -> None:
        made.problems.append((place, {"code": code, "field": self.profile.columns.get(name, ""), "message": message}))

    def row(self, made: FileRecord, first_at: datetime | None) -> dict[str, Any]:
        """What `crm.sync` is given. A cell that is empty says nothing: it does not clear a field."""
        head = {name: self.shared(made, name) for name in HEAD}
        row: dict[str, Any] = {
            "external_id": made.key,
            "currency": head.get("currency") or self.currency,
            "customer": self.customer(made, head.get("customer", "")),
            "lines": [self.line(cells, made.kind == RETURN) for cells in made.cells],
        }
        row["returned_at" if made.kind == RETURN else "ordered_at"] = first_at.isoformat() if first_at else None
        row |= {name: self.profile.number(head[name]) for name in ("rate",) if head.get(name)}
        if self.at["version"]:
            row["version"] = self.version(made)
        if made.kind == RETURN:
            row["purchase"] = head.get("purchase") or None
        else:
            row |= {"status": head.get("status") or self.profile.status, "place": head.get("place", "")}
        return row

    def shared(self, made: FileRecord, name: str) -> str:
        """A value that all lines of a record must agree on."""
        at = self.at[name]
        found = {cells[at] for cells in made.cells} - {""} if at else set()
        if len(found) > 1:
            text = _("The lines of this record name different values here: %(values)s.")
            self.wrong(made, None, "mixed_values", name, text % {"values": ", ".join(sorted(found))[:200]})
        return min(found, default="")

    def version(self, made: FileRecord) -> str | None:
        found = [moment(cells[self.at["version"]], self.profile.time_format, self.zone) for cells in made.cells]
        return max((at for at in found if at), default=None)

    def customer(self, made: FileRecord, key: str) -> dict[str, Any] | None:
        if not key:
            return None
        customer: dict[str, Any] = {"external_id": key.removesuffix(self.profile.customer_suffix)}
        for name in PERSON:
            if value := self.first(made, name):
                customer[name] = value
        postal = {name: value for name in POSTAL if (value := self.first(made, name))}
        return customer | ({"postal": postal} if postal else {})

    def first(self, made: FileRecord, name: str) -> str:
        at = self.at[name]
        return next((cells[at] for cells in made.cells if cells[at]), "") if at else ""

    def line(self, cells: list[str], back: bool) -> dict[str, Any]:
        at, number = self.at, self.profile.number
        quantity = number(cells[at["quantity"]])
        line: dict[str, Any] = {
            "quantity": negated(quantity) if back and "starts_with" in self.profile.returns else quantity,
            "unit_price": number(cells[at["unit_price"]]),
            "description": cells[at["description"]],
        }
        if product := cells[at["product"]]:
            line["product"] = {"external_id": product}
            if name := cells[at["product_name"]]:
                line["product"]["name"] = name
            if category := cells[at["category"]]:
                shown = cells[at["category_name"]] or category
                line["product"]["category"] = {"external_id": category, "name": shown}
        return line

    def located(self, record: FileRecord, problem: Problem) -> tuple[int | None, str]:
        """Place among the record's lines and column of the file that a problem of `crm.sync` speaks of."""
        path, place = problem["field"], None
        if path.startswith("lines["):
            number, _bracket, path = path[6:].partition("]")
            place, path = int(number), f"lines{path}"
        name = PATHS.get(path, path.rpartition(".")[2])
        return place, self.profile.columns.get(name, "")


PATHS = {
    "external_id": "record",
    "ordered_at": "at",
    "returned_at": "at",
    "customer.external_id": "customer",
    "lines.product.external_id": "product",
    "lines.product.name": "product_name",
    "lines.product.category.external_id": "category",
    "lines.product.category.name": "category_name",
}


@lru_cache(100_000)
def moment(text: str, form: str, zone: ZoneInfo) -> str | None:
    """A time of the file in UTC; None for a text that is none."""
    try:
        at = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None


def negated(number: str) -> str:
    return number[1:] if number.startswith("-") else f"-{number}"
