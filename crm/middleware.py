"""What every request needs: the shop's zone and the user's language, and headers that keep personal data in."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from crm import once
from crm.models import Shop

Handler = Callable[[HttpRequest], HttpResponse]


class Policy(CSPMiddleware):
    """What a page may load (CONTENT_SECURITY_POLICY); an answer that is no page may load nothing, nowhere."""

    NOTHING = "default-src 'none'; frame-ancestors 'none'"

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("application/json"):
            return super().process_response(request, response)
        response.setdefault("Content-Security-Policy", self.NOTHING)
        return response


class PrivacyHeaders:
    """No page with personal data may be cached by anybody, and no device feature is on unless a page asks."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("Cache-Control", "no-store")
        return response


class ShopDay:
    """Show times in the shop's zone and texts in the language the member of staff chose."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/" + settings.STATIC_URL.lstrip("/"), "/healthz", "/readyz")):
            return self.get_response(request)
        with once.page(reads_only=request.method in ("GET", "HEAD")):
            return self.answer(request)

    def answer(self, request: HttpRequest) -> HttpResponse:
        request.shop = Shop.current()  # type: ignore[attr-defined]
        if request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language
        with timezone.override(ZoneInfo(request.shop.time_zone)):  # type: ignore[attr-defined]
            response = self.get_response(request)
            if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                response.render()
            return response
