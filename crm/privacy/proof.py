"""Proof of consent, to print: every declaration about one purpose on one channel, with its full wording.

BGH I ZR 164/09: the concrete declaration of each person must be documented, stored and printable. Art. 7(1) GDPR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from crm.models import ConsentEvent

Action = ConsentEvent.Action


@dataclass(frozen=True)
class Sheet:
    """Declarations, oldest first, and what follows from them. `confirmed`: by double opt-in, on paper, or with proof."""

    declarations: list[ConsentEvent]
    given: ConsentEvent | None
    confirmed: ConsentEvent | None
    ended: ConsentEvent | None

    @property
    def holds(self) -> bool:
        return self.confirmed is not None


def declarations(person_keys: Sequence[UUID]) -> list[ConsentEvent]:
    """All declarations of a person with all that proves them. One query."""
    ledger = ConsentEvent.objects.filter(person_key__in=person_keys)
    return list(ledger.select_related("purpose", "wording", "source", "actor", "trace").order_by("occurred_at", "pk"))


def sheet(person_keys: Sequence[UUID], purpose: str, channel: str) -> Sheet | None:
    """The sheet for one purpose and channel; None if nothing was ever declared about it.

    The rules are those of `crm.consent`: what counts is what was declared after the last end.
    """
    found = [one for one in declarations(person_keys) if one.purpose_id == purpose and one.channel == channel]
    if not found:
        return None
    ends = [one for one in found if one.action in (Action.WITHDRAWN, Action.OBJECTED)]
    ended = ends[-1] if ends else None
    later = [one for one in found if ended is None or one.occurred_at > ended.occurred_at]
    given = next((one for one in later if one.action == Action.GIVEN), None)
    confirmed = next((one for one in later if given and proves(one, given)), None)
    return Sheet(found, given, confirmed, ended)


def proves(one: ConsentEvent, given: ConsentEvent) -> bool:
    if one.action == Action.CONFIRMED:
        return one.occurred_at >= given.occurred_at
    return one.action == Action.GIVEN and (
        one.method == ConsentEvent.Method.PAPER
        or (one.double_opt_in and one.method in (ConsentEvent.Method.IMPORT, ConsentEvent.Method.API))
    )
