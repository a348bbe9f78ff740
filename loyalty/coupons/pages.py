"""The pages about coupons: batches with their figures, one batch, one code from end to end, print, gifts to a list."""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from crm import display, search
from crm.access import may, requires
from crm.days import today
from crm.filters import customer_filter
from crm.models import Customer, Source, User
from crm.paging import page_of
from crm.plugins import Panel
from crm.presence import needs
from crm.privacy import audit
from loyalty.coupons import codes, issuing, ledger, pdf, report, terms
from loyalty.coupons.forms import BatchForm, CodesForm, GiveForm, OwnCodeForm, VoidForm
from loyalty.coupons.ledger import Actor
from loyalty.coupons.qr import svg
from loyalty.models import Coupon, CouponBatch, Redemption

PRINTED = 200
PLACE = "counter_place"  # in the session: where this member of staff stands, as `loyalty.counter.place` asked
SHOWN = 5


def counter(request: HttpRequest) -> Actor:
    """Staff at the shop's own counter."""
    own = {"kind": Source.Kind.STAFF}
    source, _made = Source.objects.get_or_create(name="Counter", defaults=own)
    if source.kind != Source.Kind.STAFF:  # a shop system took the name before the first code was redeemed by hand
        source, _made = Source.objects.get_or_create(name="Counter of the staff", defaults=own)
    return Actor(source, request.user, place(request))  # type: ignore[arg-type]


def place(request: HttpRequest) -> str:
    """Where this member of staff stands, as they said; '' if they did not."""
    return str(request.session.get(PLACE, ""))


@requires("coupons.view")
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Every batch with what was issued, is open, was redeemed and what it brought; ?origin= shows those of one origin."""
    origin = request.GET.get("origin")
    found = report.batches(origin=origin, most=report.MOST + 1)
    shown = found[: report.MOST]
    context = {
        "batches": shown,
        "more": len(found) > len(shown),
        "origins": report.by_origin(shown),
        "origin": origin,
        "crumbs": crumbs((origin or _("by hand"), "")) if origin is not None else None,
        "compared": report.comparison([one.id for one in shown], shown[-1].created_at) if shown and origin is not None else None,
    }
    return render(request, "coupons/overview.html", context)


def crumbs(*further: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Coupons"), reverse("coupons")), *further]


@requires("coupons.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    form = BatchForm(request.POST or None, instance=CouponBatch(created_by_id=request.user.pk))
    if request.method == "POST" and form.is_valid():
        made = form.save()
        messages.success(request, _("The coupon is made. Now issue its codes."))
        return redirect("coupon_batch", made.pk)
    return render(
        request,
        "coupons/new.html",
        {"form": form, "crumbs": crumbs((_("New coupon"), ""))},
        status=422 if form.errors else 200,
    )


@requires("coupons.view")
@require_GET
def batch(request: HttpRequest, pk: int) -> HttpResponse:
    """One batch: terms, figures, and its codes a page at a time."""
    made = get_object_or_404(CouponBatch, pk=pk)
    (figures,), day = report.batches(pk), today()
    page = page_of(made.coupons.select_related("customer", "batch"), "code", request.GET.get("at", ""))
    context = {
        "batch": made,
        "figures": figures,
        "compared": report.comparison([pk], made.created_at),
        "terms": terms.sentences(made),
        "rows": [listed(one, day) for one in page.rows],
        "previous": f"?at={page.previous}" if page.previous else "",
        "next": f"?at={page.next}" if page.next else "",
        "crumbs": crumbs((made.title, "")),
        "codes": CodesForm(),
        "own": OwnCodeForm(),
        "pdf": pdf.offered(),
        "manages": may(request.user, "coupons.manage"),
    }
    return render(request, "coupons/batch.html", context)


def listed(coupon: Coupon, day: date) -> dict[str, Any]:
    """A code as lists show it, with its state in words."""
    return {"coupon": coupon, "shown": written(coupon), "state": state_of(coupon, day)}


def written(coupon: Coupon) -> str:
    return coupon.written or codes.shown(coupon.code)


def state_of(coupon: Coupon, day: date) -> dict[str, str]:
    reason = ledger.standing(coupon, day)
    words = {
        "": (_("open"), "circle-check", "good"),
        "voided": (_("voided"), "ban", "bad"),
        "expired": (_("expired"), "clock", ""),
        "not_yet": (_("not yet valid"), "clock", "due"),
        "used_up": (_("used up"), "check", ""),
    }
    word, icon, tone = words[reason]
    return {"word": word, "icon": icon, "tone": tone}


@requires("coupons.manage")
@require_POST
def issue(request: HttpRequest, pk: int) -> HttpResponse:
    """More codes without a customer, or one that was thought of."""
    made = get_object_or_404(CouponBatch, pk=pk)
    form = OwnCodeForm(request.POST) if "written" in request.POST else CodesForm(request.POST)
    try:
        if not form.is_valid():
            raise issuing.IssueError(" ".join(str(error) for errors in form.errors.values() for error in errors))
        if isinstance(form, OwnCodeForm):
            issuing.thought_of(made, **form.cleaned_data, staff=request.user)  # type: ignore[arg-type]
            messages.success(request, _("The code is made."))
        else:
            count = issuing.many(made, form.cleaned_data["count"], request.user)  # type: ignore[arg-type]
            said = ngettext("%(n)s code is made.", "%(n)s codes are made.", count) % {"n": display.number(count)}
            messages.success(request, said)
    except issuing.IssueError as refused:
        messages.error(request, str(refused))
    return redirect("coupon_batch", pk)


@requires("coupons.manage")
@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """End a batch: its codes are refused from now on, and it issues no more."""
    CouponBatch.objects.filter(pk=pk, stopped_at=None).update(stopped_at=now())
    audit.record(request.user.pk, "stopped", "coupon batch", pk)
    messages.success(request, _("The coupon is stopped. Its codes are refused from now on."))
    return redirect("coupon_batch", pk)


@requires("coupons.manage")
@require_GET
def download(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """All codes of a batch as CSV, streamed."""
    made = get_object_or_404(CouponBatch, pk=pk)
    audit.record(request.user.pk, "exported", "coupon batch", pk)
    response = StreamingHttpResponse(_csv(made), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="coupons-{pk}.csv"'
    return response


class _Line:
    def write(self, text: str) -> str:
        return text


def _csv(made: CouponBatch) -> Iterable[str]:
    out = csv.writer(_Line())
    yield "\ufeff" + out.writerow(["code", "customer", "valid_from", "valid_until", "uses", "used", "left"])
    for one in made.coupons.order_by("pk").iterator(chunk_size=5_000):
        yield out.writerow(
            [written(one), one.customer_id or "", one.valid_from or "", one.valid_until or "", one.uses, one.used,
             "" if one.left is None else one.left]
        )  # fmt: skip


@requires("coupons.view")
@require_GET
def print_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """Open codes to print and cut out, each with its QR code and the terms."""
    made = get_object_or_404(CouponBatch, pk=pk)
    found, more = _cards(made)
    context = {"batch": made, "codes": found, "more": more, "worth": terms.worth(made), "pdf": pdf.offered()}
    return render(request, "coupons/print.html", context)


def _cards(made: CouponBatch) -> tuple[list[dict[str, Any]], int]:
    """What the first PRINTED open codes show in print, and how many there are beyond."""
    usable = open_codes(made.coupons.select_related("batch").order_by("pk"))
    found = [
        {"shown": written(one), "qr": svg(one.code), "terms": " ".join(terms.sentences(made, one)[1:])}
        for one in usable[:PRINTED]
    ]
    return found, usable.count() - len(found)


@requires("coupons.view")
@require_GET
def pdf_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as PDF, where the extra `pdf` is installed; else the page that the browser prints."""
    made = get_object_or_404(CouponBatch, pk=pk)
    try:
        sheet = pdf.sheet(made, _cards(made)[0], terms.worth(made))
    except pdf.NoPdf:
        messages.error(request, _("This installation makes no PDF. An administrator can add it; here is the page to print."))
        return redirect("coupon_print", pk)
    response = HttpResponse(sheet, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="coupons-{pk}.pdf"'
    return response


def open_codes(found: QuerySet[Coupon]) -> QuerySet[Coupon]:
    """Codes that could be used today, but for the basket."""
    day = today()
    return found.filter(
        Q(valid_until=None) | Q(valid_until__gte=day), Q(left=None) | Q(left__gt=0), voided_at=None, used__lt=F("uses"),
        batch__stopped_at=None,
    )  # fmt: skip


@requires("coupons.view")
@require_http_methods(["GET", "HEAD"])
def code(request: HttpRequest, code: str) -> HttpResponse:
    """One code from end to end: whose it is, where it came from, every step, every purchase."""
    found = get_object_or_404(Coupon.objects.select_related("batch", "customer"), code=codes.canonical(code))
    context = {
        "coupon": found,
        "shown": written(found),
        "state": state_of(found, today()),
        "terms": terms.sentences(found.batch, found),
        "qr": svg(found.code),
        "history": ledger.history(found),
        "redemptions": found.redemptions.select_related("purchase", "customer", "source").order_by("pk"),
        "form": VoidForm(),
        "crumbs": crumbs((found.batch.title, reverse("coupon_batch", args=[found.batch_id])), (written(found), "")),
        "may_void": may(request.user, "coupons.redeem") and found.voided_at is None,
        "may_replace": may(request.user, "coupons.redeem") and issuing.replaceable(found),
    }
    return render(request, "coupons/code.html", context)


@requires("coupons.redeem")
@require_POST
def void(request: HttpRequest, code: str) -> HttpResponse:
    found = get_object_or_404(Coupon, code=codes.canonical(code))
    form = VoidForm(request.POST)
    if form.is_valid():
        ledger.void([found.pk], counter(request), form.cleaned_data["reason"])
        messages.success(request, _("The code is void."))
    else:
        messages.error(request, _("Nothing was changed. Say why the code ends."))
    return redirect("coupon", found.code)


@requires("coupons.view")
@require_GET
def find(request: HttpRequest) -> HttpResponse:
    """From a typed code to its page."""
    found = ledger.find(request.GET.get("code", ""))
    if found is None:
        messages.error(request, _("No code reads like this. Check it symbol by symbol."))
        return redirect("coupons")
    return redirect("coupon", found.code)


@requires("coupons.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest) -> HttpResponse:
    """One code for every customer of a filtered list; the list's filters stand in the address."""
    found = chosen(request.GET)
    count = found.count()
    form = GiveForm(request.POST or None, count=count)
    if request.method == "POST" and form.is_valid():
        made: CouponBatch = form.cleaned_data["batch"]
        cause = cause_of(made, request.GET)
        fresh = issuing.to_customers(made, found.values_list("pk", flat=True), cause, request.user)  # type: ignore[arg-type]
        audit.record(request.user.pk, "issued", "coupon batch", made.pk)
        said = ngettext("%(n)s customer got a code.", "%(n)s customers got a code.", fresh)
        messages.success(request, said % {"n": display.number(fresh)})
        return redirect("coupon_batch", made.pk)
    context = {"form": form, "count": count, "back": request.GET.urlencode()}
    return render(request, "coupons/give.html", context, status=422 if form.errors else 200)


def cause_of(made: CouponBatch, query: QueryDict) -> str:
    """What a list's codes are issued for: the same for the same list on the same day. Without what was searched for, since
    that may be a name and the ledger keeps it for good."""
    return f"list {today()} {hashlib.sha256(query.urlencode().encode()).hexdigest()[:12]} batch {made.pk}"


def chosen(query: QueryDict) -> QuerySet[Customer]:
    """The customers of the list that `query` shows."""
    everybody = Customer.objects.filter(merged_into=None, erased_at=None)
    return customer_filter(query, search.matching(everybody, query.get("q", ""), beginnings=False)).qs.order_by("pk")


# On the profile


def panels(customer: Customer, user: User) -> Iterable[Panel]:
    """The customer's open codes with their days, and what was redeemed last. Three queries at most."""
    if not may(user, "coupons.view"):
        return []
    context = {
        "open": [
            {"coupon": one, "shown": written(one), "worth": terms.worth(one.batch, one.left)}
            for one in _usable(customer)
        ],
        "redeemed": _redeemed(customer),
        "customer": customer,
        "gives": may(user, "coupons.manage"),
    }
    return [Panel("side", "coupons/panel.html", context, order=70)]


@needs(Coupon)
def _usable(customer: Customer) -> Sequence[Coupon]:
    usable = open_codes(customer.coupons.select_related("batch__free_product"))
    return list(usable.order_by("valid_until", "pk")[:SHOWN])


@needs(Redemption)
def _redeemed(customer: Customer) -> Sequence[Redemption]:
    done = Redemption.objects.filter(customer=customer, state=Redemption.State.REDEEMED).select_related("coupon__batch")
    return list(done.order_by("-redeemed_at")[:SHOWN])
