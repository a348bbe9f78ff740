"""Install a lock into the virtual environment this runs in, if it is not there already, and show how far it is."""

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each lock holds everything of those before it.
LOCKS = ("core", "demo", "dev")


def lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def installed(name: str) -> Path:
    """A copy of the lock, put here once all of it is installed."""
    return Path(sys.prefix) / f"installed-{name}.txt"


def is_installed(name: str) -> bool:
    enough = LOCKS[LOCKS.index(name) :]
    return any(installed(one).exists() and filecmp.cmp(lock(one), installed(one), shallow=False) for one in enough)


def install(name: str) -> int:
    total = sum("==" in line for line in lock(name).read_text().splitlines())
    print(f"Installing {total} packages into .venv (once; a minute or so) …", flush=True)
    command = [
        sys.executable, "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check", "--no-input",
        "--progress-bar", "off", "--requirement", str(lock(name)),
    ]  # fmt: skip
    for other in LOCKS:
        installed(other).unlink(missing_ok=True)
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603
        assert pip.stdout
        for line in pip.stdout:
            lines.append(line)
            show(lines, line, total)
    if pip.returncode:
        print("\nThe packages could not be installed. pip said:\n" + "".join(lines[-12:]), file=sys.stderr)
        return pip.returncode
    shutil.copy(lock(name), installed(name))
    print(f"{chr(13) if sys.stdout.isatty() else ''}  {total} packages installed.".ljust(60))
    return 0


def show(lines: list[str], line: str, total: int) -> None:
    found = sum(one.startswith(("Collecting", "Requirement already")) for one in lines)
    text = "unpacking" if line.startswith("Installing collected") else f"{found} of {total} packages fetched"
    if sys.stdout.isatty():
        print(f"\r  {text}".ljust(60), end="", flush=True)
    elif line.startswith("Installing collected") or (line.startswith("Collecting") and found % 25 == 0):
        print(f"  {text}", flush=True)


if __name__ == "__main__":
    chosen = sys.argv[1]
    if chosen not in LOCKS:
        sys.exit(f"{chosen!r} is no lock; there are: {', '.join(LOCKS)}.")
    sys.exit(0 if is_installed(chosen) else install(chosen))
