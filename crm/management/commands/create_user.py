import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from crm.models import User


class Command(BaseCommand):
    help = "Create a member of staff. The password is read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=User.Role.values, required=True)
        parser.add_argument("--email", default="")
        parser.add_argument("--full-name", default="")
        parser.add_argument("--language", choices=["de", "en"], default="de")

    def handle(
        self, *args: Any, name: str, role: str, email: str, full_name: str, language: str, **options: Any
    ) -> None:
        if User.objects.filter(username=name).exists():
            raise CommandError(f"There is already a user {name!r}. Choose another name.")
        first, _space, last = full_name.rpartition(" ")
        user = User(username=name, role=role, email=email, first_name=first, last_name=last, language=language)
        password = getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user.set_password(password)
        user.save()
        self.stdout.write(f"{name} may log in as {role}.")
