"""What staff write down on a customer's page. Each form posts to its own address and works without JavaScript."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import changed, complaints, contacts, plugins
from crm.access import requires
from crm.forms_records import AnswerForm, BarrierForm, CaseForm, CloseForm, ComplaintForm, ContactForm
from crm.models import BarrierFact, Complaint
from crm.views.profile import living, profile

UNPROCESSABLE = 422


@requires("customers.edit")
@require_POST
def record_contact(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    form = ContactForm(request.POST)
    if not form.is_valid():
        return profile(request, customer, {"contact": form}, status=UNPROCESSABLE)
    given = form.cleaned_data
    contacts.record_interaction(
        customer,
        channel=given["channel"],
        touchpoint=given["touchpoint"],
        note=given["note"],
        felt=given["emotions"],
        origin=given["origin"],
        rating=given["rating"],
        staff=request.user,  # type: ignore[arg-type]  # `requires` lets only users pass
    )
    messages.success(request, _("The contact is recorded."))
    return redirect("customer", pk=pk)


@requires("customers.edit")
@require_POST
def open_complaint(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    form = ComplaintForm(request.POST, user=request.user)  # type: ignore[arg-type]
    if not form.is_valid():
        return profile(request, customer, {"complaint": form}, status=UNPROCESSABLE)
    case = complaints.open_complaint(customer, **form.cleaned_data)
    messages.success(
        request, _("Complaint %(number)s is open. Advertising rests until it is closed.") % {"number": case.number}
    )
    return redirect("customer", pk=pk)


@requires("customers.edit")
@require_POST
@transaction.atomic
def record_barriers(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    signals = plugins.collect(lambda plugin: plugin.barrier_signals())
    form = BarrierForm(request.POST, signals=signals, currency=request.shop.currency)  # type: ignore[attr-defined]
    if not form.is_valid():
        return profile(request, customer, {"barriers": form}, status=UNPROCESSABLE)
    BarrierFact.objects.bulk_create(
        BarrierFact(
            customer=customer,
            signal=signal,
            value=value,
            note=form.cleaned_data["note"],
            expires_at=form.cleaned_data["valid_until"],
            recorded_by=request.user,  # type: ignore[misc]
            recorded_at=timezone.now(),
        )
        for signal, value in form.values().items()
    )
    changed.mark([customer.pk])
    messages.success(request, _("Recorded. The scores follow within a minute."))
    return redirect("customer", pk=pk)


@requires("customers.view")
@require_GET
def complaint(request: HttpRequest, pk: int) -> HttpResponse:
    return case_page(request, case_of(pk))


@requires("customers.edit")
@require_POST
def change_complaint(request: HttpRequest, pk: int) -> HttpResponse:
    case = case_of(pk)
    form = CaseForm(request.POST)
    if not form.is_valid():
        return case_page(request, case, change=form, status=UNPROCESSABLE)
    complaints.reassign(case, **form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect(case)


@requires("customers.edit")
@require_POST
def answer_complaint(request: HttpRequest, pk: int) -> HttpResponse:
    case = case_of(pk)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return case_page(request, case, answer=form, status=UNPROCESSABLE)
    complaints.answer(case, staff=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    messages.success(request, _("The answer stands in the timeline. Close the case once it is solved."))
    return redirect(case)


@requires("customers.edit")
@require_POST
def close_complaint(request: HttpRequest, pk: int) -> HttpResponse:
    case = case_of(pk)
    form = CloseForm(request.POST)
    if not form.is_valid():
        return case_page(request, case, close=form, status=UNPROCESSABLE)
    complaints.close(case, **form.cleaned_data)
    messages.success(request, _("Complaint %(number)s is closed.") % {"number": case.number})
    return redirect("customer", pk=case.customer_id)


def case_of(pk: int) -> Complaint:
    """The case, unless its customer is gone. Raises Http404."""
    cases = Complaint.objects.select_related("customer", "owner")
    return get_object_or_404(cases, pk=pk, customer__erased_at=None)


def case_page(request: HttpRequest, case: Complaint, status: int = 200, **forms: object) -> HttpResponse:
    held = {"severity": case.severity, "owner": case.owner, "due_at": case.due_at}
    fresh = {"change": CaseForm(initial=held), "answer": AnswerForm(), "close": CloseForm()}
    return render(request, "customers/complaint.html", {"case": case} | fresh | forms, status=status)
