"""The life of a task of the staff: promised, put off, given to somebody, done."""

from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from crm import changed
from crm.days import within_one_working_day
from crm.models import Customer, Event, Hold, Task, User


@transaction.atomic
def promise(customer: Customer, *, text: str, due_at: datetime, owner: User | None) -> Task:
    """Somebody promised to call back."""
    return Task.objects.create(customer=customer, kind=Task.Kind.CALL_BACK, text=text, due_at=due_at, owner=owner)


@transaction.atomic
def finish(task: Task, *, outcome: str, note: str = "", staff: User) -> Task:
    """It is done: say how. The hold of an alert ends with it. Finishing a finished task changes nothing.

    Raises ValueError for an outcome that does not exist.
    """
    if outcome not in Task.Outcome.values:
        raise ValueError(f"no outcome is called {outcome!r}")
    locked = _locked(task)
    if locked.state == Task.State.DONE:
        return locked
    locked.state, locked.closed_at, locked.closed_by = Task.State.DONE, now(), staff
    locked.outcome, locked.note = outcome, note
    locked.save(update_fields=["state", "closed_at", "closed_by", "outcome", "note"])
    Hold.objects.filter(task=locked, lifted_at=None).update(lifted_at=locked.closed_at)
    _tell("task.done", locked)
    return locked


@transaction.atomic
def reopen(task: Task) -> Task:
    """It was finished by mistake: as it was before, and advertising rests again."""
    locked = _locked(task)
    if locked.state == Task.State.OPEN:
        return locked
    locked.state, locked.closed_at, locked.closed_by = Task.State.OPEN, None, None
    locked.outcome = locked.note = ""
    locked.save(update_fields=["state", "closed_at", "closed_by", "outcome", "note"])
    Hold.objects.filter(task=locked).update(lifted_at=None)
    _tell("task.reopened", locked)
    return locked


@transaction.atomic
def put_off(task: Task) -> Task:
    """Not today: due at the end of the next working day, or of the one after a due day that is still to come."""
    locked = _locked(task)
    if locked.state == Task.State.OPEN:
        locked.due_at = within_one_working_day(max(now(), locked.due_at))
        locked.save(update_fields=["due_at"])
    return locked


@transaction.atomic
def give_to(task: Task, owner: User | None) -> Task:
    """Somebody looks after it."""
    locked = _locked(task)
    locked.owner = owner
    locked.save(update_fields=["owner"])
    return locked


@transaction.atomic
def congratulated(customer: Customer, year: int, *, outcome: str, note: str = "", staff: User) -> Task:
    """Somebody of the staff congratulated in person: this year's birthday is done. Once a customer and year."""
    Customer.objects.select_for_update().get(pk=customer.pk)
    task, _made = Task.objects.get_or_create(
        cause=birthday_cause(customer.pk, year),
        defaults={
            "customer": customer,
            "kind": Task.Kind.BIRTHDAY,
            "due_at": now(),
            "state": Task.State.DONE,
            "closed_at": now(),
            "closed_by": staff,
            "outcome": outcome,
            "note": note,
        },
    )
    return task


def birthday_cause(customer_id: int, year: int) -> str:
    return f"birthday:{customer_id}:{year}"


def _locked(task: Task) -> Task:
    """Customer first, then the task: the one order in which everybody locks."""
    Customer.objects.select_for_update().get(pk=task.customer_id)
    return Task.objects.select_for_update(of=("self",)).select_related("customer").get(pk=task.pk)


def _tell(kind: str, task: Task) -> None:
    Event.objects.create(
        kind=kind, customer_id=task.customer_id, detail={"task": task.pk}, occurred_at=task.closed_at or now()
    )
    changed.mark([task.customer_id])
