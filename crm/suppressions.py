"""The list of silenced addresses: look up, add, lift. Nothing is ever deleted from it.

An address is known by its keyed hash alone, so the list cannot be read as a list of addresses; whoever asks has to name
the address. An objection or an erasure is lifted by the person alone, by confirming a new consent from that mailbox.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import keyed
from crm.models import Suppression
from crm.privacy import audit
from crm.sync_people import normal_email, normal_phone

Reason = Suppression.Reason
LIFTABLE = (Reason.HARD_BOUNCE, Reason.SPAM_REPORT, Reason.MANUAL)
STAFF = "staff"
MOST_ROWS, MOST_BYTES = 100_000, 5 * 1024 * 1024
ADDRESS_COLUMNS = ("email", "e-mail", "mail", "address", "e-mail-adresse", "adresse")

# What came back for good is open again: only these few rows are hashed.
REOPEN = f"""
UPDATE crm_contactpoint SET state = 'usable', bounced_at = NULL, rests_until = NULL
WHERE kind = 'email' AND state = 'hard_bounced' AND {keyed.address_hash_sql("normal")} = %(wanted)s
"""


class SuppressionError(ValueError):
    """What cannot be done with the list; the text says what to do instead."""


@dataclass(frozen=True)
class Taken:
    """What became of an uploaded list: addresses `added`, `known` before, rows that stood in it `twice`, and (line, why) of
    those `refused`."""

    added: int
    known: int
    refused: Sequence[tuple[int, str]]
    twice: int = 0


def normalised(given: str) -> str:
    """An e-mail address or phone number in the form in which addresses are compared. Raises SuppressionError."""
    text = given.strip()
    normal = normal_email(text)[0] if "@" in text else normal_phone(text, "")
    if not normal or len(normal) > 254:
        raise SuppressionError(
            _(
                "This is neither an e-mail address nor a phone number. Write it like anna@example.com or +49 221 4710123."
            )
        )
    return normal


def of(normal: str) -> QuerySet[Suppression]:
    """Everything that ever silenced an address, newest first."""
    return newest().filter(address_hash=keyed.address_hash(normal))


def newest() -> QuerySet[Suppression]:
    return Suppression.objects.select_related("created_by", "lifted_by").order_by("-pk")


def numbers() -> dict[str, int]:
    """How many addresses are silenced now, by reason. One query."""
    rows = Suppression.objects.filter(lifted_at=None).values_list("reason").annotate(n=Count("pk")).order_by()
    return dict(rows)


@transaction.atomic
def add(normal: str, note: str, actor_id: int | None) -> bool:
    """Put an address on the shop's own stop list. False if it stands there already."""
    hashed = keyed.address_hash(normal)
    if Suppression.objects.filter(address_hash=hashed, reason=Reason.MANUAL, lifted_at=None).exists():
        return False
    added = Suppression.objects.create(
        address_hash=hashed, reason=Reason.MANUAL, source=STAFF, note=note[:200], created_by_id=actor_id
    )
    audit.record(actor_id, "suppressed", "suppression", added.pk)
    return True


@transaction.atomic
def lift(number: int, note: str, actor_id: int | None) -> Suppression:
    """End one entry, and say why. Raises SuppressionError if it may not be ended by hand, or is ended already."""
    found = Suppression.objects.select_for_update(of=["self"]).filter(pk=number).first()
    if found is None or found.lifted_at is not None:
        raise SuppressionError(_("This entry is lifted already, or does not exist."))
    if found.reason not in LIFTABLE:
        raise SuppressionError(
            _(
                "Only the person can take this back: ask them to sign up again. As soon as the mailbox confirms, the entry "
                "is lifted by itself."
            )
        )
    if not note.strip():
        raise SuppressionError(_("Say why it is lifted. It is kept with the entry."))
    found.lifted_at, found.lifted_by_id, found.lift_note = now(), actor_id, note.strip()[:200]
    found.save(update_fields=["lifted_at", "lifted_by", "lift_note"])
    if found.reason == Reason.HARD_BOUNCE:
        with connection.cursor() as cursor:
            cursor.execute(REOPEN, keyed.hash_parameters() | {"wanted": found.address_hash})
    audit.record(actor_id, "suppression_lifted", "suppression", found.pk)
    return found


@transaction.atomic
def take_list(content: bytes, note: str, actor_id: int | None) -> Taken:
    """Add every address of a CSV or plain list, row by row. Raises SuppressionError for a file that is none."""
    wanted: dict[str, str] = {}
    refused: list[tuple[int, str]] = []
    good = 0
    for line, given in _addresses(content):
        try:
            normal = normalised(given)
        except SuppressionError as error:
            refused.append((line, str(error)))
        else:
            wanted[keyed.address_hash(normal)] = normal
            good += 1
    if not good and not refused:
        raise SuppressionError(_("There is no address in this file. Write one in each line."))
    hashes = sorted(wanted)
    standing = Suppression.objects.filter(address_hash__in=hashes, reason=Reason.MANUAL, lifted_at=None)
    known = set(standing.values_list("address_hash", flat=True))
    more: dict[str, Any] = {"reason": Reason.MANUAL, "source": STAFF, "note": note[:200], "created_by_id": actor_id}
    Suppression.objects.bulk_create(
        [Suppression(address_hash=hashed, **more) for hashed in hashes if hashed not in known],
        batch_size=5000,
        ignore_conflicts=True,
    )
    audit.record(actor_id, "stop_list_taken", "suppression")
    return Taken(len(hashes) - len(known), len(known), refused, good - len(hashes))


def _addresses(content: bytes) -> Iterator[tuple[int, str]]:
    """(line, what stands where the address should) of each row that is not empty."""
    if len(content) > MOST_BYTES:
        raise SuppressionError(_("The file is larger than 5 MB. Divide it."))
    text = _decoded(content)
    head = text.split("\n", 1)[0]
    mark = max(";,\t", key=head.count)
    column, first = 0, True
    try:
        for number, row in enumerate(rows := csv.reader(io.StringIO(text), delimiter=mark)):
            if number > MOST_ROWS:
                raise SuppressionError(_("The file has more than 100,000 rows. Divide it."))
            cells = [cell.strip() for cell in row]
            if first and any(cells):
                first = False
                named = [place for place, cell in enumerate(cells) if cell.lower() in ADDRESS_COLUMNS]
                if named:
                    column = named[0]
                    continue
            if any(cells):
                yield rows.line_num, cells[column] if column < len(cells) else ""
    except csv.Error as error:
        raise SuppressionError(_("This is no list: save it as CSV or as plain text, one address in a line.")) from error


def _decoded(content: bytes) -> str:
    if b"\0" in content:
        raise SuppressionError(_("This is no list: save it as CSV or as plain text, one address in a line."))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
