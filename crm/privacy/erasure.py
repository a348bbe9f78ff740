"""Erasing a person (Art. 17 GDPR): what goes, what stays, until when and why.

The customer's row and everything that hangs on it is deleted. Purchases and the campaigns' figures move to a nameless
shell under a random number. What bookkeeping must know is sealed, the addresses are suppressed by their hash, and the
consent ledger stays as proof under the person key alone. `docs/privacy.md` has the whole table.
"""

import json
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from crm import changed, consent, keyed, plugins, sql
from crm.models import (
    AdvocacyAct,
    ChangedCustomer,
    Channel,
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    Customer,
    CustomerKey,
    ErasedKey,
    ErasureLog,
    PrivacyRequest,
    Purchase,
    PurchaseLine,
    Return,
    ReturnLine,
    SealedRecord,
    Suppression,
)
from crm.privacy import audit, registry, sealed
from crm.privacy.persons import Person, person_of
from crm.privacy.registry import Fate

Words = str | Promise
PROOF_YEARS = {Channel.PHONE: 5, Channel.MESSAGE: 5}
OTHER_PROOF_YEARS = 3
SHELL_NUMBERS = 2**52  # far above all numbers that the database gives out, and exact in JavaScript
SOURCES = "SELECT DISTINCT source_id FROM crm_customerkey WHERE customer_id = ANY(%s) ORDER BY 1"


class AlreadyErased(LookupError):
    """This number was erased before; `log` says when."""

    def __init__(self, log: ErasureLog) -> None:
        super().__init__(f"{log.customer_number} is erased")
        self.log = log


@dataclass(frozen=True)
class Line:
    """What becomes of one kind of record."""

    title: Words
    count: int
    fate: Fate
    why: Words = ""
    until: Words = ""


def preview(customer: Customer) -> list[Line]:
    """What an erasure would do with this person's records, by kind. Changes nothing; a fixed number of queries."""
    person = person_of(customer)
    lines = [
        Line(table.title, table.rows(person.ids, person.keys).count(), table.fate, table.why, table.until)
        for table in registry.of_customers()
    ]
    lines.append(Line(_("Rows that could not be taken"), len(person.refused()), Fate.DELETE))
    lines += [
        Line(
            _("Name and address on the invoices of a year"),
            count,
            Fate.SEAL,
            _("Bookkeeping must say who bought what (§ 147 AO, § 14b UStG)."),
            str(sealed.purge_day(year).year),
        )
        for year, count in sealed.years(person.ids)
    ]
    lines += [
        Line(
            _("Business letters of a year: complaints and their answers"),
            count,
            Fate.SEAL,
            _("Letters about a sale are kept for 6 years (§ 257 HGB, § 147 AO)."),
            str(sealed.purge_day(year, SealedRecord.Kind.LETTERS).year),
        )
        for year, count in sealed.letter_years(person.ids)
    ]
    points = customer.contact_points.exclude(kind="social").count()
    why = _("So that a re-import stays silent: only a hash that nobody can read back.")
    lines.append(Line(_("Addresses on the list of those who get no advertising"), points, Fate.KEEP, why, _("for good")))
    return [line for line in lines if line.count]


def erase(customer_id: int, actor_id: int | None = None, erased_at: datetime | None = None) -> ErasureLog:
    """Erase a customer and all records merged into it. Returns the log of the record in use.

    Waits for a batch of its shop systems that is under way, and is repeated where another client was in the way.
    erased_at: when it happened first, if a restored backup is erased again. Raises AlreadyErased, and
    Customer.DoesNotExist for a number that never was a customer's.
    """
    return sql.in_transaction(lambda _exclusive: _Erasure(customer_id, actor_id, erased_at or now()).run())


class _Erasure:
    def __init__(self, customer_id: int, actor_id: int | None, at: datetime) -> None:
        self.customer_id, self.actor_id, self.at = customer_id, actor_id, at
        self.counts: Counter[str] = Counter()

    def run(self) -> ErasureLog:
        self.person = self.lock()
        self.end_permissions()
        self.remember_hashes()
        logs = self.log()
        sealed.seal(self.person.ids, logs[0])
        self.counts["crm.SealedRecord"] = SealedRecord.objects.filter(erasure=logs[0]).count()
        shell = self.shell()
        self.cut_off(shell)
        self.delete()
        if not any(self.counts[label] for label in ("crm.Purchase", "crm.Return", "upper apps")):
            shell.delete()
        else:
            # What is on the wire belongs to the shell by now: say "done" when it has arrived.
            transaction.on_commit(lambda: _after(shell.pk))
        self.close(logs)
        return logs[0]

    def lock(self) -> Person:
        """Source, judgement, customer: the order in which everybody else locks. Nobody writes about them after that."""
        customer = self.found()
        person = person_of(customer)
        with connection.cursor() as cursor:
            sources = sql.rows(cursor, SOURCES, [person.ids])
            for (source_id,) in sources:
                sql.lock_source(cursor, source_id, exclusive=True)
            for plugin in plugins.registered():
                plugin.before_erase()
            list(Customer.objects.select_for_update().filter(pk__in=person.ids).order_by("pk").values_list("pk"))
            self.found()
            if person_of(customer) != person or not set(sql.rows(cursor, SOURCES, [person.ids])) <= set(sources):
                raise sql.Raced
        return person

    def found(self) -> Customer:
        customer = Customer.objects.filter(pk=self.customer_id, erased_at=None).first()
        if customer is None:
            log = ErasureLog.objects.filter(customer_number=self.customer_id).order_by("-erased_at").first()
            if log:
                raise AlreadyErased(log)
            raise Customer.DoesNotExist(f"no customer {self.customer_id}")
        return customer

    def end_permissions(self) -> None:
        """Every permission that holds or waits ends in the ledger, which stops what is planned."""
        waiting = ConsentState.objects.filter(customer__in=self.person.ids, state__in=["given", "pending", "moved"])
        how = consent.How(ConsentEvent.Method.STAFF, actor_id=self.actor_id)
        for customer_id, channel in set(waiting.values_list("customer_id", "channel")):
            purposes = waiting.filter(customer=customer_id, channel=channel).values_list("purpose_id", flat=True)
            consent.withdraw(customer_id, list(purposes), how, channel)

    def remember_hashes(self) -> None:
        """A mailbox that never confirmed to be theirs is somebody else's for all we know, and is not silenced."""
        unanswered = set(Customer.objects.filter(double_opt_ins__moves__in=self.person.ids, merged_into=None).values_list("pk", flat=True))
        for customer_id in set(self.person.ids) - unanswered | {self.customer_id}:
            for channel in (Channel.EMAIL, Channel.PHONE, Channel.POST):
                consent.silence(customer_id, Suppression.Reason.ERASED, channel)
        keys = CustomerKey.objects.filter(customer__in=self.person.ids).values_list("source_id", "external_id")
        ErasedKey.objects.bulk_create(
            [ErasedKey(source_id=of, key_hash=keyed.source_key_hash(of, key), erased_at=self.at) for of, key in keys],
            update_conflicts=True,
            unique_fields=["source", "key_hash"],
            update_fields=["erased_at"],
        )

    def log(self) -> list[ErasureLog]:
        until = proof_until(self.person.keys, self.at)
        return [
            ErasureLog.objects.create(
                customer_number=number,
                person_key=key,
                erased_at=self.at,
                actor_id=self.actor_id,
                proof_until=until,
            )
            for number, key in zip(self.person.ids, self.person.keys, strict=True)
        ]

    def shell(self) -> Customer:
        """A row without a name. Its times are those of the year, so that they do not tell which erasure made it."""
        year = datetime(self.at.year, 1, 1, tzinfo=UTC)
        number = SHELL_NUMBERS + secrets.randbelow(SHELL_NUMBERS)
        tests = Customer.objects.filter(pk=self.customer_id, is_test=True).exists()
        return Customer.objects.create(pk=number, erased_at=year, created_at=year, updated_at=year, is_test=tests)

    def cut_off(self, shell: Customer) -> None:
        """Give the shell what stays, without free text. Refused rows are found by what they name, so they go first."""
        ids = self.person.ids
        self.counts["crm.Quarantine"] = self.person.refused_rows().delete()[0]
        PurchaseLine.objects.filter(purchase__customer__in=ids).exclude(description="").update(description="")
        ReturnLine.objects.filter(parent__customer__in=ids).exclude(description="").update(description="")
        self.counts["crm.Purchase"] = Purchase.objects.filter(customer__in=ids).update(customer=shell)
        self.counts["crm.Return"] = Return.objects.filter(customer__in=ids).update(customer=shell)
        self.counts["upper apps"] = sum(plugin.erase(ids, shell.pk) for plugin in plugins.registered())

    def delete(self) -> None:
        ids = self.person.ids
        referrers = AdvocacyAct.objects.filter(referred__in=ids).exclude(customer__in=ids)
        changed.mark(referrers.values_list("customer_id", flat=True))
        self.counts["crm.ConsentTrace"] = ConsentTrace.objects.filter(event__person_key__in=self.person.keys).delete()[0]
        ChangedCustomer.objects.filter(customer_id__in=ids).delete()
        self.counts.update(Customer.objects.filter(pk__in=ids).delete()[1])

    def close(self, logs: list[ErasureLog]) -> None:
        logs[0].counts = {label: count for label, count in self.counts.items() if count}
        logs[0].save(update_fields=["counts"])
        PrivacyRequest.objects.filter(customer_number__in=self.person.ids, kind="erase", state="open").update(
            state=PrivacyRequest.State.DONE, closed_at=now(), closed_by=self.actor_id
        )
        audit.record(self.actor_id, "erased", "customer", self.customer_id)
        transaction.on_commit(lambda: write_down(logs))


def _after(shell_id: int) -> None:
    for plugin in plugins.registered():
        plugin.after_withdraw(shell_id)


def proof_until(person_keys: list[Any], at: datetime) -> date | None:
    """Until when the ledger must prove what was allowed; None if nothing ever was."""
    channels = set(ConsentEvent.objects.filter(person_key__in=person_keys).values_list("channel", flat=True))
    years = [PROOF_YEARS.get(Channel(channel), OTHER_PROOF_YEARS) for channel in channels]
    return date(at.year + max(years), 12, 31) if years else None


def line_of(log: ErasureLog) -> str:
    return json.dumps(
        {
            "customer_number": log.customer_number,
            "person_key": str(log.person_key or ""),
            "erased_at": log.erased_at.isoformat(),
        }
    )


def write_down(logs: list[ErasureLog]) -> None:
    """Append erasures to the file ERASURE_LOG, which a restored backup does not bring back to an earlier state."""
    if settings.ERASURE_LOG:
        with Path(settings.ERASURE_LOG).open("a") as file:
            file.write("".join(f"{line_of(log)}\n" for log in logs))
