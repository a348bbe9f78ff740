"""Proof of consent, to print: every declaration about one purpose on one channel, with its full wording.

BGH I ZR 164/09: the concrete declaration of each person must be documented, stored and printable. Art. 7(1) GDPR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from crm import keyed
from crm.models import ConsentEvent

Action = ConsentEvent.Action


@dataclass(frozen=True)
class Sheet:
    """Declarations, oldest first, and what follows from them. `confirmed`: by double opt-in, on paper, or with proof.

    A consent holds for the one address it was given for; `here`: that is the address in use.
    """

    declarations: list[ConsentEvent]
    given: ConsentEvent | None
    confirmed: ConsentEvent | None
    ended: ConsentEvent | None
    here: bool

    @property
    def holds(self) -> bool:
        return self.confirmed is not None and self.here


def declarations(person_keys: Sequence[UUID]) -> list[ConsentEvent]:
    """All declarations of a person with all that proves them. One query."""
    ledger = ConsentEvent.objects.filter(person_key__in=person_keys)
    return list(ledger.select_related("purpose", "wording", "source", "actor", "trace").order_by("occurred_at", "pk"))


def sheet(person_keys: Sequence[UUID], purpose: str, channel: str, normal: str = "") -> Sheet | None:
    """The sheet for one purpose and channel; None if nothing was ever declared about it.

    normal: the address in use on this channel, as it is compared; "" if there is none.

    The rules are those of `crm.consent`: what counts is what was declared after the last end.
    """
    found = [one for one in declarations(person_keys) if one.purpose_id == purpose and one.channel == channel]
    if not found:
        return None
    ends = [one for one in found if one.action in (Action.WITHDRAWN, Action.OBJECTED)]
    ended = ends[-1] if ends else None
    later = [one for one in found if ended is None or one.occurred_at > ended.occurred_at]
    grounds = [ground for ground in map(partial(ground_for, later), addresses_of(later)) if ground[0]]
    wanted = keyed.address_hash(normal) if normal else None
    # What is proved for the address in use, else what is proved for another, else what was never confirmed.
    grounds.sort(key=lambda ground: (ground[1] is None, ground[0].address_hash != wanted))
    given, confirmed = grounds[0] if grounds else (None, None)
    return Sheet(found, given, confirmed, ended, here=bool(given and given.address_hash == wanted))


def addresses_of(declared: Sequence[ConsentEvent]) -> list[str]:
    return list(dict.fromkeys(one.address_hash for one in declared))


def ground_for(declared: Sequence[ConsentEvent], address_hash: str) -> tuple[ConsentEvent, ConsentEvent | None]:
    """What was given for one address, and what confirmed it."""
    about = [one for one in declared if one.address_hash == address_hash]
    given = next((one for one in about if one.action == Action.GIVEN), None)
    return given, next((one for one in about if given and proves(one, given)), None)  # type: ignore[return-value]


def proves(one: ConsentEvent, given: ConsentEvent) -> bool:
    if one.action == Action.CONFIRMED:
        return one.occurred_at >= given.occurred_at
    return one.action == Action.GIVEN and (
        one.method == ConsentEvent.Method.PAPER
        or (one.double_opt_in and one.method in (ConsentEvent.Method.IMPORT, ConsentEvent.Method.API))
    )
