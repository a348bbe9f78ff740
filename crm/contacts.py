"""Writing down that somebody of the shop was in contact with a customer."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import changed, emotions
from crm.models import Customer, Event, Hold, Interaction, InteractionEmotion, User

MOST_EMOTIONS = 3
ALERT_EMOTIONS = 2  # destroying ones on one contact (`docs/scoring.md`: alert)


@transaction.atomic
def record_interaction(
    customer: Customer,
    *,
    channel: str,
    touchpoint: str,
    staff: User | None,
    note: str = "",
    felt: Sequence[str] = (),
    origin: str = InteractionEmotion.Origin.STAFF_ESTIMATE,
    rating: int | None = None,
    occurred_at: datetime | None = None,
) -> Interaction:
    """Store a contact with what was felt, and queue the customer for a new judgement.

    felt: up to three codes of `crm.emotions`, the strongest first; origin: who says so.
    rating: 0 to 10 as the customer gave it, or None. occurred_at: now, unless told.
    Two destroying emotions are an alert: advertising to this customer rests until somebody lifts it.
    Raises ValueError for more than three, doubled or unknown emotions.
    """
    if len(felt) > MOST_EMOTIONS or len(set(felt)) != len(felt) or not set(felt) <= set(emotions.BY_CODE):
        raise ValueError(_("Choose up to three different emotions."))
    Customer.objects.select_for_update().get(pk=customer.pk)
    at = occurred_at or now()
    contact = Interaction.objects.create(
        customer=customer,
        channel=channel,
        touchpoint=touchpoint,
        occurred_at=at,
        note=note,
        rating=rating,
        staff=staff,
    )
    InteractionEmotion.objects.bulk_create(
        InteractionEmotion(interaction=contact, slot=slot, emotion=code, origin=origin)
        for slot, code in enumerate(felt, start=1)
    )
    if sum(emotions.BY_CODE[code].sign < 0 for code in felt) >= ALERT_EMOTIONS:
        raise_alert(customer, at)
    changed.mark([customer.pk])
    return contact


def raise_alert(customer: Customer, at: datetime) -> None:
    """Let advertising rest until `settle_alert`; a second alert meanwhile changes nothing."""
    if not Hold.objects.filter(customer=customer, reason=Hold.Reason.ALERT, lifted_at=None).exists():
        Hold.objects.create(customer=customer, reason=Hold.Reason.ALERT)
        Event.objects.create(kind="alert.raised", customer=customer, occurred_at=at)


@transaction.atomic
def settle_alert(hold: Hold) -> None:
    """Somebody got in touch: the alert ends."""
    Customer.objects.select_for_update().get(pk=hold.customer_id)
    ended = Hold.objects.filter(pk=hold.pk, reason=Hold.Reason.ALERT, lifted_at=None).update(lifted_at=now())
    if ended:
        changed.mark([hold.customer_id])
