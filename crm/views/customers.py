"""The list of customers: search, filters, one page at a time."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from crm import access, plugins, search
from crm.access import LOGGED_IN, requires
from crm.compiled import compiled
from crm.filters import customer_filter
from crm.masking import masked
from crm.models import Complaint, ContactPoint, Customer, CustomerKey
from crm.paging import COUNT_LIMIT, Page, counted, page_of
from crm.plugins import Column


@requires(LOGGED_IN)
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """The bare address leads to the page that everybody in the shop works with."""
    return redirect("today")


@requires("customers.view")
@require_GET
@vary_on_headers("HX-Request")
def customers(request: HttpRequest) -> HttpResponse:
    """The list; for HTMX its rows alone, and the address without the empty filters."""
    context = list_context(request)
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "customers/list.html", context)
    response = render(request, "customers/list.html#rows", context)
    response["HX-Replace-Url"] = context["address"]
    return response


def list_context(request: HttpRequest) -> dict[str, Any]:
    sees_contacts = access.may(request.user, "pii.view")
    everybody = Customer.objects.filter(merged_into=None, erased_at=None)
    text = request.GET.get("q", "")
    filters = customer_filter(request.GET, search.matching(everybody, text, beginnings=sees_contacts))
    found = filters.qs
    total, more = counted(found)
    gather = search.by_words(text) or not more
    # To find nobody may take long; it is not done twice.
    page = page_of(found, "sort_key", request.GET.get("at", ""), gather=gather, dress=shown) if total else Page([])
    complete(page.rows, sees_contacts)
    chosen = [name for name in filters.form.fields if request.GET.get(name)]
    return {
        "q": text,
        "filters": offered(filters.form),
        "chosen": chosen,
        "columns": columns(),
        "actions": plugins.collect(lambda plugin: plugin.list_actions(request.user)),  # type: ignore[arg-type]
        "query": address(request).partition("?")[2],
        "page": page,
        "total": total,
        "more": more,
        "limit": COUNT_LIMIT,
        "anybody": bool(page.rows) or everybody.exists(),
        "sees_contacts": sees_contacts,
        "address": address(request),
        "previous": address(request, page.previous) if page.previous else "",
        "next": address(request, page.next) if page.next else "",
    }


def offered(form: Any) -> list[tuple[BoundField, bool]]:
    """The fields of the filters, and whether it is one that stands there only because it is chosen."""
    marked = [(field, getattr(field.field.widget, "only_when_chosen", False)) for field in form]
    return [(field, only_when_chosen) for field, only_when_chosen in marked if not only_when_chosen or field.value()]


def shown(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """With what the upper apps show of each."""
    rows: QuerySet[Any] = customers.select_related("assigned_to")
    for plugin in plugins.registered():
        rows = plugin.list_queryset(rows)
    return rows


def complete(customers: Sequence[Any], sees_contacts: bool) -> None:
    """Give each what crm's own columns show: `email`, `open_complaint`, `known_as`. A fixed number of queries."""
    ids = tuple(customer.pk for customer in customers)
    emails, complaining = (dict(_emails(ids)), set(_complaining(ids))) if ids else ({}, set())
    nameless = [customer.pk for customer in customers if customer.display_name == customer.number]
    # The oldest key last, so that it is the one that stays.
    known = {pk: f"{source} {key}" for pk, source, key in _keys(tuple(nameless))} if nameless else {}
    for customer in customers:
        email = emails.get(customer.pk, "")
        customer.email = email if sees_contacts or not email else masked("email", email)
        customer.open_complaint = customer.pk in complaining
        customer.known_as = known.get(customer.pk, "")


@compiled
def _emails(customers: tuple[int, ...]) -> QuerySet[ContactPoint, tuple[int, str]]:
    own = ContactPoint.objects.filter(customer__in=customers, kind=ContactPoint.Kind.EMAIL, is_primary=True)
    return own.values_list("customer", "value")


@compiled
def _keys(customers: tuple[int, ...]) -> QuerySet[CustomerKey, tuple[int, str, str]]:
    keys = CustomerKey.objects.filter(customer__in=customers).order_by("-pk")
    return keys.values_list("customer", "source__name", "external_id")


@compiled
def _complaining(customers: tuple[int, ...]) -> QuerySet[Complaint, int]:
    still_open = Complaint.objects.filter(customer__in=customers).exclude(state=Complaint.State.CLOSED)
    return still_open.values_list("customer", flat=True)


def columns() -> list[Column]:
    return sorted(plugins.collect(lambda plugin: plugin.list_columns()), key=lambda column: column.order)


def address(request: HttpRequest, cursor: str = "") -> str:
    """This list's address with only what is chosen in it, on the page of `cursor`."""
    kept = request.GET.copy()
    kept.pop("at", None)
    for name in [name for name in kept if not any(value.strip() for value in kept.getlist(name))]:
        del kept[name]
    if cursor:
        kept["at"] = cursor
    query = kept.urlencode()
    return f"{request.path}?{query}" if query else request.path
