"""The life of a complaint: opened, answered, closed. While it is open, advertising to the customer rests."""

from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from crm import changed
from crm.contacts import record_interaction
from crm.models import Complaint, Customer, Event, Hold, User
from crm.models.contact import Touchpoint


@transaction.atomic
def open_complaint(
    customer: Customer,
    *,
    text: str,
    severity: str,
    owner: User | None,
    due_at: datetime,
    opened_at: datetime | None = None,
) -> Complaint:
    """Open a case and hold advertising in the same transaction.

    The customer's row is locked first, as the mail gate does, so no mail passes once this is committed.
    """
    Customer.objects.select_for_update().get(pk=customer.pk)
    case = Complaint.objects.create(
        customer=customer, text=text, severity=severity, owner=owner, due_at=due_at, opened_at=opened_at or now()
    )
    Hold.objects.create(customer=customer, reason=Hold.Reason.COMPLAINT, complaint=case)
    _tell("complaint.opened", case)
    return case


@transaction.atomic
def reassign(case: Complaint, *, severity: str, owner: User | None, due_at: datetime) -> None:
    """Change how bad it is, who looks after it, or by when the answer is promised."""
    locked = _locked(case)
    locked.severity, locked.owner, locked.due_at = severity, owner, due_at
    locked.save(update_fields=["severity", "owner", "due_at"])
    changed.mark([locked.customer_id])


@transaction.atomic
def answer(case: Complaint, *, channel: str, note: str, staff: User) -> Complaint:
    """The customer got an answer; it stands in the timeline. The case, and with it the hold, stays open."""
    locked = _locked(case)
    record_interaction(locked.customer, channel=channel, touchpoint=Touchpoint.COMPLAINT, note=note, staff=staff)
    if locked.state == Complaint.State.OPEN:
        locked.state = Complaint.State.ANSWERED
        locked.save(update_fields=["state"])
        _tell("complaint.answered", locked)
    return locked


@transaction.atomic
def close(case: Complaint, *, resolution: str) -> Complaint:
    """It is solved: say how, and let mail flow again. Closing a closed case changes nothing."""
    locked = _locked(case)
    if locked.state != Complaint.State.CLOSED:
        locked.state, locked.closed_at, locked.resolution = Complaint.State.CLOSED, now(), resolution
        locked.save(update_fields=["state", "closed_at", "resolution"])
        Hold.objects.filter(complaint=locked, lifted_at=None).update(lifted_at=locked.closed_at)
        _tell("complaint.closed", locked)
    return locked


def _locked(case: Complaint) -> Complaint:
    """Customer first, then the case: the one order in which everybody locks."""
    Customer.objects.select_for_update().get(pk=case.customer_id)
    return Complaint.objects.select_for_update(of=("self",)).select_related("customer").get(pk=case.pk)


def _tell(kind: str, case: Complaint) -> None:
    at = case.closed_at if kind == "complaint.closed" and case.closed_at else now()
    Event.objects.create(kind=kind, customer_id=case.customer_id, detail={"complaint": case.pk}, occurred_at=at)
    changed.mark([case.customer_id])
