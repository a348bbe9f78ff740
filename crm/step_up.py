"""What needs a log-in that is only minutes old: exports, erasures, sealed records, and changes of roles.

Whoever finds an open screen shall not be able to carry the customers away (`docs/privacy.md`).
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

View = Callable[..., HttpResponse]


def recently(request: HttpRequest) -> bool:
    """Whether the person proved within the last 5 minutes (ACCOUNT_REAUTHENTICATION_TIMEOUT) who they are."""
    proofs = [float(record["at"]) for record in get_authentication_records(request, request.user)]
    return bool(proofs) and 0 <= time.time() - max(proofs) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def recent_login(back: str | Callable[..., str], *, reading: bool = False) -> Callable[[View], View]:
    """Decorate a staff page, below `requires`: what it does needs a recent log-in; else the person logs in once more.

    back: the page to return to: its name, if it takes the view's own arguments, or what makes its address of them.
    Nothing that was typed is kept meanwhile.
    reading: a GET needs it as well, and is its own way back.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            safe = request.method in ("GET", "HEAD")
            if (safe and not reading) or recently(request):
                return view(request, *args, **kwargs)
            if safe:
                return _log_in_again(request, request.get_full_path())
            page = reverse(back, args=args, kwargs=kwargs) if isinstance(back, str) else back(*args, **kwargs)
            return _log_in_again(request, page)

        return guarded

    return decorate


def _log_in_again(request: HttpRequest, next_page: str) -> HttpResponse:
    flows = get_reauthentication_flows(request.user)
    page = f"account_{flows[0]['id']}" if flows and flows[0]["id"] == "reauthenticate" else "mfa_reauthenticate"
    if not flows:
        messages.error(request, _("This needs a new log-in. Please sign out and in again."))
        return HttpResponseRedirect(reverse("account_logout"))
    if request.method == "POST":
        messages.info(request, _("Nothing was done yet. Once you have confirmed who you are, press the button again."))
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode({'next': next_page})}")
