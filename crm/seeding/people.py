"""Who the invented customers are: names, birthdays, addresses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar
from uuid import UUID

from crm.seeding import fiction, words
from crm.seeding.clock import DAY, DAYS, text
from crm.seeding.habits import Habit
from crm.seeding.world import FILE, TILL, WEB, World
from crm.seeding.writing import Rows

GREETED_SOON = 2_000  # among so many first customers some have their birthday today or tomorrow
SOUND_ALIKE = (("ü", "ue"), ("ö", "oe"), ("ä", "ae"), ("ß", "ss"), ("mm", "m"), ("tt", "t"), ("ll", "l"), ("ei", "ey"))

T = TypeVar("T")


@dataclass
class Person:
    """A customer while being made up. `number` counts from 0; `mood` is what he thinks of the shop, 0 to 10."""

    id: int
    key: str
    number: int
    habit: Habit
    mood: float
    company: str = ""
    given: str = ""
    family: str = ""
    title: str = ""
    salutation: str = "none"
    language: str = "de"
    birthday: tuple[int | None, int | None, int | None] = (None, None, None)
    town: tuple[str, str, str] = words.TOWNS[0]
    mail: str | None = None
    phone: tuple[str, str] | None = None
    staff: int | None = None
    sources: tuple[str, ...] = (WEB,)
    since: int = 0
    attributes: dict[str, str] = field(default_factory=dict)

    def has(self, trait: str) -> bool:
        return trait in self.habit.traits

    @property
    def greeted_soon(self) -> bool:
        """Has the birthday today or tomorrow, so that the first greetings can be seen on their way."""
        return self.number < GREETED_SOON and self.number % 61 in (40, 41) and not self.company


def pick(rng: Random, options: Sequence[T]) -> T:
    return options[int(rng.random() * len(options))]


def make(rng: Random, world: World, number: int, habit: Habit) -> Person:
    """A new customer without a history yet."""
    mood = habit.mood if habit.mood is not None else min(10.0, max(0.0, rng.gauss(7.2, 1.7)))
    person = Person(
        world.next_id["crm_customer"](), str(UUID(int=rng.getrandbits(128), version=4)), number, habit, mood
    )
    if number == 0:
        _persona(person)
    elif person.has("company"):
        _company(rng, person)
    elif not person.has("placeholder"):
        _name(rng, person)
    if person.has("placeholder"):
        person.language, person.sources = "", (TILL,)
        return person
    _place(rng, world, person)
    _birthday(rng, world, person)
    _addresses(rng, person)
    if person.has("contact") or person.company or rng.random() < 0.08:
        person.staff = pick(rng, world.staff)
    return person


def _persona(person: Person) -> None:
    """The customer of the pictures in the manual."""
    person.given, person.family, person.title, person.salutation = "Jördis", "Wüstenhagen-Özdemir", "Dr.", "ms"
    person.birthday = (3, 12, None)
    person.attributes = {"Zubereitung": "Siebträger", "Mahlgrad": "fein, Stufe 4"}


def _company(rng: Random, person: Person) -> None:
    person.company = f"{pick(rng, words.COMPANY_STEMS)} {pick(rng, words.COMPANY_FORMS)}"
    person.attributes = {"Kundengruppe": "Büro"}
    if person.number % 2 or rng.random() < 0.3:
        _name(rng, person)


def _name(rng: Random, person: Person) -> None:
    chance = rng.random()
    names, said = (
        (words.FEMALE, "ms") if chance < 0.53 else (words.MALE, "mr") if chance < 0.95 else (words.NEUTRAL, "neutral")
    )
    person.given = pick(rng, names)
    person.salutation = said if rng.random() < 0.8 else "none"
    person.family = _family(rng, person.number)
    if rng.random() < 0.04:
        person.title = pick(rng, words.TITLES)
    spoken = rng.random()
    if spoken > 0.93:
        person.language = "en" if spoken > 0.96 else ""
        if not person.language:
            person.attributes = {"Sprache": pick(rng, words.OTHER_LANGUAGES)}


def _family(rng: Random, number: int) -> str:
    chance = rng.random()
    if number % 50 == 30 or chance < 0.012:
        return pick(rng, words.NOBLE)
    if number % 300 == 31:
        return pick(rng, words.LONG)
    if chance < 0.06:
        return f"{pick(rng, words.FAMILY)}-{pick(rng, words.FAMILY)}"
    return pick(rng, words.FAMILY)


def _place(rng: Random, world: World, person: Person) -> None:
    chance = rng.random()
    person.sources = (TILL, WEB) if chance < 0.18 else (TILL,) if chance < 0.45 else (WEB,)
    nearby = TILL in person.sources
    person.town = words.TOWNS[int(rng.random() * 6)] if nearby else pick(rng, words.TOWNS)
    if not person.attributes and rng.random() < 0.3:
        person.attributes = {"Zubereitung": pick(rng, words.BREWING)}
    person.since = world.clock.instant(int(rng.random() * (DAYS - 1)), 600)


def _birthday(rng: Random, world: World, person: Person) -> None:
    soon = person.greeted_soon
    if person.company or person.birthday[0] or not (soon or person.number % 97 == 25 or rng.random() < 0.55):
        return
    day = world.clock.dates[int(rng.random() * 365)]
    if soon:
        day = world.clock.dates[DAYS]
        day = day.fromordinal(day.toordinal() + person.number % 61 - 40)
    year = 1940 + int(rng.random() * 66) if rng.random() < 0.5 else None
    person.birthday = (day.day, day.month, year)
    if person.number % 97 == 25:
        person.birthday = (29, 2, year and year - year % 4)


def _addresses(rng: Random, person: Person) -> None:
    wanted = WEB in person.sources or person.has("survey")
    if rng.random() < (0.97 if wanted else 0.4):
        given, family = (person.given, person.family) if person.family else ("", person.company)
        person.mail = fiction.mail_address(rng, given, family, person.number + 1)
    if rng.random() < (0.45 if person.mail else 0.8) or person.number == 0:
        person.phone = fiction.phone_number(rng)


def twin_of(rng: Random, world: World, first: Person, number: int, habit: Habit) -> Person:
    """The same person a second time: another spelling, another source, the same mailbox or telephone."""
    twin = make(rng, world, number, habit)
    twin.company, twin.given, twin.family, twin.title = first.company, first.given, first.family, ""
    twin.salutation, twin.town, twin.phone = first.salutation, first.town, first.phone
    twin.sources = (FILE,) if rng.random() < 0.3 else (TILL,) if first.sources == (WEB,) else (WEB,)
    twin.mail = (
        first.mail
        if rng.random() < 0.55
        else twin.mail and fiction.mail_address(rng, first.given, first.family, number + 1)
    )
    twin.family = _misspelt(rng, first.family)
    if rng.random() < 0.3:
        twin.given = first.given[:1] + "."
    return twin


def _misspelt(rng: Random, name: str) -> str:
    for sign, other in SOUND_ALIKE:
        if sign in name:
            return name.replace(sign, other, 1)
    if len(name) < 4:
        return name + name[-1:]
    at = 1 + int(rng.random() * (len(name) - 2))
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def write(person: Person, world: World, rows: Rows) -> None:
    """The customer's row and the keys under which the sources know it."""
    born, since = person.birthday, text(person.since)
    rows.add(
        "crm_customer", person.id, person.key, "company" if person.company else "person", person.salutation,
        person.title, person.given, person.family, person.company, *born, person.language,
        "" if person.has("placeholder") else person.town[2], "" if person.has("placeholder") else person.town[0],
        person.staff, json.dumps(person.attributes, ensure_ascii=False), person.has("placeholder"), person.has("test"),
        world.clock.day_text(person.since), since, since,
    )  # fmt: skip
    for source in person.sources:
        rows.add("crm_customerkey", world.sources[source], customer_key(person, source), person.id)


def customer_key(person: Person, source: str) -> str:
    letter = {TILL: "KK", WEB: "W", FILE: "D"}[source]
    return f"{letter}-{104_217 + person.number}"


def write_addresses(rng: Random, person: Person, world: World, sale: tuple[int, int] | None, rows: Rows) -> None:
    """Contact points; `sale` is (purchase, instant) of a sale in which the e-mail address was collected."""
    collected, source = text(person.since), world.sources[person.sources[-1]]
    if person.mail:
        purchase, notice = (sale[0], "2023-1") if sale else (None, "")
        value = person.mail.capitalize() if rng.random() < 0.05 else person.mail
        state = {26: "hard_bounced", 27: "soft_bounced"}.get(person.number % 97, "usable")
        rows.add("crm_contactpoint", person.id, "email", value, person.mail, state, True, source, purchase, notice,
                 text(sale[1]) if sale else collected)  # fmt: skip
        if rng.random() < 0.02:
            old = f"alt.{person.mail}"
            rows.add("crm_contactpoint", person.id, "email", old, old, "gone", False, source, None, "", collected)
    if person.phone:
        rows.add("crm_contactpoint", person.id, "phone", *person.phone, "usable", True, source, None, "", collected)
    if rng.random() < 0.6 and not person.has("placeholder"):
        town, code, _ = person.town
        street = f"{pick(rng, words.STREETS)} {1 + int(rng.random() * 80)}, {code} {town}"
        rows.add(
            "crm_contactpoint", person.id, "post", street, street.lower(), "usable", True, source, None, "", collected
        )
    if rng.random() < 0.02 and person.given:
        handle = f"@{fiction.plain(person.given)}_{person.number + 1}"
        rows.add("crm_contactpoint", person.id, "social", handle, handle, "usable", True, source, None, "", collected)


def first_contact(rng: Random, world: World, person: Person, first_purchase: int | None) -> None:
    """A customer is known since the first purchase, or since he asked for something before it."""
    if first_purchase is not None:
        early = rng.random() < 0.1
        start = world.clock.instant(0, 600)
        person.since = max(start, first_purchase - int(rng.random() * 60) * DAY) if early else first_purchase
