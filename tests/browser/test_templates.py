"""What can be read off the files without a browser."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings
from django.template import TemplateSyntaxError
from django.template.loader import get_template

from crm.templatetags.kit import icon, sprite_names

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(
    path
    for folder in ("templates", "crm", "loyalty", "campaigns", "config")
    for path in (ROOT / folder).rglob("*.html")
    if "mail" not in path.parts and "mails" not in path.parts and "recipes" not in path.parts
)
COMMENT = re.compile(r"\{#.*?#\}|\{% comment .*?endcomment %\}", re.DOTALL)
INLINE = re.compile(
    r"""\sstyle\s*=|\son(?:click|change|submit|load|input|keydown)\s*=|javascript:|<style"""
    r"""|<script(?![^>]*(?:\ssrc=|nonce=|type="application/json"))""",
    re.IGNORECASE,
)
HTMX_2 = re.compile(r"hx-on\b|hx-ext\b|htmx:(?:after|before|xhr|config|load)[A-Z:]?\w*(?<!htmx:after)|hx-vars\b")
FILTERED_BINDING = re.compile(r"""\s:[\w-]+=(?:"[^"{]*\||'[^'{]*\|)""")
ICON = re.compile(r"""(?:\{% icon "|\sicon=")([a-z0-9-]+)["]""")


def source(path: Path) -> str:
    return COMMENT.sub("", path.read_text())


@pytest.fixture(params=TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def template(request):
    return request.param


def test_a_template_has_no_inline_style_or_script(template):
    assert not INLINE.findall(source(template))


def test_a_template_speaks_htmx_4(template):
    assert not [found for found in HTMX_2.findall(source(template)) if not found.startswith(("htmx:after:",))]


def test_a_bound_attribute_has_no_filter(template):
    """Cotton drops `:value="x|filter"` in silence; `value="{{ x|filter }}"` works."""
    assert not FILTERED_BINDING.findall(source(template))


def test_every_icon_is_in_the_sprite(template):
    assert set(ICON.findall(source(template))) <= sprite_names()


def test_a_template_compiles(template):
    for folder in ("templates",):
        if folder in template.parts:
            get_template(str(template).split(f"/{folder}/", 1)[1])


def test_an_unknown_icon_is_refused():
    with pytest.raises(TemplateSyntaxError, match="no icon"):
        icon("no-such-thing")


@pytest.mark.parametrize("sample", ['<p style="x">', "<a onclick='x'>", "<script>x</script>", "<style>x</style>"])
def test_the_guard_sees_inline_code(sample):
    assert INLINE.search(sample)


@pytest.mark.parametrize("sample", ["hx-on:click", "hx-ext='sse'", "htmx:afterSwap", "htmx:xhr:progress"])
def test_the_guard_sees_htmx_2(sample):
    assert HTMX_2.search(sample)


def test_each_component_names_its_parameters_on_its_first_line():
    for path in (ROOT / "templates" / "cotton").glob("*.html"):
        first = path.read_text().splitlines()[0]
        assert first.startswith(f"{{# {path.stem.replace('_', '-')}: "), path.name


def test_colours_stand_in_the_tokens_alone():
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|\boklch\(")
    for path in (ROOT / "static" / "css").glob("*.css"):
        if path.name != "tokens.css":
            assert not colour.findall(path.read_text()), path.name


def test_every_token_that_is_used_exists():
    known = set(re.findall(r"^\s+(--sk-[\w-]+):", (ROOT / "static/css/tokens.css").read_text(), re.MULTILINE))
    for path in (ROOT / "static" / "css").glob("*.css"):
        assert set(re.findall(r"var\((--sk-[\w-]+)\)", path.read_text())) <= known, path.name


def test_vendored_files_are_what_they_were():
    for library in tomllib.loads((ROOT / "static/vendor/vendor.toml").read_text())["library"]:
        assert (ROOT / library["licence_file"]).exists(), library["name"]
        for file, digest in library["sha256"].items():
            assert hashlib.sha256((ROOT / file).read_bytes()).hexdigest() == digest, file


def test_no_static_file_asks_another_host():
    for path in [*(ROOT / "static").rglob("*.css"), *(ROOT / "static").rglob("*.js")]:
        text = path.read_text()
        assert not re.search(r"""(?:url\(|import |fetch\()["']?https?://""", text), path.name
        assert "sourceMappingURL" not in text, path.name
