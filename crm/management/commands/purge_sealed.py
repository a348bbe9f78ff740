"""Sealed records: delete those whose time is over, or seal them with a new key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.privacy import retention, sealed, sealing


class Command(BaseCommand):
    help = "Delete sealed records after their day of purge; --reseal seals the others with the current SEAL_KEY."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reseal", action="store_true", help="seal anew what an earlier SEAL_KEY sealed")

    def handle(self, *, reseal: bool, **options: Any) -> None:
        rule = next(rule for rule in retention.RULES if rule.code == "sealed")
        self.stdout.write(f"{rule.apply(rule.due()):,} sealed records deleted")
        if reseal:
            try:
                self.stdout.write(f"{sealed.reseal():,} sealed anew; SEAL_KEY_FALLBACKS may be emptied now")
            except sealing.SealError as error:
                raise CommandError(f"{error}. Put the former key into SEAL_KEY_FALLBACKS and run this again.") from None
