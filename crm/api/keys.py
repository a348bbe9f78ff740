"""API keys: who calls, for which source, and what the key may do. No cookie is accepted on the API."""

from datetime import timedelta
from typing import Any

from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crm import access
from crm.fixed import Fixed
from crm.models import ApiKey, Source

REMEMBER_USE_EVERY = timedelta(minutes=5)
KNOWN = Fixed(
    "FROM crm_apikey JOIN crm_source ON crm_source.id = crm_apikey.source_id WHERE crm_apikey.digest = %s", ApiKey, Source
)


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
    found = KNOWN.first(ApiKey.digest_of(plain))
    if found is None:
        return None
    key, key.source = found
    return key


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
