from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from crm.models import ApiKey, Source


class Command(BaseCommand):
    help = "Issue an API key for a source. The key is printed once, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", required=True, help="Name of the shop or till; made if it is new.")
        parser.add_argument("--scopes", required=True, help=f"Comma-separated, of: {', '.join(ApiKey.SCOPES)}")
        parser.add_argument("--days", type=int, default=365, help="Valid for so many days, 365 at most.")

    def handle(self, *args: Any, source: str, scopes: str, days: int, **options: Any) -> None:
        if not 1 <= days <= 365:
            raise CommandError("--days must be 1 to 365: a key must not live longer than a year.")
        bound_to, _made = Source.objects.get_or_create(name=source)
        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        try:
            key, plain = ApiKey.issue(bound_to, wanted, now() + timedelta(days=days))
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Key for {source}, valid until {key.expires_at:%Y-%m-%d}. It is shown only now:")
        self.stdout.write(plain)
