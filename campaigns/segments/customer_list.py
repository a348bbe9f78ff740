"""Segments in the list of customers: narrowed to one, and put on one."""

from collections.abc import Sequence

import django_filters
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Segment
from campaigns.segments.audiences import reference
from campaigns.segments.compiling import matching
from campaigns.segments.tree import RuleError
from crm import access, sql
from crm.models import Customer, User
from crm.plugins import ListAction
from loyalty.drilldown import DrillDown


def filters() -> dict[str, django_filters.Filter]:
    """`?segment=7`: only who is in it. What the list offers for its customers, such as a coupon, so holds for a segment."""
    return {"segment": DrillDown(gettext_lazy("Segment"), _name, _narrow)}


def actions(user: User) -> Sequence[ListAction]:
    if not access.may(user, "campaigns.manage"):
        return []
    return [ListAction(_("Put on a list"), reverse("segment_from_customers"), "list-check")]


def _segment(value: str) -> Segment:
    """Raises ValueError for a number of none."""
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise ValueError(value)
    found = Segment.objects.filter(pk=int(value), archived_at=None).first()
    if found is None:
        raise ValueError(value)
    return found


def _name(value: str) -> str:
    return _segment(value).name


def _narrow(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    try:
        statement, named = matching(reference(_segment(value)))
    except RuleError:
        return customers.none()
    names = sql.PARAMETER.findall(statement)
    placed = sql.PARAMETER.sub("%s", statement)
    return customers.filter(pk__in=RawSQL(placed, [named[name] for name in names]))  # noqa: S611 - allow-listed
