import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from campaigns import mailbox

SLICE_S = 50


class Command(BaseCommand):
    help = "Read the mailbox of returned mails (BOUNCE_MAILBOX): bounces, spam reports, automatic replies, unsubscribing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=int, default=0, metavar="SECONDS", help="Go on, and look again so often.")

    def handle(self, *args: Any, every: int, **options: Any) -> None:
        if not settings.BOUNCE_MAILBOX:
            raise CommandError("BOUNCE_MAILBOX is not set. Write it like imaps://user:password@host/INBOX.")
        while True:
            try:
                counts = mailbox.read(SLICE_S)
            except mailbox.TROUBLE as error:
                if not every:
                    raise CommandError(f"The mailbox cannot be read: {mailbox.said(error)}") from error
                self.stderr.write(f"The mailbox cannot be read: {mailbox.said(error)}")
                counts = {}
            for kind, number in sorted(counts.items()):
                self.stdout.write(f"{kind}: {number}")
            if not every:
                return
            time.sleep(every)
            close_old_connections()
