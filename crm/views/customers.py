"""The list of customers: search, filters, one page at a time."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from crm import access, plugins, search
from crm.access import LOGGED_IN, requires
from crm.filters import customer_filter
from crm.masking import masked
from crm.models import Complaint, ContactPoint, Customer, CustomerKey
from crm.paging import COUNT_LIMIT, counted, page_of
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
    page = page_of(found, "sort_key", request.GET.get("at", ""), gather=gather, dress=shown)
    for customer in page.rows:
        customer.email = email_of(customer, sees_contacts)
    chosen = [name for name in filters.form.fields if request.GET.get(name)]
    return {
        "q": text,
        "filter": filters,
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


def shown(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """With all that a row shows, in a number of queries that does not grow with the rows."""
    rows: QuerySet[Any] = customers.select_related("assigned_to").prefetch_related(
        Prefetch(
            "contact_points",
            ContactPoint.objects.filter(kind=ContactPoint.Kind.EMAIL, is_primary=True),
            to_attr="emails",
        ),
        Prefetch("complaints", Complaint.objects.exclude(state=Complaint.State.CLOSED), to_attr="open_complaints"),
        Prefetch("keys", CustomerKey.objects.select_related("source").order_by("pk"), to_attr="known_as"),
    )
    for plugin in plugins.registered():
        rows = plugin.list_queryset(rows)
    return rows


def columns() -> list[Column]:
    return sorted(plugins.collect(lambda plugin: plugin.list_columns()), key=lambda column: column.order)


def email_of(customer: Any, sees_contacts: bool) -> str:
    if not customer.emails:
        return ""
    return customer.emails[0].value if sees_contacts else masked("email", customer.emails[0].value)


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
