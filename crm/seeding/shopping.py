"""What the invented customers buy, and what they bring back."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random

from crm.seeding import catalogue, habits
from crm.seeding.clock import DAY, DAYS, MINUTE, text
from crm.seeding.people import Person, pick
from crm.seeding.world import TILL, WEB, World
from crm.seeding.writing import Rows

SHOPS = ("Laden Göttingen", "Laden Göttingen", "Laden Göttingen", "Laden Kassel")
# Chance of each category in the basket, as a running sum, by month: presents and courses before Christmas.
USUAL = (0.52, 0.77, 0.79, 0.9, 0.93, 1.0)
ADVENT = (0.38, 0.55, 0.58, 0.67, 0.72, 1.0)
SHELVES = tuple(catalogue.BY_CATEGORY[name] for name in catalogue.CATEGORIES)
MOST = tuple(article.most for article in catalogue.ARTICLES)


@dataclass(slots=True)
class Line:
    """One position of a basket; money in cents."""

    article: int
    quantity: int
    cents: int
    year: int


@dataclass(slots=True)
class Bought:
    """A stored purchase as the rest of the story needs it."""

    id: int
    external_id: str
    source: str
    at: int
    lines: list[Line]
    kept: bool


@cache
def price(article: int, year: int) -> int:
    return catalogue.price_in_cents(catalogue.ARTICLES[article], year)


def shop_for(rng: Random, world: World, person: Person, days: list[int], rows: Rows) -> list[Bought]:
    """Store all purchases of one customer and return them in order."""
    favourites = [pick(rng, catalogue.BY_CATEGORY[pick(rng, ("Bohnen", "Bohnen", "Espresso"))]) for _ in range(2)]
    bought: list[Bought] = []
    sources = tuple(source for source in person.sources if source in (TILL, WEB)) or (TILL,)
    for day in sorted({habits.open_day(day, world.clock) for day in days}):
        source = pick(rng, sources)
        lines = _basket(rng, person, day, world, favourites)
        status = _status(rng, day, source)
        at = world.clock.instant(day, 560 + int(rng.random() * (540 if source == TILL else 800)))
        bought.append(store(rng, world, person.id, source, at, lines, status, rows))
    return bought


def _basket(rng: Random, person: Person, day: int, world: World, favourites: list[int]) -> list[Line]:
    year = day // 365 if day < DAYS - 1 else 2
    packs = 4 if person.company else 1
    many = 2 + int(rng.random() * 3) if person.company else 1 + int(rng.random() * rng.random() * 5.2)
    chances = ADVENT if world.clock.season[day] > 1.5 else USUAL
    chosen: dict[int, Line] = {}
    for _ in range(many):
        if rng.random() < 0.45:
            article = favourites[rng.random() < 0.35]
        else:
            article = pick(rng, SHELVES[bisect_left(chances, rng.random())])
        quantity = 1 + int(rng.random() * rng.random() * (MOST[article] * packs))
        chosen[article] = Line(article, quantity, price(article, year), year)
    return list(chosen.values())


def _status(rng: Random, day: int, source: str) -> str:
    if source == TILL:
        return "completed"
    chance = rng.random()
    if chance < 0.015:
        return "cancelled"
    if chance < 0.027:
        return "refunded"
    if day >= DAYS - 4:
        return "paid" if chance < 0.7 else "placed"
    return "completed" if chance < 0.97 else "paid"


def store(rng: Random, world: World, customer: int | None, source: str, at: int, lines: list[Line], status: str,
          rows: Rows) -> Bought:  # fmt: skip
    """Write one purchase with its lines. What was brought back is left to `returns`."""
    purchase = world.next_id["crm_purchase"]()
    external_id = f"{'L' if source == TILL else 'B'}-{world.number('purchase')}"
    money = decimal(sum([line.quantity * line.cents for line in lines]))
    groups = sorted({world.groups[line.article] for line in lines if line.cents})
    place = pick(rng, SHOPS) if source == TILL else "Webshop"
    stamp = text(at)
    rows.lines["crm_purchase"].append(
        f"{purchase}\t{world.sources[source]}\t{external_id}\t{customer or chr(92) + 'N'}\t{stamp}\t"
        f"{world.clock.day_text(at)}\t{status}\t{place}\t{world.currency}\t{money}\t{money}\t"
        f"{{{','.join(map(str, groups))}}}\t{stamp}\t{text(at + 5 * MINUTE)}\n"
    )
    add = rows.lines["crm_purchaseline"].append
    for position, line in enumerate(lines, start=1):
        add(f"{purchase}\t{position}\t{_goods(line, line.quantity, world)}\n")
    return Bought(purchase, external_id, source, at, lines, status in ("paid", "completed"))


def _goods(line: Line, quantity: int, world: World) -> str:
    """product, description, quantity, unit price and value of a position, as COPY reads them."""
    known = world.goods.get((line.article, quantity, line.cents))
    if known is None:
        known = world.goods[line.article, quantity, line.cents] = (
            f"{world.products[line.article]}\t{catalogue.ARTICLES[line.article].name}\t{quantity}\t"
            f"{decimal(line.cents)}\t{decimal(quantity * line.cents)}"
        )
    return known


@lru_cache(maxsize=50_000)
def decimal(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def bring_back(rng: Random, world: World, person: Person, bought: list[Bought], rows: Rows) -> None:
    """Some things come back, wholly or in part, with the number of their purchase or without."""
    returned: set[int] = set()
    for at, purchase in enumerate(bought):
        if not purchase.kept or rng.random() > (0.35 if person.has("complaint") and at == len(bought) - 2 else 0.035):
            continue
        line = pick(rng, purchase.lines)
        when = purchase.at + (2 + int(rng.random() * 18)) * DAY
        taken = catalogue.ARTICLES[line.article].category in catalogue.NO_RETURN or line.article in returned
        if when >= world.clock.end or taken or _bought_again(bought[at + 1 :], line.article, when):
            continue
        returned.add(line.article)
        quantity = line.quantity if rng.random() < 0.55 else 1 + int(rng.random() * line.quantity)
        reference = purchase.external_id if purchase.source == WEB or rng.random() < 0.3 else ""
        give_back(world, person.id, purchase, reference, when, [(line, quantity)], "", rows)


def _bought_again(later: list[Bought], article: int, before: int) -> bool:
    return any(line.article == article for purchase in later if purchase.at <= before for line in purchase.lines)


def give_back(world: World, customer: int | None, purchase: Bought, reference: str, when: int,
              goods: list[tuple[Line, int]], held: str, rows: Rows) -> None:  # fmt: skip
    """Write one return. `reference` is the purchase number it names, if any; `held` why it cannot count yet."""
    parent = world.next_id["crm_return"]()
    rows.returns.append(parent)
    value = sum(quantity * line.cents for line, quantity in goods)
    known = purchase.id if reference == purchase.external_id and held != "unknown_purchase" else None
    rows.add(
        "crm_return", parent, world.sources[purchase.source], f"R-{world.number('return')}", reference, known, customer,
        text(when), world.clock.day_text(when), held, world.currency, decimal(value),
        text(when), text(when + 5 * MINUTE),
    )  # fmt: skip
    for position, (line, quantity) in enumerate(goods, start=1):
        rows.lines["crm_returnline"].append(f"{parent}\t{position}\t{_goods(line, quantity, world)}\n")


def walk_in(rng: Random, world: World, rows: Rows) -> None:
    """A purchase at the till by somebody without a customer card."""
    day = habits.open_day(int(rng.random() * DAYS), world.clock)
    article = pick(rng, catalogue.BY_CATEGORY["Bohnen"])
    line = Line(article, 1, price(article, min(2, day // 365)), min(2, day // 365))
    at = world.clock.instant(day, 560 + int(rng.random() * 540))
    store(rng, world, None, TILL, at, [line], "completed", rows)
