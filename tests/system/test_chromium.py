"""How `make test` comes by a browser: it takes the one that is there, installs one, or says what to do."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.browser import install_chromium

PROGRAM = install_chromium.__file__


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, ...]]]:
    """machine(root=True, appears_after="apt-get"): a machine without Chromium; returns the commands run on it."""

    def made(root: bool, apt: bool = True, appears_after: str = "") -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = []
        monkeypatch.setattr(install_chromium, "run", lambda *command: commands.append(command))
        monkeypatch.setattr(install_chromium, "is_there", lambda: any(appears_after in one for one in commands))
        monkeypatch.setattr(os, "getuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(install_chromium.shutil, "which", lambda name: f"/usr/bin/{name}" if apt else None)
        return commands

    return made


def test_root_installs_debians(machine):
    commands = machine(root=True, appears_after="apt-get")
    install_chromium.main()
    assert [command[0] for command in commands] == ["apt-get", "apt-get"]
    assert commands[-1][-1] == "chromium"


@pytest.mark.parametrize(("root", "apt"), [(True, False), (False, True), (False, False)])
def test_others_and_those_without_apt_get_playwrights(machine, root, apt):
    commands = machine(root=root, apt=apt, appears_after="playwright")
    install_chromium.main()
    assert commands == [(sys.executable, "-m", "playwright", "install", "chromium")]


def test_where_nothing_helps_both_commands_are_named_and_it_fails(machine):
    machine(root=True, appears_after="nothing")
    with pytest.raises(SystemExit) as stopped:
        install_chromium.main()
    assert "apt-get update && apt-get install -y chromium" in stopped.value.code
    assert "playwright install chromium" in stopped.value.code


def test_a_browser_that_is_named_must_run():
    environment = os.environ | {"CHROMIUM": "/nowhere/chromium"}
    done = subprocess.run([sys.executable, PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "CHROMIUM names /nowhere/chromium, which does not run" in done.stderr


def test_a_browser_that_is_there_is_taken_without_a_word(tmp_path):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho Chromium 1\n")
    program.chmod(0o755)
    done = subprocess.run([sys.executable, PROGRAM], env=os.environ | {"CHROMIUM": str(program)}, capture_output=True)
    assert done.returncode == 0 and not done.stdout + done.stderr
