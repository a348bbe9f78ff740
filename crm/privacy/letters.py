"""Business letters in the database: what the law makes a merchant keep for six years (§ 257 HGB, § 147 AO).

A business letter prepares, concludes, carries out or undoes a sale. Of what is stored here that are complaints of
somebody who bought, with what was answered in writing, and the transactional mails that upper apps name. Notes about
talks, advertising, and mails that ask for a confirmation are none. Mails themselves stand in the shop's own mailbox.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm import days, plugins
from crm.models import Complaint, Interaction, Purchase
from crm.models.contact import Touchpoint

WRITTEN = (Interaction.Channel.MAIL, Interaction.Channel.CHAT)


@dataclass(frozen=True)
class Letter:
    """Something received or sent; `at` decides until when it is kept."""

    at: datetime
    content: dict[str, Any]


def letters(customer_ids: list[int]) -> list[Letter]:
    """The business letters of these records, oldest first; none of somebody who never bought. A fixed number of queries."""
    if not Purchase.objects.filter(customer__in=customer_ids).exists():
        return []
    found = [*_complaints(customer_ids), *_answers(customer_ids)]
    found += [Letter(at, content) for at, content in plugins.collect(lambda plugin: plugin.letters(customer_ids))]
    return sorted(found, key=lambda letter: letter.at)


def years(customer_ids: list[int]) -> dict[int, list[Letter]]:
    """The letters by calendar year in the shop's zone."""
    zone = days.shop_zone()
    by_year: dict[int, list[Letter]] = {}
    for letter in letters(customer_ids):
        by_year.setdefault(days.day_of(letter.at, zone).year, []).append(letter)
    return by_year


def _complaints(customer_ids: list[int]) -> list[Letter]:
    cases = Complaint.objects.filter(customer__in=customer_ids).values(
        "pk", "text", "resolution", "opened_at", "closed_at", "purchase__external_id"
    )
    return [Letter(case["closed_at"] or case["opened_at"], {"kind": "complaint"} | case) for case in cases]


def _answers(customer_ids: list[int]) -> list[Letter]:
    written = Interaction.objects.filter(
        customer__in=customer_ids, touchpoint=Touchpoint.COMPLAINT, channel__in=WRITTEN
    ).exclude(note="")
    return [
        Letter(contact["occurred_at"], {"kind": "answer"} | contact)
        for contact in written.values("pk", "channel", "occurred_at", "note")
    ]
