import csv
import gzip
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from crm import declarations
from crm.models import Shop, Source

CHUNK = 1_000
PLAIN = (
    "customer",
    "email",
    "purpose",
    "channel",
    "action",
    "method",
    "evidence",
    "form",
    "notice_version",
    "language",
)
WORDING = {"wording_version": "version", "wording_language": "language"}
PROOF = {"confirmed_at": "confirmed_at", "confirmation_message_id": "message_id", "confirmation_ip": "ip"}
COLUMNS = (*PLAIN, "occurred_at", *WORDING, *PROOF)
NEEDED = {"purpose", "action", "occurred_at"}

Line = tuple[int, list[str], dict[str, Any]]


class DryRun(Exception):
    """Thrown to take back what a trial has written."""


class Command(BaseCommand):
    help = (
        "Import consents, withdrawals and objections from a CSV file, plain or .gz, with their evidence. Nothing that "
        "is imported causes a mail. The same file may be imported again: what is known already changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="Name of the system whose customer numbers the file uses.")
        parser.add_argument("--dry-run", action="store_true", help="Check everything and write nothing.")
        parser.add_argument("--errors", type=Path, help="Write every refused line with the reason to this CSV file.")

    def handle(self, *args: Any, file: Path, source: str, dry_run: bool, errors: Path | None, **options: Any) -> None:
        shop = Shop.current()
        with translation.override(shop.language):
            try:
                with transaction.atomic() if dry_run else nullcontext():
                    self.run(file, source, errors, ZoneInfo(shop.time_zone))
                    if dry_run:
                        raise DryRun
            except DryRun:
                self.stdout.write(_("This was a trial: nothing has been written."))
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise CommandError(f"{file}: {error}") from error

    def run(self, file: Path, source: str, errors: Path | None, zone: ZoneInfo) -> None:
        bound_to, _made = Source.objects.get_or_create(name=source, defaults={"kind": Source.Kind.FILE})
        counts: Counter[str] = Counter()
        with opened(file) as text, refusals(errors) as refused:
            lines = csv.reader(text, delimiter=delimiter(text), strict=True)
            header = [name.strip().lower() for name in next(lines, [])]
            check(header)
            refused.writerow(["line", "code", "field", "message", *header])
            while chunk := list(islice(read(lines, header, zone), CHUNK)):
                for line, answer in zip(chunk, declarations.apply(bound_to, [row for *_of, row in chunk], "import"),
                                        strict=True):  # fmt: skip
                    counts[answer.status] += 1
                    for error in answer.errors:
                        refused.writerow([line[0], error["code"], error["field"], error["message"], *line[1]])
        for status in declarations.STATUSES:
            self.stdout.write(f"{status:10} {counts[status]:>9,}")


def opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


class Nowhere:
    def __enter__(self) -> "Nowhere":
        return self

    def __exit__(self, *_error: object) -> None:
        """There is nothing to close."""

    def writerow(self, row: list[Any]) -> None:
        """Nobody asked for it."""


class Refusals(Nowhere):
    """The refused lines, as they came, with place and reason in front."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file)

    def __exit__(self, *_error: object) -> None:
        self.file.close()

    def writerow(self, row: list[Any]) -> None:
        self.writer.writerow(row)


def refusals(path: Path | None) -> Nowhere:
    return Refusals(path) if path else Nowhere()


def delimiter(text: IO[str]) -> str:
    """What parts the header: a semicolon or a comma."""
    header = text.readline()
    text.seek(0)
    return ";" if header.count(";") > header.count(",") else ","


def check(header: list[str]) -> None:
    """Raise CommandError for a column that is unknown, doubled or missing: ignored, its content would be lost."""
    unknown = sorted(set(header) - set(COLUMNS))
    if unknown:
        raise CommandError(
            _("Unknown columns: %(unknown)s. Known are: %(known)s.")
            % {"unknown": ", ".join(unknown), "known": ", ".join(COLUMNS)}
        )
    missing = sorted(NEEDED - set(header))
    if missing or len(set(header)) < len(header) or not {"customer", "email"} & set(header):
        raise CommandError(
            _("The file needs each of these columns once: purpose, action, occurred_at, and customer or email.")
        )


def read(lines: Iterator[list[str]], header: list[str], zone: ZoneInfo) -> Iterator[Line]:
    """Number, cells and row of each line that is not empty."""
    for cells in lines:
        if any(cell.strip() for cell in cells):
            number = lines.line_num  # type: ignore[attr-defined]  # csv.reader has it
            if len(cells) == len(header):
                yield number, cells, row_of(dict(zip(header, map(str.strip, cells), strict=True)), zone)
            else:
                yield number, cells, {"line": cells}


def row_of(cells: dict[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """The line as a row of the API. A time without its zone is meant in the shop's."""
    row: dict[str, Any] = {name: cells[name] for name in PLAIN if cells.get(name)}
    row["occurred_at"] = instant(cells["occurred_at"], zone)
    wording = {to: cells[name] for name, to in WORDING.items() if cells.get(name)}
    if wording:
        version = wording.get("version", "")
        row["wording"] = wording | {"version": int(version) if version.isdecimal() else version}
    proof = {to: cells[name] for name, to in PROOF.items() if cells.get(name)}
    if proof:
        row["double_opt_in"] = proof | {"confirmed_at": instant(proof.get("confirmed_at", ""), zone)}
    return row


def instant(text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()
