"""Fill an empty installation with an invented shop."""

from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm import days
from crm.seeding import story
from crm.seeding.story import Told

BAR = 30
LINES_EVERY = 10  # per cent, where no terminal shows the bar


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be at least 1")
    return number


class Command(BaseCommand):
    help = "Fill an empty installation with an invented shop: customers and three years of their history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customers", type=at_least_one, default=2000, help="how many (default: 2000)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed tells the same story (default: 1)")
        parser.add_argument(
            "--until", type=date.fromisoformat, default=None, help="day on which the history ends (default: today)"
        )

    def handle(self, *, customers: int, seed: int, until: date | None, **options: Any) -> None:
        self.wanted, self.shown = customers, 0
        self.stdout.write(f"Inventing {customers:,} customers of a shop that does not exist.")
        try:
            told = story.tell(customers, seed, until or days.today(), self.show)
        except story.NotEmpty:
            raise CommandError(
                "This installation already has customers or purchases, and invented ones shall not mix with them. "
                "Seed a new, empty database: name one in DATABASE_URL and run “manage.py migrate” first."
            ) from None
        rows = sum(told.rows.values())
        self.stdout.write(
            self.style.SUCCESS(
                f"{told.customers:,} customers, {told.rows['crm_purchase']:,} purchases with "
                f"{told.rows['crm_purchaseline']:,} lines, {rows:,} rows in all, in {told.seconds:.1f} s."
            )
        )
        self.stdout.write("Next: “manage.py score” judges them; until then no stage is shown.")

    def show(self, told: Told) -> None:
        """Progress: a bar on a terminal, else a line every tenth; then a line for each step after the rows."""
        if told.finishing:
            self.stdout.write(f"{told.seconds:.0f} s: {told.finishing}")
            return
        share = told.customers / self.wanted
        rate = told.customers / max(told.seconds, 0.001)
        left = (
            f"{told.customers:,} of {self.wanted:,}, {rate:,.0f}/s, {(self.wanted - told.customers) / rate:.0f} s left"
        )
        if self.stdout.isatty():
            full = round(share * BAR)
            self.stdout.write(f"\r[{'█' * full}{'·' * (BAR - full)}] {left}   ", ending="\n" if share >= 1 else "")
            self.stdout.flush()
        elif int(share * 100) // LINES_EVERY > self.shown:
            self.shown = int(share * 100) // LINES_EVERY
            self.stdout.write(f"{share:.0%}: {left}")
