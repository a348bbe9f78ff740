"""The demo from nothing, as `make demo` runs it: what it starts, says, keeps and leaves behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def var() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stammkunde demo ") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "var"


class Demo:
    """A running demo with 30 customers."""

    def __init__(self, var: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {"PATH": os.environ["PATH"], "HOME": str(var.parent), "STAMMKUNDE_VAR": str(var), "PORT": str(self.port)}
        started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.demo", "--customers", "30"], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.said = ""
        while "Ctrl-C" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.seconds = time.monotonic() - started

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def left(var: Path) -> list[str]:
    """Command lines of living processes of the installation."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            if f"STAMMKUNDE_VAR={var}".encode() in environment:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line]


def test_the_demo_runs_ends_and_starts_again(var):
    first = Demo(var)
    assert f"http://localhost:{first.port}" in first.said
    assert all(re.search(rf"{role}\s+password \S+", first.said.replace("  ", " ")) for role in ("support", "marketer", "admin"))
    assert first.get("/account/login/") == 200
    running = "\n".join(left(var))
    assert all(process in running for process in ("config.wsgi", "manage.py sender", "config worker", "config beat"))
    assert first.end(signal.SIGINT) == 0
    assert left(var) == []

    second = Demo(var)
    assert "Inventing" not in second.said, "the data of the first run is kept"
    assert second.seconds < 30  # 4 s on an idle machine
    assert second.get("/account/login/") == 200
    assert second.end(signal.SIGTERM) == 0
    assert left(var) == []


def test_a_killed_demo_leaves_no_process_and_starts_again(var):
    first = Demo(var)
    first.process.kill()
    first.process.wait()
    end = time.monotonic() + 60
    while left(var) and time.monotonic() < end:
        time.sleep(0.2)
    assert left(var) == []
    again = Demo(var)
    assert again.get("/account/login/") == 200
    assert again.end(signal.SIGTERM) == 0
