"""The privacy desk of one person: what is known, put right, restrict, object, erase, prove."""

from datetime import datetime, time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import consent
from crm.access import requires
from crm.display import instant
from crm.filters import purpose_label
from crm.forms_privacy import EraseForm, RectifyForm, RequestForm
from crm.models import Channel, ConsentEvent, Customer, PrivacyRequest, SealedRecord, Shop, Suppression
from crm.permission import CONTACT_KIND
from crm.privacy import audit, erasure, export, exports, persons, proof, rectify, registry, requests, sealed, sealing
from crm.step_up import recent_login

MANAGE = "privacy.manage"
UNPROCESSABLE = 422
GONE = 410
OBJECTABLE = (Channel.EMAIL, Channel.PHONE, Channel.POST, Channel.MESSAGE)


def living(pk: int) -> Customer:
    """A customer whose rights can be served here. Raises Http404, also for one that was merged or erased."""
    return get_object_or_404(Customer, pk=pk, erased_at=None, merged_into=None)


@requires(MANAGE)
@require_GET
def desk(request: HttpRequest, pk: int) -> HttpResponse:
    """The desk; for an erased person what stayed, for a merged record the desk of the one in use."""
    customer = Customer.objects.filter(pk=pk, erased_at=None).first()
    if customer is None:
        return erased(request, pk)
    if customer.merged_into_id:
        return redirect("privacy_desk", pk=customer.merged_into_id)
    return shown(request, customer, {})


def shown(request: HttpRequest, customer: Customer, forms: dict[str, Any], status: int = 200) -> HttpResponse:
    person = persons.person_of(customer)
    context = {
        "customer": customer,
        "requests": requests.in_order().filter(customer_number__in=person.ids),
        "record": forms.get("record") or RequestForm(initial={"received_on": timezone.localdate()}),
        "proofs": proofs(proof.declarations(person.keys)),
        "changes": customer.changes.select_related("actor").order_by("-at", "-pk")[: rectify.LONGEST_HISTORY],
        "objected": objected(person),
        "today": timezone.localdate(),
    }
    return render(request, "privacy/desk.html", context, status=status)


def proofs(declared: list[ConsentEvent]) -> list[dict[str, Any]]:
    """The sheets there are: one for each purpose and channel that was ever spoken of, with the last declaration."""
    last = {(one.purpose_id, one.channel): one for one in declared}
    return [
        {"purpose": purpose, "channel": channel, "label": purpose_label(one.purpose), "last": one}
        for (purpose, channel), one in sorted(last.items())
    ]


def objected(person: persons.Person) -> ConsentEvent | None:
    """The last objection, for the words beside the button."""
    ledger = ConsentEvent.objects.filter(person_key__in=person.keys, action=ConsentEvent.Action.OBJECTED)
    return ledger.order_by("-occurred_at").first()


def erased(request: HttpRequest, number: int) -> HttpResponse:
    """What stayed of somebody who was erased; 404 for a number that never was a customer's."""
    log = persons.erased_person(number)
    if log is None:
        raise Http404
    declared = proof.declarations([log.person_key]) if log.person_key else []
    context = {
        "number": f"K-{number}",
        "log": log,
        "records": SealedRecord.objects.filter(erasure=log).order_by("year"),
        "proofs": proofs(declared),
        "requests": requests.in_order().filter(customer_number=number),
        "today": timezone.localdate(),
    }
    return render(request, "privacy/erased.html", context, status=GONE)


@requires(MANAGE)
@require_POST
def record(request: HttpRequest, pk: int) -> HttpResponse:
    customer = living(pk)
    form = RequestForm(request.POST)
    if not form.is_valid():
        return shown(request, customer, {"record": form}, status=UNPROCESSABLE)
    received = timezone.make_aware(datetime.combine(form.cleaned_data["received_on"], time(12)))
    made = requests.record(pk, form.cleaned_data["kind"], min(received, timezone.now()), request.user.pk)
    messages.success(request, _("The request is recorded. It is due on %(day)s.") % {"day": day_of(made)})
    return redirect("privacy_desk", pk=pk)


def day_of(made: PrivacyRequest) -> str:
    from crm.display import day

    return day(made.due_on) or ""


@requires(MANAGE)
@recent_login("privacy_data", reading=True)
@require_GET
def data(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that is known, to read and to print (Art. 15 GDPR)."""
    customer = Customer.objects.filter(pk=pk, erased_at=None, merged_into=None).first()
    if customer is None:
        return erased(request, pk)
    sections = export.collect(customer)
    audit.record(request.user.pk, "shown", "customer", pk)
    context = {
        "customer": customer,
        "sections": [section.filled for section in sections if section.columns],
        "made_at": timezone.now(),
        "tables": [table for table in registry.of_customers() if table.why],
    }
    return render(request, "privacy/data.html", context)


@requires(MANAGE)
@recent_login("privacy_desk")
@require_POST
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The same to take along: JSON and CSV in one ZIP (Art. 20 GDPR)."""
    customer = Customer.objects.filter(pk=pk, erased_at=None, merged_into=None).first()
    if customer is None:
        return erased(request, pk)
    if again := exports.take(request.user.pk, "customer", pk):  # type: ignore[arg-type]
        messages.error(request, refused_export(again))
        return redirect("privacy_desk", pk=pk)
    packed = export.archive(customer)
    name = f"{customer.number}-{timezone.localdate():%Y-%m-%d}.zip"
    return HttpResponse(
        packed,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def refused_export(again: datetime) -> str:
    """Why no export is made, and when the next one may be."""
    most = Shop.current().exports_per_day
    if not most:
        return _("The shop's settings allow no exports. An administrator can change that.")
    told = ngettext(
        "You made %(n)d export within 24 hours, which is the limit. The next one is possible from %(at)s.",
        "You made %(n)d exports within 24 hours, which is the limit. The next one is possible from %(at)s.",
        most,
    )
    return told % {"n": most, "at": instant(again)}


@requires(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def mend(request: HttpRequest, pk: int) -> HttpResponse:
    """Put master data right."""
    customer = living(pk)
    if request.method != "POST":
        known = rectify.values_of(customer)
        parts = {name: getattr(customer, name) for name in rectify.BIRTHDAY}
        return render(request, "privacy/rectify.html", {"customer": customer, "form": RectifyForm(initial=known | parts)})
    form = RectifyForm(request.POST)
    if not form.is_valid():
        return render(request, "privacy/rectify.html", {"customer": customer, "form": form}, status=UNPROCESSABLE)
    done = rectify.rectify(pk, form.values(), request.user.pk)
    if done:
        text = _("Put right. Please tell those who got the wrong data, such as the shop system (Art. 19 GDPR).")
        messages.success(request, text)
    else:
        messages.info(request, _("Nothing was changed."))
    return redirect("privacy_desk", pk=pk)


@requires(MANAGE)
@require_POST
def restrict(request: HttpRequest, pk: int) -> HttpResponse:
    """Restrict the use of the data, or lift that: `restricted` is 1 or 0."""
    living(pk)
    restricted = request.POST.get("restricted") == "1"
    rectify.restrict(pk, restricted, request.user.pk)
    done = _("The data is restricted: no advertising is sent.") if restricted else _("The restriction is lifted.")
    messages.success(request, done)
    return redirect("privacy_desk", pk=pk)


@requires(MANAGE)
@require_POST
def object_to_advertising(request: HttpRequest, pk: int) -> HttpResponse:
    """Record the objection to all advertising, on every channel (Art. 21(2) GDPR)."""
    living(pk)
    how = consent.How(ConsentEvent.Method.STAFF, actor_id=request.user.pk)
    for channel in OBJECTABLE:
        consent.object_to_advertising(pk, how, channel)
    audit.record(request.user.pk, "objected", "customer", pk)
    requests.answer(pk, ["object"], request.user.pk)
    messages.success(request, _("The objection is recorded. No advertising goes to this person any more."))
    return redirect("privacy_desk", pk=pk)


@requires(MANAGE)
@recent_login("privacy_erase")
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would go and what would stay; erase once the number is typed. Erasing twice says so."""
    customer = Customer.objects.filter(pk=pk, erased_at=None, merged_into=None).first()
    if customer is None:
        return erased(request, pk)
    form = EraseForm(request.POST or None, number=customer.number)
    if request.method == "POST" and form.is_valid():
        try:
            erasure.erase(pk, request.user.pk)
        except erasure.AlreadyErased:
            return erased(request, pk)
        messages.success(request, _("%(number)s is erased.") % {"number": customer.number})
        return redirect("privacy_desk", pk=pk)
    lines = erasure.preview(customer)
    context = {
        "customer": customer,
        "form": form,
        "going": [line for line in lines if line.fate == registry.Fate.DELETE],
        "staying": [(line, registry.FATES[line.fate]) for line in lines if line.fate != registry.Fate.DELETE],
        "suppression": Suppression.Reason.ERASED.label,
    }
    return render(request, "privacy/erase.html", context, status=UNPROCESSABLE if form.errors else 200)


@requires(MANAGE)
@require_GET
def proof_sheet(request: HttpRequest, pk: int, purpose: str, channel: str) -> HttpResponse:
    """The proof of one consent, to print; also of somebody who was erased, as long as it is kept."""
    customer = Customer.objects.filter(pk=pk, erased_at=None).first()
    log = None if customer else persons.erased_person(pk)
    if customer is None and (log is None or log.person_key is None):
        raise Http404
    keys = persons.person_of(customer).keys if customer else [log.person_key]  # type: ignore[union-attr]
    point = customer.contact_points.filter(kind=CONTACT_KIND.get(channel), is_primary=True).first() if customer else None
    sheet = proof.sheet(keys, purpose, channel, point.normal if point else "")  # type: ignore[arg-type]
    if sheet is None:
        raise Http404
    audit.record(request.user.pk, "proved", "customer", pk)
    context = {
        "customer": customer,
        "number": f"K-{pk}",
        "pk": pk,
        "person_key": keys[0],
        "sheet": sheet,
        "purpose": purpose_label(sheet.declarations[0].purpose),
        "channel": Channel(channel).label,
        "made_at": timezone.now(),
    }
    return render(request, "privacy/proof.html", context)


def desk_of_sealed(pk: str) -> str:
    record = SealedRecord.objects.select_related("erasure").filter(pk=pk).first()
    return reverse("privacy_desk", args=[record.erasure.customer_number]) if record else reverse("privacy")


@requires(MANAGE)
@recent_login(desk_of_sealed)
@require_POST
def open_sealed(request: HttpRequest, pk: str) -> HttpResponse:
    """Open what was sealed, for bookkeeping. Every opening stands in the audit."""
    record = get_object_or_404(SealedRecord.objects.select_related("erasure"), pk=pk)
    try:
        content = sealed.opened(record, request.user.pk)
    except sealing.SealError as refused:
        messages.error(request, _("It does not open: %(why)s.") % {"why": refused})
        return redirect("privacy_desk", pk=record.erasure.customer_number)
    return render(request, "privacy/sealed.html", {"record": record, "content": content})


