"""The guard: a process that keeps one embedded server for as long as anybody uses it.

It starts its server, starts it again if it dies, and stops it when no process holds the server's lease any more, or when
the folder of its data is deleted. A lease
is a shared `flock`, so the kernel gives it back however its holder ends. Three lock files a server, in DATA/run:

    <name>.start  held while a process joins, so that only one of them starts a guard
    <name>.lease  shared by every process that uses the server; the guard waits to have it alone
    <name>.guard  held by the guard for as long as it lives

Started by `start_guard` of this package, which it is imported from by itself, without the rest of the project: a guard
lives long and should be small, and it must start before any settings exist.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .postgres import Postgres
from .redis import Redis
from .server import Server, try_lock

SERVERS: dict[str, type[Server]] = {"postgres": Postgres, "redis": Redis}


class Guard:
    """Keeps one server for as long as anybody holds its lease."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told_to_stop = False

    def run(self, report: Callable[[str], None]) -> None:
        """Start the server, report "ready" or what is wrong, then watch until the last holder is gone."""
        # The guard file is opened first: a killed process's files are closed in this order, and whoever then
        # gets the lease must find the guard gone.
        with self.server.lock_file("guard").open("a") as own, self.server.lock_file("lease").open("a") as lease:
            if not try_lock(own.fileno()):
                return report("ready")
            signal.signal(signal.SIGTERM, self.on_terminate)
            try:
                self.server.start(lambda: self.told_to_stop)
            except Exception as problem:
                self.server.stop()
                return report(f"{problem}")
            report("ready")
            self.watch(own.fileno(), lease.fileno())
            if self.in_place(own.fileno()):
                self.server.stop()
            else:
                self.server.abandon()
            fcntl.flock(own, fcntl.LOCK_UN)  # before the lease: who waits for the lease then starts a new guard

    def on_terminate(self, *_: object) -> None:
        self.told_to_stop = True

    def in_place(self, own: int) -> bool:
        """Whether the guard file is still the one that lies in the server's folder: nobody has deleted the folder."""
        try:
            return os.path.samestat(os.fstat(own), self.server.lock_file("guard").stat())
        except FileNotFoundError:
            return False

    def watch(self, own: int, lease: int) -> None:
        pause = 0.2
        while not self.told_to_stop and self.in_place(own) and not try_lock(lease):
            time.sleep(pause)
            if self.server.alive():
                pause = 0.2
                continue
            print(f"{self.server.name} has died and is started again", flush=True)
            try:
                self.server.start(lambda: self.told_to_stop)
            except Exception as problem:
                print(problem, flush=True)
                pause = min(pause * 2, 30)


def main() -> NoReturn:
    """Become a guard: detach from the caller, who reads one report from standard output."""
    name, data = sys.argv[-2:]
    if os.fork():
        os._exit(0)
    os.setsid()
    server = SERVERS[name](Path(data))
    reports = os.dup(1)
    with server.log.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)

    def report(text: str) -> None:
        os.write(reports, text.encode())
        os.close(reports)

    Guard(server).run(report)
    sys.exit()
