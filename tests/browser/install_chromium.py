"""Make sure there is a Chromium for the browser tests; say what to do where none can be had. Run by `make test`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HOW = "as root: apt-get update && apt-get install -y chromium"


def works(program: str | None) -> bool:
    if not program or not Path(program).exists():
        return False
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwrights_own() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def is_there() -> bool:
    named = os.environ.get("CHROMIUM")
    if named and not works(named):
        sys.exit(f"CHROMIUM names {named}, which does not run. Correct it or unset it.")
    return works(named) or works("/usr/bin/chromium") or works(playwrights_own())


def run(*command: str) -> None:
    print("  " + " ".join(command), flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def main() -> None:
    if is_there():
        return
    print("The browser tests need Chromium; installing it …")
    if os.getuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", "chromium")
    if not is_there():
        run(sys.executable, "-m", "playwright", "install", "chromium")
    if not is_there():
        sys.exit(
            "There is no Chromium for the browser tests, and it could not be installed. Install it by one of\n"
            f"    {HOW}\n"
            f"    {sys.executable} -m playwright install chromium\n"
            "or name one in the environment variable CHROMIUM, then run this again."
        )


if __name__ == "__main__":
    main()
