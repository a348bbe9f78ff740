"""Finding customers by whatever somebody has at hand: a name in any umlaut form, a number, an address, an order.

The route follows from what was typed, so that each search is answered by one index (measured at 1,000,000 customers).
"""

import re

import phonenumbers
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import F, Func, Q, QuerySet, TextField

from crm.models import ContactPoint, Customer, CustomerKey, Purchase, Source

LONGEST = 100
GRAM = 3
NUMBER = re.compile(r"[Kk]-?\s*(\d{1,18})")
PHONE = re.compile(r"\+?[\d\s()/.-]{4,}")
# Said before a name, and in no sort key.
FORMS_OF_ADDRESS = {"dr", "prof", "dipl", "ing", "med", "frau", "herr", "herrn", "mr", "mrs", "ms", "mx"}


def matching(customers: QuerySet[Customer], text: str, beginnings: bool = True) -> QuerySet[Customer]:
    """Those of `customers` that `text` can mean; all of them for a blank text, none where it means nothing.

    beginnings: whether the beginning of an e-mail address or phone number is enough. Without it only the whole one
    finds somebody, so that nobody can feel their way to an address they may not see.
    """
    typed = " ".join(text.replace("\0", "").split())[:LONGEST]
    if not typed:
        return customers
    if "@" in typed:
        return customers.filter(pk__in=_by_email(typed, beginnings))
    if number := NUMBER.fullmatch(typed):
        return customers.filter(pk=int(number[1]))
    if not any(character.isdigit() for character in typed):
        return _by_name(customers, typed)
    found = [_by_key(typed), _by_order(typed)]
    if PHONE.fullmatch(typed):
        found.append(_by_phone(typed, beginnings))
    if typed.isdecimal() and len(typed) <= 18:
        found.append(Customer.objects.filter(pk=int(typed)).values("pk"))
    if not typed.isdecimal():
        found.append(_by_name(Customer.objects.all(), typed).values("pk"))
    return customers.filter(pk__in=found[0].union(*found[1:]))


def by_words(text: str) -> bool:
    """Whether `matching` looks up words within names, whose holders may stand anywhere in the order."""
    plain = "@" not in text and not any(character.isdigit() for character in text)
    return plain and any(len(word) >= GRAM for word in text.split())


def _by_email(text: str, beginnings: bool) -> QuerySet:
    address = text.lower()
    wanted = Q(normal__startswith=address) if beginnings else Q(normal=address)
    return ContactPoint.objects.filter(wanted, kind=ContactPoint.Kind.EMAIL).values("customer")


def _by_phone(text: str, beginnings: bool) -> QuerySet:
    digits = re.sub(r"\D", "", text)
    points = ContactPoint.objects.filter(kind=ContactPoint.Kind.PHONE).values("customer")
    international = "+" + digits.removeprefix("00")
    if text.startswith(("+", "00")):
        return points.filter(normal__startswith=international) if beginnings else points.filter(normal=international)
    # A number dialled within some country: nobody says which, so each country's whole number is tried.
    national = digits.removeprefix("0")
    return points.filter(
        normal__in=[digits, *(f"+{code}{national}" for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)]
    )


def _by_key(text: str) -> QuerySet:
    return CustomerKey.objects.filter(source__in=Source.objects.values("pk"), external_id=text).values("customer")


def _by_order(text: str) -> QuerySet:
    orders = Purchase.objects.filter(source__in=Source.objects.values("pk"), customer__isnull=False)
    return orders.filter(external_id__in={text, text.upper()}).values("customer")


def _by_name(customers: QuerySet[Customer], text: str) -> QuerySet[Customer]:
    """Words of three letters and more may stand anywhere in the name, shorter ones begin a word of it."""
    words = [word.strip(".,;:\"'()") for word in text.split()]
    told = [word for word in words if word and word.casefold() not in FORMS_OF_ADDRESS]
    keys = _folded(told or [word for word in words if word])
    long = [(key, grams) for key, grams in keys if len(key) >= GRAM and len(grams) >= GRAM]
    short = [key for key, grams in keys if len(key) < GRAM or len(grams) < GRAM]
    if not keys:
        return customers.none()
    for key, grams in long:
        parts = [grams[at : at + GRAM] for at in range(len(grams) - GRAM + 1)]
        customers = customers.alias(grams=_grams()).filter(grams__contains=parts, sort_key__contains=key)  # type: ignore[misc]  # an array
    for key in short:
        customers = customers.filter(Q(sort_key__startswith=key) | Q(sort_key__contains=f" {key}"))
    if short and not long:
        begins = Q()
        for key in short:
            begins |= Q(sort_key__startswith=key)
        customers = customers.filter(begins)
    return customers


def _grams() -> Func:
    return Func(F("sort_key"), function="public.f_grams", output_field=ArrayField(TextField()))


def _folded(words: list[str]) -> list[tuple[str, str]]:
    """Each word as sort keys have it, and folded once more as the index of their three-letter parts has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT public.f_fold(word), public.f_fold(public.f_fold(word))"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS typed (word, place) ORDER BY place",
            [words],
        )
        return cursor.fetchall()
