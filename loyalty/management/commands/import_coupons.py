import csv
from argparse import ArgumentParser
from collections import Counter
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from crm.management.commands.import_consents import DryRun, delimiter, opened, refusals
from crm.models import Shop, Source
from loyalty.coupons import importing, issuing
from loyalty.models import CouponBatch

CHUNK = 5_000


class Command(BaseCommand):
    help = (
        "Import coupon codes that were issued elsewhere from a CSV file, plain or .gz, with the columns code, customer, uses "
        "and valid_until; only code is needed. The same file may be imported again: what is known already changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--batch", type=int, required=True, help="Number of the batch whose terms the codes have.")
        parser.add_argument("--source", help="Name of the system whose customer numbers the file uses.")
        parser.add_argument("--dry-run", action="store_true", help="Check everything and write nothing.")
        parser.add_argument("--errors", type=Path, help="Write every refused line with the reason to this CSV file.")

    def handle(
        self, *args: Any, file: Path, batch: int, source: str | None, dry_run: bool, errors: Path | None, **options: Any
    ) -> None:
        with translation.override(Shop.current().language):
            into, known = batch_of(batch), source_of(source)
            try:
                with transaction.atomic() if dry_run else nullcontext():
                    self.run(file, into, known, errors)
                    if dry_run:
                        raise DryRun
            except DryRun:
                self.stdout.write(_("This was a trial: nothing has been written."))
            except (OSError, UnicodeDecodeError, csv.Error, issuing.IssueError) as error:
                raise CommandError(f"{file}: {error}") from error

    def run(self, file: Path, batch: CouponBatch, source: Source | None, errors: Path | None) -> None:
        counts: Counter[str] = Counter()
        with opened(file) as text, refusals(errors) as refused:
            lines = csv.reader(text, delimiter=delimiter(text), strict=True)
            header = [name.strip().lower() for name in next(lines, [])]
            check(header)
            refused.writerow(["line", "field", "message", *header])
            while chunk := [(lines.line_num, cells) for cells in islice(lines, CHUNK)]:
                filled = [(number, cells) for number, cells in chunk if any(cell.strip() for cell in cells)]
                rows = [dict(zip(header, (cell.strip() for cell in cells), strict=False)) for _number, cells in filled]
                for (number, cells), answer in zip(filled, importing.take(batch, rows, source), strict=True):
                    counts[answer.status] += 1
                    if answer.why:
                        refused.writerow([number, answer.column, answer.why, *cells])
        for status in ("created", "unchanged", "refused"):
            self.stdout.write(f"{status:10} {counts[status]:>9,}")


def batch_of(number: int) -> CouponBatch:
    found = CouponBatch.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(_("There is no batch with this number."))
    return found


def source_of(name: str | None) -> Source | None:
    found = Source.objects.filter(name=name).first() if name else None
    if name and found is None:
        raise CommandError(_("There is no source “%(name)s”.") % {"name": name})
    return found


def check(header: list[str]) -> None:
    """Raise CommandError for a column that is unknown, doubled or missing: ignored, its content would be lost."""
    if set(header) - set(importing.COLUMNS) or "code" not in header or len(set(header)) < len(header):
        raise CommandError(
            _("The file needs the column code; it may have these others, each once: customer, uses, valid_until.")
        )
