"""What has just happened, and what could not be taken: live purchases, refused rows, returns that wait."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from crm.models import Quarantine
from crm.seeding import catalogue, shopping
from crm.seeding.clock import DAY, MINUTE, text
from crm.seeding.people import Person, pick
from crm.seeding.shopping import Bought, Line
from crm.seeding.world import TILL, WEB, World
from crm.seeding.writing import Rows

LIVE = 6
BUYERS = frozenset({"ambassador", "fan", "monthly", "quarterly", "halfway", "asked_long_ago"})

REFUSED: tuple[tuple[dict[str, Any], str, str, str], ...] = (
    ({"external_id": "B-204411", "currency": "XYZ", "ordered_at": "2026-05-02T10:11:00+02:00"},
     "unknown_currency", "currency", "XYZ is no currency of ISO 4217. Send the shop's currency, or the row's rate."),
    ({"external_id": "B-204412", "currency": "EUR", "lines": [{"product": "A1001", "quantity": 1, "unit_price": "-3.00"}]},
     "negative_price", "lines.0.unit_price", "A price cannot be negative. Send returned goods as a return."),
    ({"external_id": "L-204413", "customer": "", "currency": "EUR"},
     "empty_customer_key", "customer", "The customer key is empty. Leave it out for a purchase without customer card."),
    ({"external_id": "B-204414", "currency": "EUR", "ordered_at": "2062-01-01T09:00:00+01:00"},
     "in_the_future", "ordered_at", "The purchase lies in the future. Check the clock of the till."),
)  # fmt: skip


def buys_now(rng: Random, world: World, person: Person, rows: Rows) -> Bought | None:
    """A live purchase of last evening for one of the first suitable customers, with the event it makes."""
    made = world.numbers.setdefault("live", 0)
    suits = person.mail and WEB in person.sources and person.habit.code in BUYERS
    if made >= LIVE or not suits:
        return None
    world.numbers["live"] += 1
    at = world.clock.end - (4 * 60 - 20 * made) * MINUTE
    lines = [Line(article, 1, shopping.price(article, 2), 2) for article in
             sorted({pick(rng, catalogue.BY_CATEGORY["Bohnen"]), pick(rng, catalogue.BY_CATEGORY["Geschenke"])})]  # fmt: skip
    bought = shopping.store(rng, world, person.id, WEB, at, lines, "paid", rows)
    if world.live_after is not None and at > world.live_after:
        rows.add("crm_event", "purchase.created", person.id, bought.id, json.dumps({}), text(at), text(at))
    return bought


def refuse_some(world: World) -> None:
    """Rows that a shop system sent and nobody could take."""
    Quarantine.objects.bulk_create(
        Quarantine(
            source_id=world.sources[TILL if row["external_id"].startswith("L") else WEB],
            position=place * 7,
            external_id=row["external_id"],
            payload=row,
            errors=[{"code": code, "field": field, "message": message}],
            received_at=datetime.fromtimestamp(world.clock.end - place * DAY, UTC),
        )
        for place, (row, code, field, message) in enumerate(REFUSED, start=1)
    )


def hold_some(world: World, person: Person, bought: list[Bought], rows: Rows) -> None:
    """Two returns that wait for what is still to come: an unknown purchase, and more than was bought."""
    purchase = next((known for known in reversed(bought) if known.kept and known.source == WEB), None)
    if purchase is None or world.numbers.setdefault("held", 0) or purchase.at > world.clock.end - 3 * DAY:
        return
    world.numbers["held"] = 1
    line = purchase.lines[0]
    when = world.clock.end - DAY
    shopping.give_back(world, person.id, purchase, purchase.external_id, when, [(line, line.quantity + 3)],
                       "exceeds_purchase", rows)  # fmt: skip
    shopping.give_back(world, person.id, purchase, "B-999001", when, [(line, 1)], "unknown_purchase", rows)
