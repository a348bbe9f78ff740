"""Customers of whom nothing is known but a mailbox that asked for mail."""

from collections.abc import Iterable

from django.db.models import Q

from crm import changed
from crm.models import ConsentEvent, ConsentState, ConsentTrace, ContactPoint, Customer

NAMELESS = Q(given_name="", family_name="", company_name="", keys=None)


def of_address(address: str, normal: str, language: str = "") -> Customer:
    """Whose declaration it is when a mailbox is all that is known. Call it under a lock on the address.

    The one living customer with this primary address. If several share it, or nobody has it, the nameless customer
    of the mailbox, made if need be: a consent is never pinned on one of two people who read the same mailbox.
    """
    holders = list(
        Customer.objects.filter(
            contact_points__kind="email",
            contact_points__normal=normal,
            contact_points__is_primary=True,
            merged_into=None,
            erased_at=None,
            deceased_at=None,
        ).order_by("pk")
    )
    if len(holders) == 1:
        return holders[0]
    nameless = Customer.objects.filter(NAMELESS, pk__in=[holder.pk for holder in holders]).order_by("pk").first()
    return nameless or make([(address, normal, language)])[normal]


def delete_if_nothing_else(customer_id: int) -> bool:
    """Delete a customer who is known by unconfirmed requests alone; the ledger keeps its nameless entries."""
    found = Customer.objects.filter(
        NAMELESS,
        pk=customer_id,
        purchases=None,
        interactions=None,
        answers=None,
        complaints=None,
        double_opt_ins=None,
        merged=None,
    ).first()
    if found is None or ConsentState.objects.filter(customer=found).exclude(state="expired").exists():
        return False
    ConsentTrace.objects.filter(event__in=ConsentEvent.objects.filter(person_key=found.person_key)).delete()
    found.delete()
    return True


def make(mailboxes: Iterable[tuple[str, str, str]]) -> dict[str, Customer]:
    """New nameless customers of (address, its normal form, language), by normal form. Call it under their locks."""
    wanted = list({normal: (address, normal, language) for address, normal, language in mailboxes}.values())
    customers = Customer.objects.bulk_create([Customer(language=language) for *_of, language in wanted])
    ContactPoint.objects.bulk_create(
        [
            ContactPoint(customer=customer, kind="email", value=address, normal=normal, is_primary=True)
            for customer, (address, normal, _language) in zip(customers, wanted, strict=True)
        ]
    )
    changed.mark(customer.pk for customer in customers)
    return {normal: customer for customer, (_address, normal, _language) in zip(customers, wanted, strict=True)}
