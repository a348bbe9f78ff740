"""Whom a mailing would reach right now, and why not the others, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.timezone import now

from campaigns import planning
from campaigns.drafting import RECIPE
from campaigns.models import Campaign
from campaigns.reasons import sentence
from loyalty.stages import STAGES

FILLS = ("f-iron", "f-left-2", "f-left-3", "f-left-4", "f-left-5")


@dataclass(frozen=True)
class Reach:
    """`recipients` mails to `matched` customers; `refused` are (sentence, number, class of its part of the bar)."""

    matched: int
    recipients: int
    refused: Sequence[tuple[str, int, str]]
    stages: Sequence[str | Promise]

    @property
    def left_out(self) -> int:
        return self.matched - self.recipients

    @property
    def bar(self) -> list[tuple[str, str, str]]:
        """(class, x, width) of a bar of 100, as SVG writes numbers."""
        parts, at = [], 0.0
        for fill, n in [("f-berry", self.recipients), *((fill, n) for _why, n, fill in self.refused)]:
            width = 100 * n / self.matched if self.matched else 0.0
            if width:
                parts.append((fill, f"{at:.3f}", f"{width:.3f}"))
            at += width
        return parts


def reach_of(stages: Sequence[str], send_at: datetime | None = None) -> Reach:
    """What planning would do with a mailing to these stages. Writes nothing."""
    found = planning.preview(Campaign(recipe=RECIPE, stages=list(stages), send_at=send_at or now()))
    refused = [
        (sentence(code) or code, n, FILLS[min(place, len(FILLS) - 1)])
        for place, (code, n) in enumerate(sorted(found.refused.items(), key=lambda one: -one[1]))
    ]
    names = [stage.label for stage in STAGES if stage.code in stages]
    return Reach(found.matched, found.recipients, refused, names)
