"""Silenced addresses: look one up, add, lift. What is asked never stands in a URL or a log."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm import suppressions
from crm.access import requires
from crm.display import number
from crm.forms_suppressions import AddForm, LiftForm, ListForm, LookUpForm
from crm.models import ContactPoint, Suppression

PAGE = 50
REFUSED_SHOWN = 20


@requires("settings.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """The list, newest first; a POST asks about one address."""
    form = LookUpForm(request.POST or None)
    answer: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        answer = _answer(form.cleaned_data["asked"])
    return _page(request, look_up=form, status=422 if form.errors else 200, **answer)


@requires("settings.manage")
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    form = AddForm(request.POST)
    if not form.is_valid():
        return _page(request, add=form, status=422)
    if suppressions.add(form.cleaned_data["address"], form.cleaned_data["note"], request.user.pk):
        messages.success(request, _("The address gets no advertising any more."))
    else:
        messages.info(request, _("The address stands on the stop list already."))
    return redirect("settings_suppressions")


@requires("settings.manage")
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    form = ListForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, upload=form, status=422)
    try:
        content = form.cleaned_data["file"].read(suppressions.MOST_BYTES + 1)
        taken = suppressions.take_list(content, form.cleaned_data["list_note"], request.user.pk)
    except suppressions.SuppressionError as refused:
        form.add_error("file", str(refused))
        return _page(request, upload=form, status=422)
    text = ngettext("%(n)s address added", "%(n)s addresses added", taken.added) % {"n": number(taken.added)}
    if taken.known:
        text += ", " + ngettext("%(n)s stood there already", "%(n)s stood there already", taken.known) % {
            "n": number(taken.known)
        }
    if taken.twice:
        text += ", " + ngettext("%(n)s row stood in it twice", "%(n)s rows stood in it twice", taken.twice) % {
            "n": number(taken.twice)
        }
    (messages.success if taken.added else messages.info)(request, text + ".")
    return _page(request, refused=taken.refused[:REFUSED_SHOWN], refused_total=len(taken.refused))


@requires("settings.manage")
@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    form = LiftForm(request.POST)
    try:
        suppressions.lift(pk, form.cleaned_data["note"] if form.is_valid() else "", request.user.pk)
    except suppressions.SuppressionError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The entry is lifted. Whether mail may go is asked anew for each mail."))
    return redirect("settings_suppressions")


def _answer(normal: str) -> dict[str, Any]:
    found = list(suppressions.of(normal))
    points = ContactPoint.objects.filter(kind__in=["email", "phone"], normal=normal, is_primary=True).select_related(
        "customer"
    )
    return {
        "asked": normal,
        "found": [_row(one) for one in found],
        "silenced": any(one.lifted_at is None for one in found),
        "points": points.filter(customer__erased_at=None).order_by("customer_id")[:PAGE],
    }


def _row(one: Suppression) -> dict[str, Any]:
    return {"entry": one, "liftable": one.lifted_at is None and one.reason in suppressions.LIFTABLE}


def _page(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    reason = request.GET.get("reason", "")
    reason = reason if reason in Suppression.Reason.values else ""
    before = request.GET.get("before", "")
    rows = suppressions.newest()
    if reason:
        rows = rows.filter(reason=reason)
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    shown = list(rows[: PAGE + 1])
    counts = suppressions.numbers()
    context = {
        "look_up": LookUpForm(),
        "add": AddForm(),
        "upload": ListForm(),
        "rows": [_row(one) for one in shown[:PAGE]],
        "next": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "reason": reason,
        "total": sum(counts.values()),
        "chips": [(code, label, counts.get(code, 0)) for code, label in Suppression.Reason.choices],
    }
    return render(request, "settings/suppressions.html", context | more, status=status)
