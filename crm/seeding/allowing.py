"""What the invented customers allowed: the ledger of declarations and the states that `crm.consent` derives from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from crm import keyed
from crm.seeding import fiction
from crm.seeding.clock import DAY, MINUTE, text
from crm.seeding.people import Person, pick
from crm.seeding.world import FILE, WEB, World
from crm.seeding.writing import Rows

BROWSER = "Mozilla/5.0 (erfundener Browser der Demodaten)"
# Chance that who takes the newsletter ticks the other boxes too.
ALSO = (
    ("birthday", 0.6),
    ("survey", 0.5),
    ("win_back", 0.15),
    ("referral", 0.06),
    ("tracking", 0.1),
    ("profiling", 0.08),
)
ALL_PURPOSES = ("newsletter", "birthday", "survey", "win_back", "referral", "tracking", "profiling")


@dataclass
class Declaration:
    """One step of the ledger, before it is written for a purpose."""

    action: str
    method: str
    at: int
    channel: str = "email"
    actor: int | None = None
    source: str | None = None
    double_opt_in: bool = False
    note: str = ""


def declare(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """Record what one customer agreed to, withdrew or objected to. Most never said anything."""
    if person.has("placeholder"):
        return
    if person.phone and rng.random() < 0.03:
        _record(rng, world, person, "newsletter", [_on_paper(rng, world, person, "phone")], rows)
    if not person.mail:
        return
    chance = rng.random()
    greeted = person.greeted_soon and rng.random() < 0.7
    if person.number in AGREED or greeted or chance < 0.46:
        _give(rng, world, person, greeted or person.number in AGREED, rows)
    elif chance < 0.51:
        _ask_in_vain(rng, world, person, rows)
    elif chance < 0.57:
        _withdraw(rng, world, person, rows)
    elif chance < 0.59:
        _object(rng, world, person, rows)


ENDED_OR_CONFIRMED = {
    "confirmed": "given",
    "withdrawn": "withdrawn",
    "objected": "objected",
    "expired": "expired",
}
AGREED = frozenset({0, 1, 2})


def _give(rng: Random, world: World, person: Person, sure: bool, rows: Rows) -> None:
    """One declaration for several purposes, with one of the three kinds of proof that count."""
    steps = pick(rng, (_by_web, _by_web, _by_web, _by_import, _by_paper))(rng, world, person)
    for purpose in ["newsletter", *_also(rng, sure)]:
        _record(rng, world, person, purpose, steps, rows)


def _also(rng: Random, sure: bool) -> Iterable[str]:
    return [purpose for purpose, chance in ALSO if rng.random() < chance or (sure and purpose == "birthday")]


def _asked_at(rng: Random, world: World, person: Person) -> int:
    known = max(0, world.clock.end - person.since - 2 * DAY)
    return person.since + int(rng.random() ** 2 * known)


def _by_web(rng: Random, world: World, person: Person) -> list[Declaration]:
    at = _asked_at(rng, world, person)
    confirmed = at + (2 + int(rng.random() * 300)) * MINUTE
    return [Declaration("given", "web", at, source=WEB), Declaration("confirmed", "mail_link", confirmed, source=WEB)]


def _by_paper(rng: Random, world: World, person: Person) -> list[Declaration]:
    return [_on_paper(rng, world, person, "email")]


def _on_paper(rng: Random, world: World, person: Person, channel: str) -> Declaration:
    at = _asked_at(rng, world, person)
    return Declaration("given", "paper", at, channel, pick(rng, world.staff), note="Karte an der Theke unterschrieben")


def _by_import(rng: Random, world: World, person: Person) -> list[Declaration]:
    at = _asked_at(rng, world, person)
    return [Declaration("given", "import", at, source=FILE, double_opt_in=True, note="Nachweis aus der alten Kartei")]


def _ask_in_vain(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """Nobody answered the mail that asks for confirmation; after 30 days the request has expired."""
    days = 1 + rng.random() * 28 + (30 if rng.random() < 0.4 else 0)
    asked = max(person.since, world.clock.end - int(days * DAY))
    steps = [Declaration("given", "web", asked, source=WEB)]
    if asked + 30 * DAY < world.clock.end:
        steps.append(Declaration("expired", "web", asked + 30 * DAY))
    _record(rng, world, person, "newsletter", steps, rows)


def _withdraw(rng: Random, world: World, person: Person, rows: Rows) -> None:
    steps = _by_web(rng, world, person)
    left = max(world.clock.end - steps[-1].at - DAY, DAY // 2)
    at = min(steps[-1].at + int(rng.random() * left), world.clock.end - MINUTE)
    steps.append(Declaration("withdrawn", pick(rng, ("mail_link", "mail_link", "staff")), max(at, steps[-1].at + 1)))
    for purpose in ("newsletter", "survey") if rng.random() < 0.5 else ("newsletter",):
        _record(rng, world, person, purpose, steps, rows)


def _object(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """An objection to advertising ends every purpose and silences the address."""
    step = Declaration(
        "objected", pick(rng, ("phone", "staff")), _asked_at(rng, world, person), actor=pick(rng, world.staff)
    )
    for purpose in ALL_PURPOSES:
        _record(rng, world, person, purpose, [step], rows)
    rows.silenced[keyed.address_hash(person.mail or "")] = text(step.at)


def _record(rng: Random, world: World, person: Person, purpose: str, steps: list[Declaration], rows: Rows) -> None:
    event, address = 0, None
    moved = steps[0].channel == "email" and person.number % 29 == 7
    for step in steps:
        event = world.next_id["crm_consentevent"]()
        wording = world.wordings[purpose] if step.action == "given" else None
        source = world.sources[step.source] if step.source else None
        address = person.mail if step.channel == "email" else person.phone and person.phone[1]
        if moved and address:
            address = f"frueher.{address}"  # agreed before the address changed
        bound = keyed.address_hash(address) if address and step.action in ("given", "confirmed", "expired") else ""
        rows.add("crm_consentevent", event, person.key, purpose, step.channel, step.action, step.method, wording,
                 source, step.actor, step.double_opt_in, step.note, bound, text(step.at), text(step.at))  # fmt: skip
        online = step.method in ("web", "mail_link")
        rows.add("crm_consenttrace", event, address, fiction.ip_address(rng) if online else None,
                 BROWSER if online else "")  # fmt: skip
    last = steps[-1]
    proven = last.method == "paper" or last.double_opt_in
    state = ENDED_OR_CONFIRMED.get(last.action, "given" if proven else "pending")
    state = "moved" if moved and state == "given" else state
    held_for = (address or "") if state in ("given", "pending") and not moved else ""
    rows.add("crm_consentstate", person.id, purpose, last.channel, state, text(last.at), event, held_for)
