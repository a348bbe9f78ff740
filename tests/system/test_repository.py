"""What must be true of the files in the repository, whoever wrote them."""

import re
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "operating.md").read_text()
# Written in two parts, so that this file is not its own finding.
FORBIDDEN = {
    "a package index": r"index-" + r"url|find-" + r"links|trusted-" + r"host",
    "the address of a package registry": r"https?://[^\s\"')]*(?:/simple\b|pypi|registry\.|files\.pythonhosted)",
    "a path of one machine": r"(?<![\w./-])/(?:work|opt|root|home)/(?!\.\.\.)[\w.-]+",
}
VENDORED = ("static/vendor/", "tests/browser/vendor/", "static/fonts/", "static/icons/")


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git working copy")
    return [ROOT / name for name in done.stdout.split("\0") if name and not name.startswith(VENDORED)]


def texts() -> Iterator[tuple[Path, str]]:
    for file in tracked():
        if file.is_file():
            try:
                yield file.relative_to(ROOT), file.read_text()
            except UnicodeDecodeError:
                continue


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    found = [
        f"{file}: {match[0]}"
        for file, text in texts()
        for match in re.finditer(FORBIDDEN[what], text)
        if file != Path("tests/system/test_repository.py")
    ]
    assert not found, "\n".join(found)


def test_every_variable_the_product_reads_is_documented():
    reads = re.compile(
        r"""(?:env(?:\.\w+)?|switch|seconds|environ(?:\.get)?)\s*[(\[]\s*["']([A-Z][A-Z0-9_]+)["']"""
    )
    product = [(file, text) for file, text in texts() if file.parts[0] in {"config", "crm", "loyalty", "campaigns", "manage.py"}]
    read = {name for file, text in product if file.suffix == ".py" for name in reads.findall(text)}
    assert {"DATABASE_URL", "PORT", "SEND_LEASE_S", "STAMMKUNDE_VAR"} <= read, "the search itself is broken"
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", GUIDE))
    assert not read - documented - {"DJANGO_SETTINGS_MODULE"}, "read, but not in docs/operating.md"


def test_locks_are_hashed_and_hold_each_other():
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9_.-]+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE))

    assert pins("core") < pins("demo") < pins("dev")
    for name in ("core", "demo", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        unhashed = re.findall(r"^\S+==[^\\\n]*(?:\n|\\\n(?!    --hash=sha256:))", text, re.MULTILINE)
        assert not unhashed, f"{name}.txt pins without a hash: {unhashed}"


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_system_checks_pass():
    call_command("check", fail_level="WARNING")


def test_scripts_can_be_run():
    for script in ("bin/setup", ".ci/run", "config/role_passwords.sh"):
        assert (ROOT / script).stat().st_mode & 0o111, script
        assert subprocess.run(["sh" if script != ".ci/run" else "bash", "-n", str(ROOT / script)]).returncode == 0
