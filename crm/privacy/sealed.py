"""What the law keeps of an erased person: invoices and business letters by year, encrypted, with their day of purge.

From the end of the calendar year invoices are kept for 8 years (§ 147(3) AO, § 14b UStG, since 2025), business letters
for 6 (§ 257(4) HGB, § 147(3) AO).
"""

from collections import defaultdict
from datetime import date
from typing import Any
from uuid import uuid4

import orjson
from django.db.models import Count
from django.db.models.functions import ExtractYear
from django.utils.timezone import now

from crm.models import ContactPoint, Customer, ErasureLog, Purchase, PurchaseLine, SealedRecord
from crm.privacy import audit, letters, sealing

Kind = SealedRecord.Kind
KEPT_YEARS = {Kind.INVOICES: 8, Kind.LETTERS: 6}
INVOICED = (Purchase.Status.PAID, Purchase.Status.COMPLETED, Purchase.Status.REFUNDED)


def purge_day(year: int, kind: str = Kind.INVOICES) -> date:
    """The last day on which a record of this kind and year is kept."""
    return date(year + KEPT_YEARS[Kind(kind)], 12, 31)


def kept(year: int, kind: str) -> bool:
    return purge_day(year, kind) >= now().date()


def letter_years(customer_ids: list[int]) -> list[tuple[int, int]]:
    """(year, business letters) that an erasure would seal."""
    found = letters.years(customer_ids).items()
    return [(year, len(of_year)) for year, of_year in sorted(found) if kept(year, Kind.LETTERS)]


def years(customer_ids: list[int]) -> list[tuple[int, int]]:
    """(year, invoices) that an erasure would seal: those whose time is not yet over. One query."""
    found = (
        invoices(customer_ids)
        .annotate(year=ExtractYear("ordered_on"))
        .values_list("year")
        .annotate(number=Count("pk"))
        .order_by("year")
    )
    return [(year, number) for year, number in found if kept(year, Kind.INVOICES)]


def invoices(customer_ids: list[int]) -> Any:
    return Purchase.objects.filter(customer__in=customer_ids, status__in=INVOICED)


def seal(customer_ids: list[int], erasure: ErasureLog) -> None:
    """Seal one record a kind and year: name and address as they stood, and invoices with their lines, or letters."""
    who = [identity(customer) for customer in Customer.objects.filter(pk__in=customer_ids).order_by("pk")]
    SealedRecord.objects.bulk_create(
        [
            *(
                sealed(erasure, Kind.INVOICES, year, {"customer": who, "addresses": where(customer_ids, "post")} | found)
                for year, found in invoices_by_year(customer_ids).items()
                if kept(year, Kind.INVOICES)
            ),
            *(
                sealed(erasure, Kind.LETTERS, year, {"customer": who, "addresses": where(customer_ids, "post", "email")}
                       | {"letters": [letter.content for letter in found]})
                for year, found in letters.years(customer_ids).items()
                if kept(year, Kind.LETTERS)
            ),
        ]
    )  # fmt: skip


def where(customer_ids: list[int], *kinds: str) -> list[str]:
    """The addresses, the one in use first."""
    points = ContactPoint.objects.filter(customer__in=customer_ids, kind__in=kinds).order_by("-is_primary", "pk")
    return list(points.values_list("value", flat=True))


def invoices_by_year(customer_ids: list[int]) -> dict[int, dict[str, Any]]:
    by_year: dict[int, list[dict[str, Any]]] = defaultdict(list)
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    fields = ("product__name", "description", "quantity", "unit_price", "net")
    bought = PurchaseLine.objects.filter(purchase__in=invoices(customer_ids)).order_by("purchase_id", "position")
    for line in bought.values("purchase_id", *fields):
        lines[line.pop("purchase_id")].append(line)
    wanted = ("pk", "source__name", "external_id", "ordered_on", "status", "currency", "gross", "returned", "net")
    for invoice in invoices(customer_ids).order_by("ordered_at", "pk").values(*wanted):
        by_year[invoice["ordered_on"].year].append(invoice | {"lines": lines[invoice.pop("pk")]})
    return {year: {"purchases": of_year} for year, of_year in by_year.items()}


def identity(customer: Customer) -> dict[str, str]:
    names = ("title", "given_name", "family_name", "company_name", "city", "country")
    return {"number": customer.number} | {name: getattr(customer, name) for name in names if getattr(customer, name)}


def sealed(erasure: ErasureLog, kind: str, year: int, content: dict[str, Any]) -> SealedRecord:
    record = SealedRecord(pk=uuid4(), erasure=erasure, kind=kind, year=year, purge_on=purge_day(year, kind))
    record.key_id, record.content = sealing.seal(orjson.dumps(content, default=str).decode(), name_of(record))
    return record


def name_of(record: SealedRecord) -> str:
    """What the seal is bound to: record, erasure, and day of purge, none of which can be changed then."""
    return f"crm.SealedRecord:{record.pk}:{record.erasure_id}:{record.purge_on.isoformat()}"


def opened(record: SealedRecord, actor_id: int | None) -> dict[str, Any]:
    """The content, for bookkeeping; written into the audit. Raises sealing.SealError."""
    content = orjson.loads(sealing.unseal(record.key_id, bytes(record.content), name_of(record)))
    audit.record(actor_id, "sealed_opened", "erasure", record.erasure_id)
    return content


def reseal() -> int:
    """Seal anew, with the current key, what an earlier key sealed. Returns how many."""
    current = sealing.key_id(sealing.keys()[0])
    done = 0
    for record in SealedRecord.objects.exclude(key_id=current).iterator(chunk_size=500):
        text = sealing.unseal(record.key_id, bytes(record.content), name_of(record))
        record.key_id, record.content = sealing.seal(text, name_of(record))
        record.save(update_fields=["key_id", "content"])
        done += 1
    return done
