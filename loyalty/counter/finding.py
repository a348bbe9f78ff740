"""One field for everything at the counter: a coupon code, or whatever names a customer."""

from dataclasses import dataclass, field

from django.utils.functional import Promise

from crm import search
from crm.models import Customer
from loyalty.coupons import codes, guarding, ledger
from loyalty.coupons.guarding import REFUSAL, TOO_MANY, TooMany
from loyalty.coupons.ledger import Actor, Refused
from loyalty.models import Coupon

SHOWN = 20


@dataclass
class Found:
    """A usable code, or customers, or neither. `refusal` answers what was tried as a code and is none that can be used.

    throttled: this member of staff missed too often. more: there are more customers than `people`.
    """

    coupon: Coupon | None = None
    people: list[Customer] = field(default_factory=list)
    more: bool = False
    refusal: str | Promise = ""
    throttled: bool = False


def look_up(typed: str, buyer: Customer | None, actor: Actor, sees_contacts: bool) -> Found:
    """What `typed` means. Only what finds nobody and is no usable code counts as a miss (`guarding`)."""
    text = " ".join(typed.replace("\0", "").split())[: search.LONGEST]
    if not text:
        return Found()
    code = codes.canonical(text)
    found = Found()
    looks_like_one = codes.well_formed(code) or ledger.find(text) is not None
    if looks_like_one:
        found = tried(text, buyer, actor)
        if found.coupon:
            return found
    people = list(customers(text, sees_contacts)[: SHOWN + 1])
    if not people and code and not looks_like_one:
        return tried(text, buyer, actor)
    found.people, found.more = people[:SHOWN], len(people) > SHOWN
    if found.people and not any(character.isdigit() for character in text):
        found.refusal, found.throttled = "", False  # it was meant as a name
    return found


def tried(text: str, buyer: Customer | None, actor: Actor) -> Found:
    """The code, if it can be used; else the one text for every no. Each miss counts for this member of staff."""
    assert actor.staff is not None
    try:
        return Found(guarding.guarded(actor.source.pk, str(actor.staff.pk), lambda: _usable(text, buyer)))
    except TooMany:
        return Found(refusal=TOO_MANY, throttled=True)
    except Refused:
        return Found(refusal=REFUSAL)


def _usable(text: str, buyer: Customer | None) -> Coupon:
    """A code that only its basket can refuse, or that asks who buys: the form does. Raises Refused."""
    try:
        return ledger.check(text, None, buyer).coupon
    except Refused as refused:
        coupon = ledger.find(text) if refused.reason == "customer_needed" else None
        if coupon is None:
            raise
        return coupon


def customers(text: str, sees_contacts: bool):  # type: ignore[no-untyped-def]  # a queryset
    """Living customers whom `text` can mean, by name, with where they stand."""
    living = Customer.objects.filter(merged_into=None, erased_at=None)
    found = search.matching(living, text, beginnings=sees_contacts)
    return found.select_related("assessment").order_by("sort_key", "pk")


def customer(number: str) -> Customer | None:
    """The customer with this number, or whom that record became part of; None for nobody."""
    if not number.isdecimal() or len(number) > 18:
        return None
    known = Customer.objects.select_related("assessment", "merged_into__assessment").filter(pk=int(number)).first()
    known = known and (known.merged_into or known)
    return known if known and known.erased_at is None else None
