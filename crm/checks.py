"""System checks: what must hold before the process may serve."""

from typing import Any

from django.core.checks import Error, register
from django.urls import get_resolver

from crm import access


@register
def every_url_declares_its_access(app_configs: Any, **kwargs: Any) -> list[Error]:
    return [
        Error(
            f"The URL {route!r} declares no access.",
            hint="Decorate its view with crm.access.requires(…) or crm.access.public, or give its class `access`.",
            id="crm.E001",
        )
        for route in access.undeclared(get_resolver())
    ]
