"""What a person sets for their own screen: language and light or dark. Both work before the log-in, too."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from crm.access import public
from crm.models import User

YEAR = 365 * 86400


def _back(request: HttpRequest) -> str:
    """The page the form stood on, if it is one of ours."""
    url = request.POST.get("next") or request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if ours else "/"


@public
@require_POST
def language(request: HttpRequest) -> HttpResponseBase:
    """Keep the language for this browser and, when somebody is logged in, for that person."""
    code = request.POST.get("language", "")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=code)
    return set_language(request)


@public
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep light, dark or auto for this browser and, when somebody is logged in, for that person."""
    chosen = request.POST.get("theme", "")
    response = HttpResponseRedirect(_back(request))
    if chosen not in User.Theme.values:
        return response
    if request.user.is_authenticated:
        User.objects.filter(pk=request.user.pk).update(theme=chosen)
    response.set_cookie(
        "theme", chosen, max_age=YEAR, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
    )
    return response
