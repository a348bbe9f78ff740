"""From blocks to a mail: MJML to HTML once per text and language, values filled in per person.

Values are plain texts under the names in COMMON_VALUES and the recipe's `values`. The template language is Liquid
with a short list of tags and filters and hard limits: no attributes, no code, no loops without end.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from time import thread_time
from typing import Any

import css_inline
import mjml
from django.utils.translation import gettext as _
from liquid.template import BoundTemplate

from campaigns import blocks as kinds
from campaigns import legal, personas, tracking
from campaigns.blocks import LANGUAGES, BlockKind
from campaigns.filling import (
    COMMON_VALUES,
    COUPON_VALUES,
    MAX_MAIL_BYTES,
    MAX_SECONDS,
    RenderError,
    all_cleaned,
    cleaned,
    fault,
    filled,
    parsed,
)
from campaigns.models import TemplateVersion

__all__ = ["COMMON_VALUES", "COUPON_VALUES", "LANGUAGES", "RenderError", "cleaned"]

# Filled in by the legal notice alone.
_LEGAL_VALUES = {
    "imprint": "Beispiel GmbH",
    "unsubscribe_url": "https://example.com/u/x",
    "preferences_url": "https://example.com/preferences/x/",
    "privacy_url": "https://example.com/legal/privacy/",
    "ground": "consent",
}
_CODE = {"de": "Ihr Code", "en": "Your code"}
_COUPON = re.compile(r"\bcoupon_(code|worth|terms|valid_until)\b")
_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


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

    def fill(self, values: Mapping[str, Any]) -> Content:
        """The mail for one person. Raises RenderError, e.g. for a value that does not exist."""
        given = all_cleaned({**self.defaults, **values})
        subject = " ".join(filled(self.subject, given).split())
        content = Content(subject, filled(self.text, given), filled(self.html, given))
        if len(content.html.encode()) > MAX_MAIL_BYTES:
            raise RenderError(_("The mail would be larger than %(n)s KB.") % {"n": MAX_MAIL_BYTES // 1024})
        return content


@dataclass(frozen=True)
class Piece:
    """A block in one language. `kind` is a block's kind, or "coupon"."""

    kind: str
    text: str
    url: str = ""
    options: tuple[str, ...] = ()


def language_for(version: TemplateVersion, wanted: str, otherwise: str) -> str:
    """The language to write in: the customer's if the text has it, else the shop's, else one that it has."""
    available = languages(version)
    return next((code for code in (wanted, otherwise, *available) if code in available), otherwise)


def languages(version: TemplateVersion) -> list[str]:
    """The languages in which subject and every block are written."""
    return kinds.languages(version.subject, version.blocks)


def has_coupon(version: TemplateVersion) -> bool:
    """Whether the text has a block that shows a coupon."""
    return any(block.get("coupon") for block in version.blocks)


def names_coupon(subject: Mapping[str, str], blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a text uses what only a mail with a coupon knows."""
    said = [*subject.values(), *(text for block in blocks for one in kinds.texts_of(block) for text in one.values())]
    return any(_COUPON.search(text) for text in said)


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
    pieces = [
        _piece(block, language, tracking.LINK % at if at in targets else block.get("url", ""))
        for at, block in enumerate(version.blocks)
        if coupon or not block.get("coupon")
    ]
    notice = legal.notice(language, message_class)
    pixel = "" if message_class == "transactional" else tracking.PIXEL
    return Compiled(
        parsed(version.subject[language]),
        parsed("\n\n".join([*(_plain(piece, language) for piece in pieces), "-- \n" + _plain_notice(notice)]) + "\n"),
        parsed(_page(pieces, notice, language).replace("</body>", f"{pixel}</body>"), markup=True),
        tracking.defaults(targets),
    )


def _piece(block: Mapping[str, Any], language: str, url: str) -> Piece:
    options = tuple(option["text"][language].strip() for option in block.get("options", ()))
    return Piece("coupon" if block.get("coupon") else block["kind"], block["text"][language].strip(), url, options)


def problems(version: TemplateVersion, values: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a text, in sentences: tried on invented people who make it hard. Empty if it can be sent."""
    found = [
        _("There is a block of an unknown kind: %(kind)s.") % {"kind": block["kind"]}
        for block in version.blocks
        if block["kind"] not in BlockKind.values
    ]
    written = languages(version)
    if not written:
        found.append(_("Write a subject and every block in at least one language."))
    if not has_coupon(version) and names_coupon(version.subject, version.blocks):
        found.append(_("The text speaks of a coupon, but none is chosen. Choose one, or take its placeholders out."))
    for code in written:
        found += _tried(version, code, values)
    return found


def _tried(version: TemplateVersion, language: str, values: Mapping[str, str] | None) -> list[str]:
    """What goes wrong when a text in one language is filled in for each of the invented people (F21)."""
    brings = has_coupon(version)
    given = COMMON_VALUES | _LEGAL_VALUES | (COUPON_VALUES if brings else {}) | dict(values or {})
    where = {"language": language}
    said = [version.subject[language], *(one[language] for block in version.blocks for one in kinds.texts_of(block))]
    if why := next(filter(None, (fault(text, given) for text in said)), ""):
        return [_("The text in “%(language)s” does not work: %(error)s") % (where | {"error": why})]
    try:
        text = compiled(version, language, "advertising", coupon=brings)
        subject = text.fill(given).subject
    except RenderError as error:
        return [_("The text in “%(language)s” does not work: %(error)s") % (where | {"error": error})]
    found = []
    if re.match(r"\s*(re|aw|fwd?|wg)\s*:|.*\b(rechnung|invoice)\b", subject, re.IGNORECASE):
        found.append(_("The subject must not look like an answer, a forwarded mail or an invoice."))
    for who, hard in personas.worst_cases(language).items():
        try:
            made, seconds = text.fill(given | hard), _least_seconds(text, given | hard)
        except RenderError as error:
            told = where | {"who": who, "error": error}
            found.append(_("The mail to “%(who)s” fails in “%(language)s”: %(error)s") % told)
            break
        if not made.subject:
            found.append(_("The mail to “%(who)s” has no subject in “%(language)s”.") % (where | {"who": who}))
            break
        if seconds > MAX_SECONDS:
            found.append(_("The text in “%(language)s” takes too long to be filled in. Make it simpler.") % where)
            break
    return found


def _least_seconds(text: "Compiled", values: Mapping[str, str]) -> float:
    """What filling in costs of the processor. Of up to three tries the best: a process may tidy its memory during one."""
    least = float("inf")
    for _try in range(3):
        started = thread_time()
        text.fill(values)
        least = min(least, thread_time() - started)
        if least <= MAX_SECONDS:
            break
    return least


def example(version: TemplateVersion, language: str, values: Mapping[str, str] | None = None) -> Content:
    """The mail as an invented person would get it, for previews. Raises RenderError."""
    brings = has_coupon(version)
    given = COMMON_VALUES | _LEGAL_VALUES | (COUPON_VALUES if brings else {}) | dict(values or {})
    return compiled(version, language, "advertising", coupon=brings).fill(given)


def _plain(piece: Piece, language: str) -> str:
    if piece.kind == "coupon":
        return f"{piece.text}\n\n    {_CODE[language]}: {{{{ coupon_code }}}}\n\n{{{{ coupon_terms }}}}"
    lines = [piece.text, *(f"- {option}" for option in piece.options), piece.url]
    return "\n".join(line for line in lines if line)


def _plain_notice(notice: list[legal.Sentence]) -> str:
    return "\n\n".join(f"{sentence.text} {sentence.url}".strip() for sentence in notice)


def _page(pieces: list[Piece], notice: list[legal.Sentence], language: str) -> str:
    kept: list[str] = []
    # Nobody can write what stands for a placeholder meanwhile; nothing of it is left in the mail.
    mark = token_hex(6)

    def stash(text: str) -> str:
        """Escape what the marketer wrote; keep Liquid aside, for MJML and the CSS inliner would mangle it."""
        parts = _LIQUID.split(cleaned(text))
        for at in range(1, len(parts), 2):
            kept.append(parts[at])
            parts[at] = f"LQ{mark}n{len(kept) - 1}QL"
        parts[::2] = [html.escape(part).replace("\n", "<br/>") for part in parts[::2]]
        return "".join(parts)

    body = "".join(_mjml(piece, stash) for piece in pieces)
    foot = "".join(_mjml_notice(sentence, stash) for sentence in notice)
    page = css_inline.inline(mjml.mjml2html(_FRAME.format(body=body, foot=foot)))
    page = page.replace("<html", f'<html lang="{language}"', 1) if "lang=" not in page[:200] else page
    return re.sub(rf"LQ{mark}n(\d+)QL", lambda found: kept[int(found[1])], page)


def _mjml(piece: Piece, stash: Any) -> str:
    text = stash(piece.text)
    if piece.kind == BlockKind.CTA and piece.url:
        return f'<mj-button href="{stash(piece.url)}">{text}</mj-button>'
    if piece.kind == "coupon":
        return _COUPON_FRAME.format(text=text, code=stash("{{ coupon_code }}"), terms=stash("{{ coupon_terms }}"))
    if piece.kind == BlockKind.LEGAL:
        return f'<mj-text mj-class="small">{text}</mj-text>'
    options = "".join(f'<mj-text css-class="way">{stash(option)}</mj-text>' for option in piece.options)
    return f"<mj-text>{text}</mj-text>{options}"


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
</mj-attributes><mj-style>.way > div {{ border: 1px solid #c9c4b8; border-radius: 6px; padding: 9px 14px; }} .foot a {{ color: #4a4945; }} .foot div {{ font-size: 13px !important; }}</mj-style></mj-head>
<mj-body background-color="#f4f1ea"><mj-section background-color="#ffffff" padding="24px 0"><mj-column>{body}</mj-column>
</mj-section><mj-section css-class="foot"><mj-column>{foot}</mj-column></mj-section></mj-body></mjml>"""
