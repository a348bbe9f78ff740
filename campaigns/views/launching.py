"""From a draft to a mailing that runs: check, launch, move, pause, resume, cancel."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.forms.utils import from_current_timezone
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import planning
from campaigns.forms import LaunchForm
from campaigns.models import Campaign
from campaigns.planning import LaunchError
from campaigns.views import drafts
from campaigns.views.drafts import mailing_of
from crm import display
from crm.access import requires
from crm.models import Shop

WRITTEN = (Campaign.Status.DRAFT, Campaign.Status.CHECKED)


class MoveForm(forms.Form):
    """Another time for a mailing that has not started, in the shop's zone."""

    send_on = forms.DateField(
        label=gettext_lazy("Day"),
        localize=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        error_messages={"required": gettext_lazy("Choose the day."), "invalid": gettext_lazy("Choose the day.")},
    )
    send_at = forms.TimeField(
        label=gettext_lazy("Time"),
        localize=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        error_messages={"required": gettext_lazy("Choose the time."), "invalid": gettext_lazy("Choose the time.")},
    )

    def clean(self) -> dict[str, Any]:
        """Adds `moment`. An hour that the clocks skip is refused."""
        given: dict[str, Any] = super().clean() or {}
        if given.get("send_on") and given.get("send_at"):
            given["moment"] = from_current_timezone(datetime.combine(given["send_on"], given["send_at"]))
        return given


@requires("campaigns.manage")
@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Look for everything that is wrong with the draft as it is kept."""
    return drafts.check_and_show(request, mailing_of(pk).pk)


@requires("campaigns.manage")
@require_POST
def launch(request: HttpRequest, pk: int) -> HttpResponse:
    """Schedule the checked draft, if the number typed in is the number of mails."""
    campaign, form = mailing_of(pk), LaunchForm(request.POST)
    if form.is_valid():
        try:
            planning.launch(pk, form.cleaned_data["recipients"], request.user)  # type: ignore[arg-type]
        except LaunchError as error:
            form.add_error("recipients", str(error))
            campaign = _checked_again(campaign, request)
        else:
            messages.success(request, _("The mailing is scheduled. It starts by itself."))
            return redirect("mailing", pk=pk)
    if campaign.status not in WRITTEN:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("mailing", pk=pk)
    fresh = drafts.form_of(request, campaign, Shop.current(), campaign.recipe)
    context = drafts.draft_page(request, campaign, fresh, form, campaign.recipe)
    return render(request, "campaigns/draft.html", context, status=422)


def _checked_again(campaign: Campaign, request: HttpRequest) -> Campaign:
    """What was checked holds no more: count anew, so that the page shows what holds now."""
    if campaign.status == Campaign.Status.CHECKED:
        planning.check(campaign.pk, request.user)  # type: ignore[arg-type]
    return mailing_of(campaign.pk)


@requires("campaigns.manage")
@require_POST
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a launched mailing that has not started another time."""
    mailing_of(pk)
    form = MoveForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("mailing", pk=pk)
    moment = form.cleaned_data["moment"]
    try:
        planning.reschedule(pk, moment, request.user)  # type: ignore[arg-type]
        messages.success(request, _("It goes on %(time)s now.") % {"time": display.instant(moment)})
    except LaunchError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)


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
            said = ngettext(
                "The mailing is cancelled; %(n)s mail was stopped.",
                "The mailing is cancelled; %(n)s mails were stopped.",
                stopped,
            )
            messages.success(request, said % {"n": display.number(stopped)})
    except LaunchError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)
