"""What the embedded servers have in common: where they lie, whom they run as, how they start and end."""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

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
    quit_signal: ClassVar[signal.Signals]

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

    def programs(self, package: str, folder: str, probe: str) -> Path:
        """`folder` of an installed package, or a copy of it, where the server's user can run `probe` in it."""
        source = package_folder(package)
        if self.runs(source / folder / probe):
            return source / folder
        if not self.account:
            raise EmbeddedError(
                f"{source / folder / probe} does not run on this machine. Set DATABASE_URL and REDIS_URL instead."
            )
        copies = self.elsewhere() / hashlib.sha256(os.fsencode(source / folder)).hexdigest()[:12]
        copy = copies / package / folder
        if not self.runs(copy / probe):
            shutil.rmtree(copies, ignore_errors=True)
            shutil.copytree(source / folder, copy, symlinks=True)
            # A wheel's programs look for their libraries, if it brings any, beside the package.
            libraries = source.with_name(f"{package}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, copies / libraries.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(copies)], check=True)  # noqa: S603, S607
        return copy

    def runs(self, program: Path) -> bool:
        """Whether the server's user can run a program."""
        try:
            check = [str(program), "--version"]
            return subprocess.run(check, cwd="/", capture_output=True, **self.identity).returncode == 0  # noqa: S603
        except OSError:
            return False

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
                self.command(),
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                **self.identity,
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

    def abandon(self) -> None:
        """End a server whose data was deleted, at once. Spares a new installation that may lie in the same place now."""
        if self.process:
            self.process.send_signal(self.quit_signal)
            self.wait_until(lambda: not self.alive(), STOP_SECONDS)
        elif not self.data.exists():
            self.signal_all(self.quit_signal)
        if not self.data.exists():
            self.wait_until(lambda: not self.pids(), STOP_SECONDS)
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
