from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from campaigns import planning
from crm import days


class Command(BaseCommand):
    help = "Plan the calendar's mails (birthdays) of a day in the shop's zone. Safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", type=date.fromisoformat, help="A day such as 2026-11-22; today if left out.")

    def handle(self, *args: Any, as_of: date | None, **options: Any) -> None:
        day = as_of or days.today()
        for code, rows in planning.plan_occasions(day).items():
            self.stdout.write(f"{code}: {rows} new for {day}")
