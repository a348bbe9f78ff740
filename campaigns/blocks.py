"""What a mail is made of: ordered blocks, each of a kind that rules about good mails can read.

A block is {"kind": a Kind's code, "text": {language: text}} and, where its kind has them: "url" (of a call to action),
"options" ([{"text": {language: text}, "attractiveness": 1..5}] of a choice), "kano" (of a benefit or a surprise: M, O
or A), "coupon" (True: shows the mail's code and all its terms), "name" (of a surprise: nobody gets the same one twice),
"about" (of a request: review, survey or other) and "promo" (False: a call to action that advertises nothing).
Source: `docs/adding.md`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LANGUAGES = ("de", "en")
MAX_BLOCKS, MAX_TEXT, MAX_SUBJECT, MAX_BUTTON, MAX_OPTIONS, MAX_URL = 30, 10_000, 150, 60, 6, 500
ATTRACTIVENESS = range(1, 6)
# Sends whoever presses it somewhere that is known only when the mail is made.
URL_VALUE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
# Ends a line, or turns the direction of reading: neither has any business in a subject (RFC 5322).
BROKEN_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class BlockKind(models.TextChoices):
    """The kinds of blocks a mail is made of; rules about good mails read these, not guesses."""

    GREETING = "greeting", gettext_lazy("greeting")
    APPRECIATION = "appreciation", gettext_lazy("appreciation")
    BAD_NEWS = "bad_news", gettext_lazy("bad news")
    REASON = "reason", gettext_lazy("reason")
    CHOICE = "choice", gettext_lazy("choice")
    BENEFIT = "benefit", gettext_lazy("benefit")
    SURPRISE = "surprise", gettext_lazy("surprise")
    REQUEST = "request", gettext_lazy("request")
    CTA = "cta", gettext_lazy("call to action")
    CLOSING = "closing", gettext_lazy("closing")
    LEGAL = "legal", gettext_lazy("legal notice")


KANO = (
    ("M", gettext_lazy("expected anyway")),
    ("O", gettext_lazy("the more, the better")),
    ("A", gettext_lazy("delights")),
)
ABOUTS = (
    ("review", gettext_lazy("a review")),
    ("survey", gettext_lazy("a survey")),
    ("other", gettext_lazy("something else")),
)


@dataclass(frozen=True)
class Kind:
    """What a kind is for, its icon, and the keys that its blocks may carry beside kind and text."""

    code: BlockKind
    help: str | Promise
    icon: str
    more: tuple[str, ...] = ()


KINDS = {
    kind.code.value: kind
    for kind in (
        Kind(BlockKind.GREETING, gettext_lazy("The salutation, as it fits each person."), "user"),
        Kind(BlockKind.APPRECIATION, gettext_lazy("Thanks for something definite."), "heart"),
        Kind(BlockKind.BAD_NEWS, gettext_lazy("Something unpleasant. Say it early, once and whole."), "cloud-rain"),
        Kind(BlockKind.REASON, gettext_lazy("Why it is so. Whoever hears a reason minds less."), "info-circle"),
        Kind(
            BlockKind.CHOICE, gettext_lazy("Ways to go on. Up to three; the best one last."), "list-check", ("options",)
        ),
        Kind(BlockKind.BENEFIT, gettext_lazy("News, an offer, something of use."), "gift", ("kano", "coupon")),
        Kind(
            BlockKind.SURPRISE,
            gettext_lazy("Something nobody expects. Never announce it."),
            "confetti",
            ("kano", "name"),
        ),
        Kind(BlockKind.REQUEST, gettext_lazy("You ask for something. Say why."), "message-2", ("about",)),
        Kind(BlockKind.CTA, gettext_lazy("One button that leads somewhere."), "click", ("url", "promo")),
        Kind(BlockKind.CLOSING, gettext_lazy("The last impression: friendly, no demand."), "feather"),
        Kind(BlockKind.LEGAL, gettext_lazy("Terms in small print. The legal notice itself comes by itself."), "scale"),
    )
}


def check(subject: Any, blocks: Any) -> None:
    """Raise ValidationError, in sentences, unless this can be kept as the text of a mail."""
    if found := [*_subject_faults(subject), *_faults(blocks)]:
        raise ValidationError(found)


def usable_url(address: str) -> bool:
    """Whether a button may lead there: an https address, or one value alone that holds it."""
    if URL_VALUE.fullmatch(address):
        return True
    try:
        parts = urlsplit(address)
        return (
            parts.scheme == "https"
            and "." in (parts.hostname or "")
            and not parts.username
            and len(address) <= MAX_URL
            and not any(character.isspace() or character in "{}\"'<>" for character in address)
        )
    except ValueError:
        return False


def advertises(block: Mapping[str, Any]) -> bool:
    """Whether a block makes a mail advertising, so that no transactional one may hold it (rule L24)."""
    kind = block["kind"]
    if kind == BlockKind.CTA:
        return block.get("promo") is not False and not URL_VALUE.fullmatch(block.get("url", ""))
    return kind in (BlockKind.BENEFIT, BlockKind.SURPRISE, BlockKind.REQUEST)


def texts_of(block: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    """Everything in a block that somebody reads, by language."""
    yield block["text"]
    for option in block.get("options", ()):
        yield option["text"]


def languages(subject: Mapping[str, str], blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The languages in which the subject and every block are written."""
    return [
        code
        for code in LANGUAGES
        if blocks
        and subject.get(code, "").strip()
        and all(text.get(code, "").strip() for block in blocks for text in texts_of(block))
    ]


def _subject_faults(subject: Any) -> Iterable[str]:
    if not _is_text(subject, 2 * MAX_SUBJECT):
        yield _("The subject must be one text for each language.")
    elif any(BROKEN_LINE.search(line) for line in subject.values()):
        yield _("The subject must be one line without control characters.")


def _faults(blocks: Any) -> Iterable[str]:
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        yield _("The text must be a list of blocks.")
        return
    if len(blocks) > MAX_BLOCKS:
        yield _("A mail has at most %(most)s blocks, this one %(n)s.") % {"most": MAX_BLOCKS, "n": len(blocks)}
        return
    for place, block in enumerate(blocks, 1):
        for fault in _block_faults(block):
            yield _("Block %(place)s: %(fault)s") % {"place": place, "fault": fault}


def _block_faults(block: dict[str, Any]) -> Iterable[str]:
    kind = KINDS.get(block.get("kind", ""))
    if kind is None:
        yield _("There is no such kind: %(kind)s.") % {"kind": block.get("kind")}
        return
    if odd := sorted(block.keys() - {"kind", "text", *kind.more}):
        yield _("Blocks of this kind have no “%(key)s”.") % {"key": odd[0]}
    if not _is_text(block.get("text"), MAX_TEXT):
        yield _("It needs one text of up to %(n)s characters for each language.") % {"n": MAX_TEXT}
    for key in kind.more:
        if key in block and not _ALLOWED[key](block[key]):
            yield _("Its “%(key)s” cannot be kept.") % {"key": key}
    if kind.code == BlockKind.CHOICE and not block.get("options"):
        yield _("A choice needs its options.")
    if kind.code == BlockKind.CTA and not block.get("url"):
        yield _("A button needs the address to which it leads.")


def _is_text(found: Any, most: int) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() <= set(LANGUAGES)
        and all(isinstance(text, str) and len(text) <= most for text in found.values())
    )


def _are_options(found: Any) -> bool:
    return (
        isinstance(found, list)
        and 1 < len(found) <= MAX_OPTIONS
        and all(
            isinstance(option, dict)
            and option.keys() <= {"text", "attractiveness"}
            and _is_text(option.get("text"), 300)
            and option.get("attractiveness", 3) in ATTRACTIVENESS
            for option in found
        )
    )


_ALLOWED = {
    "url": lambda found: isinstance(found, str) and usable_url(found),
    "options": _are_options,
    "kano": lambda found: found in ("M", "O", "A"),
    "coupon": lambda found: isinstance(found, bool),
    "name": lambda found: isinstance(found, str) and 0 < len(found) <= 60,
    "about": lambda found: found in dict(ABOUTS),
    "promo": lambda found: isinstance(found, bool),
}
