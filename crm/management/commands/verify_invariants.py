import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from crm import invariants


class Command(BaseCommand):
    help = "Count everything that is stored twice again from its source. Exit code 1 if anything differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help='Print {"ok": …, "checks": [{"name", "violations"}]}.')

    def handle(self, *args: Any, **options: Any) -> None:
        found = invariants.verify()
        if options["json"]:
            checks = [{"name": name, "violations": count} for name, count in found]
            self.stdout.write(json.dumps({"ok": not invariants.broken(found), "checks": checks}))
        else:
            for name, count in found:
                self.stdout.write(f"{'ok' if not count else f'{count} broken':>14}  {name.replace('_', ' ')}")
        if invariants.broken(found):
            raise SystemExit(1)
