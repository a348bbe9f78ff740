"""One mailing: launch it, steer it, watch it. It is written in `campaigns.views.drafts`."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import couponing, mail_use, planning, tracking
from campaigns.forms import LaunchForm
from campaigns.models import Campaign, Delivery
from campaigns.planning import LaunchError
from campaigns.reasons import sentence, why_closed
from campaigns.views import drafts
from campaigns.views.drafts import mailing_of
from campaigns.views.overview import NOT_SENT, OPEN, tally_of
from crm import access
from crm.access import requires
from crm.models import Shop
from loyalty.stages import STAGES

UNKNOWN_SHOWN = 50
LIVE = (Campaign.Status.SCHEDULED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)
STATUS_BADGES = {
    Campaign.Status.DRAFT: ("pencil", ""),
    Campaign.Status.SCHEDULED: ("calendar-event", ""),
    Campaign.Status.RUNNING: ("send", "good"),
    Campaign.Status.PAUSED: ("player-pause", "due"),
    Campaign.Status.FINISHED: ("check", "good"),
    Campaign.Status.CANCELLED: ("x", ""),
}


@requires("campaigns.view")
@require_http_methods(["GET", "POST"])
def mailing(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft to write on, or a launched mailing to watch."""
    campaign = mailing_of(pk)
    if campaign.status == Campaign.Status.DRAFT and access.may(request.user, "campaigns.manage"):
        return drafts.write(request, campaign)
    return render(request, "campaigns/mailing.html", _watched(campaign))


@requires("campaigns.manage")
@require_POST
def launch(request: HttpRequest, pk: int) -> HttpResponse:
    """Schedule the draft, if the number typed in is the number of mails."""
    campaign, form = mailing_of(pk), LaunchForm(request.POST)
    if form.is_valid():
        try:
            planning.launch(pk, form.cleaned_data["recipients"], request.user)  # type: ignore[arg-type]
        except LaunchError as error:
            form.add_error("recipients", str(error))
        else:
            messages.success(request, _("The mailing is scheduled. It starts by itself."))
            return redirect("mailing", pk=pk)
    if campaign.status != Campaign.Status.DRAFT:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("mailing", pk=pk)
    fresh = drafts.form_of(request, campaign, Shop.current(), campaign.recipe)
    context = drafts.draft_page(request, campaign, fresh, form, campaign.recipe)
    return render(request, "campaigns/draft.html", context, status=422)


@requires("campaigns.manage")
@require_POST
def steer(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Pause, resume or cancel."""
    mailing_of(pk)
    try:
        if verb == "pause":
            planning.pause(pk)
            messages.success(request, _("The mailing rests. Nothing goes until you resume it."))
        elif verb == "resume":
            planning.resume(pk)
            messages.success(request, _("The mailing goes on where it stopped."))
        else:
            stopped = planning.cancel(pk)
            messages.success(request, _("The mailing is cancelled; %(n)s mails were stopped.") % {"n": stopped})
    except LaunchError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)


@requires("campaigns.view")
@require_GET
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The counts alone, for the page that asks every few seconds."""
    return render(request, "campaigns/mailing.html#state", _watched(mailing_of(pk)))


def _watched(campaign: Campaign) -> dict[str, Any]:
    rows = Delivery.objects.filter(campaign=campaign).values("state", "reason").annotate(n=Count("pk")).order_by()
    found = list(rows)
    counts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for row in found:
        counts[row["state"]] = counts.get(row["state"], 0) + row["n"]
        if row["state"] in NOT_SENT:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["n"]
    tally = tally_of(counts)
    unknown = Delivery.objects.filter(campaign=campaign, state=Delivery.State.UNKNOWN).select_related("customer")
    icon, tone = STATUS_BADGES[Campaign.Status(campaign.status)]
    return {
        "campaign": campaign,
        "badge": {"icon": icon, "tone": tone},
        "tally": tally,
        "all": sum(counts.values()),
        "done": sum(n for name, n in counts.items() if name not in OPEN),
        "bar": [
            (_("sent"), tally.sent, "f-berry"),
            (_("still to go"), tally.waiting, "f-iron-soft"),
            (_("unclear whether sent"), tally.unknown, "f-due"),
            (_("not sent"), tally.left_out, "f-iron"),
        ],
        "reasons": sorted(((sentence(code) or code, n) for code, n in reasons.items()), key=lambda row: -row[1]),
        "unknown": unknown.order_by("-sending_at")[:UNKNOWN_SHOWN] if tally.unknown else [],
        "live": campaign.status in LIVE,
        "previews": drafts.previews(campaign),
        "stage_names": [stage.label for stage in STAGES if stage.code in campaign.stages],
        "closed": why_closed(),
        "coupon": couponing.of_campaign(campaign),
        "use": mail_use.totals(campaign.pk),
        "counting": tracking.is_on(),
    }
