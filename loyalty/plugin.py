"""What loyalty adds to crm's pages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm import access, presence
from crm.invariants import Invariant
from crm.models import Customer, User
from crm.plugins import BarrierSignal, Column, ListAction, NavEntry, Panel, Plugin, TimelineEntry
from crm.privacy.registry import Table
from crm.privacy.sections import Section
from crm.privacy.vocabulary import Vocabulary
from loyalty import customer_list, feeling_panels, history, lifetime_panel, panels, personal, rules
from loyalty.barriers import RECORDABLE
from loyalty.coupons import guarding, pages, proving
from loyalty.coupons import personal as coupon_data
from loyalty.coupons import seeding as coupon_seeding
from loyalty.models import Transition
from loyalty.motivator_list import MOTIVATORS


class LoyaltyPlugin(Plugin):
    nav = (
        NavEntry(_("Counter"), "counter", "building-store", "coupons.redeem", 15),
        NavEntry(_("Benefits"), "coupons", "ticket", "coupons.view", 40),
        NavEntry(_("Insights"), "insights", "chart-dots-3", "insights.view", 60),
    )
    settings_tabs = (NavEntry(_("Rules"), "rules", "settings", "settings.manage", 30),)
    timeline_kinds = {history.KIND: _("Stages")}

    def timeline(self, customer: Customer, kinds: set[str], before: datetime, limit: int) -> Iterable[TimelineEntry]:
        return history.entries(customer, before, limit) if history.KIND in kinds else ()

    def timeline_counts(self, customer: Customer) -> dict[str, int]:
        known = presence.has(customer, Transition)
        return {history.KIND: Transition.objects.filter(customer=customer).count() if known else 0}

    def panels(self, customer: Customer, user: User) -> Iterable[Panel]:
        return [
            *panels.panels(customer, user),
            *feeling_panels.panels(customer, user),
            *lifetime_panel.panels(customer),
            *pages.panels(customer, user),
        ]

    def list_columns(self) -> Sequence[Column]:
        return customer_list.COLUMNS

    def list_queryset(self, customers: QuerySet[Customer]) -> QuerySet[Customer]:
        return customer_list.shown(customers)

    def list_actions(self, user: User) -> Sequence[ListAction]:
        if not access.may(user, "coupons.manage"):
            return ()
        return [ListAction(_("Give a coupon"), reverse("coupon_give"), "ticket")]

    def filters(self) -> dict[str, django_filters.Filter]:
        return customer_list.filters()

    def barrier_signals(self) -> Sequence[BarrierSignal]:
        return [
            BarrierSignal(code, signal.label, signal.unit or "flag", signal.help)  # type: ignore[arg-type]
            for code, signal in RECORDABLE.items()
        ]

    def code_words(self) -> Vocabulary:
        return {"crm.MotivatorEvidence.motivator": {one.code: one.label for one in MOTIVATORS}}

    def labels(self) -> Mapping[str, Mapping[str, str]]:
        return rules.own_labels()

    def invariants(self) -> Iterable[Invariant]:
        return proving.CHECKS

    def readiness(self) -> Iterable[tuple[str, str]]:
        return [("coupons", guarding.finding())]

    def personal_data(self) -> Sequence[Table]:
        return (*personal.TABLES, *coupon_data.TABLES)

    def export(self, customer: Customer, customer_ids: Sequence[int]) -> Iterable[Section]:
        return personal.reasons(customer)

    def erase(self, customer_ids: Sequence[int], shell_id: int) -> int:
        return coupon_data.cut_off(customer_ids, shell_id)

    def seed(self, seed: int, until: date) -> None:
        coupon_seeding.tell(seed, until)

    def before_erase(self) -> None:
        personal.hold_off_judging()
