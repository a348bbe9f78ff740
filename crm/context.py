"""What every page's frame shows: the shop, the navigation, and what the user may do."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crm import access, plugins
from crm.plugins import NavEntry

NAV = (
    NavEntry(_("Today"), "today", "sun", "customers.view", 10),
    NavEntry(_("Customers"), "customers", "users", "customers.view", 20),
    NavEntry(_("Privacy"), "privacy", "shield-lock", "privacy.manage", 80),
    NavEntry(_("Settings"), "settings", "settings", "settings.manage", 90),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context of the frame. `nav` holds only what the user may open. Worked out once, though a page has parts."""
    if not hasattr(request, "_shell"):
        request._shell = _shell(request)  # type: ignore[attr-defined]
    return request._shell  # type: ignore[attr-defined]


def _shell(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"shop": getattr(request, "shop", None), "nav": []}
    entries = sorted([*NAV, *plugins.collect(lambda plugin: plugin.nav)], key=lambda entry: entry.order)
    return {
        "shop": getattr(request, "shop", None),
        "may": {capability.replace(".", "_"): access.may(user, capability) for capability in access.CAPABILITIES},
        "nav": [
            {
                "label": entry.label,
                "url": reverse(entry.url_name),
                "icon": entry.icon,
                "current": request.path.startswith(reverse(entry.url_name)),
            }
            for entry in entries
            if access.may(user, entry.capability)
        ],
        "settings_tabs": [
            {"label": tab.label, "url": reverse(tab.url_name), "current": request.path.startswith(reverse(tab.url_name))}
            for tab in sorted(plugins.collect(lambda plugin: plugin.settings_tabs), key=lambda tab: tab.order)
            if access.may(user, tab.capability)
        ],
    }
