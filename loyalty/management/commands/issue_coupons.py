from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from crm.management.commands.import_purchases import Progress
from crm.models import Shop
from loyalty.coupons import issuing
from loyalty.management.commands.import_coupons import batch_of

MOST = 10_000_000


def count_of(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST:
        raise ArgumentTypeError(f"must be from 1 to {MOST:,}")
    return count


class Command(BaseCommand):
    help = (
        "Make codes of a batch that whoever holds them may use, a million in under a minute. What an interruption leaves is "
        "whole: ask again for the rest."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, required=True, help="Number of the batch, as its page says.")
        parser.add_argument("--count", type=count_of, required=True, help="How many codes.")

    def handle(self, *args: Any, batch: int, count: int, **options: Any) -> None:
        with translation.override(Shop.current().language):
            progress = Progress(self, count, 0)  # type: ignore[arg-type]
            try:
                made = issuing.many(batch_of(batch), count, progress=progress.show)
            except issuing.IssueError as error:
                raise CommandError(str(error)) from error
            progress.end()
            self.stdout.write(f"{made:,}")
