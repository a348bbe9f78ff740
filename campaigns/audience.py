"""Whom a mailing would reach right now, and why not the others, in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.functional import Promise

from campaigns import planning, segments
from campaigns.models import Campaign, Segment
from campaigns.reasons import sentence
from loyalty.stages import STAGES

FILLS = ("f-iron", "f-left-2", "f-left-3", "f-left-4", "f-left-5")


@dataclass(frozen=True)
class Reach:
    """`recipients` mails to `matched` customers; `refused` are (sentence, number, class of its part of the bar).

    held_out: how many of the refused are the control group, and would get it without one. drawn: these very people are; a
    mailing that is not kept yet draws others once it is.
    segment: its name, '' without one; meant: its rule as a sentence; problems: why it cannot be asked, and so means nobody.
    """

    matched: int
    recipients: int
    refused: Sequence[tuple[str, int, str]]
    stages: Sequence[str | Promise]
    segment: str = ""
    meant: str = ""
    problems: Sequence[str] = ()
    held_out: int = 0
    drawn: bool = True

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


def reach_of(campaign: Campaign) -> Reach:
    """What planning would do with a mailing, kept or not, that has a time: recipe, stages, segment, settings and control group
    count. Without stages and segment it means everybody. Writes nothing.
    """
    segment = campaign.segment
    found = planning.preview(campaign)
    refused = [
        (sentence(code) or code, n, FILLS[min(place, len(FILLS) - 1)])
        for place, (code, n) in enumerate(sorted(found.refused.items(), key=lambda one: -one[1]))
    ]
    names = [stage.label for stage in STAGES if stage.code in campaign.stages]
    reach = Reach(found.matched, found.recipients, refused, names, held_out=found.held_out, drawn=campaign.pk is not None)
    if segment is None:
        return reach
    rule = segments.reference(segment)
    meant = segments.sentence(segment.rule if segment.kind == Segment.Kind.RULE else rule)
    return replace(reach, segment=segment.name, meant=meant, problems=segments.problems(rule))
