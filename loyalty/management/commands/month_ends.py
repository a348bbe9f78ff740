from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from loyalty import months
from loyalty.models import MonthEnd


class Command(BaseCommand):
    help = "Judge everybody as of each past month end that is missing or outdated, for the insights over time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="Forget all month ends and judge them anew.")

    def handle(self, again: bool, **options: Any) -> None:
        done = months.fill(facts=True, again=again, told=self.told)
        self.stdout.write(self.style.SUCCESS(f"{done.judged} month ends judged; {MonthEnd.objects.count()} are known"))

    def told(self, month: MonthEnd, seconds: float) -> None:
        self.stdout.write(f"{month.month:%Y-%m}  {month.customers:>10,} customers  {seconds:.1f} s")
