"""Which kinds of facts a customer has at all, asked once a page.

A profile has places for everything that can be known of a customer, and of most customers little is known: one question
for all the tables spares it the others.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from crm import once
from crm.models import Customer

Asked = TypeVar("Asked", bound=Callable[..., Any])
_watched: dict[type[Model], None] = {}


def needs(*kinds: type[Model]) -> Callable[[Asked], Asked]:
    """A function of a customer that answers with rows: without any row of `kinds` it is not called, and answers none."""
    _watched.update(dict.fromkeys(kinds))

    def decorate(question: Asked) -> Asked:
        @wraps(question)
        def asked(customer: Customer, *args: Any, **options: Any) -> Any:
            return question(customer, *args, **options) if any(has(customer, kind) for kind in kinds) else []

        return asked  # type: ignore[return-value]

    return decorate


def has(customer: Customer, kind: type[Model]) -> bool:
    """Whether there is a row of `kind`, a model with a customer. True while no page is read: then nobody asks for all."""
    _watched.setdefault(kind)
    known = once.remembered(("presence", customer.pk), lambda: _known(customer.pk))
    return known is None or kind not in known or known[kind]


def _known(pk: int) -> dict[type[Model], bool]:
    kinds = list(_watched)
    parts = ", ".join(f"EXISTS (SELECT FROM {kind._meta.db_table} WHERE customer_id = %(customer)s)" for kind in kinds)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {parts}", {"customer": pk})
        return dict(zip(kinds, cursor.fetchone(), strict=True))
