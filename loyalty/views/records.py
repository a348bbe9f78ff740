"""What staff noted by hand about a customer: acts for the shop, memberships, facts about switching; and undoing it."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import changed
from crm.access import requires
from crm.models import AdvocacyAct, BarrierFact, Customer, Participation
from crm.views.profile import living
from loyalty.barriers import RECORDABLE
from loyalty.facts import YEAR
from loyalty.forms_records import ActForm, MembershipForm, noon
from loyalty.reasons import Names, amount

SHOWN = 100
KINDS = {"act": AdvocacyAct, "membership": Participation, "fact": BarrierFact}


@requires("customers.edit")
@require_GET
def records(request: HttpRequest, pk: int) -> HttpResponse:
    return page(request, living(pk))


@requires("customers.edit")
@require_POST
def record_act(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    form = ActForm(request.POST, customer=customer)
    if not form.is_valid():
        return page(request, customer, act=form, status=422)
    given = form.cleaned_data
    user: Any = request.user
    with transaction.atomic():
        AdvocacyAct.objects.create(
            customer=customer,
            kind=given["kind"],
            referred=given["referred"],
            note=given["note"],
            recorded_by=user,
            occurred_at=noon(given["day"]),
        )
        changed.mark([customer.pk])
    messages.success(request, _("Recorded. The scores follow within a minute."))
    return redirect("loyalty_records", pk=pk)


@requires("customers.edit")
@require_POST
def record_membership(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    form = MembershipForm(request.POST)
    if not form.is_valid():
        return page(request, customer, membership=form, status=422)
    given = form.cleaned_data
    member = given["kind"] == Participation.Kind.MEMBER
    with transaction.atomic():
        Participation.objects.create(
            customer=customer,
            kind=given["kind"],
            title=given["title"],
            occurred_at=noon(given["day"]),
            ended_at=day_end(given["until"]) if member and given["until"] else None,
        )
        changed.mark([customer.pk])
    messages.success(request, _("Recorded. The scores follow within a minute."))
    return redirect("loyalty_records", pk=pk)


@requires("customers.edit")
@require_POST
def end_membership(request: HttpRequest, pk: int, record: int) -> HttpResponse:
    """The customer is no longer a member from now on."""
    customer = living(pk)
    with transaction.atomic():
        running = Participation.objects.filter(pk=record, customer=customer, kind=Participation.Kind.MEMBER)
        running.exclude(ended_at__lte=timezone.now()).update(ended_at=timezone.now())
        changed.mark([customer.pk])
    messages.success(request, _("The membership has ended."))
    return redirect("loyalty_records", pk=pk)


@requires("customers.edit")
@require_POST
def undo(request: HttpRequest, pk: int, kind: str, record: int) -> HttpResponse:
    """Take back what was noted by mistake: it counts as never said. To correct it, note it anew."""
    customer = living(pk)
    if kind not in KINDS:
        raise Http404
    with transaction.atomic():
        get_object_or_404(KINDS[kind], pk=record, customer=customer).delete()
        changed.mark([customer.pk])
    messages.success(request, _("Taken back. The scores follow within a minute."))
    return redirect("loyalty_records", pk=pk)


def day_end(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time())) - timedelta(seconds=1)


def page(request: HttpRequest, customer: Customer, status: int = 200, **forms: Any) -> HttpResponse:
    shop: Any = request.shop  # type: ignore[attr-defined]
    context = {
        "customer": customer,
        "acts": acts(customer),
        "memberships": memberships(customer),
        "facts": facts(customer, shop.currency),
        "act": ActForm(customer=customer),
        "membership": MembershipForm(auto_id="membership_%s"),
    }
    return render(request, "loyalty/records.html", context | forms, status=status)


def acts(customer: Customer) -> list[dict[str, Any]]:
    """Newest first, with the last day on which each counts."""
    found = AdvocacyAct.objects.filter(customer=customer).select_related("referred", "recorded_by")
    today = timezone.localdate()
    rows = [(one, timezone.localtime(one.occurred_at).date() + YEAR) for one in found.order_by("-occurred_at")[:SHOWN]]
    return [{"act": one, "until": until, "counts": until >= today} for one, until in rows]


def memberships(customer: Customer) -> list[dict[str, Any]]:
    moment = timezone.now()
    found = Participation.objects.filter(customer=customer).exclude(kind=Participation.Kind.CONTEST)
    return [
        {
            "one": one,
            "runs": one.kind == Participation.Kind.MEMBER and (one.ended_at is None or one.ended_at > moment),
        }
        for one in found.order_by("-occurred_at")[:SHOWN]
    ]


def facts(customer: Customer, currency: str) -> list[dict[str, Any]]:
    """Every word ever recorded on a signal that still exists; the newest of each counts until it expires."""
    found = BarrierFact.objects.filter(customer=customer, signal__in=RECORDABLE).select_related("recorded_by")
    moment, seen, rows = timezone.now(), set(), []
    for fact in found.order_by("-recorded_at", "-pk")[:SHOWN]:
        signal = RECORDABLE[fact.signal]
        latest = fact.signal not in seen
        seen.add(fact.signal)
        rows.append(
            {
                "fact": fact,
                "label": signal.label,
                "value": amount(signal, float(fact.value), Names(currency=currency)),
                "counts": latest and (fact.expires_at is None or fact.expires_at > moment),
            }
        )
    return rows
