"""docker-compose.yml and Dockerfile: right by the Compose schema, and the same as what is documented."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from config.demo_processes import PROCESSES
from config.embedded import Postgres

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service.get("build")}
GUIDE = (ROOT / "docs" / "operating.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def documented_commands() -> dict[str, str]:
    rows = re.findall(r"^\| (\w+) \| `(python [^`]+)` \|", GUIDE, re.MULTILINE)
    return dict(rows)


def documented_variables() -> set[str]:
    names = set()
    for row in re.findall(r"^\| (`[A-Z][^|]*) \|", GUIDE, re.MULTILINE):
        names |= set(re.findall(r"`([A-Z][A-Z0-9_]+)`", row))
    return names


def test_compose_follows_the_schema():
    schema = json.loads((Path(__file__).parent / "compose.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    problems = [f"{list(error.path)}: {error.message}" for error in Draft202012Validator(schema).iter_errors(COMPOSE)]
    assert not problems, "\n".join(problems)


def test_every_process_is_there():
    assert OURS == {"web", "sender", "worker", "beat", "migrate"}
    assert set(SERVICES) - OURS == {"postgres", "redis", "mails"}


def test_commands_are_the_documented_ones():
    assert {name: SERVICES[name]["command"] for name in OURS} == documented_commands()


def test_demo_and_makefile_run_the_same_commands():
    commands = documented_commands()
    assert {name: f"python {arguments}" for name, arguments in PROCESSES.items()} == {
        name: commands[name] for name in PROCESSES
    }
    makefile = (ROOT / "Makefile").read_text()
    for name, arguments in PROCESSES.items():
        assert f"\n{name}: .venv ##" in makefile and f"exec $(PYTHON) {arguments}\n" in makefile


def test_the_image_alone_starts_the_web_process():
    assert json.loads(re.search(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)[1]) == SERVICES["web"]["command"].split()


@pytest.mark.parametrize("name", sorted(OURS))
def test_variables_are_documented(name):
    unknown = set(SERVICES[name]["environment"]) - documented_variables()
    assert not unknown, f"{unknown} are not in docs/operating.md"


def test_app_is_the_role_of_every_process_and_owner_that_of_migrate_alone():
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert environment["DATABASE_URL"].startswith("postgres://app:")
        assert ("DATABASE_OWNER_URL" in environment) == (name == "migrate")


def test_every_variable_compose_asks_for_is_in_the_example():
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert asked and asked <= offered, asked - offered


def test_mounted_and_copied_files_exist():
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    for source in mounted:
        assert source in COMPOSE["volumes"] or (ROOT / source).is_file(), source
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert any(source == allowed or source.startswith(allowed + "/") for allowed in let_in), source


def test_the_image_runs_as_nobody_in_particular_from_the_hashed_lock():
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes --requirement requirements/core.txt" in DOCKERFILE
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("CMD")


def test_only_this_machine_reaches_the_ports():
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_postgres_is_tuned_as_the_embedded_server_is(monkeypatch):
    """Personal data stays out of its log, too."""
    monkeypatch.delenv("STAMMKUNDE_EMBEDDED_FAST", raising=False)
    embedded = Postgres(ROOT / "var").settings()
    theirs = dict(part.split("=", 1) for part in SERVICES["postgres"]["command"].split() if "=" in part)
    assert {"shared_buffers", "log_error_verbosity"} < set(theirs)
    assert {name: embedded[name] for name in theirs} == theirs
