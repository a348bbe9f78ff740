"""The place of the rules about good mails (L01 to L24): one entry in RULES each. There is none yet.

A rule reads the blocks (`campaigns.blocks`), never guesses from the words alone. What it finds stands beside its block
in the editor (`templates/campaigns/block.html`) and above the draft.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise

from campaigns.models import TemplateVersion


class Severity(StrEnum):
    """What a finding does: keeps the mail from being sent, asks for a click, or only says something."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True)
class Finding:
    """What a rule found. `block` is the place of the block it concerns, from 0; None for the whole mail."""

    rule: "Rule"
    sentence: str
    block: int | None = None


@dataclass(frozen=True)
class Rule:
    """`check(version, message_class)` answers (place of the block or None, sentence) for each breach."""

    code: str
    label: str | Promise
    severity: Severity
    check: Callable[[TemplateVersion, str], Iterable[tuple[int | None, str]]]


RULES: Sequence[Rule] = ()


def findings(version: TemplateVersion, message_class: str) -> list[Finding]:
    """Every breach of every rule, in the order of the rules."""
    return [Finding(rule, sentence, place) for rule in RULES for place, sentence in rule.check(version, message_class)]
