"""Switch the counting of clicks on or off."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import tracking
from crm.access import requires


@requires("settings.manage")
@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """`on` in the form is 1 or 0."""
    on = {"1": True, "0": False}.get(request.POST.get("on", ""))
    if on is None:
        raise Http404
    tracking.switch(on, request.user)  # type: ignore[arg-type]
    if on:
        messages.success(request, _("Clicks are counted in mails that go from now on."))
    else:
        messages.success(request, _("Nothing is counted any more, in earlier mails neither. Links in them still work."))
    return redirect("campaigns")
