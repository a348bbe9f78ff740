"""What all customers of the invented shop share: the shop itself, its staff, sources, goods and wordings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from crm.models import Category, Product, Shop, Source, User
from crm.seeding import catalogue, legal, words, writing
from crm.seeding.clock import Clock

NAME = "Rösterei Amsel"
IMPRINT = (
    "Rösterei Amsel (erfundener Laden, Demodaten)\nRöstergasse 7, 37073 Göttingen\nTelefon 030 23125 700\n"
    "hallo@amsel.example.com\nInhaberin: Mirjam Kästner"
)
TILL, WEB, FILE = "Kasse", "Webshop", "Kundenkartei 2023"
WITH_IDS = ("crm_customer", "crm_purchase", "crm_return", "crm_consentevent", "crm_interaction", "crm_complaint",
            "crm_task")  # fmt: skip


@dataclass
class World:
    """The fixed part of the demo. Products stand in the order of the catalogue."""

    clock: Clock
    currency: str
    sources: dict[str, int]
    staff: list[int]
    categories: dict[str, int]
    products: list[int]
    groups: list[int]  # the category of each product
    wordings: dict[str, int]
    next_id: dict[str, Callable[[], int]]
    live_after: int | None = None  # a purchase after this instant counts as live
    goods: dict[tuple[int, int, int], str] = field(default_factory=dict)  # positions already written, by what they hold
    # Purchases and returns are numbered in the order in which they are made up.
    numbers: dict[str, int] = field(default_factory=lambda: {"purchase": 100_000, "return": 5_000})

    def number(self, kind: str) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind]


def build(until: date) -> World:
    """Store the shop, its staff, sources, goods and wordings, and return them."""
    shop = open_shop()
    sources = {
        name: Source.objects.get_or_create(name=name, defaults={"kind": kind})[0].pk
        for name, kind in ((TILL, "api"), (WEB, "api"), (FILE, "file"))
    }
    categories = _categories(sources[WEB])
    return World(
        clock=Clock(until, ZoneInfo(shop.time_zone)),
        currency=shop.currency,
        sources=sources,
        staff=[_employee(*names) for names in words.STAFF],
        categories=categories,
        products=_products(sources[WEB], categories),
        groups=[categories[item.category] for item in catalogue.ARTICLES],
        wordings=legal.wordings(),
        next_id={table: writing.ids(table) for table in WITH_IDS},
    )


def open_shop() -> Shop:
    """The shop's settings; filled in where nobody has named the shop yet."""
    shop = Shop.current()
    if shop.name == Shop._meta.get_field("name").db_default:
        shop.name = NAME
        shop.sender_name = "Mirjam Kästner, Rösterei Amsel"
        shop.sender_email = shop.reply_to = "hallo@amsel.example.com"
        shop.imprint = IMPRINT
        shop.save()
        legal.publish(shop)
    return shop


def _employee(username: str, given: str, family: str) -> int:
    """A member of staff who appears in the history and cannot log in."""
    found: dict[str, Any] = {"first_name": given, "last_name": family, "is_active": False, "role": User.Role.SUPPORT}
    user, made = User.objects.get_or_create(username=username, defaults=found)
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user.pk


def _categories(source_id: int) -> dict[str, int]:
    made = [Category(source_id=source_id, external_id=name.lower(), name=name) for name in catalogue.CATEGORIES]
    Category.objects.bulk_create(made, ignore_conflicts=True)
    return dict(Category.objects.filter(source_id=source_id).values_list("name", "pk"))


def _products(source_id: int, categories: dict[str, int]) -> list[int]:
    made = [
        Product(source_id=source_id, external_id=item.number, name=item.name, category_id=categories[item.category])
        for item in catalogue.ARTICLES
    ]
    Product.objects.bulk_create(made, ignore_conflicts=True)
    known = dict(Product.objects.filter(source_id=source_id).values_list("external_id", "pk"))
    return [known[item.number] for item in catalogue.ARTICLES]
