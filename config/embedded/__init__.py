"""PostgreSQL and Redis of the installation's own, for whoever names none in DATABASE_URL and REDIS_URL.

Asking for an address starts the server, or joins the one that another process has started. This process then holds the
server's lease until it ends, children of a fork included; the server stops when nobody holds it any more. Who does all
that is the guard in guard.py.
"""

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote

from .guard import SERVERS
from .postgres import DATABASE, Postgres
from .redis import Redis
from .server import START_SECONDS, EmbeddedError, Server, locked, try_lock

BASE_DIR = Path(__file__).resolve().parents[2]
# Everything the installation writes on this machine: the servers' data, logs, and the demo's secrets and mails.
DATA = Path(os.environ.get("STAMMKUNDE_VAR") or BASE_DIR / "var").absolute()

_leases: dict[str, IO[str]] = {}


def database_url(role: Literal["app", "owner"]) -> str:
    """Address of the embedded database for a role, as DATABASE_URL wants it. Raises EmbeddedError if it cannot run.

    The folder of the socket stands before the database's name: django-environ's way to write one.
    """
    postgres = Postgres(prepared_data())
    join(postgres)
    return f"postgres://{role}@:5432/{quote(str(postgres.sockets))}/{DATABASE}"


def redis_url() -> str:
    """Address of the embedded Redis for Celery, as REDIS_URL wants it. Raises EmbeddedError if it cannot run."""
    return f"redis+socket://{quote(joined_redis())}?virtual_host=0"


def redis_cache_url() -> str:
    """Address of the embedded Redis for Django's cache: another database than Celery's."""
    return f"unix://{quote(joined_redis())}?db=1"


def joined_redis() -> str:
    redis = Redis(prepared_data())
    join(redis)
    return str(redis.socket_file)


def kept_secret(name: str) -> str:
    """A random secret of this installation, made when first asked for. Of 64 characters."""
    file = prepared_data() / "run" / f"{name}.secret"
    with locked(file.with_suffix(".lock")):
        if not file.exists():
            new = file.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(secrets.token_urlsafe(48))
            new.rename(file)
        return file.read_text()


def prepared_data() -> Path:
    # Others may pass through `var` (the servers have a user of their own where we are root), but read nothing in it.
    for folder, mode in ((DATA, 0o711), (DATA / "run", 0o700), (DATA / "log", 0o700)):
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    return DATA


def join(server: Server) -> None:
    """Hold the lease of a server and make sure that it answers. Cheap to repeat."""
    if server.name in _leases:
        return
    with locked(server.lock_file("start")):
        lease = server.lock_file("lease").open("a")
        fcntl.flock(lease, fcntl.LOCK_SH)  # waits while a guard stops the server for want of holders
        try:
            ensure(server)
        except BaseException:
            lease.close()
            raise
    _leases[server.name] = lease


def ensure(server: Server) -> None:
    """Start a guard unless one is there, and wait until the server answers."""
    end = time.monotonic() + START_SECONDS
    while True:
        if not guarded(server):
            start_guard(server)
        if server.answers():
            return
        if time.monotonic() > end:
            raise EmbeddedError(
                f"The embedded {server.name} does not answer. {server.log} ends with:\n{server.log_end()}"
            )
        time.sleep(0.1)


def look_after() -> None:
    """Give the servers this process has joined a guard again, should theirs have been killed."""
    for name in _leases:
        server = SERVERS[name](DATA)
        with locked(server.lock_file("start")):
            ensure(server)


def guarded(server: Server) -> bool:
    """Whether a guard lives. Asked by the holder of the start lock only, so the question itself cannot disturb one."""
    with server.lock_file("guard").open("a") as file:
        return not try_lock(file.fileno())


def start_guard(server: Server) -> None:
    # This package alone, without `config`, which would bring the whole project with it.
    program = "import sys; sys.path.insert(0, sys.argv[1]); from embedded.guard import main; main()"
    folder = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, "-I", "-c", program, folder, server.name, str(server.data)]
    done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603
    if done.stdout != "ready":
        raise EmbeddedError(done.stdout or done.stderr or f"The guard of {server.name} was killed.")


def leave() -> None:
    """Give this process's leases back. Returns when the servers that nobody else holds have stopped."""
    for name in list(_leases):
        server = SERVERS[name](DATA)
        _leases.pop(name).close()
        if not server.lock_file("start").exists():  # the folder was deleted, and the guard has noticed
            continue
        with locked(server.lock_file("start")), server.lock_file("lease").open("a") as lease:
            while guarded(server) and not held(lease):
                time.sleep(0.05)


def held(lease: IO[str]) -> bool:
    """Whether a process uses the server, other than a guard that is stopping it."""
    if try_lock(lease.fileno()):
        fcntl.flock(lease, fcntl.LOCK_UN)
        return False
    try:
        fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lease, fcntl.LOCK_UN)
    return True


def discard() -> None:
    """Leave, and delete everything the installation has written, wherever it lies. For throw-away installations."""
    elsewhere = {home.parent for home in (SERVERS[name](DATA).home for name in _leases) if home.parent != DATA}
    leave()
    for folder in [*elsewhere, DATA]:
        shutil.rmtree(folder, ignore_errors=True)
