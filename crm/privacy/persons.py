"""Which records are one person: a customer, all that was merged into it, and a new address that waits for its answer."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from crm.models import ConsentEvent, Customer, ErasureLog, Quarantine

RECORDS = """
WITH RECURSIVE record AS (
  SELECT id, person_key FROM crm_customer WHERE id = %s
  UNION SELECT c.id, c.person_key FROM record r JOIN crm_customer c ON c.merged_into_id = r.id
    OR c.id IN (SELECT asked.customer_id FROM crm_doubleoptin asked WHERE asked.moves_id = r.id))
SELECT id, person_key FROM record ORDER BY id
"""
# A refused row names the person by key, by an order of theirs, or by an address.
REFUSED = """
SELECT q.id FROM crm_quarantine q
WHERE EXISTS (SELECT FROM crm_customerkey k WHERE k.customer_id = ANY(%(ids)s) AND k.source_id = q.source_id
      AND k.external_id IN (q.payload #>> '{customer,external_id}', q.payload ->> 'customer'))
  OR (q.external_id <> '' AND (
    EXISTS (SELECT FROM crm_purchase p WHERE p.customer_id = ANY(%(ids)s)
      AND p.source_id = q.source_id AND p.external_id IN (q.external_id, q.payload ->> 'purchase'))
    OR EXISTS (SELECT FROM crm_return r WHERE r.customer_id = ANY(%(ids)s)
      AND r.source_id = q.source_id AND r.external_id = q.external_id)))
  OR EXISTS (SELECT FROM crm_contactpoint c WHERE c.customer_id = ANY(%(ids)s) AND length(c.normal) >= 6
      AND (strpos(lower(q.payload::text), lower(c.normal)) > 0 OR strpos(lower(q.payload::text), lower(c.value)) > 0))
"""


@dataclass(frozen=True)
class Person:
    """The numbers and person keys under which somebody is known; the first is the record that is in use."""

    ids: list[int]
    keys: list[UUID]

    @property
    def number(self) -> int:
        return self.ids[0]

    def refused(self) -> list[int]:
        """Rows in quarantine that are about this person."""
        with connection.cursor() as cursor:
            cursor.execute(REFUSED, {"ids": self.ids})
            return [pk for (pk,) in cursor.fetchall()]

    def refused_rows(self) -> QuerySet[Quarantine]:
        return Quarantine.objects.filter(pk__in=self.refused()).order_by("received_at", "pk")

    def declarations(self) -> QuerySet[ConsentEvent]:
        """All that the person ever declared, with wording, source and trace, oldest first."""
        ledger = ConsentEvent.objects.filter(person_key__in=self.keys)
        return ledger.select_related("purpose", "wording", "source", "actor", "trace").order_by("occurred_at", "pk")


def person_of(customer: Customer) -> Person:
    """The person of a customer. One query."""
    with connection.cursor() as cursor:
        cursor.execute(RECORDS, [customer.pk])
        found = cursor.fetchall()
    found.sort(key=lambda row: row[0] != customer.pk)
    return Person([row[0] for row in found], [row[1] for row in found])


def erased_person(number: int) -> ErasureLog | None:
    """The last erasure of a customer number, if there was one."""
    return ErasureLog.objects.filter(customer_number=number).order_by("-erased_at", "-pk").first()
