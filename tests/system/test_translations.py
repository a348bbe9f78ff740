"""The German pages are whole: every text is translated, its placeholders are kept, and the compiled file is up to date."""

import ast
import gettext
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.utils import translation

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES"
OVERRIDES = ROOT / "locale" / "allauth" / "de" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[0-9.]*[a-z]|%[ds]\b|%%|\{\w*\}")
KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?)? ?"')
IGNORED = ["-i", ".venv", "-i", "var", "-i", "tests", "-i", "benchmarks"]


@dataclass
class Entry:
    """One text of a .po file: `parts` by keyword, such as `msgid` or `msgstr[1]`."""

    parts: dict[str, str] = field(default_factory=dict)
    fuzzy: bool = False

    @property
    def source(self) -> tuple[str | None, str]:
        return self.parts.get("msgctxt"), self.parts["msgid"]

    @property
    def forms(self) -> list[tuple[str, str]]:
        """Each source text with its translation, singular before plural."""
        if "msgid_plural" not in self.parts:
            return [(self.parts["msgid"], self.parts.get("msgstr", ""))]
        plural = self.parts["msgid_plural"]
        return [(self.parts["msgid"], self.parts.get("msgstr[0]", "")), (plural, self.parts.get("msgstr[1]", ""))]


def read(path: Path) -> list[Entry]:
    """The entries of a .po file without its header. Raises ValueError for a line it does not know."""
    entries, current, keyword = [], Entry(), ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("#"):
            current.fuzzy |= line.startswith("#,") and "fuzzy" in line
        elif found := KEYWORD.match(line):
            keyword = found[1] or keyword
            current.parts[keyword] = current.parts.get(keyword, "") + ast.literal_eval(line[line.index('"') :])
        elif line.strip():
            raise ValueError(f"{path.name}: {line}")
        elif current.parts:
            entries.append(current)
            current = Entry()
    return [entry for entry in entries if entry.parts["msgid"]]


@pytest.fixture(scope="module")
def own() -> list[Entry]:
    """The texts of our own pages."""
    return read(CATALOGUE / "django.po")


@pytest.fixture(scope="module")
def entries(own: list[Entry]) -> list[Entry]:
    """The texts of our own pages, and those we word differently than the library they come from."""
    return [*own, *read(OVERRIDES / "django.po")]


def test_every_text_is_translated(entries: list[Entry]):
    assert len(entries) > 1000
    assert [entry.source for entry in entries if entry.fuzzy or not all(german for _, german in entry.forms)] == []


def test_placeholders_are_kept(entries: list[Entry]):
    """A lost one would leave a figure out, an invented one would break the page."""
    wrong = [
        (source, german)
        for entry in entries
        for source, german in entry.forms
        if set(PLACEHOLDER.findall(source)) != set(PLACEHOLDER.findall(german))
    ]
    assert wrong == []


def test_line_ends_and_white_space_are_kept(entries: list[Entry]):
    pairs = [pair for entry in entries for pair in entry.forms]
    assert [g for s, g in pairs if (s[:1].isspace(), s[-1:].isspace()) != (g[:1].isspace(), g[-1:].isspace())] == []


def test_the_wording_keeps_the_house_style(entries: list[Entry]):
    """Formal, calm, and with German quotation marks."""
    texts = [german for entry in entries for _, german in entry.forms]
    assert [text for text in texts if re.search(r"!(?!=)|\b(du|dich|dir|dein\w*)\b|“[A-ZÄÖÜ]", text)] == []


@pytest.mark.parametrize(
    ("source", "german"),
    [("active", "aktiv"), ("at risk", "gefährdet"), ("Regular customer", "Stammkunde"), ("captive", "gefangen")],
)
def test_the_terms_of_the_trade_are_fixed(entries: list[Entry], source: str, german: str):
    assert {entry.source: entry.forms[0][1] for entry in entries}[(None, source)] == german


def test_our_wording_wins_over_the_library():
    with translation.override("de"):
        assert translation.gettext("You have signed out.") == "Sie sind abgemeldet."


@pytest.mark.parametrize("folder", [CATALOGUE, OVERRIDES], ids=["own", "overrides"])
def test_the_compiled_file_is_up_to_date(folder: Path):
    with (folder / "django.mo").open("rb") as file:
        held = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    expected: dict[str | tuple[str, int], str] = {}
    for entry in read(folder / "django.po"):
        context, text = entry.source
        name = text if context is None else f"{context}\x04{text}"
        if "msgid_plural" in entry.parts:
            expected |= {(name, n): german for n, (_, german) in enumerate(entry.forms)}
        else:
            expected[name] = entry.forms[0][1]
    held.pop("", None)
    assert held == expected, "Run manage.py compilemessages."


@pytest.mark.skipif(
    not shutil.which("xgettext"), reason="xgettext is missing; apt install gettext to check for new texts"
)
def test_no_text_is_missing(own: list[Entry], tmp_path: Path):
    """Collects the texts of a copy of the source anew: writing into the source would disturb who works on it."""
    for name in ("config", "crm", "loyalty", "campaigns", "templates", "manage.py"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "migrations")
            )
        else:
            shutil.copy(source, tmp_path)
    (tmp_path / "locale" / "de" / "LC_MESSAGES").mkdir(parents=True)
    collect = "from django.core.management import execute_from_command_line as run; import sys; run(sys.argv)"
    subprocess.run(
        [sys.executable, "-c", collect, "makemessages", "-l", "de", "--no-location", "--no-wrap", *IGNORED],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    found = {entry.source for entry in read(tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po")}
    known = {entry.source for entry in own}
    assert found - known == set(), "Run manage.py makemessages and translate what is new."
    assert known - found == set(), "Run manage.py makemessages --no-obsolete."
