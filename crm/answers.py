"""Writing down what customers answered: sheets with their items, from a survey, a shop system or on the phone."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Max
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import alerts, changed, emotions
from crm.models import Answer, Customer, MotivatorEvidence, Purchase

# item → lowest and highest value
ITEMS: dict[str, tuple[int, int]] = {
    "csat": (0, 10),
    "trust": (0, 10),
    "commitment": (0, 10),
    "involvement": (0, 10),
    "price": (0, 10),
    "repurchase_intent": (0, 10),
    "nps": (0, 10),
    "ces": (1, 7),
    "disconfirmation": (-3, 3),
    "comparison": (-3, 3),
    "wallet_share": (0, 100),
    "wallet_rank": (1, 20),
    "wallet_shops": (1, 20),
}
MOST_MOTIVATORS = 3
INSERT = """
INSERT INTO crm_answer
  (customer_id, response, item, value, form, origin, touchpoint, comment, purchase_id, answered_at)
SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::numeric[], %s::text[], %s::text[], %s::text[], %s::text[],
  %s::bigint[], %s::timestamptz[])
ON CONFLICT (response, item) DO NOTHING RETURNING response
"""
LONGEST_NOTE = 5000

_EVIDENCE = {
    Answer.Origin.CUSTOMER_SELF: MotivatorEvidence.Origin.SELF_REPORT,
    Answer.Origin.STAFF_ESTIMATE: MotivatorEvidence.Origin.STAFF_NOTE,
}


@dataclass(frozen=True)
class Motive:
    """A motivator with its importance and how well the shop helps, 0 to 10; fulfilment None: not asked."""

    motivator: str
    importance: int
    fulfilment: int | None = None


@dataclass(frozen=True)
class Sheet:
    """What one customer answered at one time.

    items: see ITEMS; felt: emotion → 0 to 10, with `form` full or short; motives: up to three, of codes that exist;
    origin: whose words they are. `historic` sheets, of an import or a backfill, raise no alert.
    """

    customer_id: int
    response: UUID
    answered_at: datetime
    items: Mapping[str, Decimal | int] = field(default_factory=dict)
    felt: Mapping[str, Decimal | int] = field(default_factory=dict)
    form: str = ""
    motives: Sequence[Motive] = ()
    origin: str = Answer.Origin.CUSTOMER_SELF
    touchpoint: str = ""
    comment: str = ""
    purchase_id: int | None = None
    historic: bool = False
    staff_id: int | None = None

    @property
    def answers(self) -> dict[str, Decimal | int]:
        """item → value, the emotions among them: what `Answer` keeps."""
        return dict(self.items) | {f"nev_{code}": value for code, value in self.felt.items()}


def record_response(
    customer: Customer,
    response: UUID,
    *,
    items: Mapping[str, Decimal | int],
    felt: Mapping[str, Decimal | int] | None = None,
    form: str = "",
    origin: str = Answer.Origin.CUSTOMER_SELF,
    touchpoint: str = "",
    comment: str = "",
    purchase: Purchase | None = None,
    answered_at: datetime | None = None,
    historic: bool = False,
) -> int:
    """Store one sheet as `record_responses` does. Returns how many answers are new."""
    sheet = Sheet(
        customer.pk,
        response,
        answered_at or now(),
        items,
        felt or {},
        form,
        origin=origin,
        touchpoint=touchpoint,
        comment=comment,
        purchase_id=purchase.pk if purchase else None,
        historic=historic,
    )
    return record_responses([sheet])[response]


@transaction.atomic
def record_responses(sheets: Collection[Sheet]) -> Counter[UUID]:
    """Store sheets once and queue their customers for a new judgement. Returns how many answers of each are new.

    The same `response` again stores nothing and raises no second alert. An alert is raised only by the customer's latest
    sheet of emotions: an old answer that arrives late has been overtaken. The number of queries is fixed.
    Raises ValueError for an item, an emotion or a form that does not exist, a value out of range, or an empty sheet;
    Customer.DoesNotExist for a customer who is gone.
    """
    for sheet in sheets:
        _check(sheet)
    wanted = {sheet.customer_id for sheet in sheets}
    people = Customer.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    owners = dict(people.values_list("pk", "assigned_to_id"))
    if wanted - owners.keys():
        raise Customer.DoesNotExist
    before = _stored(sheets)
    added = _insert([row for sheet in sheets for row in _rows(sheet)])
    fresh = [sheet for sheet in sheets if added[sheet.response]]
    added += _record_motives([sheet for sheet in sheets if not before[sheet.response]])
    changed.mark({sheet.customer_id for sheet in sheets if added[sheet.response]})
    _alert([sheet for sheet in fresh if sheet.felt and not sheet.historic], owners)
    return added


def _check(sheet: Sheet) -> None:
    if not sheet.items and not sheet.felt and not sheet.motives:
        raise ValueError(_("The sheet is empty. Answer at least one question."))
    for item, value in sheet.items.items():
        if item not in ITEMS:
            raise ValueError(_("There is no question “%(item)s”.") % {"item": item})
        low, high = ITEMS[item]
        if not low <= value <= high:
            raise ValueError(
                _("“%(item)s” is answered from %(low)s to %(high)s.") % {"item": item, "low": low, "high": high}
            )
    if sheet.felt and sheet.form not in emotions.FORMS:
        raise ValueError(_("Say which form the emotions were asked with: full or short."))
    for code, value in sheet.felt.items():
        if code not in asked_by(sheet.form):
            raise ValueError(_("The form does not ask for the emotion “%(emotion)s”.") % {"emotion": code})
        if not 0 <= value <= 10:
            raise ValueError(_("An emotion is rated from 0 to 10."))
    if len({one.motivator for one in sheet.motives}) != len(sheet.motives) or len(sheet.motives) > MOST_MOTIVATORS:
        raise ValueError(_("Choose up to three different motivators."))


def asked_by(form: str) -> tuple[str, ...]:
    """The emotions that a form asks for."""
    return emotions.FORMS[form].positive + emotions.FORMS[form].negative


def _rows(sheet: Sheet) -> list[tuple[Any, ...]]:
    """The sheet's answers in the order of INSERT's columns."""
    return [
        (
            sheet.customer_id,
            str(sheet.response),
            item,
            value,
            sheet.form if item.startswith("nev_") else "",
            str(sheet.origin),
            str(sheet.touchpoint),
            sheet.comment if place == 0 else "",
            sheet.purchase_id,
            sheet.answered_at,
        )
        for place, (item, value) in enumerate(sheet.answers.items())
    ]


def _insert(rows: Sequence[tuple[Any, ...]]) -> Counter[UUID]:
    """How many answers of each response were not there yet."""
    if not rows:
        return Counter()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])
        return Counter(response for (response,) in cursor.fetchall())


def _stored(sheets: Collection[Sheet]) -> Counter[UUID]:
    found = Answer.objects.filter(response__in={sheet.response for sheet in sheets})
    return Counter(dict(found.values_list("response").annotate(Count("pk")).order_by()))


def motives_of(sheets: Collection[Sheet]) -> set[tuple[int, str, datetime]]:
    """(customer, motivator, time) of what is known of these customers from these times. One query."""
    found = MotivatorEvidence.objects.filter(
        customer__in={sheet.customer_id for sheet in sheets if sheet.motives},
        recorded_at__in={sheet.answered_at for sheet in sheets if sheet.motives},
    )
    return set(found.values_list("customer_id", "motivator", "recorded_at"))


def _record_motives(sheets: Collection[Sheet]) -> Counter[UUID]:
    """Store what moves customers; by customer, motivator and time, each once. Returns how many of each are new."""
    known, added, rows = motives_of(sheets), Counter[UUID](), []
    for sheet in sheets:
        for place, motive in enumerate(sheet.motives):
            name = (sheet.customer_id, motive.motivator, sheet.answered_at)
            if name in known:
                continue
            known.add(name)
            added[sheet.response] += 1
            rows.append(
                MotivatorEvidence(
                    customer_id=sheet.customer_id,
                    motivator=motive.motivator,
                    importance=motive.importance,
                    fulfilment=motive.fulfilment,
                    origin=_EVIDENCE[Answer.Origin(sheet.origin)],
                    # Elsewhere the first answer keeps what was said.
                    note=sheet.comment if place == 0 and not sheet.answers else "",
                    recorded_by_id=sheet.staff_id,
                    recorded_at=sheet.answered_at,
                )
            )
    MotivatorEvidence.objects.bulk_create(rows)
    return added


def _alert(sheets: Collection[Sheet], owners: Mapping[int, int | None]) -> None:
    felt = Answer.objects.filter(customer__in={sheet.customer_id for sheet in sheets}, item__startswith="nev_")
    latest = dict(felt.values_list("customer_id").annotate(Max("answered_at")).order_by()) if sheets else {}
    causes = []
    for sheet in sheets:
        alert = alerts.of_ratings({code: Decimal(value) for code, value in sheet.felt.items()}, sheet.form)
        if alert and sheet.answered_at >= latest[sheet.customer_id]:
            name, owner = f"response:{sheet.response}", owners[sheet.customer_id]
            causes.append(alerts.Cause(sheet.customer_id, owner, alert, name, sheet.origin, sheet.answered_at))
    alerts.raise_alerts(causes)
