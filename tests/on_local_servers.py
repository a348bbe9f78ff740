"""Run the tests on the PostgreSQL and Redis that this machine has installed: `make test-servers`.

Both are started on free ports and a throw-away folder, and end with the tests. The PostgreSQL is that of PG_BIN, of PATH,
or the newest of Debian's. Arguments are passed on to pytest.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Autovacuum would count tables as empty that a test fills in one long transaction, and plans would be poor.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_connections=100",
        "timezone=UTC")  # fmt: skip


def postgres_programs() -> Path:
    """Folder of the server's programs. Exits with what to install if there is none."""
    named = os.environ.get("PG_BIN")
    on_path = shutil.which("initdb")
    debians = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = [Path(named)] if named else [Path(on_path).parent] if on_path else debians
    if not found or not (found[-1] / "initdb").exists():
        sys.exit("No PostgreSQL server is installed: apt-get install postgresql, or name its folder in PG_BIN.")
    return found[-1]


def redis_program() -> str:
    return shutil.which("redis-server") or sys.exit("No Redis is installed: apt-get install redis-server.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as client:
            if not client.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    sys.exit(f"{process.args[0]} did not start:\n{log.read_text()}")  # type: ignore[index]


def start_postgres(folder: Path, account: dict[str, Any]) -> tuple[Callable[[], None], str]:
    """Returns what stops it, and its address."""
    programs, data, port, password = postgres_programs(), folder / "postgres", free_port(), secrets.token_hex(16)
    (folder / "password").write_text(password)
    if account:
        shutil.chown(folder / "password", account["user"])
    subprocess.run(
        [programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=scram-sha-256", "--no-sync",
         "--pwfile", folder / "password", "--encoding=UTF8", "--locale=C.UTF-8"],
        check=True, cwd="/", stdout=subprocess.DEVNULL, **account,
    )  # fmt: skip
    options = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", *FAST)
    command = [str(programs / "postgres"), "-D", str(data), *(part for one in options for part in ("-c", one))]
    stop = start(command, port, folder / "postgres.log", account)
    return stop, f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"


def start_redis(folder: Path, account: dict[str, Any]) -> tuple[Callable[[], None], str]:
    port = free_port()
    command = [redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return start(command, port, folder / "redis.log", account), f"redis://127.0.0.1:{port}/0"


def start(command: list[str], port: int, log: Path, account: dict[str, Any]) -> Callable[[], None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd="/", stdout=output, stderr=output, start_new_session=True, **account)

    def stop() -> None:
        process.send_signal(2)
        process.wait(30)

    wait_for(port, process, log)
    return stop


def main(arguments: list[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="stammkunde-servers-"))
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}  # refuses root
    if account:
        shutil.chown(folder, "nobody")
    stops = []
    try:
        stop, database = start_postgres(folder, account)
        stops.append(stop)
        stop, redis = start_redis(folder, account)
        stops.append(stop)
        version = subprocess.run([postgres_programs() / "postgres", "--version"], capture_output=True, text=True).stdout
        print(f"On {version.strip()} and {redis_program()} …", flush=True)
        environment = os.environ | {"DATABASE_URL": database, "REDIS_URL": redis}
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        for stop in stops:
            stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
