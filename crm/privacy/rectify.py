"""Putting a customer's data right by hand (Art. 16 GDPR), with its history.

What was wrong stays wrong: a shop system that sends the former value again does not bring it back, however late its row
is; any other value it sends later is taken (`crm.sync_customers.winners`).
"""

from typing import Any
from zlib import crc32

import orjson
from django.db import transaction
from django.utils.timezone import now

from crm import changed, consent
from crm.models import ContactPoint, Customer, CustomerChange
from crm.privacy import audit, requests
from crm.sync_people import normal_email, normal_phone

NAMES = ("salutation", "title", "given_name", "family_name", "company_name", "language", "city", "country")
BIRTHDAY = ("birth_year", "birth_month", "birth_day")
POINTS = {"email": "email", "phone": "phone", "postal": "post"}
LONGEST_HISTORY = 200


def values_of(customer: Customer) -> dict[str, str]:
    """Everything that can be put right, as text; "" for what is not known. One query."""
    points = {
        point.kind: point.value
        for point in customer.contact_points.filter(is_primary=True, kind__in=POINTS.values()).order_by("-pk")
    }
    known = {name: getattr(customer, name) for name in NAMES}
    known["birthday"] = birthday_of(*(getattr(customer, name) for name in BIRTHDAY))
    return known | {name: points.get(kind, "") for name, kind in POINTS.items()}


def birthday_of(year: int | None, month: int | None, day: int | None) -> str:
    """1980-05-24 or 05-24, as shop systems write it."""
    if not month or not day:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d}" if year else f"{month:02d}-{day:02d}"


def compared(name: str, value: str, country: str) -> str:
    """The form in which an address or number is compared."""
    if name == "email":
        return normal_email(value)[0]
    return normal_phone(value, country) if name == "phone" else value


@transaction.atomic
def rectify(customer_id: int, given: dict[str, str], actor_id: int | None) -> list[str]:
    """Store checked values (keys as in `values_of`; what is left out stays). Returns the names of what changed.

    Raises Customer.DoesNotExist for a customer that was erased or merged meanwhile.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id, erased_at=None, merged_into=None)
    before = values_of(customer)
    wrong = {name: value for name, value in given.items() if name in before and value != before[name]}
    if not wrong:
        return []
    CustomerChange.objects.bulk_create(
        CustomerChange(customer=customer, field=name, old=before[name], new=value, actor_id=actor_id)
        for name, value in wrong.items()
    )
    for name, value in wrong.items():
        if name in POINTS:
            set_point(customer, name, value)
        elif name == "birthday":
            *year, month, day = value.split("-") if value else ("", "")
            customer.birth_year = int(year[0]) if year else None
            customer.birth_month, customer.birth_day = (int(month), int(day)) if value else (None, None)
        else:
            setattr(customer, name, value)
    stamp(customer, before, wrong)
    customer.updated_at, customer.is_placeholder = now(), False
    customer.save(update_fields=[*NAMES, *BIRTHDAY, "field_versions", "updated_at", "is_placeholder"])
    if POINTS.keys() & wrong.keys():
        consent.refresh([customer_id])
    changed.mark([customer_id])
    if actor_id:
        # What the person set by their own link does not answer what they asked the shop to put right.
        requests.answer(customer_id, ["rectify"], actor_id)
    audit.record(actor_id, "rectified", "customer", customer_id)
    return list(wrong)


def set_point(customer: Customer, name: str, value: str) -> None:
    """Replace the primary address of a kind. The wrong one goes: it may be somebody else's."""
    points = customer.contact_points.filter(kind=POINTS[name])
    normal = compared(name, value, customer.country) if value else ""
    points.filter(is_primary=True).exclude(normal=normal).delete()
    if value:
        ContactPoint.objects.update_or_create(
            customer=customer,
            kind=POINTS[name],
            normal=normal,
            defaults={"value": value, "is_primary": True, "state": ContactPoint.State.USABLE},
        )


def stamp(customer: Customer, before: dict[str, str], wrong: dict[str, str]) -> None:
    """Note for sync, per field: [time and checksum of the right value, no source, checksum of the wrong one]."""
    at = now().isoformat(timespec="microseconds")[:26]
    names = {"postal" if name in ("city", "country") else name for name in wrong}
    for name in names:
        old, new = (checksum(name, values, customer.country) for values in (before, before | wrong))
        known = customer.field_versions.get(name)
        refuted = known[0][-8:] if known else old
        if refuted != new:
            customer.field_versions[name] = [f"{at} {new}", None, refuted]


def checksum(name: str, values: dict[str, str], country: str) -> str:
    """The checksum under which sync knows a value (`crm.sync_people.CustomerNews`)."""
    value: Any = values[name]
    if name == "postal":
        line = values["postal"]
        value = [line, line, values["city"], values["country"]] if line else ""
    elif name in POINTS and value:
        value = [value, compared(name, value, country)]
    return f"{crc32(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)):08x}"


@transaction.atomic
def restrict(customer_id: int, restricted: bool, actor_id: int | None) -> None:
    """Restrict the use of somebody's data (Art. 18 GDPR), or lift that. The gate stops advertising while it lasts."""
    customer = Customer.objects.select_for_update().get(pk=customer_id, erased_at=None, merged_into=None)
    if bool(customer.restricted_at) != restricted:
        customer.restricted_at = now() if restricted else None
        customer.save(update_fields=["restricted_at"])
        changed.mark([customer_id])
        audit.record(actor_id, "restricted" if restricted else "unrestricted", "customer", customer_id)
    if restricted:
        requests.answer(customer_id, ["restrict"], actor_id)
