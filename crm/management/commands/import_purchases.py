import csv
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import nullcontext
from functools import partial
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import translation
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import sql, sync
from crm.connectors import profile as profiles
from crm.connectors.csv import RETURN, FileError, FileRecord, PurchaseFile
from crm.models import ImportRun, Quarantine, Shop, Source

CHUNK = 1_000
RUN_LOCK = 0x696D7074  # "impt"


class DryRun(Exception):
    """Thrown to take back what a trial has written."""


class Command(BaseCommand):
    help = (
        "Import purchases and returns from a CSV file, plain or .gz. Nothing that is imported causes a mail. "
        "An interrupted import goes on where it stopped when the same command is repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--profile", required=True, help=f"How to read the file: {', '.join(profiles.known())}")
        parser.add_argument("--dry-run", action="store_true", help="Check everything and write nothing.")
        parser.add_argument("--errors", type=Path, help="Write every refused line with the reason to this CSV file.")
        parser.add_argument("--source", help="Name of the source; else the profile's name.")

    def handle(
        self,
        *args: Any,
        file: Path,
        profile: str,
        dry_run: bool,
        errors: Path | None,
        source: str | None,
        **options: Any,
    ) -> None:
        shop = Shop.current()
        with translation.override(shop.language):
            try:
                chosen = profiles.load(profile)
                purchases = PurchaseFile(file, chosen, ZoneInfo(chosen.time_zone or shop.time_zone), shop.currency)
                self.check_currency(purchases, shop)
                with transaction.atomic() if dry_run else nullcontext():
                    Import(self, purchases, source or chosen.name, errors).run(dry_run)
                    if dry_run:
                        raise DryRun
            except DryRun:
                self.stdout.write(_("This was a trial: nothing has been written."))
            except (profiles.ProfileError, FileError) as error:
                raise CommandError(str(error)) from error
            except OSError as error:
                raise CommandError(
                    _("%(file)s: %(error)s") % {"file": error.filename, "error": error.strerror}
                ) from error

    def check_currency(self, purchases: PurchaseFile, shop: Shop) -> None:
        own = purchases.profile.currency
        if own and own != shop.currency and "rate" not in purchases.profile.columns:
            raise CommandError(
                _("The file is in %(file)s, the shop counts in %(shop)s, and there is no column with rates. "
                  "Set the shop's currency before the first import, or give the profile a column “rate”.")
                % {"file": own, "shop": shop.currency}
            )  # fmt: skip


class Import:
    """One run over one file."""

    def __init__(self, command: Command, file: PurchaseFile, source: str, errors: Path | None) -> None:
        self.command, self.file, self.errors = command, file, errors
        self.source = Source.objects.get_or_create(name=source, defaults={"kind": Source.Kind.FILE})[0]
        self.counts: Counter[str] = Counter()
        self.total = 0

    def run(self, dry_run: bool) -> None:
        self.note(_("Reading %(file)s …") % {"file": self.file.path.name})
        self.total = self.file.stage()
        run = self.begin()
        progress = Progress(self.command, self.total, run.next_chunk * CHUNK)
        records = self.file.records(run.next_chunk * CHUNK)
        with self.error_file(run.next_chunk > 0) as refusals:
            for number in range(run.next_chunk, -(-self.total // CHUNK)):
                chunk = list(islice(records, CHUNK))
                refused = sql.in_transaction(partial(self.take, run, number, chunk))
                refusals.writerows(refused)
                progress.show(min((number + 1) * CHUNK, self.total))
        progress.end()
        ImportRun.objects.filter(pk=run.pk).update(state=ImportRun.State.DONE, finished_at=now())
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [RUN_LOCK, run.pk % 2**31])
        self.report()

    def begin(self) -> ImportRun:
        """The open run of this file, or a new one. Raises CommandError while another process is at it."""
        with self.file.path.open("rb") as binary:
            checksum = file_digest(binary, "sha256").hexdigest()
        basis = f"{CHUNK} {self.file.profile.checksum}"
        run, _made = ImportRun.objects.get_or_create(
            source=self.source,
            file_sha256=checksum,
            state=ImportRun.State.RUNNING,
            defaults={
                "profile": self.file.profile.name,
                "file_name": self.file.path.name[:255],
                "counts": {"basis": basis},
            },
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [RUN_LOCK, run.pk % 2**31])
            if not cursor.fetchone()[0]:
                raise CommandError(_("This file is being imported by another process. Wait for it to end."))
        if run.counts.get("basis") != basis:
            run.next_chunk, run.counts = 0, {"basis": basis}
        self.counts.update({name: count for name, count in run.counts.items() if name != "basis"})
        if run.next_chunk:
            self.note(
                _("Going on after %(count)s records of an interrupted import.") % {"count": run.next_chunk * CHUNK}
            )
        return run

    def take(self, run: ImportRun, number: int, chunk: list[FileRecord], exclusive: bool) -> list[list[Any]]:
        """Bring one chunk in and note how far we are, in one transaction. Returns the lines of the error file.

        exclusive: of no concern here, `sync` decides for itself.
        """
        good = [record for record in chunk if not record.problems]
        purchases = [record for record in good if record.kind != RETURN]
        returns = [record for record in good if record.kind == RETURN]
        answers = sync.apply(
            self.source,
            [record.row for record in purchases],
            [record.row for record in returns],
            historic=True,
            import_run=run.pk,
            positions=([record.lines[0] for record in purchases], [record.lines[0] for record in returns]),
        )
        counts, refused = Counter(self.counts), []
        for record, answer in zip(purchases + returns, answers.purchases + answers.returns, strict=True):
            counts[answer.status] += 1
            counts[f"lines {answer.status}"] += len(record.lines)
            record.problems = [(self.file.located(record, error)[0], error) for error in answer.errors]
            if answer.status in (sync.INVALID, sync.HELD):
                refused += self.refusals(record, counts, answer.status)
        unread = [record for record in chunk if record not in good] if len(good) < len(chunk) else []
        for record in unread:
            counts[sync.INVALID] += 1
            counts[f"lines {sync.INVALID}"] += len(record.lines)
            refused += self.refusals(record, counts, sync.INVALID)
        self.quarantine(run, unread)
        counts["records"] += len(chunk)
        ImportRun.objects.filter(pk=run.pk).update(
            next_chunk=number + 1, counts={**counts, "basis": run.counts["basis"]}
        )
        self.counts = counts
        return refused

    def refusals(self, record: FileRecord, counts: Counter[str], status: str) -> list[list[Any]]:
        """One line of the error file for each line of a record that was not taken, so that it can be mended whole."""
        rows = []
        own: dict[int | None, list] = {}
        for place, problem in record.problems:
            own.setdefault(place, []).append(problem)
        for code in {problem["code"] for _place, problem in record.problems}:
            counts[f"{status} for {code}"] += 1
            counts[f"lines {status} for {code}"] += len(record.lines)
        general = own.get(None, [])
        for place, (line, cells) in enumerate(zip(record.lines, record.cells, strict=True)):
            for problem in own.get(place, general) or [{"code": "refused_with_its_record", "field": "", "message": ""}]:
                column = self.file.located(record, problem)[1] or problem["field"]
                rows.append([line, column, problem["code"], problem["message"], *cells[1:]])
        return rows

    def quarantine(self, run: ImportRun, records: list[FileRecord]) -> None:
        Quarantine.objects.bulk_create(
            Quarantine(
                source=self.source,
                import_run=run,
                position=record.lines[0],
                external_id=record.key[:100],
                payload=record.row,
                errors=[problem for _place, problem in record.problems],
            )
            for record in records
        )

    def error_file(self, append: bool) -> Any:
        return ErrorFile(self.errors, self.file.header, append)

    def note(self, text: str) -> None:
        self.command.stderr.write(text)

    def report(self) -> None:
        write, counts = self.command.stdout.write, self.counts
        write(
            _("%(lines)s lines read, %(records)s purchases and returns:")
            % {"lines": f"{self.file.lines:,}", "records": f"{counts['records']:,}"}
        )
        for status in sync.STATUSES:
            write(f"  {status:10} {counts[status]:>9,} ({counts[f'lines {status}']:,} lines)")
            for name in sorted(counts):
                if name.startswith(f"{status} for "):
                    write(f"    {name:45} {counts[name]:>7,} ({counts[f'lines {name}']:,} lines)")


class ErrorFile:
    """The refused lines, as they came, with place and reason in front; or nothing, if nobody asked for it."""

    def __init__(self, path: Path | None, header: list[str], append: bool) -> None:
        self.path, self.header, self.append = path, header, append

    def __enter__(self) -> Any:
        if self.path is None:
            return self
        is_new = not (self.append and self.path.exists())
        self.file = self.path.open("w" if is_new else "a", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file)
        if is_new:
            self.writer.writerow(["line", "column", "code", "message", *self.header])
        return self

    def writerows(self, rows: list[list[Any]]) -> None:
        if self.path is not None:
            self.writer.writerows(rows)
            self.file.flush()

    def __exit__(self, *error: object) -> None:
        if self.path is not None:
            self.file.close()


class Progress:
    """How far, how fast, how much longer: a bar on a terminal, a line every few seconds elsewhere."""

    EVERY_S = 5.0
    WIDTH = 30

    def __init__(self, command: Command, total: int, done: int) -> None:
        self.command, self.total, self.start = command, total, done
        self.begun = self.shown = monotonic()
        self.bar = sys.stderr.isatty()

    def show(self, done: int) -> None:
        at = monotonic()
        if not self.bar and at - self.shown < self.EVERY_S:
            return
        self.shown = at
        rate = (done - self.start) / max(at - self.begun, 0.001)
        text = _("%(done)s of %(total)s records, %(rate)s a second, %(left)s s left") % {
            "done": f"{done:,}", "total": f"{self.total:,}", "rate": f"{rate:,.0f}",
            "left": f"{(self.total - done) / max(rate, 0.001):,.0f}",
        }  # fmt: skip
        full = self.WIDTH * done // max(self.total, 1)
        if self.bar:
            self.command.stderr.write(f"\r[{'█' * full}{' ' * (self.WIDTH - full)}] {text}  ", ending="")
            self.command.stderr.flush()
        else:
            self.command.stderr.write(text)

    def end(self) -> None:
        if self.bar:
            self.command.stderr.write("")
