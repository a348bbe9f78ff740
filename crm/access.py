"""Who may do what: roles, capabilities, and the rule that every URL declares its own.

A view carries `access`: a capability of ROLES, `scope:<scope>` for the API, LOGGED_IN, or PUBLIC. A URL whose view
carries none stops the process from starting (`undeclared`).
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from crm.models import User

PUBLIC = "public"
LOGGED_IN = "logged-in"

_SUPPORT = {"customers.view", "customers.edit", "pii.view", "insights.view", "coupons.view", "coupons.redeem"}
_MARKETER = {
    "customers.view", "campaigns.view", "campaigns.manage", "insights.view", "coupons.view", "coupons.manage",
}  # fmt: skip
ROLES: dict[str, set[str]] = {
    User.Role.SUPPORT: _SUPPORT,
    User.Role.MARKETER: _MARKETER,
    User.Role.ADMIN: _SUPPORT | _MARKETER | {"settings.manage", "scores.recompute", "privacy.manage"},
}
CAPABILITIES = set().union(*ROLES.values())

# Views of libraries cannot carry our decorator; they are declared by the module they come from.
LIBRARY_ACCESS = {
    "allauth.account.views": PUBLIC,
    "allauth.account.internal": PUBLIC,
    "allauth.mfa": LOGGED_IN,
    "allauth.mfa.base.views": PUBLIC,
    "django.views.i18n": PUBLIC,
    "django.views.static": PUBLIC,
    "drf_spectacular.views": PUBLIC,
}

View = TypeVar("View", bound=Callable[..., Any])


def may(user: Any, capability: str) -> bool:
    """Whether a logged-in member of staff holds a capability."""
    return bool(
        user.is_authenticated and user.is_active and (capability == LOGGED_IN or capability in ROLES.get(user.role, ()))
    )


def requires(capability: str) -> Callable[[View], View]:
    """Decorate a staff page: send who is not logged in to the log-in, refuse (403) who lacks the capability.

    Raises ValueError at import for a capability that no role holds.
    """
    if capability not in CAPABILITIES | {LOGGED_IN}:
        raise ValueError(f"no role holds {capability!r}")

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.user, capability):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.access = capability  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def public(view: View) -> View:
    """Declare that everybody may call this view."""
    view.access = PUBLIC  # type: ignore[attr-defined]
    return view


def declared(pattern: URLPattern) -> str | None:
    """The access a URL pattern's view declares, or None."""
    view = pattern.callback
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    access = getattr(view, "access", None) or getattr(cls, "access", None)
    if access:
        return access
    module = (cls or view).__module__
    matches = [known for known in LIBRARY_ACCESS if module == known or module.startswith(known + ".")]
    return LIBRARY_ACCESS[max(matches, key=len)] if matches else None


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every URL pattern below `resolver` with its route."""
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        else:
            yield route, entry


def undeclared(resolver: URLResolver) -> list[str]:
    """Routes whose view declares no access: must be empty."""
    return [route for route, pattern in patterns(resolver) if declared(pattern) is None]
