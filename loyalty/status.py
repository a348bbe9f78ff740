"""Is the customer alive today? Computed on read from the days stored in the assessment (`docs/scoring.md`)."""

from datetime import date
from typing import Protocol

from django.db.models import Case, TextChoices, TextField, Value, When
from django.utils.translation import gettext_lazy as _

from crm.labels import named


class Status(TextChoices):
    REACTIVATED = "reactivated", named("status", "reactivated", _("reactivated"))
    ACTIVE = "active", named("status", "active", _("active"))
    OVERDUE = "overdue", named("status", "overdue", _("overdue"))
    AT_RISK = "at_risk", named("status", "at_risk", _("at risk"))
    LAPSED = "lapsed", named("status", "lapsed", _("lapsed"))


# The first status whose day is not yet past holds; beyond all of them a customer has lapsed.
UNTIL = (
    (Status.REACTIVATED, "reactivated_until"),
    (Status.ACTIVE, "active_until"),
    (Status.OVERDUE, "overdue_until"),
    (Status.AT_RISK, "at_risk_until"),
)


class Dated(Protocol):
    """What a status needs to know: an assessment, or anything with its days."""

    last_order_on: date | None
    expected_interval: float
    reactivated_until: date | None
    active_until: date | None
    overdue_until: date | None
    at_risk_until: date | None


def status_of(known: Dated, day: date) -> str:
    """Status on `day`; '' for whom no order and no contract is known."""
    if known.at_risk_until is None:
        return ""
    for status, column in UNTIL:
        until = getattr(known, column)
        if until is not None and day <= until:
            return status.value
    return Status.LAPSED.value


def status_sql(day: str = "%(day)s::date") -> str:
    """The same as `status_of` in SQL, over columns of those names."""
    whens = " ".join(f"WHEN {day} <= {column} THEN '{status.value}'" for status, column in UNTIL)
    return f"CASE WHEN at_risk_until IS NULL THEN '' {whens} ELSE 'lapsed' END"


def status_expression(day: date, prefix: str = "") -> Case:
    """The same for a queryset. prefix: 'assessment__' from customers, '' from assessments."""
    whens = [When(**{f"{prefix}{column}__gte": day}, then=Value(status.value)) for status, column in UNTIL]
    nobody = When(**{f"{prefix}at_risk_until": None}, then=Value(""))
    return Case(nobody, *whens, default=Value(Status.LAPSED.value), output_field=TextField())


def overdue_ratio(known: Dated, day: date) -> float | None:
    """Days since the last order / expected interval (ρ), 0 and up; None without an order."""
    if known.last_order_on is None:
        return None
    return (day - known.last_order_on).days / known.expected_interval
