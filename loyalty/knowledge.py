"""Which kinds of fact this installation has at all. What no source delivers is unknown, not zero."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

OF_CUSTOMERS = "SELECT FROM crm_purchase p WHERE p.customer_id IS NOT NULL AND p.ordered_at <= %(moment)s"

# Any such fact up to `%(moment)s` makes the kind known for every customer. Kinds with FALSE have no source yet.
# `{only}` narrows the two that would read all purchases to find none.
KINDS = {
    "purchases": f"EXISTS ({OF_CUSTOMERS} {{only}})",
    "places": f"EXISTS ({OF_CUSTOMERS} AND p.place <> '' {{only}})",
    "interactions": "EXISTS (SELECT FROM crm_interaction WHERE occurred_at <= %(moment)s)",
    "participations": "EXISTS (SELECT FROM crm_participation WHERE occurred_at <= %(moment)s)",
    "referrals": "EXISTS (SELECT FROM crm_advocacyact WHERE kind = 'referred_order' AND referred_id IS NOT NULL"
    " AND occurred_at <= %(moment)s)",
    "discounts": "FALSE",
    "points": "FALSE",
    "tiers": "FALSE",
}


def known_kinds(
    moment: datetime, already: Mapping[str, bool] | None = None, ids: Sequence[int] | None = None
) -> dict[str, bool]:
    """Which KINDS had a fact up to `moment`, as {"knows_<kind>": …}. One query.

    already: what an earlier run knew; it stays known. ids: look for purchases among these customers only.
    """
    only = "" if ids is None else "AND p.customer_id = ANY(%(ids)s)"
    columns = ", ".join(f"{exists.format(only=only)} AS knows_{kind}" for kind, exists in KINDS.items())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", {"moment": moment, "ids": None if ids is None else list(ids)})
        row = cursor.fetchone()
        found = dict(zip([column.name for column in cursor.description], row, strict=True))
    return {kind: known or bool(already and already.get(kind)) for kind, known in found.items()}
