"""Erasures outlive backups: write them down outside the database, and repeat them after a restore."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.models import ErasureLog
from crm.privacy import erasure, replay


class Command(BaseCommand):
    help = "Repeat, in a restored database, the erasures that a file knows; or --save all known ones to the file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file named by ERASURE_LOG, or a copy of it")
        parser.add_argument("--save", action="store_true", help="write all erasures of this database to the file")

    def handle(self, *, file: Path, save: bool, **options: Any) -> None:
        if save:
            logs = ErasureLog.objects.order_by("pk")
            file.write_text("".join(f"{erasure.line_of(log)}\n" for log in logs))
            self.stdout.write(f"{logs.count():,} erasures written to {file}")
            return
        try:
            outcome = replay.replay(file.read_text().splitlines())
        except FileNotFoundError:
            raise CommandError(f"There is no file {file}. Name the one that ERASURE_LOG named before the restore.") from None
        except replay.UnreadableLine as error:
            raise CommandError(f"Line {error.number} of {file} is no erasure. Nothing after it was repeated.") from None
        self.stdout.write(f"{outcome.erased:,} erased again, {outcome.known:,} were erased already")
