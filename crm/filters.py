"""The filters of the customer list. They stand in the URL, so that a view can be kept and sent."""

from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from crm import plugins
from crm.forms import styled
from crm.models import Channel, Complaint, ConsentState, ContactPoint, Customer, Purpose, User


def staff_choices() -> list[tuple[str, str]]:
    people = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
    return [("none", str(_("nobody"))), *((str(person.pk), str(person)) for person in people)]


class CustomerFilter(django_filters.FilterSet):
    """Filters on crm's own facts. `customer_filter` adds those of the upper apps."""

    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=Customer.Kind, empty_label=_("all"))
    email = django_filters.ChoiceFilter(
        label=_("E-mail address"),
        choices=[("yes", _("has one")), ("no", _("has none"))],
        empty_label=_("all"),
        method="by_email",
    )
    newsletter = django_filters.ChoiceFilter(
        label=_("Newsletter"),
        choices=[
            ("given", _("allowed")),
            ("pending", _("waiting for confirmation")),
            ("ended", _("withdrawn or objected")),
            ("never", _("never asked")),
        ],
        empty_label=_("all"),
        method="by_newsletter",
    )
    complaint = django_filters.ChoiceFilter(
        label=_("Complaint"),
        choices=[("open", _("open")), ("none", _("none open"))],
        empty_label=_("all"),
        method="by_complaint",
    )
    assigned = django_filters.ChoiceFilter(
        label=_("Looked after by"), choices=staff_choices, empty_label=_("all"), method="by_assigned"
    )

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_email(self, customers: QuerySet, name: str, value: str) -> QuerySet:
        addresses = ContactPoint.objects.filter(customer=OuterRef("pk"), kind=ContactPoint.Kind.EMAIL)
        usable = Exists(addresses.exclude(state=ContactPoint.State.GONE))
        return customers.filter(usable if value == "yes" else ~usable)

    def by_newsletter(self, customers: QuerySet, name: str, value: str) -> QuerySet:
        State = ConsentState.State
        asked = ConsentState.objects.filter(customer=OuterRef("pk"), purpose="newsletter", channel=Channel.EMAIL)
        if value == "never":
            return customers.filter(~Exists(asked))
        states = {"given": [State.GIVEN], "pending": [State.PENDING], "ended": [State.WITHDRAWN, State.OBJECTED]}
        return customers.filter(Exists(asked.filter(state__in=states[value])))

    def by_complaint(self, customers: QuerySet, name: str, value: str) -> QuerySet:
        still_open = Exists(Complaint.objects.filter(customer=OuterRef("pk")).exclude(state=Complaint.State.CLOSED))
        return customers.filter(still_open if value == "open" else ~still_open)

    def by_assigned(self, customers: QuerySet, name: str, value: str) -> QuerySet:
        return customers.filter(assigned_to=None if value == "none" else int(value))


def customer_filter(query: Any, customers: QuerySet[Customer]) -> django_filters.FilterSet:
    """The list's filters with those of the upper apps first, bound to a request's query."""
    added = {name: one for plugin in plugins.registered() for name, one in plugin.filters().items()}
    complete = type("CompleteCustomerFilter", (CustomerFilter,), dict(added))  # its metaclass empties the dict
    bound = complete(query, queryset=customers)
    styled(bound.form)
    bound.form.order_fields([*added, *CustomerFilter.base_filters])
    return bound


def purpose_label(purpose: Purpose) -> str:
    """The purpose in the reader's language."""
    return purpose.label_de if (get_language() or "").startswith("de") else purpose.label_en
