"""What happened between a customer and the shop, newest first, from crm's facts and from the upper apps.

Every kind answers with a fixed number of queries, whatever the history. Pages go by time, not by number.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Model, Q, QuerySet, Value
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import plugins, presence
from crm.compiled import compiled
from crm.models import (
    AdvocacyAct,
    Answer,
    Complaint,
    ConsentEvent,
    Customer,
    Interaction,
    Participation,
    Purchase,
    Return,
    Task,
)
from crm.moments import MOMENTS
from crm.plugins import TimelineEntry

PAGE = 20

KINDS: dict[str, str | Promise] = {
    "purchase": _("Purchases"),
    "contact": _("Contacts"),
    "voice": _("Voices"),
    "consent": _("Consents"),
    "taking_part": _("Taking part"),
}


@dataclass(frozen=True)
class Chip:
    """A kind as a filter: `count` entries, `kind` '' for all of them."""

    kind: str
    label: str | Promise
    count: int


@dataclass(frozen=True)
class Months:
    """Entries by month of the shop's zone. `before` is the cursor of what is older, None at the end."""

    groups: list[tuple[date, list[TimelineEntry]]]
    before: datetime | None


def chips(customer: Customer) -> list[Chip]:
    """The kinds of which there is something, and all of them together first."""
    counts: dict[str, int] = defaultdict(int)
    for kind, number in _counts(customer):
        counts[kind] += number
    for plugin in plugins.registered():
        for kind, number in plugin.timeline_counts(customer).items():
            counts[kind] += number
    labels = all_kinds()
    some = [Chip(kind, labels[kind], counts[kind]) for kind in labels if counts[kind]]
    return [Chip("", _("All"), sum(chip.count for chip in some)), *some]


def all_kinds() -> dict[str, str | Promise]:
    return KINDS | {kind: label for plugin in plugins.registered() for kind, label in plugin.timeline_kinds.items()}


def months(customer: Customer, kind: str = "", before: datetime | None = None, size: int = PAGE) -> Months:
    """About `size` entries older than `before`, of one kind or of all.

    Entries of one instant are never parted by the end of a page, because the next page begins before it.
    """
    asked = {kind} if kind else set(all_kinds())
    edge = before or timezone.now() + timedelta(days=1)
    entries, more = _known(_answers(customer, asked, edge, 2 * size), 2 * size)
    end = _cut(entries, size)
    older = entries[end - 1].at if end < len(entries) or (more and entries) else None
    groups: dict[date, list[TimelineEntry]] = defaultdict(list)
    for entry in entries[:end]:
        groups[timezone.localtime(entry.at).date().replace(day=1)].append(entry)
    return Months(list(groups.items()), older)


def _answers(customer: Customer, kinds: set[str], before: datetime, limit: int) -> list[list[TimelineEntry]]:
    """What each source has: one list a source."""
    own = [list(source(customer, before, limit)) for kind in kinds for source in MOMENTS.get(kind, ())]
    return own + [list(plugin.timeline(customer, kinds, before, limit)) for plugin in plugins.registered()]


def _known(answers: list[list[TimelineEntry]], limit: int) -> tuple[list[TimelineEntry], bool]:
    """All entries, newest first, down to where every source has told everything; and whether there may be more.

    A source that gave as many as it was asked for may know more of its last instant, so that instant waits.
    """
    edges = [min(entry.at for entry in answer) for answer in answers if len(answer) >= limit]
    entries = sorted((entry for answer in answers for entry in answer), key=lambda entry: entry.at, reverse=True)
    if not edges:
        return entries, False
    sure = [entry for entry in entries if entry.at > max(edges)]
    return sure or [entry for entry in entries if entry.at == max(edges)], True


def _cut(entries: list[TimelineEntry], size: int) -> int:
    """Where the page ends: the last change of instant within `size`, else the first one after it."""
    changes = [at for at in range(1, len(entries)) if entries[at - 1].at != entries[at].at] + [len(entries)]
    if len(entries) <= size:
        return len(entries)
    return max((at for at in changes if at <= size), default=min(changes))


def _counts(customer: Customer) -> Iterable[tuple[str, int]]:
    """How many entries of each of our kinds, in one query."""
    known = frozenset(model for model in COUNTED if presence.has(customer, model))
    return _numbers(customer.pk, customer.person_key, known=known)


COUNTED = (Purchase, Return, Interaction, Task, Complaint, Answer, AdvocacyAct, Participation)


@compiled
def _numbers(customer: int, person: UUID, *, known: frozenset[type[Model]]) -> QuerySet[Any, tuple[str, int]]:
    """Of a customer of whom there is something in the tables `known`; consents are kept by person."""
    of = {"customer": customer}
    parts: list[QuerySet[Any, tuple[str, int]]] = [
        _number("purchase", Purchase, Q(**of)),
        _number("purchase", Return, Q(**of)),
        _number("contact", Interaction, Q(**of)),
        _number("contact", Task, Q(**of, closed_at__isnull=False)),
        _number("voice", Complaint, Q(**of)),
        _number("voice", Complaint, Q(**of, state=Complaint.State.CLOSED)),
        _number("voice", Answer, Q(**of), Count("response", distinct=True)),
        _number("voice", AdvocacyAct, Q(**of)),
        _number("taking_part", Participation, Q(**of)),
    ]
    consents = _number("consent", ConsentEvent, Q(person_key=person))
    return consents.union(*(part for part in parts if part.model in known), all=True)


def _number(kind: str, model: type[Model], wanted: Q, number: Count | None = None) -> QuerySet[Any, Any]:
    rows = model._default_manager.filter(wanted).order_by().values(kind_of=Value(kind))
    return rows.annotate(entries=number or Count("pk")).values_list("kind_of", "entries")
