"""What a person sets for themselves by the link in a mail: permissions, rhythm, language, birthday, objection.

The link was mailed to the person's own address, so whoever holds it reads that mailbox: a permission given by it counts
as confirmed, and its proof is the link's token with the address it went to (`docs/public-pages.md`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.timezone import now

from crm import consent, double_opt_in, keyed
from crm.models import (
    Channel,
    ConsentState,
    Customer,
    LinkToken,
    PrivacyRequest,
    Purpose,
    Suppression,
    Wording,
)
from crm.privacy import requests
from crm.sync_people import normal_email

HELD = (ConsentState.State.GIVEN, ConsentState.State.PENDING)


@dataclass(frozen=True)
class Choice:
    """One box: a purpose on a channel, whether it is on, and the wording that turning it on would agree to."""

    purpose: Purpose
    channel: str
    on: bool
    wording: Wording | None

    @property
    def name(self) -> str:
        return f"{self.channel}:{self.purpose.pk}"


def opens(token: LinkToken) -> bool:
    """Whether the mailbox that the link went to is still the one we write to: a former one must not change anything."""
    points = token.customer.contact_points.filter(kind="email", is_primary=True)
    return points.filter(normal=normal_email(token.address)[0]).exists()


def choices(customer: Customer, wordings: dict[str, Wording]) -> list[Choice]:
    """All boxes. E-mail: every active purpose that holds or can be agreed to; other channels: only what holds."""
    rows = ConsentState.objects.filter(customer=customer)
    states = {(row.channel, row.purpose_id): row.state for row in rows}
    found = []
    for purpose in Purpose.objects.order_by("position", "code"):
        for channel in Channel.values:
            state = states.get((channel, purpose.pk))
            on = state == "given" or (state in ("pending", "moved") and channel != "email")
            wording = wordings.get(purpose.pk) if channel == "email" else None
            if on or (wording and purpose.active):
                found.append(Choice(purpose, channel, on, wording))
    return sorted(found, key=lambda choice: Channel.values.index(choice.channel))


@transaction.atomic
def set_permissions(customer: Customer, shown: list[Choice], ticked: Iterable[str], how: consent.How) -> int:
    """Turn boxes on and off as the person left them. Returns how many changed.

    how: as `crm.consent` takes it, with the address the link went to and the token's hash. What is not `shown` stays.
    """
    wanted, changed = set(ticked), 0
    Customer.objects.select_for_update().get(pk=customer.pk)
    for choice in shown:
        if choice.on and choice.name not in wanted:
            consent.withdraw(customer.pk, [choice.purpose.pk], how, choice.channel)
        elif not choice.on and choice.name in wanted and choice.wording:
            grant(customer, choice, how)
        else:
            continue
        changed += 1
    return changed


def grant(customer: Customer, choice: Choice, how: consent.How) -> None:
    """Give and confirm in one: the declaration is new, and the mailbox proved itself by the link."""
    if choice.wording is None:
        raise ValueError("nobody agrees to a text that was not shown")
    proof = replace(how, wording_id=choice.wording.pk)
    consent.give(customer.pk, [choice.purpose.pk], proof, choice.channel)
    consent.confirm(customer.pk, [choice.purpose.pk], proof, choice.channel)
    # An earlier objection from this mailbox is taken back by it; bounces and spam reports stay.
    Suppression.objects.filter(
        address_hash=keyed.address_hash(normal_email(how.address)[0]),
        reason__in=double_opt_in.ENDED_BY_CONFIRMATION,
        lifted_at=None,
    ).update(lifted_at=now())


def object_everywhere(customer_id: int, how: consent.How) -> None:
    """The objection to all advertising on every channel (Art. 21(2) GDPR). May be repeated."""
    for channel in Channel.values:
        objected = ConsentState.objects.filter(customer_id=customer_id, channel=channel, state="objected")
        if objected.count() < Purpose.objects.count():
            consent.object_to_advertising(customer_id, how, channel)


def set_rhythm(customer: Customer, mails: int | None) -> None:
    """At most so many mails in 14 days; None: as many as the shop allows. The gate takes the smaller number."""
    Customer.objects.filter(pk=customer.pk).update(mails_per_fortnight=mails)


def ask_for_data(customer: Customer, kind: str) -> PrivacyRequest:
    """Start the clock of a request for access or erasure; one that is open already is that request."""
    opened = PrivacyRequest.objects.filter(customer_number=customer.pk, kind=kind, state="open").first()
    return opened or requests.record(customer.pk, kind, now(), None)
