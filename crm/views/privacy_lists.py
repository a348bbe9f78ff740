"""What is due in privacy: requests with their clock, retention, and who did what."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm.access import requires
from crm.display import day
from crm.forms_privacy import CloseForm
from crm.models import AuditEntry, Customer, PrivacyRequest
from crm.privacy import requests, retention
from crm.views.privacy import MANAGE

SHOWN = 200
ACTIONS = {
    "recorded": "pencil",
    "done": "check",
    "refused": "x",
    "extended": "clock",
    "shown": "eye",
    "exported": "download",
    "export_refused": "ban",
    "rectified": "pencil",
    "restricted": "lock",
    "unrestricted": "rotate",
    "objected": "ban",
    "erased": "trash",
    "proved": "printer",
    "sealed_opened": "key",
    "rules_saved": "adjustments-horizontal",
    "rescheduled": "calendar-event",
    "sent_again": "send",
    "marked_sent": "check",
    "tracking_switched_on": "click",
    "tracking_switched_off": "click",
    "suppressed": "mail-off",
    "stop_list_taken": "upload",
    "suppression_lifted": "rotate",
}


@requires(MANAGE)
@require_GET
def due(request: HttpRequest) -> HttpResponse:
    """All requests, overdue ones first."""
    found = list(requests.in_order()[:SHOWN])
    names = Customer.objects.filter(erased_at=None).in_bulk({one.customer_number for one in found})
    context = {
        "rows": [{"request": one, "customer": names.get(one.customer_number)} for one in found],
        "open": sum(one.state == PrivacyRequest.State.OPEN for one in found),
        "today": timezone.localdate(),
        "close": CloseForm(),
        "shown": SHOWN,
    }
    return render(request, "privacy/requests.html", context)


@requires(MANAGE)
@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Answered, or refused for the reason in `refusal`."""
    found = get_object_or_404(PrivacyRequest, pk=pk)
    form = CloseForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose an outcome from the list. The request stays open."))
    elif requests.close(found, request.user.pk, form.cleaned_data["refusal"]):
        messages.success(request, _("The request is closed."))
    else:
        messages.info(request, _("The request was closed before."))
    return redirect("privacy")


@requires(MANAGE)
@require_POST
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    """Two months more (Art. 12(3) GDPR)."""
    found = get_object_or_404(PrivacyRequest, pk=pk)
    if requests.extend(found, request.user.pk):
        found.refresh_from_db()
        text = _("Due on %(day)s now. Tell the person why, within one month of the request.")
        messages.success(request, text % {"day": day(found.due_on)})
    else:
        messages.info(request, _("This request cannot be extended again."))
    return redirect("privacy")


@requires(MANAGE)
@require_GET
def keeping(request: HttpRequest) -> HttpResponse:
    """The dry run of the nightly retention, and whom it proposes to erase."""
    proposed = retention.inactive()
    context = {
        "findings": retention.report(),
        "proposed": proposed[:SHOWN],
        "proposed_total": proposed.count(),
        "months": retention.INACTIVE_MONTHS,
        "shown": SHOWN,
    }
    return render(request, "privacy/retention.html", context)


@requires(MANAGE)
@require_GET
def trail(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first."""
    entries = AuditEntry.objects.select_related("actor").order_by("-at", "-pk")[:SHOWN]
    words = labels()
    context = {
        "entries": [
            {"entry": one, "icon": ACTIONS.get(one.action, "circle"), "words": words.get(one.action, one.action)}
            for one in entries
        ],
        "shown": SHOWN,
    }
    return render(request, "privacy/trail.html", context)


def labels() -> dict[str, str]:
    return {
        "recorded": _("request recorded"),
        "done": _("request answered"),
        "refused": _("request refused"),
        "extended": _("request extended"),
        "shown": _("data shown"),
        "exported": _("data handed out"),
        "export_refused": _("export refused: too many within 24 hours"),
        "rectified": _("data put right"),
        "restricted": _("data restricted"),
        "unrestricted": _("restriction lifted"),
        "objected": _("objection recorded"),
        "erased": _("erased"),
        "proved": _("proof of consent made"),
        "sealed_opened": _("sealed record opened"),
        "rules_saved": _("rules of judging saved"),
        "rescheduled": _("mailing moved"),
        "sent_again": _("unclear mails sent again"),
        "marked_sent": _("unclear mails marked as sent"),
        "tracking_switched_on": _("counting of clicks switched on"),
        "tracking_switched_off": _("counting of clicks switched off"),
        "suppressed": _("address put on the stop list"),
        "stop_list_taken": _("stop list uploaded"),
        "suppression_lifted": _("silenced address opened again"),
    }
