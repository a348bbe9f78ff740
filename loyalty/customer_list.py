"""What loyalty shows in the customer list, and the filters it adds there."""

from datetime import date
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm.models import Customer
from crm.plugins import Column
from loyalty import behaviour_filters, feeling_filters, month_filters, rules, scoring
from loyalty.models import Assessment
from loyalty.stages import STAGES
from loyalty.status import Status, status_expression


def judged(customer: Any) -> Assessment | None:
    return getattr(customer, "assessment", None)


def stage_of(customer: Any) -> str | None:
    return judgement.stage if (judgement := judged(customer)) else None


def status_of(customer: Any) -> tuple[str | None, bool]:
    return customer.loyalty_status, judged(customer) is not None


def last_purchase_of(customer: Any) -> tuple[date | None, bool]:
    judgement = judged(customer)
    return judgement.last_order_on if judgement else None, judgement is not None


COLUMNS = (
    Column("stage", _("Stage"), "loyalty/column_stage.html", 10, stage_of),
    Column("status", _("Status"), "loyalty/column_status.html", 20, status_of),
    Column("last_purchase", _("Last purchase"), "loyalty/column_last_purchase.html", 30, last_purchase_of),
)


def shown(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """With the judgement and the status of the day, in the same query."""
    day = scoring.shown_day()
    return customers.select_related("assessment").annotate(loyalty_status=status_expression(day, "assessment__"))


def by_stage(customers: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
    return customers.filter(assessment=None) if value == "none" else customers.filter(assessment__stage=value)


def by_status(customers: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
    day = scoring.shown_day()
    found = customers.annotate(filtered_status=status_expression(day, "assessment__"))
    if value == "none":
        return found.filter(assessment__isnull=False, filtered_status="")
    return found.filter(filtered_status=value)


def by_bond(customers: QuerySet[Customer], name: str, value: str) -> QuerySet[Customer]:
    """`held`: locked in without its being known whether they want to stay."""
    buyers = customers.filter(assessment__orders__gt=0)
    if value == "held":
        return buyers.filter(assessment__lock_in__gte=rules.current().lock_in_high, assessment__bond_type="")
    return buyers.filter(assessment__bond_type="" if value == "unknown" else value)


def filters() -> dict[str, django_filters.Filter]:
    everything = _("all")
    return {
        "stage": django_filters.ChoiceFilter(
            label=_("Stage"),
            choices=[*((stage.code, stage.label) for stage in STAGES), ("none", _("not judged yet"))],
            empty_label=everything,
            method=by_stage,
        ),
        "status": django_filters.ChoiceFilter(
            label=_("Status"),
            choices=[*Status.choices, ("none", _("no purchase yet"))],
            empty_label=everything,
            method=by_status,
        ),
        "bond": django_filters.ChoiceFilter(
            label=_("Bond"),
            choices=[
                *Assessment.BondType.choices,
                ("unknown", _("unknown")),
                ("held", _("held, will unknown")),
            ],
            empty_label=everything,
            method=by_bond,
        ),
        **month_filters.filters(),
        **feeling_filters.filters(),
        **behaviour_filters.filters(),
    }
