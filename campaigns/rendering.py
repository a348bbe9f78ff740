"""From blocks to a mail: MJML to HTML once per text and language, values filled in per person.

Values are plain texts under the names in COMMON_VALUES and the recipe's `values`. The template language is Liquid
with a short list of tags and filters and hard limits: no attributes, no code, no loops without end.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import css_inline
import mjml
from django.utils.translation import gettext as _
from liquid import Environment, StrictUndefined
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from campaigns import legal, tracking
from campaigns.models import BlockKind, TemplateVersion

LANGUAGES = ("de", "en")
TAGS = {"content", "output", "illegal", "if", "unless", "for", "break", "continue"}
FILTERS = {"append", "capitalize", "date", "default", "downcase", "escape", "join", "newline_to_br", "prepend", "size",
           "strip", "truncate", "upcase"}  # fmt: skip
# What every text may use, with an example for previews and checks.
COMMON_VALUES = {
    "opening": "Sehr geehrte Frau Dr. Müller",
    "title": "Dr.",
    "given_name": "Jörg",
    "family_name": "Weiß-Özdemir",
    "company_name": "Beispiel & Söhne GmbH",
    "name": "Dr. Jörg Weiß-Özdemir",
    "shop_name": "Rösterei Beispiel",
    "sender_name": "Kim Beispiel",
}
# What the text of a mail that brings a coupon may use beside them (`campaigns.couponing`).
COUPON_VALUES = {
    "coupon_code": "0000-0000-00000",
    "coupon_worth": "5,00 €",
    "coupon_terms": "Wert: 5,00 €. Ab einem Einkauf von 20,00 €.",
    "coupon_valid_until": "31.12.2026",
}
# Filled in by the legal notice alone.
_LEGAL_VALUES = {
    "imprint": "Beispiel GmbH",
    "unsubscribe_url": "https://example.com/u/x",
    "preferences_url": "https://example.com/preferences/x/",
    "privacy_url": "https://example.com/legal/privacy/",
    "ground": "consent",
}
MAX_MAIL_BYTES = 256 * 1024
_CODE = {"de": "Ihr Code", "en": "Your code"}
_COUPON = re.compile(r"\bcoupon_(code|worth|terms|valid_until)\b")
_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class RenderError(ValueError):
    """A text cannot be made into a mail; the message says where and why."""


class _Limited(Environment):
    output_stream_limit = MAX_MAIL_BYTES
    loop_iteration_limit = 100
    context_depth_limit = 10
    local_namespace_limit = 2_000
    block_nesting_limit = 10


def _environment(*, escape: bool) -> Environment:
    environment = _Limited(undefined=StrictUndefined, strict_filters=True, autoescape=escape)
    environment.tags = {name: tag for name, tag in environment.tags.items() if name in TAGS}
    environment.filters = {name: used for name, used in environment.filters.items() if name in FILTERS}
    return environment


_HTML, _PLAIN = _environment(escape=True), _environment(escape=False)


@dataclass(frozen=True)
class Content:
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Compiled:
    """A text in one language, ready to be filled in for many people. `defaults`: links as the marketer gave them."""

    subject: BoundTemplate
    text: BoundTemplate
    html: BoundTemplate
    defaults: Mapping[str, str]

    def fill(self, values: Mapping[str, str]) -> Content:
        """The mail for one person. Raises RenderError, e.g. for a value that does not exist."""
        values = {name: cleaned(value) for name, value in {**self.defaults, **values}.items()}
        try:
            subject = " ".join(self.subject.render(**values).split())
            return Content(subject, self.text.render(**values), self.html.render(**values))
        except LiquidError as error:
            raise RenderError(str(error).splitlines()[0]) from error


def cleaned(value: str) -> str:
    """The value without control characters and without those that turn the direction of reading."""
    return _CONTROLS.sub("", value)


def language_for(version: TemplateVersion, wanted: str, otherwise: str) -> str:
    """The language to write in: the customer's if the text has it, else the shop's, else one that it has."""
    available = languages(version)
    return next((code for code in (wanted, otherwise, *available) if code in available), otherwise)


def languages(version: TemplateVersion) -> list[str]:
    """The languages in which subject and every block are written."""
    return [
        code
        for code in LANGUAGES
        if version.subject.get(code, "").strip()
        and version.blocks
        and all(block["text"].get(code, "").strip() for block in version.blocks)
    ]


def has_coupon(version: TemplateVersion) -> bool:
    """Whether the text has a block that shows a coupon."""
    return any(block.get("coupon") for block in version.blocks)


@lru_cache(maxsize=64)
def _kept(version_id: int, language: str, message_class: str, coupon: bool) -> Compiled:
    return compiled(TemplateVersion.objects.get(pk=version_id), language, message_class, coupon=coupon)


def compiled_once(version: TemplateVersion, language: str, message_class: str, *, coupon: bool = False) -> Compiled:
    """As `compiled`; a frozen version is compiled once per process."""
    if version.frozen_at:
        return _kept(version.pk, language, message_class, coupon)
    return compiled(version, language, message_class, coupon=coupon)


def compiled(version: TemplateVersion, language: str, message_class: str, *, coupon: bool = False) -> Compiled:
    """Make a version's blocks into templates for subject, plain text and HTML. Raises RenderError.

    coupon: the mail brings one; without it a block that would show one is left out.
    """
    targets = tracking.countable(version)
    blocks = [
        (
            "coupon" if block.get("coupon") else block["kind"],
            block["text"][language],
            tracking.LINK % at if at in targets else block.get("url", ""),
        )
        for at, block in enumerate(version.blocks)
        if coupon or not block.get("coupon")
    ]
    notice = legal.notice(language, message_class)
    pixel = "" if message_class == "transactional" else tracking.PIXEL
    try:
        return Compiled(
            _PLAIN.from_string(version.subject[language]),
            _PLAIN.from_string(
                "\n\n".join([*(_plain(block, language) for block in blocks), "-- \n" + _plain_notice(notice)]) + "\n"
            ),
            _HTML.from_string(_page(blocks, notice, language).replace("</body>", f"{pixel}</body>")),
            tracking.defaults(targets),
        )
    except LiquidError as error:
        raise RenderError(str(error).splitlines()[0]) from error


def problems(version: TemplateVersion, values: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a text, in sentences: tried with an example of every value. Empty if it can be sent."""
    found = [
        _("There is a block of an unknown kind: %(kind)s.") % {"kind": block["kind"]}
        for block in version.blocks
        if block["kind"] not in BlockKind.values
    ]
    written = languages(version)
    if not written:
        found.append(_("Write a subject and every block in at least one language."))
    if not has_coupon(version) and _COUPON.search(f"{version.subject}{version.blocks}"):
        found.append(_("The text speaks of a coupon, but none is chosen. Choose one, or take its placeholders out."))
    for code in written:
        try:
            content = example(version, code, values)
        except RenderError as error:
            found.append(_("The text in “%(language)s” does not work: %(error)s") % {"language": code, "error": error})
            continue
        if re.match(r"\s*(re|aw|fwd?|wg)\s*:|.*\b(rechnung|invoice)\b", content.subject, re.IGNORECASE):
            found.append(_("The subject must not look like an answer, a forwarded mail or an invoice."))
    return found


def example(version: TemplateVersion, language: str, values: Mapping[str, str] | None = None) -> Content:
    """The mail as an invented person would get it, for previews. Raises RenderError."""
    brings = has_coupon(version)
    given = COMMON_VALUES | _LEGAL_VALUES | (COUPON_VALUES if brings else {}) | dict(values or {})
    return compiled(version, language, "advertising", coupon=brings).fill(given)


def _plain(block: tuple[str, str, str], language: str) -> str:
    kind, text, url = block
    if kind == "coupon":
        return f"{text.strip()}\n\n    {_CODE[language]}: {{{{ coupon_code }}}}\n\n{{{{ coupon_terms }}}}"
    return f"{text.strip()}\n{url}" if url else text.strip()


def _plain_notice(notice: list[legal.Sentence]) -> str:
    return "\n\n".join(f"{sentence.text} {sentence.url}".strip() for sentence in notice)


def _page(blocks: list[tuple[str, str, str]], notice: list[legal.Sentence], language: str) -> str:
    kept: list[str] = []

    def stash(text: str) -> str:
        """Escape what the marketer wrote; keep Liquid aside, for MJML and the CSS inliner would mangle it."""
        parts = _LIQUID.split(cleaned(text))
        for at in range(1, len(parts), 2):
            kept.append(parts[at])
            parts[at] = f"LQ{len(kept) - 1}QL"
        parts[::2] = [html.escape(part).replace("\n", "<br/>") for part in parts[::2]]
        return "".join(parts)

    body = "".join(_mjml(block, stash) for block in blocks)
    foot = "".join(_mjml_notice(sentence, stash) for sentence in notice)
    page = css_inline.inline(mjml.mjml2html(_FRAME.format(body=body, foot=foot)))
    page = page.replace("<html", f'<html lang="{language}"', 1) if "lang=" not in page[:200] else page
    return re.sub(r"LQ(\d+)QL", lambda found: kept[int(found[1])], page)


def _mjml(block: tuple[str, str, str], stash: Any) -> str:
    kind, text, url = block
    if kind == BlockKind.CTA and url:
        return f'<mj-button href="{stash(url)}">{stash(text.strip())}</mj-button>'
    if kind == "coupon":
        return _COUPON_FRAME.format(
            text=stash(text.strip()), code=stash("{{ coupon_code }}"), terms=stash("{{ coupon_terms }}")
        )
    return f"<mj-text>{stash(text.strip())}</mj-text>"


def _mjml_notice(sentence: legal.Sentence, stash: Any) -> str:
    if sentence.url and sentence.link:
        return f'<mj-text><a href="{stash(sentence.url)}">{stash(sentence.link)}</a></mj-text>'
    return f"<mj-text>{stash(sentence.html or sentence.text)}</mj-text>"


_COUPON_FRAME = """<mj-text align="center" font-size="20px" line-height="28px" font-weight="700"
 container-background-color="#f4f1ea" padding="24px 24px 4px">{text}</mj-text>
<mj-text align="center" font-family="Consolas, 'Courier New', monospace" font-size="24px" line-height="34px"
 font-weight="700" color="#1f5f5b" container-background-color="#f4f1ea" padding="4px 12px">{code}</mj-text>
<mj-text align="center" font-size="13px" line-height="20px" container-background-color="#f4f1ea"
 padding="4px 24px 24px">{terms}</mj-text>"""
_FRAME = """<mjml><mj-head><mj-attributes>
<mj-all font-family="Georgia, 'Times New Roman', serif" />
<mj-text font-size="16px" line-height="25px" color="#2b2a27" padding="8px 24px" />
<mj-button background-color="#1f5f5b" color="#ffffff" font-size="16px" inner-padding="13px 26px" border-radius="6px" />
<mj-class name="small" font-size="13px" />
</mj-attributes><mj-style>.foot a {{ color: #4a4945; }} .foot div {{ font-size: 13px !important; }}</mj-style></mj-head>
<mj-body background-color="#f4f1ea"><mj-section background-color="#ffffff" padding="24px 0"><mj-column>{body}</mj-column>
</mj-section><mj-section css-class="foot"><mj-column>{foot}</mj-column></mj-section></mj-body></mjml>"""
