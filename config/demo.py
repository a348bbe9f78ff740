"""The whole product on one machine with invented data: `make demo`.

Starts the embedded servers, brings the database up to date, seeds it when it is empty, and then keeps a web server, a
sender, a Celery worker, beat and a mail server running until Ctrl-C or SIGTERM. Everything it writes lies in `var/`.
"""

import argparse
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NoReturn
from uuid import uuid4

from config import embedded
from config.demo_processes import PROCESSES, Child, DemoError, say, stop

# Invented people with invented passwords: the demo listens on this machine only.
LOGINS = {
    "support": ("Mirjam Kästner", "demo-support-kundin"),
    "marketer": ("Jonas Weidlich", "demo-marketer-kampagne"),
    "admin": ("Ruth Amberg", "demo-admin-schluessel"),
}
READY_SECONDS = 60


def is_free(port: int) -> bool:
    """Whether a server of this user may listen on the port. Raises PermissionError for one that is root's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise
        except OSError:
            return False
        return True


def check_port(port: int) -> None:
    """Raise DemoError, with a port that can be had, if this one cannot."""
    try:
        if is_free(port):
            return
        problem = "taken"
    except PermissionError:
        problem = "for root only"
    other = next(candidate for candidate in range(max(port + 1, 8000), 65536) if is_free(candidate))
    raise DemoError(f"Port {port} is {problem}. Choose another: PORT={other} make demo")


def chosen_port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise DemoError(f"PORT is {text!r}; it must be a number from 1 to 65535, such as PORT=8001 make demo")
    return int(text)


def only_one(port: int) -> IO[str]:
    """The demo's lock, held for as long as the file is open. Raises DemoError if a demo of this installation runs."""
    lock = (embedded.prepared_data() / "run" / "demo.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DemoError(f"This demo runs already, at http://localhost:{lock.read().strip()}") from None
    lock.truncate(0)
    lock.write(str(port))
    lock.flush()
    return lock


class MailKeeper:
    """A mail server's handler that keeps every mail as a file, named by its time of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: object, session: object, envelope: "object") -> str:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"
        new = self.folder / f"{name}.new"
        new.write_bytes(envelope.original_content)  # type: ignore[attr-defined]
        new.rename(self.folder / f"{name}.eml")
        return "250 OK"


def start_mail_server(folder: Path) -> tuple[Callable[[], None], int]:
    """Start the mail server on a free port of this machine. Returns how to stop it, and the port."""
    from aiosmtpd.controller import Controller

    folder.mkdir(mode=0o700, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(MailKeeper(folder), hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    return controller.stop, port


def environment(port: int, mail_port: int) -> dict[str, str]:
    """What the processes of the demo are told. The caller's own settings win, but no mail leaves the machine."""
    mine = {
        "PORT": str(port),
        "PUBLIC_BASE_URL": f"http://localhost:{port}",
        "SECRET_KEY": embedded.kept_secret("secret_key"),
        "RECEIPT_SECRET": embedded.kept_secret("receipt_secret"),
        "DEPLOYMENT_ID": f"demo-{embedded.kept_secret('deployment')[:12]}",
    }
    always = {
        "DEMO": "1",
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
        "ANYMAIL_ESP": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
    }
    return mine | dict(os.environ) | always


def run(*arguments: str, **more: str) -> None:
    """Run one step to its end. Raises DemoError if it fails."""
    # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the step.
    done = subprocess.run(  # noqa: S603
        [sys.executable, *arguments], cwd=embedded.BASE_DIR, env=os.environ | more, start_new_session=True
    )
    if done.returncode:
        raise DemoError(f"This step failed: {' '.join(arguments)}")


def prepare(customers: int) -> None:
    """Seed and judge an empty database, make the log-ins, and let this deployment send. A process of its own."""
    import io

    import django

    django.setup()
    from django.core.management import call_command

    from crm.models import Customer, User
    from loyalty.models import Assessment

    if not Customer.objects.exists():
        say(f"Inventing a shop with {customers:,} customers and three years of history …")
        call_command("seed", customers=customers, seed=1)
    if not Assessment.objects.exists():
        say("Judging them …")
        call_command("score", stdout=io.StringIO())
    for role, (full_name, password) in LOGINS.items():
        if not User.objects.filter(username=role).exists():
            sys.stdin = io.StringIO(password + "\n")
            # Not named by the role: a password may not resemble the address, and these name the role.
            address = f"{full_name.split()[0].lower()}@demo.example"
            given = {"role": role, "full_name": full_name, "email": address}
            call_command("create_user", role, **given, stdout=io.StringIO())
    call_command("arm_sending", stdout=io.StringIO())


def schema_state() -> str:
    """A digest of all that decides what `migrate` does: migrations, libraries, and the cluster they are applied to."""
    digest = hashlib.sha256()
    for file in [*sorted(embedded.BASE_DIR.glob("*/migrations/*.py")), embedded.BASE_DIR / "requirements" / "demo.txt"]:
        digest.update(file.read_bytes())
    cluster = embedded.Postgres(embedded.DATA).home / "PG_VERSION"
    digest.update(str(cluster.stat().st_mtime_ns).encode())
    return digest.hexdigest()


def is_prepared() -> bool:
    """Whether `prepare` has nothing to do. Asked without Django, whose start costs seconds."""
    import psycopg2

    postgres = embedded.Postgres(embedded.DATA)
    try:
        with postgres.connect("app", embedded.DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM crm_user WHERE username = ANY(%s)) = %s AND EXISTS (SELECT FROM loyalty_assessment)"
                " AND (SELECT armed_for FROM crm_shop) = %s",
                [list(LOGINS), len(LOGINS), os.environ["DEPLOYMENT_ID"]],
            )
            return bool(cursor.fetchone()[0])
    except psycopg2.Error:
        return False


def bring_up_to_date(customers: int) -> None:
    """Migrate and prepare, where there is something to do. Raises DemoError if a step fails."""
    own_server = not os.environ.get("DATABASE_URL")
    stamp = embedded.DATA / "run" / "demo.migrated"
    if not (own_server and stamp.exists() and stamp.read_text() == schema_state()):
        say("Bringing the database up to date …")
        run("manage.py", "migrate", "--verbosity", "0", DATABASE_ROLE="owner")
        if own_server:
            stamp.write_text(schema_state())
    if not (own_server and is_prepared()):
        run("-m", "config.demo", "--prepare", "--customers", str(customers))


def wait_for_web(port: int, web: Child) -> None:
    """Return when the web server answers. Raises DemoError if it does not within READY_SECONDS."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return
        web.look_after()
        time.sleep(0.1)
    raise DemoError(f"The web server does not answer. {web.log} ends with:\n{web.log_end()}")


def greet(port: int) -> None:
    width = max(map(len, LOGINS))
    say(f"\nStammkunde runs at  http://localhost:{port}")
    say(f"Mails it sends:     http://localhost:{port}/demo/mail/  (none leaves this machine)\n")
    say("Log in as")
    for name, (_full_name, password) in LOGINS.items():
        say(f"    {name:<{width}}  password  {password}")
    say("\nCustomers, names and histories are invented. Ctrl-C ends the demo and keeps its data.")


def keep_running(children: list[Child]) -> NoReturn:
    """Look after the processes and the embedded servers. Raises DemoError when one cannot be kept alive."""
    while True:
        for _ in range(10):
            time.sleep(0.5)
            for child in children:
                child.look_after()
        embedded.look_after()


def serve(customers: int) -> NoReturn:
    """Run the demo until a signal raises Interrupted. Raises DemoError when it cannot go on."""
    port = chosen_port()
    lock = only_one(port)
    check_port(port)
    say("Starting PostgreSQL and Redis …")
    if not os.environ.get("DATABASE_URL"):
        embedded.database_url("app")
    if not os.environ.get("REDIS_URL"):
        embedded.redis_url()
    stop_mail_server, mail_port = start_mail_server(embedded.DATA / "mail")
    children = [Child(name, arguments.split()) for name, arguments in PROCESSES.items()]
    try:
        os.environ.update(environment(port, mail_port))
        bring_up_to_date(customers)
        say(f"Starting {', '.join(PROCESSES)} …")
        web, *others = children
        web.start()
        wait_for_web(port, web)
        # After the web server, so that its start is not slowed down by theirs.
        for child in others:
            child.start()
        greet(port)
        keep_running(children)
    finally:
        say("\nEnding the demo …")
        stop(children)
        stop_mail_server()
        embedded.leave()
        lock.close()
        say("The demo has ended; its data is kept.")


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM, while a step runs that must not delay the end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--customers", type=int, default=2000, help="how many to invent in an empty database")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.prepare:
        prepare(chosen.customers)
        return 0

    def on_signal(number: int, frame: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # the end runs once and undisturbed
        raise Interrupted

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, on_signal)
    try:
        serve(chosen.customers)
    except Interrupted:
        return 0
    except (DemoError, embedded.EmbeddedError) as error:
        print(error, file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
