"""Processes that may be killed at any time, and a throw-away installation with servers of its own for them.

PostgreSQL runs here as it does for a shop, with every commit safe from a crash, and the processes have the rights of
the application alone.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from config import embedded

ROOT = Path(__file__).resolve().parents[2]
# The grace is far longer than a busy machine may keep a process waiting.
LEASE_S, GRACE_S = 3, 10
# So long nothing at all may happen: longer than any pause of the product in a storm.
STALLED_S = 240
NOT_OURS = {"STAMMKUNDE_EMBEDDED_FAST", "DATABASE_ROLE", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"}
HOLDER = """
import sys
from config import embedded
embedded.database_url("app"), embedded.redis_url()
print("held", flush=True)
sys.stdin.read()
"""


class Processes:
    """The processes of one test, all ended with it. `log` takes what they say; without it standard error is ours."""

    def __init__(self, environment: dict[str, str], log: Path | None = None) -> None:
        self.environment, self.log = environment, log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        # A group of its own, so that a kill takes a worker's children along.
        errors = self.log.open("ab") if self.log else None
        started = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self.environment | environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        if errors:
            errors.close()
        self.running.append(started)
        return started

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        if process.poll() is None:
            os.killpg(process.pid, number)
        process.wait(60)
        if process in self.running:
            self.running.remove(process)

    def end(self) -> None:
        for process in list(self.running):
            self.kill(process)


class Installation:
    """A throw-away installation with servers of its own, of which each has a guard that starts it again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stammkunde-storm-"))
        self.folder.chmod(0o711)
        self.var = self.folder / "var"
        self.environment = {key: value for key, value in os.environ.items() if key not in NOT_OURS} | {
            "STAMMKUNDE_VAR": str(self.var),
            "LINK_KEY": settings.LINK_KEY,
            "SEAL_KEY": settings.SEAL_KEY,
            "SEND_LEASE_S": str(LEASE_S),
            "SEND_GRACE_S": str(GRACE_S),
            "LOG_LEVEL": "ERROR",
        }
        self.processes = Processes(self.environment, self.folder / "processes.log")
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        self.holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.holder.stdout and self.holder.stdout.readline() == b"held\n"
        self.postgres, self.redis = embedded.Postgres(self.var), embedded.Redis(self.var)

    def database(self) -> dict[str, str]:
        """Where Django finds the database, as its owner."""
        return {
            "HOST": str(self.postgres.sockets),
            "PORT": "5432",
            "NAME": "stammkunde",
            "USER": "owner",
            "PASSWORD": "",
        }

    def note_commit_times(self) -> None:
        """Let PostgreSQL write down when each transaction was committed. Starts it anew."""
        session = self.postgres.connect("postgres", "postgres")
        with session.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        session.close()
        self.crash(signal.SIGINT)

    def crash(self, number: int) -> None:
        """End PostgreSQL in one of its ways; its guard starts it again."""
        connection.close()
        before = self.postgres.recorded_pid()
        assert before
        os.kill(before, number)
        end = time.monotonic() + STALLED_S
        while self.postgres.recorded_pid() in (None, before) or not self.postgres.answers():
            assert time.monotonic() < end, "PostgreSQL does not come back"
            time.sleep(0.1)

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Redis is dead, and its guard, asleep, does not notice."""
        guard = self.guard("redis")
        server = self.redis_process()
        os.kill(guard, signal.SIGSTOP)
        try:
            os.kill(server, signal.SIGKILL)
            yield
        finally:
            os.kill(guard, signal.SIGCONT)

    def redis_process(self) -> int:
        """Redis, once it answers."""
        end = time.monotonic() + STALLED_S
        while not (self.redis.accepts() and self.redis.recorded_pid() in self.redis.pids()):
            assert time.monotonic() < end, "Redis does not come back"
            time.sleep(0.1)
        return int(self.redis.recorded_pid() or 0)

    def guard(self, name: str) -> int:
        for entry in Path("/proc").iterdir():
            try:
                said = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if said[-3:] == [name.encode(), os.fsencode(self.var), b""] and b"embedded.guard" in b" ".join(said):
                return int(entry.name)
        raise AssertionError(f"{name} has no guard")

    def end(self) -> None:
        self.holder.kill()
        self.holder.wait(30)
        end = time.monotonic() + 60
        while (self.postgres.pids() or self.redis.pids()) and time.monotonic() < end:
            time.sleep(0.1)
        elsewhere = {server.home.parent for server in (self.postgres, self.redis)} - {self.var}
        for folder in [*elsewhere, self.folder]:
            shutil.rmtree(folder, ignore_errors=True)
