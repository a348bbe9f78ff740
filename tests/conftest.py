"""Servers and environment for the tests.

Without DATABASE_URL and REDIS_URL the session brings its own servers in a throw-away folder. With them it uses those:
the role in DATABASE_URL must be allowed to create databases, and be a superuser for the tests of database roles.
The session itself works as the owner of the test database; `app_cursor` is the role that web, sender and worker have.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER_PREFIX = "stammkunde-test-"


def choose_environment() -> Path:
    """Set what config.settings reads, before it is imported. Returns the session's throw-away folder."""
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    folder.chmod(0o711)
    for name in ("DEMO", "DEBUG", "EMAIL_URL", "ANYMAIL_ESP", "PUBLIC_BASE_URL", "ALLOWED_HOSTS", "TRUSTED_PROXIES"):
        os.environ.pop(name, None)
    os.environ |= {
        "STAMMKUNDE_VAR": str(folder),
        "STAMMKUNDE_EMBEDDED_FAST": "1",
        "DATABASE_ROLE": "owner",
        "SECRET_KEY": "only-for-tests-only-for-tests-only-for-tests-only",
        "RECEIPT_SECRET": "only-for-tests-only-for-tests-only",
        "DEPLOYMENT_ID": "tests",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    return folder


# A worker of pytest-xdist inherits the environment, and with it the servers, of the process that started it.
FOLDER = None if "PYTEST_XDIST_WORKER" in os.environ else choose_environment()

import django  # noqa: E402
import psycopg2  # noqa: E402
import pytest  # noqa: E402

from config import embedded  # noqa: E402
from config.embedded.postgres import ROLES_SQL  # noqa: E402
from tests.smtp_sink import SmtpSink  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Load the models (pytest-django looked for settings before this file named them), and tidy up.

    Removes what an earlier session left behind that was killed.
    """
    django.setup()
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        locks = list(left.glob("run/*.lease"))
        if left != FOLDER and locks and left.owner() == Path.home().owner() and not any(map(in_use, locks)):
            shutil.rmtree(left, ignore_errors=True)


def in_use(lease: Path) -> bool:
    with lease.open("a") as file:
        return not embedded.try_lock(file.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    if FOLDER:
        embedded.discard()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """On a server of one's own, give the application's role its rights before the first table is made."""
    from django.db.models.signals import pre_migrate

    if os.environ.get("DATABASE_URL"):
        pre_migrate.connect(grant_app_role, dispatch_uid="tests")


def grant_app_role(**_: object) -> None:
    from django.db import connection

    statements = ROLES_SQL.read_text()
    with connection.cursor() as cursor:
        cursor.execute(statements.replace("ALTER DATABASE %I OWNER TO owner", "SELECT 1")
                       .replace("ALTER SCHEMA public OWNER TO owner;", "")
                       .replace("FOR ROLE owner ", ""))  # fmt: skip


@pytest.fixture(autouse=True)
def _purposes_after_a_flush(request: pytest.FixtureRequest) -> None:
    """A transactional test empties all tables when it ends, the purposes that a migration brought included."""
    marker = request.node.get_closest_marker("django_db")
    if (marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db")
        import importlib

        from django.apps import apps

        importlib.import_module("crm.migrations.0002_append_only_and_purposes").add_purposes(apps, None)


@pytest.fixture
def app_cursor(db: None) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor on the test database with the rights of web, sender and worker, in a transaction of its own.

    It sees what is committed only: use it with `transactional_db` if it shall see rows.
    """
    from django.db import connection

    own_servers = not os.environ.get("DATABASE_URL")
    parameters = connection.get_connection_params()
    wanted = {key: parameters[key] for key in ("dbname", "user", "password", "host", "port") if key in parameters}
    if own_servers:
        wanted["user"] = "app"
    session = psycopg2.connect(**wanted)
    try:
        with session.cursor() as cursor:
            if not own_servers:
                cursor.execute("SET ROLE app")
            yield cursor
    finally:
        session.rollback()
        session.close()


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """Environment for a process of the product that shall work on the test database, as the test session's role."""
    from urllib.parse import quote

    from django.conf import settings
    from django.db import connection

    found = connection.settings_dict
    login = quote(found["USER"]) + (f":{quote(found['PASSWORD'], safe='')}" if found["PASSWORD"] else "")
    if found["HOST"].startswith("/"):
        url = f"postgres://{login}@:{found['PORT'] or 5432}/{quote(found['HOST'])}/{found['NAME']}"
    else:
        url = f"postgres://{login}@{found['HOST']}:{found['PORT'] or 5432}/{found['NAME']}"
    environment = os.environ | {"DATABASE_URL": url, "REDIS_URL": settings.REDIS_URL}
    environment.pop("DATABASE_OWNER_URL", None)
    return environment


@pytest.fixture
def smtp_sink(settings: object) -> Iterator[SmtpSink]:
    """A mail server of the test's own; Django sends through it."""
    sink = SmtpSink().start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield sink
    sink.stop()
