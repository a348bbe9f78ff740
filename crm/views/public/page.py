"""What all public pages share: language by `?lang=` or the browser's wish, headers that keep a link to itself."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from crm import consent, texts, throttle
from crm.access import public
from crm.models import LegalText

View = Callable[..., HttpResponse]
NAMES = dict(LegalText.Kind.choices)


def page(*, limits: tuple[throttle.Limit, ...] = (), posts: bool = True) -> Callable[[View], View]:
    """Decorate a public page. GET and HEAD never change anything; `limits` count every POST of a computer.

    A form needs no cookie: what it may do follows from the link it stands behind, or from its signed stamp.
    """

    def decorate(view: View) -> View:
        @public
        @csrf_exempt
        @require_http_methods(["GET", "HEAD", "POST"] if posts else ["GET", "HEAD"])
        @wraps(view)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with translation.override(language_of(request)):
                if request.method == "POST" and limits and not throttle.allowed(limits, throttle.network(request)):
                    response = answer(request, "public/slow_down.html", status=429)
                    response["Retry-After"] = "60"
                else:
                    response = view(request, *args, **kwargs)
                response["Content-Language"] = translation.get_language()
            response["Referrer-Policy"] = "no-referrer"
            response["Cache-Control"] = "no-store"
            response["X-Robots-Tag"] = "noindex"
            return response

        return shown

    return decorate


def language_of(request: HttpRequest) -> str:
    """The language asked for in the address, else the browser's or the member of staff's."""
    asked = request.GET.get("lang", "")
    current = (translation.get_language() or settings.LANGUAGE_CODE)[:2]
    return asked if asked in dict(settings.LANGUAGES) else current


def answer(
    request: HttpRequest, template: str, context: Mapping[str, object] | None = None, status: int = 200
) -> HttpResponse:
    """A public page with the links of its foot and its other language."""
    shared = {
        "legal_links": [(kind, NAMES[kind]) for kind in texts.published()],
        "languages": [(code, {"de": "Deutsch", "en": "English"}[code]) for code, _name in settings.LANGUAGES],
    }
    return render(request, template, shared | dict(context or {}), status=status)


def dead_link(request: HttpRequest) -> HttpResponse:
    """A link that was torn, forged, used up or is too old. Nothing was changed."""
    return answer(request, "public/dead_link.html", status=404)


def how(request: HttpRequest, method: str, **more: Any) -> consent.How:
    """The proof of a declaration made on a public page."""
    return consent.How(
        method,
        ip=throttle.computer(request) or None,
        user_agent=request.headers.get("User-Agent", ""),
        **more,
    )
