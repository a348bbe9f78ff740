"""What goes after its time: count it, or do it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crm.privacy import retention


class Command(BaseCommand):
    help = "Delete or blank what has had its time. Runs every night by itself; --dry-run only counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing, only count")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        if dry_run:
            for found in retention.report():
                oldest = f", oldest {found.oldest:%Y-%m-%d}" if found.oldest else ""
                self.stdout.write(f"{found.rule.code}: {found.due:,} due{oldest} ({found.rule.after})")
            self.stdout.write(f"inactive customers proposed for erasure: {retention.inactive().count():,}")
            return
        for code, count in retention.run().items():
            self.stdout.write(f"{code}: {count:,} done")
