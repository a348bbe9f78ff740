"""The plain editor of a text: a subject and ordered blocks, each with a form of its own.

The whole text travels with every button, so nothing is kept before somebody keeps it: moving, adding and removing need
neither a script nor a row in the database. Posted are `blocks` (how many), the fields of block n as `b<n>-…`, and
`also_<language>` for a second language; `do` says which button it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.forms.utils import ErrorList
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from campaigns import blocks as kinds
from campaigns.blocks import KINDS, BlockKind
from campaigns.forms_blocks import WAYS, BlockForm, SubjectForm, first_and_others
from campaigns.models import TemplateVersion

LAST = (BlockKind.CLOSING, BlockKind.LEGAL)
Raw = dict[str, str]


class Editor:
    """A text being written.

    `values` are the names that the text may use, each with an example. `data` is what was posted, `version` the text
    to start from; `signature` is taken off its closing and put back by whoever keeps it.
    """

    def __init__(
        self,
        *,
        language: str,
        values: Mapping[str, str],
        data: QueryDict | None = None,
        version: TemplateVersion | None = None,
        signature: str = "",
        tried: bool = True,
    ) -> None:
        self.languages = first_and_others(language)
        self.values, self.errors, self.changed, self.focus = values, ErrorList(), "", ("", -1)
        raw = _posted(data, self.languages) if data is not None else _stored(version, signature)
        self.subject_raw, self.rows = raw
        self.bound = data is not None and tried
        others = [code for code in self.languages[1:] if self.subject_raw.get(f"also_{code}")]
        self.written = [self.languages[0], *others]
        self._make()

    def _make(self) -> None:
        common: dict[str, Any] = {"languages": self.languages, "written": self.written}
        self.subject = SubjectForm(**self._given(self.subject_raw), **common)
        self.blocks = [
            BlockForm(**self._given(row, f"b{n}-"), prefix=f"b{n}", kind=row.get("kind", ""), **common)
            for n, row in enumerate(self.rows)
        ]

    def _given(self, raw: Raw, prefix: str = "") -> dict[str, Any]:
        if self.bound:
            return {"data": {prefix + name: value for name, value in raw.items()}}
        return {"initial": raw}

    def only_first_language(self) -> None:
        """Start with the shop's language alone; the others wait, filled in, until somebody ticks them."""
        for code in self.languages[1:]:
            self.subject_raw.pop(f"also_{code}", None)
        self.written = [self.languages[0]]
        self._make()

    def is_valid(self) -> bool:
        """Whether it can be kept; what is wrong stands beside its field or in `errors`."""
        good = [form.is_valid() for form in (self.subject, *self.blocks)]
        for form in (self.subject, *self.blocks):
            form.check_values(self.values)  # type: ignore[attr-defined]
        self.errors = ErrorList(list(self._whole()))
        return all(good) and not self.errors and not any(form.errors for form in (self.subject, *self.blocks))

    def _whole(self) -> Iterable[str]:
        found = [row.get("kind", "") for row in self.rows]
        if len(found) > kinds.MAX_BLOCKS:
            yield _("A mail has at most %(most)s blocks. Put some of them together.") % {"most": kinds.MAX_BLOCKS}
        if BlockKind.GREETING not in found:
            yield _("Add a greeting: nobody likes mail without a salutation.")
        if BlockKind.CLOSING not in found:
            yield _("Add a closing: the name of who signs stands there.")
        if found and not {*found} - {BlockKind.GREETING, BlockKind.CLOSING, BlockKind.LEGAL}:
            yield _("Say something between greeting and closing.")

    def text(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Subject and blocks as they are kept. Only after `is_valid`."""
        given = self.subject.cleaned_data
        return {code: given[f"subject_{code}"] for code in self.written}, [form.block() for form in self.blocks]

    def act(self, verb: str, kind: str = "") -> None:
        """Do what a button asked for: up-2, down-2, remove-2, add or show. Anything else changes nothing."""
        name, _dash, place = verb.partition("-")
        at = int(place) if place.isascii() and place.isdecimal() and len(place) < 4 else -1
        to = {"up": at - 1, "down": at + 1}.get(name, at)
        if name in ("up", "down") and 0 <= at < len(self.rows) and 0 <= to < len(self.rows):
            self.rows[at], self.rows[to] = self.rows[to], self.rows[at]
            end = {0: "down", len(self.rows) - 1: "up"}.get(to, name)
            self.focus, self.changed = (end, to), _("Block moved. Not kept yet.")
        elif name == "remove" and 0 <= at < len(self.rows):
            del self.rows[at]
            self.focus = ("remove", min(at, len(self.rows) - 1))
            self.changed = _("Block removed. Not kept yet.")
        elif name == "add" and kind in KINDS and len(self.rows) < kinds.MAX_BLOCKS:
            at = self._place_of(kind)
            self.rows.insert(at, {"kind": kind} | ({"promo": "on"} if kind == BlockKind.CTA else {}))
            self.focus, self.changed = ("text", at), _("Block added. Not kept yet.")
        self._make()
        if self.focus[0] == "text":
            self.blocks[self.focus[1]].fields[f"text_{self.languages[0]}"].widget.attrs["autofocus"] = True

    def _place_of(self, kind: str) -> int:
        """Where a new block goes: in front of what ends a mail, unless it ends one itself."""
        if kind == BlockKind.GREETING:
            return 0
        at = len(self.rows)
        while at and kind not in LAST and self.rows[at - 1].get("kind") in LAST:
            at -= 1
        return at

    def more_kinds(self) -> list[tuple[str, str | Promise]]:
        """What may be added, with its explanation."""
        return [(code, BlockKind(code).label) for code in KINDS]


def _posted(data: QueryDict, languages: Sequence[str]) -> tuple[Raw, list[Raw]]:
    subject = {name: str(data[name]) for name in data if name.startswith(("subject_", "also_"))}
    asked = data.get("blocks", "")
    many = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else 0
    rows: list[Raw] = [{} for _n in range(min(many, 2 * kinds.MAX_BLOCKS))]
    for name in data:
        number, dash, field = name.partition("-")
        place = number[1:]
        if (
            dash
            and number[:1] == "b"
            and place.isascii()
            and place.isdecimal()
            and len(place) < 4
            and int(place) < len(rows)
        ):
            rows[int(place)][field] = str(data[name])
    return subject, rows


def _stored(version: TemplateVersion | None, signature: str) -> tuple[Raw, list[Raw]]:
    if version is None:
        return {}, []
    subject = {f"subject_{code}": text for code, text in version.subject.items()}
    subject |= {f"also_{code}": "on" for code, text in version.subject.items() if text}
    return subject, [_row(block, f"\n{signature}" if signature else "") for block in version.blocks]


def _row(block: Mapping[str, Any], end: str) -> Raw:
    """The fields of a stored block. `end`: a signature that no form shows."""
    closing = block["kind"] == BlockKind.CLOSING
    row: Raw = {"kind": block["kind"]}
    for code, text in block["text"].items():
        row[f"text_{code}"] = text.removesuffix(end) if closing and end else text
    for n, option in enumerate(block.get("options", ())[:WAYS]):
        row |= {f"option{n}_{code}": text for code, text in option["text"].items()}
        row[f"attraction{n}"] = str(option.get("attractiveness", ""))
    row |= {key: block[key] for key in ("url", "kano", "name", "about") if key in block}
    if block.get("coupon"):
        row["coupon"] = "on"
    if block["kind"] == BlockKind.CTA and kinds.advertises(block):
        row["promo"] = "on"
    return row


def signed(blocks: list[dict[str, Any]], signature: str) -> list[dict[str, Any]]:
    """The blocks with a name below their last closing."""
    last = max(n for n, block in enumerate(blocks) if block["kind"] == BlockKind.CLOSING)
    said = {code: f"{text}\n{signature}" for code, text in blocks[last]["text"].items()}
    return [{**block, "text": said} if n == last else block for n, block in enumerate(blocks)]
