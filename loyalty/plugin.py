"""What loyalty adds to crm's pages."""

from collections.abc import Sequence

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm.models import Customer
from crm.plugins import Column, NavEntry, Plugin
from loyalty import customer_list


class LoyaltyPlugin(Plugin):
    nav = (NavEntry(_("Insights"), "insights", "chart-dots-3", "insights.view", 60),)

    def list_columns(self) -> Sequence[Column]:
        return customer_list.COLUMNS

    def list_queryset(self, customers: QuerySet[Customer]) -> QuerySet[Customer]:
        return customer_list.shown(customers)

    def filters(self) -> dict[str, django_filters.Filter]:
        return customer_list.filters()
