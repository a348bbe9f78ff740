"""What staff look after and know: complaints, contracts and habits that bind, acts for the shop, club and contests."""

from collections.abc import Sequence
from random import Random

from crm.seeding import notes
from crm.seeding.clock import DAY, text
from crm.seeding.people import Person, pick
from crm.seeding.shopping import Bought
from crm.seeding.world import World
from crm.seeding.writing import Rows

HOUR = 3600


def complaints(rng: Random, world: World, person: Person, bought: Sequence[Bought], rows: Rows) -> None:
    """Cases in every state; while one is open, advertising rests."""
    if person.has("complaint"):
        _case(rng, world, person, bought, "high", "open", 4, rows)
    elif person.has("answered_complaint"):
        _case(rng, world, person, bought, "medium", "answered", 9, rows)
    elif person.has("closed_complaint"):
        _case(rng, world, person, bought, pick(rng, ("high", "medium", "low")), "closed", 200, rows)
    elif bought and rng.random() < 0.02:
        state = "open" if rng.random() < 0.1 else "closed"
        age = 3 if state == "open" else 30 + int(rng.random() * 600)
        _case(rng, world, person, bought, pick(rng, ("medium", "low", "low")), state, age, rows)


def _case(rng: Random, world: World, person: Person, bought: Sequence[Bought], severity: str, state: str, days: int,
          rows: Rows) -> None:  # fmt: skip
    opened = world.clock.end - days * DAY - int(rng.random() * 8 * HOUR)
    if bought and opened < bought[0].at:
        opened = bought[0].at + 2 * HOUR
    about = next((purchase.id for purchase in reversed(bought) if purchase.at < opened), None)
    closed = opened + int((1 + rng.random() * 6) * DAY) if state == "closed" else None
    case = world.next_id["crm_complaint"]()
    due = text(opened + (1 + 2 * (severity == "low")) * DAY if state != "open" else world.clock.end + 36 * HOUR)
    rows.add(
        "crm_complaint", case, person.id, notes.COMPLAINTS[severity][person.number % 3], severity, state,
        person.staff or pick(rng, world.staff), about, text(opened), due, closed and text(closed),
        pick(rng, notes.RESOLUTIONS) if state == "closed" else "",
    )  # fmt: skip
    rows.add("crm_hold", person.id, "complaint", case, None, text(opened), closed and text(closed))


def barrier_facts(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """Signals of switching barriers that only staff know. Their names are those of loyalty's registry."""
    if person.has("contract"):
        _facts(rng, world, person, 5, {"remaining_months": 18 + int(rng.random() * 12), "notice_months": 3, "auto_renewal": 1,
               "owns_system": 1, "consumables_share": round(0.4 + rng.random() * 0.5, 2), "exit_fee": 1}, rows)  # fmt: skip
        if rng.random() < 0.15:
            _facts(rng, world, person, 1, {"contract_cancelled": 1}, rows)
    elif person.has("plan"):
        _facts(rng, world, person, 3, {"recurring_delivery": 1, "saved_items": 1, "custom_configuration": 1,
               "remaining_months": 0}, rows)  # fmt: skip
    elif person.has("company") and rng.random() < 0.5:
        _facts(rng, world, person, 4, {"remaining_months": 6 + int(rng.random() * 6), "notice_months": 1,
               "recurring_delivery": 1}, rows)  # fmt: skip
    elif person.has("contact") and rng.random() < 0.5:
        _facts(
            rng,
            world,
            person,
            6,
            {"saved_items": 1 + int(rng.random() * 2), "training_done": int(rng.random() < 0.5)},
            rows,
        )
    elif rng.random() < 0.01:
        signal = pick(rng, ("only_supplier", "branch_closer", "prepaid_credit", "prepaid_term"))
        value = 20 + int(rng.random() * 4) * 10 if signal == "prepaid_credit" else 1
        _facts(rng, world, person, 2, {signal: value}, rows)


def _facts(rng: Random, world: World, person: Person, months: int, known: dict[str, float], rows: Rows) -> None:
    recorded = max(person.since, world.clock.end - int(months * 30 * DAY + rng.random() * 10 * DAY))
    expires = text(world.clock.end + 400 * DAY)
    by = person.staff or pick(rng, world.staff)
    for signal, value in known.items():
        rows.add("crm_barrierfact", person.id, signal, value, "", "Gespräch", by, text(recorded), expires)


def advocacy(rng: Random, world: World, person: Person, friend: Person | None, rows: Rows) -> None:
    """Acts for the shop: those of an ambassador within the year, others here and there."""
    if person.has("advocate"):
        kind = pick(rng, ("own_review", "testimonial", "defence"))
        _act(rng, world, person, kind, None, 300, rows)
        if friend and (rng.random() < 0.7 or person.number < 50):
            _act(rng, world, person, "referred_order", friend.id, 300, rows)
    elif person.mood > 7 and rng.random() < 0.012:
        kind = pick(rng, ("incentivised_review", "social_mention", "reported_recommendation", "own_review"))
        _act(rng, world, person, kind, None, 900, rows)


def _act(rng: Random, world: World, person: Person, kind: str, friend: int | None, days: int, rows: Rows) -> None:
    when = max(person.since, world.clock.end - int((3 + rng.random() * days) * DAY))
    by = pick(rng, world.staff)
    rows.add("crm_advocacyact", person.id, kind, friend, notes.ACTS.get(kind, notes.REFERRALS), by, text(when))


def participations(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """The club, evenings in the roastery, and the riddle of the Advent calendar."""
    if person.has("club") or (person.has("contact") and rng.random() < 0.3):
        ended = text(world.clock.end - 20 * DAY) if rng.random() < 0.1 else None
        _part(world, person, "member", notes.CLUB, 100 + int(rng.random() * 500), rows, ended)
    chance = rng.random()
    if chance < 0.03 or person.has("contact"):
        _part(world, person, "gathering", pick(rng, notes.GATHERINGS), 10 + int(rng.random() * 700), rows)
    elif chance < 0.05:
        _part(world, person, "contest", notes.CONTEST, 320 + int(rng.random() * 20), rows)


def _part(world: World, person: Person, kind: str, title: str, days: int, rows: Rows, ended: str | None = None) -> None:
    when = max(person.since, world.clock.end - days * DAY)
    rows.add("crm_participation", person.id, kind, title, text(when), ended if ended and ended > text(when) else None)


def past_mail(rng: Random, world: World, person: Person, bought: Sequence[Bought], rows: Rows) -> None:
    """Confirmations of the last orders from the web shop; the days before today stay free of mail."""
    if person.mail:
        for purchase in bought[-2:]:
            if purchase.external_id.startswith("B-") and purchase.at < world.clock.end - 5 * DAY:
                rows.add("crm_maillog", person.id, "transactional", text(purchase.at + 60))
