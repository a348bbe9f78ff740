"""Keeping segments: saved, copied, put away, and where each is used."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import recipes
from campaigns.models import Campaign, Segment, SegmentMember
from campaigns.segments.checking import faults
from campaigns.segments.members import Count
from campaigns.segments.tree import RuleError, references
from crm.models import User

LOCK = 0x5E63E27  # one rule is saved at a time, so that no two of them can begin to name each other
LIVE = ("draft", "checked", "scheduled", "running", "paused")
NAME_LENGTH = 120


class SegmentError(ValueError):
    """A segment cannot be kept or put away; the text says why and what to do."""


def nameless() -> SegmentError:
    return SegmentError(_("Give it a name by which you find it again."))


@dataclass
class Uses:
    """What asks for a segment: campaigns, the latest first, and segments by name."""

    campaigns: list[Campaign] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @property
    def further(self) -> int:
        """Campaigns beyond the three that are shown."""
        return max(0, len(self.campaigns) - 3)

    @property
    def live(self) -> list[str]:
        """The names of what would break without it: whatever has not ended."""
        running = [recipes.name_of(one) for one in self.campaigns if one.standing or one.status in LIVE]
        return [*running, *(one.name for one in self.segments)]


def uses(segments: Iterable[Segment]) -> Mapping[int, Uses]:
    """Where each is used, in two queries. Segments that were put away use nothing."""
    found: dict[int, Uses] = defaultdict(Uses)
    wanted = {one.pk for one in segments}
    campaigns = (
        Campaign.objects.filter(segment__in=wanted)
        .only("name", "recipe", "status", "standing", "switched_on", "segment_id")
        .order_by("-pk")
    )
    for campaign in campaigns:
        found[campaign.segment_id].campaigns.append(campaign)  # type: ignore[index]
    for one in Segment.objects.filter(archived_at=None, kind=Segment.Kind.RULE).only("name", "rule").order_by("name"):
        for number in references(one.rule):
            if number.isdecimal() and int(number) in wanted:
                found[int(number)].segments.append(one)
    return {pk: found[pk] for pk in wanted}


@transaction.atomic
def save(segment: Segment, name: str, rule: Any, by: User) -> Segment:
    """Keep a rule under a name. Raises RuleError for one that cannot be asked, SegmentError for a name that is taken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if wrong := faults(rule, own=segment.pk):
        raise RuleError(wrong)
    segment.rule, segment.counted, segment.counted_at = rule, None, None
    return _write(segment, name, by)


def save_list(segment: Segment, name: str, by: User) -> Segment:
    """Keep a list's name. Raises SegmentError."""
    segment.kind = Segment.Kind.LIST
    return _write(segment, name, by)


def _write(segment: Segment, name: str, by: User) -> Segment:
    segment.name = name.replace("\0", "").strip()[:NAME_LENGTH]
    if not segment.name:
        raise nameless()
    segment.changed_by, segment.changed_at = by, now()
    if segment.pk is None:
        segment.created_by = by
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError as error:
        if "campaigns_segment_name_once" not in str(error):
            raise
        raise SegmentError(_("Another segment or list has this name. Take another one.")) from None
    return segment


@transaction.atomic
def copy(segment: Segment, by: User) -> Segment:
    """The same rule or the same people under another name."""
    taken = set(Segment.objects.filter(archived_at=None).values_list("name", flat=True))
    name = _free(segment.name, {one.lower() for one in taken})
    made = Segment.objects.create(name=name, kind=segment.kind, rule=segment.rule, created_by=by, changed_by=by)
    people = SegmentMember.objects.filter(segment=segment).values_list("customer_id", flat=True)
    rows = [SegmentMember(segment=made, customer_id=pk) for pk in people.iterator()]
    SegmentMember.objects.bulk_create(rows, batch_size=5_000)
    return made


def _free(name: str, taken: set[str]) -> str:
    wanted = _("Copy of %(name)s") % {"name": name}
    at = 1
    while (found := wanted[: NAME_LENGTH - 6] + (f" ({at})" if at > 1 else "")).lower() in taken:
        at += 1
    return found


@transaction.atomic
def archive(segment: Segment) -> None:
    """Put a segment away; its campaigns that ended keep it. Raises SegmentError while something needs it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if needed := uses([segment])[segment.pk].live:
        text = _("It cannot be put away while it is used by: %(names)s. Change these first, or wait until they ended.")
        raise SegmentError(text % {"names": ", ".join(_("“%(text)s”") % {"text": name} for name in needed)})
    Segment.objects.filter(pk=segment.pk, archived_at=None).update(archived_at=now())


def remember(segment: Segment, count: Count) -> None:
    """Keep how many it means, for pages that show many segments."""
    Segment.objects.filter(pk=segment.pk).update(counted=count.number, counted_exactly=count.exact, counted_at=now())


def choices() -> Sequence[tuple[int, str]]:
    """What a mailing may be aimed at."""
    return list(Segment.objects.filter(archived_at=None).order_by("name").values_list("pk", "name"))
