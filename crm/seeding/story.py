"""The whole story: customers chunk by chunk, each chunk made up from the seed and its own number."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.timezone import now

from crm import plugins, returns
from crm.models import Customer, Purchase, Return
from crm.seeding import allowing, cases, feelings, habits, loading, people, shopping, today, world
from crm.seeding.people import Person
from crm.seeding.shopping import Bought
from crm.seeding.world import World
from crm.seeding.writing import COLUMNS, Rows

CHUNK = 5_000
BULK_FROM = 10_000  # customers from which on indexes and keys are built when all rows are in
RETURNS_AT_ONCE = 500  # the work grows faster than their number
TWINS = 0.025
WALK_INS = 0.25  # purchases without a customer, for each customer


class NotEmpty(Exception):
    """The installation already has customers or purchases."""


@dataclass
class Told:
    """What has been stored so far: rows by table, customers, seconds; and what is done once all rows are in."""

    customers: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    finishing: str = ""


def tell(customers: int, seed: int, until: date, report: Callable[[Told], None] = lambda told: None) -> Told:
    """Store `customers` invented customers with three years of history that end the day before `until`.

    The same seed, number and day give the same history. A small shop is stored chunk by chunk, each in a transaction;
    a large one in a single transaction, indexes last, where this role may. Memory does not grow with the number.
    `report` is called after every chunk and step. Raises NotEmpty if there are customers or purchases already.
    """
    if Customer.objects.exists() or Purchase.objects.exists():
        raise NotEmpty
    told, started = Told(), time.monotonic()
    with transaction.atomic():
        place = world.build(until)
        shop_window = timedelta(hours=world.Shop.current().event_window_hours)
        place.live_after = int((now() - shop_window).timestamp())
        today.refuse_some(place)

    def tell_on(finishing: str = "") -> None:
        told.finishing, told.seconds = finishing, time.monotonic() - started
        report(told)

    chunks = _chunks(place, customers, seed)
    with connection.cursor() as cursor:
        if customers >= BULK_FROM and loading.owned(cursor, COLUMNS):
            _load(cursor, chunks, told, tell_on)
        else:
            for chunk in chunks:
                _store(chunk, told)
                tell_on()
        # Without it the planner takes a full table for an empty one. A role that does not own it is passed over.
        cursor.execute(f"{'' if connection.in_atomic_block else 'VACUUM '}ANALYZE {', '.join(COLUMNS)}")
    for plugin in plugins.registered():
        plugin.seed(seed, until)
    told.seconds = time.monotonic() - started
    return told


@transaction.atomic
def _load(cursor: CursorWrapper, chunks: Iterable["Chunk"], told: Told, tell_on: Callable[..., None]) -> None:
    """Store all chunks in one transaction, then index, allocate the returns, and check the foreign keys."""
    tables = loading.bare(cursor, COLUMNS)
    for chunk in chunks:
        _count(told, chunk, chunk.rows.copy(cursor, tables.frozen))
        tell_on()
    tables.index(cursor, tell_on)
    tell_on("returns")
    cursor.execute(f"ANALYZE {', '.join(COLUMNS)}; {returns.STAGING}")
    everything = sorted(Return.objects.values_list("pk", flat=True))
    for at in range(0, len(everything), RETURNS_AT_ONCE):
        part = everything[at : at + RETURNS_AT_ONCE]
        cursor.execute("DELETE FROM st_allocation")
        returns.reallocate(cursor, created=(), updated=(), returns=part, customers=())
    tables.connect(cursor, tell_on)


def _chunks(place: World, customers: int, seed: int) -> Iterator["Chunk"]:
    """The chunks in order. While the database takes in one, a thread makes up the next."""
    parts = [range(start, min(customers, start + CHUNK)) for start in range(0, customers, CHUNK)]
    chances = [Random(f"{seed}/{at}") for at in range(len(parts))]  # noqa: S311
    if len(parts) == 1:
        yield _make_up(place, chances[0], parts[0])
        return
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(_make_up, place, chances[0], parts[0])
        for at in range(1, len(parts) + 1):
            chunk = coming.result()
            if at < len(parts):
                coming = ahead.submit(_make_up, place, chances[at], parts[at])
            yield chunk
        ahead.submit(lambda: connection.close()).result()


def _store(chunk: "Chunk", told: Told) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        stored = chunk.rows.copy(cursor)
        cursor.execute(returns.STAGING)
        returns.reallocate(cursor, created=(), updated=(), returns=chunk.rows.returns, customers=())
    _count(told, chunk, stored)


def _count(told: Told, chunk: "Chunk", stored: dict[str, int]) -> None:
    for table, count in stored.items():
        told.rows[table] = told.rows.get(table, 0) + count
    told.customers += chunk.customers


@dataclass
class Chunk:
    """Some customers with all their rows."""

    customers: int
    rows: Rows = field(default_factory=Rows)


def _make_up(place: World, rng: Random, numbers: range) -> Chunk:
    chunk = Chunk(len(numbers))
    rows, known, buyers = chunk.rows, list[Person](), list[Person]()
    for person in _people(place, rng, numbers):
        bought = _history(place, rng, person, rows)
        shopping.bring_back(rng, place, person, bought, rows)
        if bought and not person.has("test") and not person.has("placeholder"):
            buyers.append(person)
            today.hold_some(place, person, bought, rows)
        people.write(person, place, rows)
        _around(place, rng, person, bought, rows)
        known.append(person)
    _referrals(place, rng, known, buyers, rows)
    for _ in range(int(len(numbers) * WALK_INS)):
        shopping.walk_in(rng, place, rows)
    return chunk


def _referrals(place: World, rng: Random, known: list[Person], buyers: list[Person], rows: Rows) -> None:
    """Acts for the shop come last, because they may name any customer of the chunk."""
    for person in known:
        friend = people.pick(rng, buyers) if buyers and person.has("advocate") else None
        cases.advocacy(rng, place, person, friend if friend is not person else None, rows)


def _people(place: World, rng: Random, numbers: range) -> Iterator[Person]:
    """The customers of a chunk; some are the one before them a second time."""
    before: Person | None = None
    for number in numbers:
        habit = habits.choose(rng, number)
        doubled = before and number > len(habits.HABITS) and before.family and "placeholder" not in habit.traits
        if doubled and before and (rng.random() < TWINS or number == len(habits.HABITS) + 1):
            person = people.twin_of(rng, place, before, number, habit)
            before = None
        else:
            person = before = people.make(rng, place, number, habit)
        yield person


def _history(place: World, rng: Random, person: Person, rows: Rows) -> list[Bought]:
    days = habits.purchase_days(rng, person.habit, place.clock)
    bought = shopping.shop_for(rng, place, person, days, rows)
    live = today.buys_now(rng, place, person, rows)
    if live:
        bought.append(live)
    people.first_contact(rng, place, person, bought[0].at if bought else None)
    return bought


def _around(place: World, rng: Random, person: Person, bought: list[Bought], rows: Rows) -> None:
    """All that is not a purchase."""
    sale = next((purchase for purchase in bought if purchase.source == world.WEB and purchase.kept), None)
    noticed = (sale.id, sale.at) if sale and rng.random() < 0.7 else None
    people.write_addresses(rng, person, place, noticed, rows)
    allowing.declare(rng, place, person, rows)
    if person.has("placeholder"):
        return
    feelings.contacts(rng, place, person, rows)
    feelings.surveys(rng, place, person, bought, rows)
    feelings.motives(rng, place, person, rows)
    cases.complaints(rng, place, person, bought, rows)
    cases.barrier_facts(rng, place, person, rows)
    cases.participations(rng, place, person, rows)
    cases.past_mail(rng, place, person, bought, rows)
