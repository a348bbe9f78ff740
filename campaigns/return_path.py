"""Addresses that name one mail: where it comes back to, and where writing ends its permission (VERP).

`BOUNCE_ADDRESS` such as bounces@shop.example makes bounces+<delivery>@shop.example. It goes by the delivery alone, so a
mail tried again has the same one.
"""

import re
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

OUT = "u-"


def of(delivery_id: UUID) -> str:
    """Where one mail shall be returned to; '' if no BOUNCE_ADDRESS is set."""
    return _with(delivery_id.hex)


def to_unsubscribe(delivery_id: UUID) -> str:
    """Where a mail that ends the permission of one mail shall go; '' if no BOUNCE_ADDRESS is set."""
    return _with(OUT + delivery_id.hex)


def named_in(text: str) -> Iterator[tuple[UUID, bool]]:
    """(delivery, whether it asks to unsubscribe) of each such address in a text."""
    local, at, domain = settings.BOUNCE_ADDRESS.partition("@")
    if at:
        ours = rf"(?<![\w.+-]){re.escape(local)}\+({OUT})?([0-9a-f]{{32}})@{re.escape(domain)}(?![\w-])"
        for found in re.finditer(ours, text, re.I):
            yield UUID(found[2]), bool(found[1])


def _with(detail: str) -> str:
    local, at, domain = settings.BOUNCE_ADDRESS.partition("@")
    return f"{local}+{detail}@{domain}" if at else ""
