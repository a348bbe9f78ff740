"""Nothing sends mail past the gate: the code itself is read, so that a new path is noticed."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "crm", "loyalty", "campaigns")
# Names by which Python and Django can send mail.
SENDING = {"send_mail", "send_mass_mail", "mail_admins", "mail_managers", "EmailMessage", "EmailMultiAlternatives",
           "django.core.mail", "smtplib", "sendmail", "send_message", "send_messages", "anymail"}  # fmt: skip
# Who may hold which of them, and why.
ALLOWED = {
    "campaigns/transport.py": "carries the mails that it is handed",
    "campaigns/message.py": "makes mails, sends none",
    "campaigns/sending.py": "hands a mail on after the gate",
    "campaigns/testing.py": "a test mail to the member of staff who asks for it",
    "campaigns/webhooks.py": "takes the reports of mail providers, sends none",
    "config/demo_mail.py": "a mailbox for the demo that lets nothing out",
}
CARRIES = {"campaigns/sending.py", "campaigns/testing.py"}


@cache
def code() -> dict[str, ast.Module]:
    files = [file for app in APPS for file in (ROOT / app).rglob("*.py") if "migrations" not in file.parts]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def names(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", (node.module or "").split(".")[0], *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in (alias.name, alias.name.split(".")[0])}
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a function or method with this name."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in every if getattr(node.func, "attr", getattr(node.func, "id", "")) == name]


def test_only_known_modules_can_send_mail() -> None:
    senders = {path for path, tree in code().items() if names(tree) & SENDING}
    assert senders - ALLOWED.keys() == set()


def test_only_two_modules_open_a_transport() -> None:
    openers = {path for path, tree in code().items() if calls(tree, "configured") and "transport" in names(tree)}
    assert openers == CARRIES


def test_the_sender_hands_over_a_mail_in_one_place_after_the_gate() -> None:
    tree = code()["campaigns/sending.py"]
    handing = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and any(
            isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Attribute)
            and call.func.value.attr == "mail" for call in calls(node, "send"))
    ]  # fmt: skip
    assert [function.name for function in handing] == ["_send_one"]
    first = next(node for node in handing[0].body if not isinstance(node, ast.Assign))  # the time it has is read before
    assert isinstance(first, ast.If) and calls(first.test, "_pass_gate") and isinstance(first.body[0], ast.Return)
    [passing] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_pass_gate"]
    assert calls(passing, "gate")


def test_a_test_mail_goes_to_its_own_author() -> None:
    tree = code()["campaigns/testing.py"]
    [order] = calls(tree, "order_for")
    assert ast.unparse(order.args[1]) == "user.email"


def test_the_log_in_library_mails_staff_accounts_only() -> None:
    from allauth.account import app_settings
    from django.conf import settings

    from crm.models import User

    assert settings.AUTH_USER_MODEL == "crm.User" and User._meta.get_field("email")
    assert app_settings.EMAIL_UNKNOWN_ACCOUNTS is False
    assert not any("send_mail" in names(tree) for tree in code().values()), "nobody borrows its sender"
