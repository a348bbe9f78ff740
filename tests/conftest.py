"""Servers and environment for the tests.

Without DATABASE_URL and REDIS_URL the session brings its own servers in a throw-away folder. With them it uses those
(docs/operating.md, "Tests on servers of your own"). Under `pytest -n 2` every worker is a session of its own: with its own
servers, or with a database and a Redis number of its own on yours.
The session itself works as the owner of the test database; `app_cursor` is the role that web, sender and worker have.
"""

import gc
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

FOLDER_PREFIX = "stammkunde-test-"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


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
    }
    if WORKER and os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = numbered(os.environ["REDIS_URL"], int(WORKER.removeprefix("gw")))
    return folder


def numbered(redis_url: str, further: int) -> str:
    """The address of a Redis with its number raised by `further`."""
    parts = urlsplit(redis_url)
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + further}").geturl()


FOLDER = choose_environment()

import django  # noqa: E402
import hypothesis  # noqa: E402
import psycopg2  # noqa: E402
import pytest  # noqa: E402

from config import embedded  # noqa: E402
from config.embedded.postgres import ROLES_SQL  # noqa: E402
from tests.smtp_sink import SmtpSink  # noqa: E402

# The same examples on every run: what fails here fails everywhere. HYPOTHESIS_PROFILE=default looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure(config: pytest.Config) -> None:
    """Load the settings, no earlier than their environment is chosen, and the models; tidy up."""
    if embedded.DATA != FOLDER:
        # The tests would work on, and in the end delete, what is not theirs.
        FOLDER.rmdir()
        raise pytest.UsageError("Settings were loaded before tests/conftest.py: unset DJANGO_SETTINGS_MODULE.")
    if WORKER or not config.getoption("numprocesses", None):
        django.setup()
    else:  # This process hands out the tests. Its workers choose their environment, too, before they load settings.
        del os.environ["DJANGO_SETTINGS_MODULE"]
        FOLDER.rmdir()
    if not WORKER:
        remove_remains()


def pytest_collection_finish() -> None:
    """Keep the collector away from what lives as long as the session, and let it come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def remove_remains() -> None:
    """Remove what earlier sessions left behind that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        try:
            ours_and_old = left.owner() == Path.home().owner() and left.stat().st_mtime < time.time() - 60
            locks = list(left.glob("run/*.lease"))
            if ours_and_old and left != FOLDER and locks and not any(map(in_use, locks)):
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # another session was faster


def in_use(lease: Path) -> bool:
    with lease.open("a") as file:
        return not embedded.try_lock(file.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    if embedded.DATA == FOLDER:
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
    # Roles belong to the whole server, where another worker may be making them at this moment.
    with embedded.locked(Path(tempfile.gettempdir()) / f"{FOLDER_PREFIX}roles-{os.getuid()}.lock"), connection.cursor() as cursor:
        cursor.execute(statements.replace("ALTER DATABASE %I OWNER TO owner", "SELECT 1")
                       .replace("ALTER SCHEMA public OWNER TO owner;", "")
                       .replace("FOR ROLE owner ", ""))  # fmt: skip


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, emptied quickly after each test that commits; what the migrations brought stays."""
    from django.test import TransactionTestCase

    from tests.clean_slate import CleanSlate

    with django_db_blocker.unblock():
        slate = CleanSlate.seen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: slate.restore())
        yield


@pytest.fixture(autouse=True)
def _nothing_left_of_the_test_before() -> None:
    """Language, time zone and counted tries as a new process has them: no test may lean on the one before it."""
    from django.core.cache import cache
    from django.utils import timezone, translation

    translation.deactivate()
    timezone.deactivate()
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _api_answers_as_documented() -> Iterator[None]:
    """Whatever a test asks of the API, the answer must be one that the OpenAPI document tells of."""
    from django.test import Client

    from tests.api_document import ROOTS, contradictions

    ask = Client.request

    def asked(client: Client, **request: Any) -> Any:
        response = ask(client, **request)
        if request["PATH_INFO"].startswith(ROOTS):
            found = contradictions(request["REQUEST_METHOD"], request["PATH_INFO"], response)
            assert not found, "\n".join(found)
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", asked)
        yield


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
                session.commit()  # or a test's rollback would make it the superuser again
            yield cursor
    finally:
        session.rollback()
        session.close()


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """Environment for a process of the product that shall work on the test database, as the test session's role."""
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
