"""A very bad experience becomes a task for one of the staff, and advertising rests until it is done.

An alert is any destroying emotion of 7 or more, a Net Emotional Value of −2 or less on one answered sheet, or two
destroying emotions on one contact. It looks at the single answer, never at a mean: one very bad answer is enough.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import changed, display, emotions
from crm.days import within_one_working_day
from crm.models import Customer, Event, Hold, Task

LEAST_RATING = 7
LEAST_TAGS = 2
WORST_VALUE = Decimal(-2)


@dataclass(frozen=True)
class Alert:
    """Why: the destroying emotions with their strength (None for a tag), strongest first, and the value if it is low."""

    felt: tuple[tuple[str, Decimal | None], ...] = ()
    value: Decimal | None = None

    def detail(self, origin: str) -> dict[str, object]:
        """What `Task.detail` keeps."""
        felt = [[code, None if rating is None else float(rating)] for code, rating in self.felt]
        return {"felt": felt, "nev": None if self.value is None else float(self.value), "origin": origin}


@dataclass(frozen=True)
class Cause:
    """What made an alert: `name` is `Task.cause`, `origin` who says so, `at` when it was said."""

    customer_id: int
    owner_id: int | None
    alert: Alert
    name: str
    origin: str
    at: datetime


def of_tags(felt: Collection[str]) -> Alert | None:
    """The alert that a contact's tags make, or None."""
    destroying = tuple((code, None) for code in felt if emotions.BY_CODE[code].sign < 0)
    return Alert(destroying) if len(destroying) >= LEAST_TAGS else None


def of_ratings(ratings: Mapping[str, Decimal], form: str) -> Alert | None:
    """The alert that one answered sheet makes, or None. ratings: emotion → 0 to 10."""
    strong = sorted(
        ((code, ratings[code]) for code in emotions.NEGATIVE if ratings.get(code, 0) >= LEAST_RATING),
        key=lambda one: (-one[1], one[0]),
    )
    value = emotions.survey_value(ratings, form)
    low = value if value is not None and value <= WORST_VALUE else None
    return Alert(tuple(strong), low) if strong or low is not None else None


def raise_alert(customer: Customer, alert: Alert, *, cause: str, origin: str, at: datetime) -> Task:
    """Make the task of a cause and its hold, in the caller's transaction; a cause that has one keeps it.

    The caller has locked the customer's row, as the mail gate does, so no mail passes once this is committed.
    """
    try:
        with transaction.atomic():
            task = Task.objects.create(
                customer=customer,
                kind=Task.Kind.ALERT,
                cause=cause,
                detail=alert.detail(origin),
                due_at=within_one_working_day(now()),
                owner_id=customer.assigned_to_id,
            )
    except IntegrityError:
        return Task.objects.get(cause=cause)
    Hold.objects.create(customer=customer, reason=Hold.Reason.ALERT, task=task)
    Event.objects.create(kind="alert.raised", customer=customer, detail={"task": task.pk}, occurred_at=at)
    changed.mark([customer.pk])
    return task


def raise_alerts(causes: Sequence[Cause]) -> None:
    """Make the tasks of many causes and their holds, as `raise_alert` does, with a fixed number of queries.

    The caller has locked the customers, and nobody else writes about these causes.
    """
    if not causes:
        return
    known = set(Task.objects.filter(cause__in=[one.name for one in causes]).values_list("cause", flat=True))
    fresh, due = [one for one in causes if one.name not in known], within_one_working_day(now())
    tasks = Task.objects.bulk_create(
        Task(
            customer_id=one.customer_id,
            kind=Task.Kind.ALERT,
            cause=one.name,
            detail=one.alert.detail(one.origin),
            due_at=due,
            owner_id=one.owner_id,
        )
        for one in fresh
    )
    Hold.objects.bulk_create(Hold(customer_id=task.customer_id, reason=Hold.Reason.ALERT, task=task) for task in tasks)
    Event.objects.bulk_create(
        Event(kind="alert.raised", customer_id=one.customer_id, detail={"task": task.pk}, occurred_at=one.at)
        for one, task in zip(fresh, tasks, strict=True)
    )
    changed.mark({task.customer_id for task in tasks})


def sentence(detail: Mapping[str, Any]) -> str:
    """Why, from `Task.detail`, for the reader: “irritated” 8 of 10, said by the customer."""
    parts = []
    for code, rating in detail.get("felt", ()):
        known = emotions.BY_CODE.get(code)
        word = _("“%(emotion)s”") % {"emotion": known.label if known else code}
        parts.append(
            word
            if rating is None
            else _("%(emotion)s %(rating)s of 10") % {"emotion": word, "rating": display.number(rating)}
        )
    if detail.get("nev") is not None:
        parts.append(_("Net Emotional Value %(value)s") % {"value": display.signed(detail["nev"], 1)})
    said = _("the team's estimate") if detail.get("origin") != "customer_self" else _("said by the customer")
    return ", ".join([*parts, said])
