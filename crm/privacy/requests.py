"""Requests of persons and their clock: one month, at most three (Art. 12(3) GDPR)."""

from calendar import monthrange
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.timezone import now

from crm.days import day_of, shop_zone
from crm.models import PrivacyRequest
from crm.privacy import audit

MONTHS = 1
MONTHS_EXTENDED = 3


def due_on(received: date, months: int = MONTHS) -> date:
    """The day so many months later; the last of the month where it has no such day (31 January: 28 February)."""
    year, month = divmod(received.year * 12 + received.month - 1 + months, 12)
    return date(year, month + 1, min(received.day, monthrange(year, month + 1)[1]))


@transaction.atomic
def record(customer_number: int, kind: str, received_at: datetime, actor_id: int | None) -> PrivacyRequest:
    """Start the clock of a request."""
    made = PrivacyRequest.objects.create(
        customer_number=customer_number,
        kind=kind,
        received_at=received_at,
        due_on=due_on(day_of(received_at, shop_zone())),
        taken_by_id=actor_id,
    )
    audit.record(actor_id, "recorded", "request", made.pk)
    return made


@transaction.atomic
def close(request: PrivacyRequest, actor_id: int | None, refusal: str = "") -> bool:
    """Answered, or refused for a reason of PrivacyRequest.Refusal. Returns False if it was closed before."""
    state = PrivacyRequest.State.REFUSED if refusal else PrivacyRequest.State.DONE
    closed = PrivacyRequest.objects.filter(pk=request.pk, state=PrivacyRequest.State.OPEN).update(
        state=state, refusal=refusal, closed_at=now(), closed_by=actor_id
    )
    if closed:
        audit.record(actor_id, state, "request", request.pk)
    return bool(closed)


@transaction.atomic
def extend(request: PrivacyRequest, actor_id: int | None) -> bool:
    """Two months more, where the request is complex; the person must be told why within the first month."""
    due = due_on(day_of(request.received_at, shop_zone()), MONTHS_EXTENDED)
    extended = PrivacyRequest.objects.filter(pk=request.pk, state="open", extended=False).update(
        extended=True, due_on=due
    )
    if extended:
        audit.record(actor_id, "extended", "request", request.pk)
    return bool(extended)


def answer(customer_number: int, kinds: list[str], actor_id: int | None) -> None:
    """What was just done answers the person's open requests of these kinds."""
    for request in PrivacyRequest.objects.filter(customer_number=customer_number, kind__in=kinds, state="open"):
        close(request, actor_id)


def in_order() -> QuerySet[PrivacyRequest]:
    """Open ones first, those due soonest before all others; then the closed ones, newest first."""
    requests = PrivacyRequest.objects.select_related("taken_by", "closed_by")
    return requests.order_by(F("closed_at").desc(nulls_first=True), "due_on", "pk")
