"""API keys: who calls, for which source, and what the key may do. No cookie is accepted on the API."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crm import access
from crm.compiled import compiled
from crm.models import ApiKey

REMEMBER_USE_EVERY = timedelta(minutes=5)


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer stk_…`. Answers 401 for a key that is unknown, expired or revoked, with one text."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        word, _space, plain = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not word:
            return None
        key = known(plain.strip()) if word.lower() == "bearer" else None
        if key is None or not key.usable:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked. Send “Authorization: Bearer KEY”."))
        if key.last_used_at is None or now() - key.last_used_at > REMEMBER_USE_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now())
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def known(plain: str) -> ApiKey | None:
    """The key with this plain text, its source at hand; whether it is still good is another question."""
    found = _of_digest(ApiKey.digest_of(plain))
    return found[0] if found else None


@compiled
def _of_digest(digest: str) -> QuerySet[ApiKey]:
    return ApiKey.objects.select_related("source").filter(digest=digest)


class HasScope(BasePermission):
    """Each API view names its scope in `access` as `scope:<scope>`; `public` needs no key."""

    message = _("This key lacks the scope that is needed here.")

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = getattr(view, "access", "")
        if needed == access.PUBLIC:
            return True
        return isinstance(request.auth, ApiKey) and needed.removeprefix("scope:") in request.auth.scopes


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "crm.api.keys.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
