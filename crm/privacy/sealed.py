"""What the law keeps of an erased person: who bought what, by calendar year, encrypted, with its day of purge.

Invoices are kept for 8 years from the end of the calendar year (§ 147(3) AO, § 14b UStG, since 2025).
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
from crm.privacy import audit, sealing

KEPT_YEARS = 8
INVOICED = (Purchase.Status.PAID, Purchase.Status.COMPLETED, Purchase.Status.REFUNDED)


def purge_day(year: int) -> date:
    """The last day on which a record of this year is kept."""
    return date(year + KEPT_YEARS, 12, 31)


def years(customer_ids: list[int]) -> list[tuple[int, int]]:
    """(year, invoices) that an erasure would seal: those whose time is not yet over. One query."""
    found = (
        invoices(customer_ids)
        .annotate(year=ExtractYear("ordered_on"))
        .values_list("year")
        .annotate(number=Count("pk"))
        .order_by("year")
    )
    return [(year, number) for year, number in found if purge_day(year) >= now().date()]


def invoices(customer_ids: list[int]) -> Any:
    return Purchase.objects.filter(customer__in=customer_ids, status__in=INVOICED)


def seal_invoices(customer_ids: list[int], erasure: ErasureLog) -> None:
    """Seal one record a year: name and address as they stood, and the invoices with their lines."""
    who = [identity(customer) for customer in Customer.objects.filter(pk__in=customer_ids).order_by("pk")]
    addresses = ContactPoint.objects.filter(customer__in=customer_ids, kind="post").order_by("-is_primary", "pk")
    where = list(addresses.values_list("value", flat=True))
    by_year: dict[int, list[dict[str, Any]]] = defaultdict(list)
    lines: dict[int, list[dict[str, Any]]] = defaultdict(list)
    fields = ("product__name", "description", "quantity", "unit_price", "net")
    bought = PurchaseLine.objects.filter(purchase__in=invoices(customer_ids)).order_by("purchase_id", "position")
    for line in bought.values("purchase_id", *fields):
        lines[line.pop("purchase_id")].append(line)
    wanted = ("pk", "source__name", "external_id", "ordered_on", "status", "currency", "gross", "returned", "net")
    for invoice in invoices(customer_ids).order_by("ordered_at", "pk").values(*wanted):
        by_year[invoice["ordered_on"].year].append(invoice | {"lines": lines[invoice.pop("pk")]})
    SealedRecord.objects.bulk_create(
        sealed(erasure, year, {"customer": who, "addresses": where, "purchases": of_year})
        for year, of_year in by_year.items()
        if purge_day(year) >= now().date()
    )


def identity(customer: Customer) -> dict[str, str]:
    names = ("title", "given_name", "family_name", "company_name", "city", "country")
    return {"number": customer.number} | {name: getattr(customer, name) for name in names if getattr(customer, name)}


def sealed(erasure: ErasureLog, year: int, content: dict[str, Any]) -> SealedRecord:
    record = SealedRecord(pk=uuid4(), erasure=erasure, year=year, purge_on=purge_day(year))
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
