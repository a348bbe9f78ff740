from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crm.models import Shop


class Command(BaseCommand):
    help = "Let this deployment send mail. A restored or copied database must be armed again before it may send."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEPLOYMENT_ID:
            raise CommandError("Set DEPLOYMENT_ID to a name of this deployment, different from every copy of it.")
        Shop.current()
        Shop.objects.update(armed_for=settings.DEPLOYMENT_ID)
        self.stdout.write(f"Sending is armed for {settings.DEPLOYMENT_ID}.")
