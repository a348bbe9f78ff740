"""What customers say and feel: contacts with their emotions, answers to surveys, what moves them."""

import json
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from uuid import UUID

from crm import alerts, emotions
from crm.seeding import notes
from crm.seeding.clock import DAY, DAYS, text
from crm.seeding.people import Person, pick
from crm.seeding.shopping import Bought
from crm.seeding.world import World
from crm.seeding.writing import Rows

OPEN_ALERT_DAYS = 3
ASKED_ABOUT = ("advice", "order", "payment", "delivery", "delivery", "product", "product", "service", "complaint", "aftercare")
PLACE_MOOD = {"advice": 0.8, "product": 0.5, "delivery": -0.9, "complaint": -2.0}
SHORT_FORM = "happy trusting valued interested irritated neglected disappointed stressed".split()
ORIGINS = ("customer_self", "customer_self", "staff_estimate", "staff_estimate", "text_suggestion")


def contacts(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """Contacts by phone, in the shop, by mail …: some with a rating, up to three emotions and who says so."""
    many = int(rng.random() * 3) if rng.random() < 0.16 else 0
    recent = 0
    if person.has("contact"):
        recent = 4
    elif person.has("survey"):
        many += 1
    for at in range(many + recent):
        start = max(world.clock.day_of(person.since), DAYS - 330 if at < recent else 0)
        day = start + int(rng.random() * (DAYS - start - 1))
        _contact(rng, world, person, day, person.staff if at < recent else None, rows)


def _contact(rng: Random, world: World, person: Person, day: int, staff: int | None, rows: Rows) -> None:
    felt = person.mood + rng.gauss(0, 1.5) + (1.5 if staff else 0)
    pool = notes.GLAD if felt > 6.5 else notes.SORE if felt < 4.5 else notes.PLAIN
    touchpoint, channel, note, fitting = pick(rng, pool)
    rating = tenth(rng, max(felt, 7.6) if staff else felt, 0.5) if staff or rng.random() < 0.4 else None
    at = text(world.clock.instant(day, 560 + int(rng.random() * 500)))
    interaction = world.next_id["crm_interaction"]()
    by = staff or pick(rng, world.staff)
    rows.add("crm_interaction", interaction, person.id, channel, touchpoint, at, note, rating, by, None, at)
    tags = fitting.split()[: int(rng.random() * 4)]
    origin = pick(rng, ORIGINS)
    for slot, emotion in enumerate(tags, start=1):
        rows.add("crm_interactionemotion", interaction, slot, emotion, origin)
    alert = alerts.of_tags(tags)
    if alert:
        _alert(world, person, day, at, f"interaction:{interaction}", json.dumps(alert.detail(origin)), by, rows)


def _alert(world: World, person: Person, day: int, at: str, cause: str, detail: str, staff: int, rows: Rows) -> None:
    """Somebody got in touch the day after; the last days' alerts are still open."""
    settled = text(world.clock.instant(day + 1, 660)) if day < DAYS - OPEN_ALERT_DAYS else None
    task, due = world.next_id["crm_task"](), text(world.clock.instant(day + 1, 18 * 60))
    ended = ("done", settled, staff, "spoke") if settled else ("open", None, None, "")
    rows.add("crm_task", task, person.id, "alert", cause, detail, staff, at, due, *ended)
    rows.add("crm_hold", person.id, "alert", None, task, at, settled)


def tenth(rng: Random, mean: float, spread: float = 0.7) -> int:
    """A whole number from 0 to 10 near `mean`."""
    return min(10, max(0, round(rng.gauss(mean, spread))))


def seventh(rng: Random, mood: float) -> int:
    """−3 to +3: a mood of 5 is as expected, or like elsewhere."""
    return min(3, max(-3, round((mood - 5) * 0.62 + rng.gauss(0, 0.4))))


def surveys(rng: Random, world: World, person: Person, bought: Sequence[Bought], rows: Rows) -> None:
    """Answered questionnaires: those whose kind answers do so within the year, some others now and then."""
    ages: list[int] = []
    if person.has("survey"):
        ages = [20 + int(rng.random() * 120), 160 + int(rng.random() * 180)][: 1 + (rng.random() < 0.5)]
    elif person.has("old_survey"):
        ages = [400 + int(rng.random() * 250)]
    elif bought and rng.random() < 0.06:
        ages = [5 + int(rng.random() * 700)]
    first = bought[0].at if bought else person.since
    for at, age in enumerate(ages):
        day = DAYS - age
        if world.clock.day_of(first) < day:
            _sheet(rng, world, person, day, bought, at == 0 and person.has("survey"), rows)


def _sheet(
    rng: Random, world: World, person: Person, day: int, bought: Sequence[Bought], whole: bool, rows: Rows
) -> None:
    at = world.clock.instant(day, 480 + int(rng.random() * 800))
    about = next((purchase.id for purchase in reversed(bought) if purchase.at < at), None)
    response = str(UUID(int=rng.getrandbits(128), version=4))
    mood, moment = person.mood, text(at)
    values = {"csat": tenth(rng, mood), "trust": tenth(rng, mood), "nps": tenth(rng, mood)}
    if whole or rng.random() < 0.6:
        values |= {"commitment": tenth(rng, mood - 0.2), "involvement": tenth(rng, 6 + mood / 4)}
        values |= {"disconfirmation": seventh(rng, mood), "repurchase_intent": tenth(rng, mood)}
    if rng.random() < 0.6:
        values["comparison"] = seventh(rng, mood)
    words = notes.COMMENTS_GLAD if mood > 6.5 else notes.COMMENTS_SORE if mood < 4.5 else ("",)
    comment = pick(rng, words) if rng.random() < 0.3 else ""
    place = ASKED_ABOUT[int(response[:4], 16) % len(ASKED_ABOUT)]
    if place in PLACE_MOOD:
        mood = min(10.0, max(0.0, mood + PLACE_MOOD[place]))
    for item, value in values.items():
        rows.add("crm_answer", person.id, response, item, value, "", "customer_self", place, comment, about, moment)
        comment = ""
    if whole or rng.random() < 0.5:
        form, asked = ("full", list(emotions.BY_CODE)) if rng.random() < 0.35 else ("short", SHORT_FORM)
        felt: dict[str, Decimal] = {}
        for code in asked:
            value = tenth(rng, mood - 0.6 if emotions.BY_CODE[code].sign > 0 else 8.6 - mood, 1.2)
            felt[code] = Decimal(value)
            rows.add(
                "crm_answer", person.id, response, f"nev_{code}", value, form, "customer_self", place, "", None, moment
            )
        alert = alerts.of_ratings(felt, form)
        if alert:
            detail = json.dumps(alert.detail("customer_self"))
            _alert(world, person, day, moment, f"response:{response}", detail, person.staff or world.staff[0], rows)


def motives(rng: Random, world: World, person: Person, rows: Rows) -> None:
    """High-impact motivators: said by the customer, noted by staff, or only guessed."""
    chance = rng.random()
    if not (person.has("contact") or (person.has("survey") and chance < 0.5) or chance < 0.01):
        return
    chosen = rng.sample(notes.MOTIVATORS, 1 + int(rng.random() * 3))
    for at, motivator in enumerate(chosen):
        origin = "self_report" if at == 0 or rng.random() < 0.6 else pick(rng, ("staff_note", "behaviour_hypothesis"))
        fulfilment = tenth(rng, person.mood) if origin == "self_report" and rng.random() < 0.85 else None
        by = None if origin == "self_report" else pick(rng, world.staff)
        when = text(world.clock.end - int((10 + rng.random() * 500) * DAY))
        note = notes.MOTIVATOR_NOTES.get(motivator, "")
        rows.add(
            "crm_motivatorevidence", person.id, motivator, 6 + int(rng.random() * 5), fulfilment, origin, note, by, when
        )
