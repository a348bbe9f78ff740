"""Repeating erasures in a restored database."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import now

from crm.models import Customer, ErasureLog
from crm.privacy import erasure


class UnreadableLine(ValueError):
    """A line that is no erasure; `number` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number}")
        self.number = number


@dataclass
class Outcome:
    erased: int = 0
    known: int = 0


def replay(lines: Iterable[str]) -> Outcome:
    """Erase again whom the backup brought back. The person key tells them from others who have their number now.

    Raises UnreadableLine.
    """
    outcome = Outcome()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            known = json.loads(line)
            customer_number, key = int(known["customer_number"]), str(known["person_key"])
            at = datetime.fromisoformat(known["erased_at"])
        except (ValueError, KeyError, TypeError):
            raise UnreadableLine(number) from None
        if key and Customer.objects.filter(pk=customer_number, person_key=key, erased_at=None).exists():
            log = erasure.erase(customer_number, erased_at=at)
            ErasureLog.objects.filter(pk=log.pk).update(replayed_at=now())
            outcome.erased += 1
        else:
            outcome.known += 1
    return outcome
