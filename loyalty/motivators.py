"""High-impact motivators: what a customer wants from life, and how well the shop helps with it (`docs/scoring.md`).

Source: Magids, Zorfas, Leemon, The New Science of Customer Emotions, HBR November 2015. Whoever a shop helps with a
motivator that matters to them is emotionally connected; the Emotional Connection Score is their share. Thresholds are
our convention. Health, belief and other special data (Art. 9 GDPR) must never be concluded from a motivator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import changed, display
from crm.days import shop_zone
from crm.models import Customer, MotivatorEvidence, User
from crm.presence import needs
from loyalty import scoring
from loyalty.figures import figure
from loyalty.motivator_list import BY_CODE, Motivator
from loyalty.overview import Share

MONTHS = 24
TOP = 3
FULFILLED_FROM = 8
IMPORTANT_FROM, MISSING_UP_TO = 8, 5

Origin = MotivatorEvidence.Origin


@dataclass(frozen=True)
class Evidence:
    """The latest word on one motivator from one kind of source. fulfilment None: not asked."""

    motivator: Motivator
    importance: int
    fulfilment: int | None
    origin: str
    note: str
    at: datetime
    top: bool = False
    pk: int = 0

    @property
    def gap(self) -> bool:
        """Important and not fulfilled."""
        return self.importance >= IMPORTANT_FROM and self.fulfilment is not None and self.fulfilment <= MISSING_UP_TO

    @property
    def connects(self) -> bool:
        return self.top and self.fulfilment is not None and self.fulfilment >= FULFILLED_FROM


@dataclass(frozen=True)
class Profile:
    """What moves one customer. said: by themselves within 24 months, most important first; noted: by staff; guessed:
    from behaviour, never counts; connected: None while nothing they said can tell."""

    said: tuple[Evidence, ...]
    noted: tuple[Evidence, ...]
    guessed: tuple[Evidence, ...]
    expired: int

    @property
    def connected(self) -> bool | None:
        answered = [one for one in self.said if one.top and one.fulfilment is not None]
        return any(one.connects for one in answered) if answered else None

    @property
    def gaps(self) -> tuple[Evidence, ...]:
        return tuple(one for one in self.said if one.gap)

    @property
    def reasons(self) -> list[str]:
        """Why connected or not, in whole sentences."""
        sentences = [_connection(self)]
        if self.expired:
            sentences.append(
                ngettext(
                    "%(n)s statement is older than %(months)s months and does not count.",
                    "%(n)s statements are older than %(months)s months and do not count.",
                    self.expired,
                )
                % {"n": display.number(self.expired), "months": MONTHS}
            )
        return sentences


def of_customer(customer: Customer) -> Profile:
    """What is known of one customer on the day that is shown. One query and the shop's settings."""
    day, zone = scoring.shown_day(), shop_zone()
    since = months_before(day, MONTHS)
    latest: dict[tuple[str, str], MotivatorEvidence] = {}
    expired = 0
    for one in _evidence_of(customer):
        on = one.recorded_at.astimezone(zone).date()
        if on > day or one.motivator not in BY_CODE:
            continue
        if one.origin == Origin.SELF_REPORT and on <= since:
            expired += 1
        else:
            latest.setdefault((one.origin, one.motivator), one)
    by_origin = {
        origin: sorted((row for (of, _code), row in latest.items() if of == origin), key=_rank) for origin in Origin
    }
    said = [_evidence(row, top=place < TOP) for place, row in enumerate(by_origin[Origin.SELF_REPORT])]
    told = {one.motivator.code for one in said}
    noted = [_evidence(row) for row in by_origin[Origin.STAFF_NOTE] if row.motivator not in told]
    told |= {one.motivator.code for one in noted}
    guessed = [_evidence(row) for row in by_origin[Origin.BEHAVIOUR_HYPOTHESIS] if row.motivator not in told]
    return Profile(tuple(said), tuple(noted), tuple(guessed), expired)


@needs(MotivatorEvidence)
def _evidence_of(customer: Customer) -> Sequence[MotivatorEvidence]:
    return list(MotivatorEvidence.objects.filter(customer=customer).order_by("-recorded_at", "-pk"))


def _rank(row: MotivatorEvidence) -> tuple[int, float, int]:
    """Most important first, then the newest."""
    return -row.importance, -row.recorded_at.timestamp(), -row.pk


def _evidence(row: MotivatorEvidence, *, top: bool = False) -> Evidence:
    return Evidence(
        BY_CODE[row.motivator], row.importance, row.fulfilment, row.origin, row.note, row.recorded_at, top, row.pk
    )


def _connection(found: Profile) -> str:
    connecting = next((one for one in found.said if one.connects), None)
    if connecting:
        named = {"motivator": connecting.motivator.label, "fulfilment": connecting.fulfilment}
        return (
            _("Connected: “%(motivator)s” is among their three most important and fulfilled %(fulfilment)s of 10.")
            % named
        )
    if found.connected is False:
        return _(
            "Not connected: none of their three most important motivators is fulfilled %(least)s of 10 or more."
        ) % {"least": FULFILLED_FROM}
    if found.said:
        return _("Unknown: nobody has asked how well the shop helps with what matters to them.")
    return _("Unknown: the customer has not said what moves them. Ask: “What matters most to you with us?”")


@transaction.atomic
def record(
    customer: Customer,
    *,
    motivator: str,
    importance: int,
    fulfilment: int | None,
    origin: str,
    note: str = "",
    staff: User | None = None,
    at: datetime | None = None,
) -> MotivatorEvidence:
    """Store what moves a customer and who says so. Raises ValueError for what does not exist or is out of range."""
    if motivator not in BY_CODE or origin not in Origin.values:
        raise ValueError(_("Choose one of the motivators and who says so."))
    if not 0 <= importance <= 10 or (fulfilment is not None and not 0 <= fulfilment <= 10):
        raise ValueError(_("Importance and fulfilment are numbers from 0 to 10."))
    Customer.objects.select_for_update().get(pk=customer.pk)
    made = MotivatorEvidence.objects.create(
        customer=customer,
        motivator=motivator,
        importance=importance,
        fulfilment=fulfilment,
        origin=origin,
        note=note,
        recorded_by=staff,
        recorded_at=at or now(),
    )
    changed.mark([customer.pk])
    return made


@transaction.atomic
def forget(one: MotivatorEvidence) -> int:
    """Delete all that is recorded of this customer's motivator: an answer is voluntary and can be taken back."""
    Customer.objects.select_for_update().get(pk=one.customer_id)
    number, _by_model = MotivatorEvidence.objects.filter(customer_id=one.customer_id, motivator=one.motivator).delete()
    changed.mark([one.customer_id])
    return number


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or its last one."""
    month = day.year * 12 + day.month - 1 - months
    for last in range(day.day, 27, -1):
        try:
            return date(month // 12, month % 12 + 1, last)
        except ValueError:
            continue
    return date(month // 12, month % 12 + 1, day.day)


# Set-based, for everybody: the latest own word on each motivator, the three most important of them


def _said(people: str) -> str:
    return f"""
  SELECT e.*, row_number() OVER (PARTITION BY customer_id ORDER BY importance DESC, recorded_at DESC, id DESC) <= {TOP} AS top
  FROM (
    SELECT DISTINCT ON (e.customer_id, e.motivator) e.customer_id, e.motivator, e.importance, e.fulfilment, e.recorded_at, e.id
    FROM crm_motivatorevidence e {people}
      AND e.origin = 'self_report' AND e.motivator = ANY(%(known)s)
      AND e.recorded_at >= %(start)s AND e.recorded_at < %(end)s
    ORDER BY e.customer_id, e.motivator, e.recorded_at DESC, e.id DESC) e"""


SAID = _said("""JOIN crm_customer c ON c.id = e.customer_id
    WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND NOT c.is_test""")
SAID_BY_ANYBODY = _said("WHERE TRUE")
CONNECTS = f"top AND fulfilment >= {FULFILLED_FROM}"
GAP = f"importance >= {IMPORTANT_FROM} AND fulfilment <= {MISSING_UP_TO}"
SCORE = f"""
SELECT count(*), count(*) FILTER (WHERE connected), count(*) FILTER (WHERE gap) FROM (
  SELECT customer_id, bool_or({CONNECTS}) AS connected, bool_or(top AND fulfilment IS NOT NULL) AS answered,
    bool_or({GAP}) AS gap
  FROM ({SAID}) said GROUP BY customer_id) c
WHERE answered"""
BY_MOTIVATOR = f"""
SELECT motivator, count(*), count(*) FILTER (WHERE top), count(*) FILTER (WHERE fulfilment IS NOT NULL),
  count(*) FILTER (WHERE {CONNECTS}), count(*) FILTER (WHERE {GAP}), avg(importance)::float8, avg(fulfilment)::float8
FROM ({SAID}) said GROUP BY motivator"""


def parameters(day: date) -> dict[str, Any]:
    start, end, zone = months_before(day, MONTHS) + timedelta(days=1), day + timedelta(days=1), shop_zone()
    return {
        "start": datetime.combine(start, time(), zone),
        "end": datetime.combine(end, time(), zone),
        "known": list(BY_CODE),
    }


@figure("motivators", live=False)
def figures() -> dict[str, Any]:
    named = parameters(scoring.shown_day())
    with connection.cursor() as cursor:
        cursor.execute(SCORE, named)
        answered, connected, with_gap = cursor.fetchone()
        cursor.execute(BY_MOTIVATOR, named)
        rows = cursor.fetchall()
    return {"answered": answered, "connected": connected, "with_gap": with_gap, "motivators": rows}


@dataclass(frozen=True)
class Row:
    """One motivator over all customers: said, of them among the top three, asked for fulfilment, connecting, gaps."""

    motivator: Motivator
    said: int
    top: int
    asked: int
    connecting: int
    gaps: int
    importance: float | None
    fulfilment: float | None


@dataclass(frozen=True)
class Overall:
    """score: connected of those with valid answers (Emotional Connection Score); rows by number of statements."""

    score: Share
    rows: Sequence[Row]


def overall(stored: Mapping[str, Any]) -> Overall:
    """The stored figure `motivators`."""
    rows = [Row(BY_CODE[code], *row) for code, *row in stored["motivators"] if code in BY_CODE]
    rows.sort(key=lambda row: (-row.said, list(BY_CODE).index(row.motivator.code)))
    return Overall(Share(stored["connected"], stored["answered"]), rows)
