"""The queue of customers whose facts changed and whose judgement is due."""

from collections.abc import Iterable

from crm.models import ChangedCustomer


def mark(customer_ids: Iterable[int]) -> None:
    """Queue customers for a new judgement, in the transaction that changed their facts."""
    ChangedCustomer.objects.bulk_create([ChangedCustomer(customer_id=pk) for pk in set(customer_ids)])
