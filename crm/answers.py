"""Writing down what a customer answered: one sheet with its items, from a survey, a shop system or on the phone."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import alerts, changed, emotions
from crm.models import Answer, Customer, Purchase

# item → lowest and highest value
ITEMS: dict[str, tuple[int, int]] = {
    "csat": (0, 10),
    "trust": (0, 10),
    "commitment": (0, 10),
    "involvement": (0, 10),
    "price": (0, 10),
    "repurchase_intent": (0, 10),
    "nps": (0, 10),
    "ces": (1, 7),
    "disconfirmation": (-3, 3),
    "comparison": (-3, 3),
    "wallet_share": (0, 100),
    "wallet_rank": (1, 20),
    "wallet_shops": (1, 20),
}


@transaction.atomic
def record_response(
    customer: Customer,
    response: UUID,
    *,
    items: Mapping[str, Decimal | int],
    felt: Mapping[str, Decimal | int] | None = None,
    form: str = "",
    origin: str = Answer.Origin.CUSTOMER_SELF,
    touchpoint: str = "",
    comment: str = "",
    purchase: Purchase | None = None,
    answered_at: datetime | None = None,
    historic: bool = False,
) -> int:
    """Store a sheet once and queue the customer for a new judgement. Returns how many answers are new.

    items: see ITEMS; felt: emotion → 0 to 10, with `form` full or short. The same `response` again stores nothing and
    raises no second alert. An alert is raised only by the customer's latest sheet of emotions: an old answer that
    arrives late has been overtaken. `historic` sheets, of an import or a backfill, raise none.
    Raises ValueError for an item, an emotion or a form that does not exist, a value out of range, or an empty sheet.
    """
    felt = felt or {}
    _check(items, felt, form)
    Customer.objects.select_for_update().get(pk=customer.pk)
    at = answered_at or now()
    rows = [(item, value, "") for item, value in items.items()]
    rows += [(f"nev_{code}", value, form) for code, value in felt.items()]
    before = Answer.objects.filter(response=response).count()
    Answer.objects.bulk_create(
        [
            Answer(
                customer=customer,
                response=response,
                item=item,
                value=value,
                form=form_of,
                origin=origin,
                touchpoint=touchpoint,
                comment=comment if place == 0 else "",
                purchase=purchase,
                answered_at=at,
            )
            for place, (item, value, form_of) in enumerate(rows)
        ],
        ignore_conflicts=True,
    )
    added = Answer.objects.filter(response=response).count() - before
    if added:
        changed.mark([customer.pk])
        if felt and not historic:
            _alert(customer, response, felt, form, origin, at)
    return added


def _check(items: Mapping[str, Decimal | int], felt: Mapping[str, Decimal | int], form: str) -> None:
    if not items and not felt:
        raise ValueError(_("The sheet is empty. Answer at least one question."))
    for item, value in items.items():
        if item not in ITEMS:
            raise ValueError(_("There is no question “%(item)s”.") % {"item": item})
        low, high = ITEMS[item]
        if not low <= value <= high:
            raise ValueError(
                _("“%(item)s” is answered from %(low)s to %(high)s.") % {"item": item, "low": low, "high": high}
            )
    if felt and form not in emotions.FORMS:
        raise ValueError(_("Say which form the emotions were asked with: full or short."))
    for code, value in felt.items():
        if code not in emotions.FORMS[form].positive + emotions.FORMS[form].negative:
            raise ValueError(_("The form does not ask for the emotion “%(emotion)s”.") % {"emotion": code})
        if not 0 <= value <= 10:
            raise ValueError(_("An emotion is rated from 0 to 10."))


def _alert(
    customer: Customer, response: UUID, felt: Mapping[str, Decimal | int], form: str, origin: str, at: datetime
) -> None:
    newer = Answer.objects.filter(customer=customer, item__startswith="nev_", answered_at__gt=at)
    if newer.exclude(response=response).exists():
        return
    alert = alerts.of_ratings({code: Decimal(value) for code, value in felt.items()}, form)
    if alert:
        alerts.raise_alert(customer, alert, cause=f"response:{response}", origin=origin, at=at)
