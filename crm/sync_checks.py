"""One pass over the rows of a batch: what is wrong with each, and what the good ones say, once for each record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

from django.utils.translation import gettext as _

from crm.models import Purchase
from crm.sync_fields import KEY_LENGTH, MONEY_LIMIT, Fields, Json, Problem
from crm.sync_people import NAMES, CustomerNews, customer_fields

STATUSES = frozenset(Purchase.Status.values)
SHARED = {"external_id", "version", "currency", "rate", "customer", "lines"}
PURCHASE_NAMES = frozenset(SHARED | {"ordered_at", "status", "place"})
RETURN_NAMES = frozenset(SHARED | {"returned_at", "purchase"})
LINE_NAMES = frozenset({"product", "description", "quantity", "unit_price"})
PRODUCT_NAMES = frozenset({"external_id", "name", "category"})
CATEGORY_NAMES = frozenset({"external_id", "name"})
MOST_LINES = 10_000


class Line(NamedTuple):
    """A position as it will be stored: numbers as canonical text, `net` in the shop's currency."""

    product: str
    description: str
    quantity: str
    unit_price: str
    net: Decimal


@dataclass(slots=True)
class Record:
    """A purchase or a return. `at` is when it happened; `purchase` is what a return refers to, or ""."""

    index: int
    external_id: str
    at: datetime
    version: datetime
    currency: str
    rate: str
    customer: str
    lines: list[Line]
    total: Decimal
    status: str = ""
    place: str = ""
    purchase: str = ""
    digest: str = ""

    @property
    def rank(self) -> tuple[datetime, str]:
        """Of two rows about one record the one with the greater rank is its later state."""
        return self.version, self.digest


@dataclass(slots=True)
class ProductNews:
    """(hour, value) of a product's last name and category; None where no row says anything."""

    name: tuple[datetime, str] | None = None
    category: tuple[datetime, str] | None = None


@dataclass(slots=True)
class Side:
    """The purchases or the returns of a batch. `problems` has an entry for each row, empty for a good one."""

    rows: Sequence[Json]
    problems: list[list[Problem]] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    outdone: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Keep the latest state of each record; the others of this batch are `outdone`."""
        known = self.records.get(record.external_id)
        if known is not None and known.rank >= record.rank:
            self.outdone.append(record)
            return
        if known is not None:
            self.outdone.append(known)
        self.records[record.external_id] = record


@dataclass(slots=True)
class Checked:
    purchases: Side
    returns: Side
    customers: dict[str, CustomerNews] = field(default_factory=dict)
    products: dict[str, ProductNews] = field(default_factory=dict)
    categories: dict[str, tuple[datetime, str]] = field(default_factory=dict)


def check(purchases: Sequence[Json], returns: Sequence[Json], currency: str, now: datetime) -> Checked:
    """Check all rows of a batch for a shop that counts in `currency`. Asks no database."""
    checked = Checked(Side(purchases), Side(returns))
    reader = _Reader(Fields(now), currency, checked)
    for side, read in ((checked.purchases, reader.purchase), (checked.returns, reader.returned)):
        for index, row in enumerate(side.rows):
            reader.take(side, index, row, read)
    return checked


class _Reader:
    """Reads one row after another; what a row says counts only once the whole row is found right."""

    def __init__(self, fields: Fields, currency: str, checked: Checked) -> None:
        self.fields = fields
        self.own_currency = currency
        self.checked = checked
        self.goods: list[dict[str, Json]] = []
        self.buyer: dict[str, Json] = {}
        self.buyer_version: datetime | None = None

    def take(self, side: Side, index: int, row: Json, read: Callable[[int, dict[str, Json]], Record]) -> None:
        fields = self.fields
        fields.problems = []
        side.problems.append(fields.problems)
        self.goods, self.buyer = [], {}
        if not fields.is_object(row, ""):
            return
        record = read(index, row)
        if fields.problems:
            return
        record.digest = digest(record)
        side.add(record)
        if record.customer:
            self.note_customer(record, row["customer"])
        hour = record.version.replace(minute=0, second=0, microsecond=0)
        for product in self.goods:
            self.note_product(product, hour)

    def purchase(self, index: int, row: dict[str, Json]) -> Record:
        fields = self.fields
        fields.only(row, PURCHASE_NAMES, "")
        record = self.record(index, row, "ordered_at")
        record.status = fields.choice(row, "status", STATUSES)
        record.place = fields.text(row, "place", 60)
        return record

    def returned(self, index: int, row: dict[str, Json]) -> Record:
        self.fields.only(row, RETURN_NAMES, "")
        record = self.record(index, row, "returned_at")
        if row.get("purchase") is not None:
            record.purchase = self.fields.key(row, "purchase")
        return record

    def record(self, index: int, row: dict[str, Json], when: str) -> Record:
        fields = self.fields
        external_id = fields.key(row, "external_id")
        at = fields.instant(row, when)
        version = fields.instant(row, "version", default=at)
        currency, rate = fields.currency(row, self.own_currency)
        customer = self.customer(row.get("customer"), version)
        lines = self.lines(row.get("lines"), rate)
        total = sum((line.net for line in lines), Decimal(0))
        if total >= MONEY_LIMIT:
            fields.problem("out_of_range", "lines", _("This amount of money is too large."))
        return Record(index, external_id, at, version, currency, rate, customer, lines, total)

    def customer(self, row: Json, version: datetime) -> str:
        """The customer's key; "" for an anonymous sale or a row that is wrong."""
        if row is None or not self.fields.is_object(row, "customer"):
            return ""
        key = self.fields.key(row, "external_id", "customer.")
        if len(row) > 1:
            self.fields.only(row, NAMES, "customer.")
            self.buyer_version = self.fields.instant(row, "version", "customer.", default=version)
            self.fields.text(row, "notice_version", 40, "customer.")
            self.buyer = customer_fields(self.fields, row, "customer.")
        return key

    def lines(self, rows: Json, rate: str) -> list[Line]:
        if type(rows) is not list or not rows:
            self.fields.problem("no_lines", "lines", _("Send at least one line with quantity and unit_price."))
            return []
        if len(rows) > MOST_LINES:
            self.fields.problem("too_many", "lines", _("Send at most %(limit)s lines.") % {"limit": MOST_LINES})
            return []
        return [self.line(row, f"lines[{place}]", rate) for place, row in enumerate(rows)]

    def line(self, row: Json, path: str, rate: str) -> Line:
        fields = self.fields
        if not fields.is_object(row, path):
            return Line("", "", "1", "0", Decimal(0))
        prefix = path + "."
        fields.only(row, LINE_NAMES, prefix)
        product = row.get("product")
        key = self.product(product, prefix + "product") if product is not None else ""
        quantity, price = fields.quantity(row, prefix), fields.price(row, prefix)
        net = fields.worth(quantity, price, rate, prefix)
        return Line(key, fields.text(row, "description", 200, prefix), quantity, price, net)

    def product(self, row: Json, path: str) -> str:
        fields = self.fields
        if not fields.is_object(row, path):
            return ""
        prefix = path + "."
        key = fields.key(row, "external_id", prefix)
        if len(row) > 1:
            fields.only(row, PRODUCT_NAMES, prefix)
            fields.text(row, "name", 200, prefix)
            category = row.get("category")
            if category is not None and fields.is_object(category, prefix + "category"):
                fields.only(category, CATEGORY_NAMES, prefix + "category.")
                fields.key(category, "external_id", prefix + "category.")
                if not fields.text(category, "name", 120, prefix + "category."):
                    fields.problem("required", prefix + "category.name", _("Send the name of the category."))
        self.goods.append(row)
        return key

    def note_customer(self, record: Record, row: dict[str, Json]) -> None:
        news = self.checked.customers.setdefault(record.customer, CustomerNews())
        if self.buyer and self.buyer_version:
            # A return's row is no sale: an address in it was not collected by one.
            sale = record.external_id if record.status else ""
            news.add(self.buyer, self.buyer_version, row.get("notice_version") or "", sale)
            news.rows.append(record.index if record.status else -1)

    def note_product(self, row: dict[str, Json], hour: datetime) -> None:
        news = self.checked.products.setdefault(row["external_id"], ProductNews())
        if len(row) == 1:
            return
        if "name" in row:
            news.name = later(news.name, (hour, row["name"] or ""))
        if "category" in row:
            category = row["category"] or {"external_id": "", "name": ""}
            news.category = later(news.category, (hour, category["external_id"]))
            if category["external_id"]:
                known = self.checked.categories.get(category["external_id"])
                self.checked.categories[category["external_id"]] = later(known, (hour, category["name"]))


def later(known: tuple[datetime, str] | None, found: tuple[datetime, str]) -> tuple[datetime, str]:
    return found if known is None else max(known, found)


def digest(record: Record) -> str:
    """A checksum of what a row says, without its version: 32 hexadecimal digits."""
    head = f"{record.at}\x1f{record.customer}\x1f{record.currency}\x1f{record.rate}\x1f"
    kind = f"{record.status}\x1f{record.place}\x1f{record.purchase}\x1e"
    body = "\x1e".join(
        [f"{product}\x1f{text}\x1f{count}\x1f{price}" for product, text, count, price, _net in record.lines]
    )
    return blake2b((head + kind + body).encode(), digest_size=16).hexdigest()


def external_id_of(row: Json) -> str | None:
    """The name by which the sender will know a row again in the answer, even of a row that is wrong."""
    found = row.get("external_id") if type(row) is dict else None
    return found[:KEY_LENGTH] if type(found) is str else None
