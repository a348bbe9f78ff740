"""A customer's page: who is this, how do we stand, what should I do?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import ExtractYear
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from crm import access, alerts, display, emotions, plugins, timeline
from crm.access import requires
from crm.compiled import compiled
from crm.filters import purpose_label
from crm.forms import blank, fields
from crm.forms_records import ComplaintForm
from crm.forms_tasks import FinishForm, PromiseForm
from crm.masking import DOTS, masked
from crm.models import (
    BarrierFact,
    Channel,
    Complaint,
    ConsentState,
    ContactPoint,
    Customer,
    CustomerKey,
    Purchase,
    Purpose,
    Task,
)
from crm.presence import needs
from crm.salutation import address_of, opening
from crm.views.profile_forms import blank_facts, contact_fields

# Permissions to look closer, not to write.
NO_MAIL = {"tracking", "profiling"}
VALID = Q(status__in=[Purchase.Status.PAID, Purchase.Status.COMPLETED], net__gt=0)


@requires("customers.view")
@require_GET
@vary_on_headers("HX-Request")
def customer(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; for HTMX the timeline alone. A merged record leads to the one it became part of."""
    found = _found(pk)
    if found.merged_into_id:
        return redirect("customer", pk=found.merged_into_id)
    if request.htmx:  # type: ignore[attr-defined]
        part = "more" if "before" in request.GET else "timeline"
        return render(request, f"customers/timeline.html#{part}", {"customer": found} | history(request, found))
    return profile(request, found, {})


def living(pk: int) -> Customer:
    """The customer whose record may still be written to. Raises Http404."""
    found = _found(pk)
    if found.merged_into_id:
        raise Http404
    return found


def _found(pk: int) -> Customer:
    """The customer, maybe one that became part of another. Raises Http404."""
    if not (found := _kept(pk)):
        raise Http404
    return found[0]


@compiled
def _kept(customer: int) -> QuerySet[Customer]:
    return Customer.objects.select_related("assigned_to").filter(pk=customer, erased_at=None)


def profile(request: HttpRequest, customer: Customer, forms: dict[str, Form], status: int = 200) -> HttpResponse:
    """The whole page. `forms` holds what could not be saved, with its errors."""
    sees_contacts = access.may(request.user, "pii.view")
    signals = [plugins.BarrierSignal(*signal) for signal in plugins.collect(lambda plugin: plugin.barrier_signals())]
    language = customer.language or request.shop.language  # type: ignore[attr-defined]
    context = {
        "customer": customer,
        "salutation": opening(address_of(customer), language),
        "panels": panels(request, customer),
        "open_complaints": open_complaints(customer),
        "tasks": waiting(customer),
        "finish": blank(FinishForm, auto_id=False),
        "promise": blank(PromiseForm, as_of=timezone.localdate(), auto_id="promise_%s"),
        "points": contact_points(customer, sees_contacts),
        "birthday": birthday(customer, sees_contacts),
        "keys": keys(customer.pk),
        "consents": (allowed := consents(customer)),
        "consents_pending": any(
            one["answer"] in ("waiting", "moved") and one["channel"] == Channel.EMAIL for one in allowed
        ),
        "purchases": purchases(customer),
        "signals": signals,
        "facts": recorded(customer, signals),
        "contact_fields": contact_fields(forms.get("contact")),
        "complaint": forms.get("complaint") or ComplaintForm(user=request.user, auto_id="complaint_%s"),  # type: ignore[arg-type]
        "barriers": (barriers := forms.get("barriers")),
        "barrier_fields": fields(barriers) if barriers else blank_facts(signals, request.shop.currency),  # type: ignore[attr-defined]
        "sees_contacts": sees_contacts,
    }
    return render(request, "customers/profile.html", context | history(request, customer), status=status)


def history(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """The timeline as the URL asks: ?kind= one kind, ?before= older than an instant."""
    kind, before = request.GET.get("kind", ""), cursor(request.GET.get("before", ""))
    if kind and kind not in timeline.all_kinds():
        raise Http404
    months = timeline.months(customer, kind, before)
    shown = timezone.localtime(before).date().replace(day=1) if before else None
    return {
        "chips": timeline.chips(customer) if "before" not in request.GET or not request.htmx else (),  # type: ignore[attr-defined]
        "kind": kind,
        "months": months,
        "begun": shown,
        "emotions": emotions.BY_CODE,
        "is_older": before is not None,
    }


def cursor(text: str) -> datetime | None:
    try:
        before = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return before if before and timezone.is_aware(before) and 1900 < before.year < 2200 else None


def panels(request: HttpRequest, customer: Customer) -> dict[str, list[SafeString]]:
    """What the upper apps add, rendered, by slot."""
    asked = plugins.collect(lambda plugin: plugin.panels(customer, request.user))  # type: ignore[arg-type]
    slots: dict[str, list[SafeString]] = defaultdict(list)
    for panel in sorted(asked, key=lambda panel: panel.order):
        context = {"customer": customer, **panel.context}
        # Rendered by the template engine, which has escaped what came from outside.
        slots[panel.slot].append(mark_safe(render_to_string(panel.template, context, request)))  # noqa: S308
    return dict(slots)


@needs(Complaint)
def open_complaints(customer: Customer) -> list[Complaint]:
    return list(customer.complaints.exclude(state=Complaint.State.CLOSED).select_related("owner"))


@compiled
def keys(customer: int) -> QuerySet[CustomerKey]:
    return CustomerKey.objects.filter(customer=customer).select_related("source").order_by("source__name", "pk")


@needs(Task)
def waiting(customer: Customer) -> list[tuple[Task, str]]:
    """The open tasks, the nearest first, each with why."""
    tasks = customer.tasks.filter(state=Task.State.OPEN).select_related("owner").order_by("due_at", "pk")
    return [(task, task.text or alerts.sentence(task.detail)) for task in tasks]


def contact_points(customer: Customer, sees_contacts: bool) -> list[dict[str, Any]]:
    return [
        {"point": point, "shown": point.value if sees_contacts else masked(point.kind, point.value)}
        for point in _points(customer.pk)
    ]


@compiled
def _points(customer: int) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.filter(customer=customer).order_by("-kind", "-is_primary", "pk")


def birthday(customer: Customer, sees_contacts: bool) -> dict[str, Any] | None:
    """The day as written and the next time it comes; on 28 February where a year has no 29th."""
    if not customer.birth_month or not customer.birth_day:
        return None
    if not sees_contacts:
        return {"hidden": DOTS}
    today = timezone.localdate()
    this_year = _in_year(today.year, customer.birth_month, customer.birth_day)
    following = this_year if this_year >= today else _in_year(today.year + 1, customer.birth_month, customer.birth_day)
    written = display.birthday(customer.birth_month, customer.birth_day, customer.birth_year)
    return {"written": written, "next": following, "today": following == today}


def _in_year(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, 2, 28)


def consents(customer: Customer) -> list[dict[str, Any]]:
    """Where the customer stands with every purpose by e-mail, and with every other channel ever asked for."""
    states = {(state.purpose_id, state.channel): state for state in _states(customer.pk)}
    purposes = {purpose.code: purpose for purpose in _purposes()}
    asked = [(code, channel) for code, channel in states if channel != Channel.EMAIL]
    shown = [(code, Channel.EMAIL.value) for code in purposes if purposes[code].active or (code, "email") in states]
    return [
        {
            "label": purpose_label(purposes[code]),
            "channel": Channel(channel),
            "is_mail": channel == Channel.EMAIL and code not in NO_MAIL,
            "state": states.get((code, channel)),
            "answer": _answer(states.get((code, channel))),
        }
        for code, channel in [*shown, *sorted(asked)]
    ]


@compiled
def _states(customer: int) -> QuerySet[ConsentState]:
    return ConsentState.objects.filter(customer=customer)


@compiled
def _purposes() -> QuerySet[Purpose]:
    return Purpose.objects.all()


def _answer(state: ConsentState | None) -> str:
    """yes, no, waiting, moved or never: what the badge says."""
    if state is None:
        return "never"
    words = {ConsentState.State.GIVEN: "yes", ConsentState.State.PENDING: "waiting", ConsentState.State.MOVED: "moved"}
    return words.get(state.state, "no")  # type: ignore[call-overload]


def purchases(customer: Customer) -> dict[str, Any]:
    """Totals of what was bought, by year and altogether; the amounts are of valid purchases."""
    years = _years(customer.pk)
    net, number, everything = _sum(years, "net"), _sum(years, "number") or 0, _sum(years, "all") or 0
    return {
        "number": number,
        "net": net,
        "returned": _sum(years, "returned"),
        "all": everything,
        "void": everything - number,
        "first": min((year["first"] for year in years), default=None),
        "last": max((year["last"] for year in years), default=None),
        "average": net / number if net is not None and number else None,
        "years": years[:5],
    }


@compiled
def _years(customer: int) -> QuerySet[Any, Any]:
    """The latest first."""
    years = Purchase.objects.filter(customer=customer).annotate(year=ExtractYear("ordered_on")).order_by("-year")
    return years.values("year").annotate(
        number=Count("pk", filter=VALID),
        net=Sum("net", filter=VALID),
        returned=Sum("returned"),
        all=Count("pk"),
        first=Min("ordered_on"),
        last=Max("ordered_on"),
    )


def _sum(years: Sequence[dict[str, Any]], name: str) -> Any:
    """None where there is nothing to add."""
    known = [year[name] for year in years if year[name] is not None]
    return sum(known) if known else None


@needs(BarrierFact)
def recorded(customer: Customer, signals: Iterable[plugins.BarrierSignal]) -> list[dict[str, Any]]:
    """The latest fact of each signal, with the signal; one that nobody defines any more is left out."""
    known = {signal.code: signal for signal in signals}
    latest = BarrierFact.objects.filter(customer=customer, signal__in=known).select_related("recorded_by")
    facts = {fact.signal: fact for fact in latest.order_by("signal", "-recorded_at", "-pk").distinct("signal")}
    now = timezone.now()
    return [
        {
            "signal": known[code],
            "fact": fact,
            "whole": int(fact.value.quantize(Decimal(1), ROUND_HALF_UP)),  # as `number` writes it: for the plural
            "expired": fact.expires_at is not None and fact.expires_at <= now,
        }
        for code in known
        if (fact := facts.get(code))
    ]
