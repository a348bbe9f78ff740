"""Whom a mailing would reach right now, and why not the others, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.timezone import now

from campaigns import planning, segments
from campaigns.drafting import RECIPE
from campaigns.models import Campaign, Segment
from campaigns.reasons import sentence
from loyalty.stages import STAGES

FILLS = ("f-iron", "f-left-2", "f-left-3", "f-left-4", "f-left-5")


@dataclass(frozen=True)
class Reach:
    """`recipients` mails to `matched` customers; `refused` are (sentence, number, class of its part of the bar).

    segment: its name, '' without one; meant: its rule as a sentence; problems: why it cannot be asked, and so means nobody.
    """

    matched: int
    recipients: int
    refused: Sequence[tuple[str, int, str]]
    stages: Sequence[str | Promise]
    segment: str = ""
    meant: str = ""
    problems: Sequence[str] = ()

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


def reach_of(stages: Sequence[str], send_at: datetime | None = None, segment: Segment | None = None) -> Reach:
    """What planning would do with a mailing to whoever is in one of these stages and in the segment; empty: everybody.

    Writes nothing.
    """
    campaign = Campaign(recipe=RECIPE, stages=list(stages), segment=segment, send_at=send_at or now())
    found = planning.preview(campaign)
    refused = [
        (sentence(code) or code, n, FILLS[min(place, len(FILLS) - 1)])
        for place, (code, n) in enumerate(sorted(found.refused.items(), key=lambda one: -one[1]))
    ]
    names = [stage.label for stage in STAGES if stage.code in stages]
    if segment is None:
        return Reach(found.matched, found.recipients, refused, names)
    rule = segments.reference(segment)
    meant = segments.sentence(segment.rule if segment.kind == Segment.Kind.RULE else rule)
    return Reach(found.matched, found.recipients, refused, names, segment.name, meant, segments.problems(rule))
