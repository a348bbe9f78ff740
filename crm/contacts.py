"""Writing down that somebody of the shop was in contact with a customer."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import alerts, changed, emotions
from crm.models import Customer, Interaction, InteractionEmotion, User

MOST_EMOTIONS = 3


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
    Two destroying emotions are an alert: a task to get in touch, and advertising rests until it is done.
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
    alert = alerts.of_tags(felt)
    if alert:
        alerts.raise_alert(customer, alert, cause=f"interaction:{contact.pk}", origin=origin, at=at)
    changed.mark([customer.pk])
    return contact
