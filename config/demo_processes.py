"""The processes of the demo: started together, started again when one dies, ended together."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from config import embedded

# name -> what to run after the interpreter; the same as the targets of the Makefile
PROCESSES = {
    "web": "-m gunicorn --config config/gunicorn.py config.wsgi",
    "sender": "manage.py sender",
    "worker": "-m celery --app config worker --concurrency 2 --loglevel WARNING --without-gossip --without-mingle",
    "beat": "-m celery --app config beat --scheduler celery.beat:Scheduler --loglevel WARNING",
}
STOP_SECONDS = 8
# Kills a child together with this process, should this one be killed: nobody would be left to insist on a slow end.
# Linux only; elsewhere it does nothing.
WITH_PARENT = """
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)
except (ImportError, AttributeError, OSError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)  # it was killed before we asked to be told
os.execv(sys.argv[2], sys.argv[2:])
"""


class DemoError(Exception):
    """The demo cannot go on. The message says why and what to do."""


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Child:
    """One process of the product, started again when it dies; given up when it keeps dying."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return embedded.DATA / "log" / f"demo-{self.name}.log"

    def start(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", WITH_PARENT, str(os.getpid()), sys.executable, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                command, cwd=embedded.BASE_DIR, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def look_after(self) -> None:
        """Start the process again if it has ended. Raises DemoError at its third death within a minute."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        self.deaths = [*(at for at in self.deaths if now - at < 60), now]
        if len(self.deaths) >= 3:
            raise DemoError(f"The {self.name} process keeps ending. {self.log} ends with:\n{self.log_end()}")
        say(f"The {self.name} process has ended ({self.process.returncode}) and is started again; see {self.log}")
        self.start()

    def log_end(self) -> str:
        return "\n".join("    " + line for line in self.log.read_text(errors="replace").splitlines()[-12:])

    def signal(self, number: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            with suppress(ProcessLookupError):
                # At the end the whole group: gunicorn's and Celery's own children are in it.
                kill = os.killpg if number == signal.SIGKILL else os.kill
                kill(self.process.pid, number)


def stop(children: list[Child]) -> None:
    """Ask every child to finish, and end those that have not after STOP_SECONDS."""
    for child in children:
        child.signal(signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while any(child.process and child.process.poll() is None for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    for child in children:
        child.signal(signal.SIGKILL)
        if child.process:
            child.process.wait()
