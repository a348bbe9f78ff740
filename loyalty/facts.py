"""The facts behind a judgement, each with its day and the place where it can be looked at.

They only illustrate: points and stages come from what was stored. A fixed number of queries, whatever the history.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from crm.display import day as day_text
from crm.display import number, signed
from crm.models import AdvocacyAct, Answer, BarrierFact, Complaint, Customer, Interaction, Participation, Shop, User
from crm.presence import needs
from loyalty.models import Metrics
from loyalty.reasons import Names

SHOWN = 3
READ = 60
YEAR = timedelta(days=365)
# Items of a sheet by the part of the attitude they make; emotions are all one part.
PART_OF = {
    "csat": "satisfaction",
    "disconfirmation": "satisfaction",
    "trust": "trust",
    "commitment": "commitment",
    "involvement": "involvement",
    "comparison": "comparison",
}


@dataclass(frozen=True)
class Fact:
    """text: what happened, may be empty beside its day; url: where it stands, '' for nowhere."""

    text: str
    on: date | None
    url: str = ""

    @property
    def day(self) -> date | None:
        """Its day in the shop's zone; an instant is a day there."""
        return localtime(self.on).date() if isinstance(self.on, datetime) else self.on


@dataclass(frozen=True)
class Behind:
    """facts: by the code of a stage condition, a part of the attitude or a signal, the newest first."""

    names: Names
    facts: Mapping[str, list[Fact]] = field(default_factory=dict)

    def of(self, code: str) -> tuple[Fact, ...]:
        return tuple(self.facts.get(code, ())[:SHOWN])


def behind(customer: Customer, metrics: Metrics, day: date, by_contract: bool = False) -> Behind:
    """What stands behind the judgement of `day`. Eight queries at most. by_contract: a contract decides the status."""
    shop = Shop.current()
    zone = ZoneInfo(shop.time_zone)
    until = moment_of(day, zone)
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    taken_part = list(_participations(customer, until))
    for code, fact in (
        *_orders(customer, metrics),
        *_answers(customer, until),
        *_acts(customer, day, until, zone),
        *_complaints(customer, until),
        *_contacts(customer, metrics, until),
        *(("takes_part", Fact(one.title, one.occurred_at, listed(customer, "taking_part"))) for one in taken_part),
        *_recorded(customer, until),
    ):
        found[code].append(fact)
    if by_contract:
        found["alive"] = found["not_lapsed"] = found["contract_cancelled"] or found["remaining_months"]
    contact = User.objects.filter(pk=metrics.contact_id).first() if metrics.contact_id else None
    names = Names(
        contact=str(contact) if contact else "",
        gathering=taken_part[0].title if taken_part else "",
        gathering_on=taken_part[0].occurred_at if taken_part else None,
        currency=shop.currency,
    )
    return Behind(names, dict(found))


def moment_of(day: date, zone: ZoneInfo) -> datetime:
    """The end of a day in the shop's zone, or now if that is earlier."""
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone) - timedelta(microseconds=1)
    return min(end, now())


def listed(customer: Customer, kind: str) -> str:
    """The timeline, narrowed to one kind of entry."""
    return f"{reverse('customer', args=[customer.pk])}?kind={kind}#history"


def _orders(customer: Customer, metrics: Metrics) -> Iterator[tuple[str, Fact]]:
    url, latest = listed(customer, "purchase"), list(reversed(metrics.order_days[-SHOWN:]))
    shown = {
        "one_order": metrics.order_days[:1],
        "two_orders": metrics.order_days[:2],
        "enough_orders": latest,
        "recent_orders": latest[:2],
        "not_lapsed": latest[:1],
        "alive": latest[:1],
    }
    for code, days in shown.items():
        yield from ((code, Fact("", on, url)) for on in days)
    if metrics.first_order_on:
        yield "tenure", Fact("", metrics.first_order_on, url)
    if metrics.place:
        yield "routine_place", Fact("", metrics.last_order_on, url)


@needs(Answer)
def _answers(customer: Customer, until: datetime) -> Iterator[tuple[str, Fact]]:
    own = Answer.objects.filter(customer=customer, origin=Answer.Origin.CUSTOMER_SELF, answered_at__lte=until)
    wanted = own.filter(Q(item__in=PART_OF) | Q(item="nev_happy") | Q(item="nev_irritated"))
    url = listed(customer, "voice")
    sheets: set[object] = set()
    felt: set[object] = set()
    for answer in wanted.order_by("-answered_at", "item")[:READ]:
        part = PART_OF.get(answer.item)
        if answer.response not in sheets:
            sheets.add(answer.response)
            yield "attitude_high", Fact("", answer.answered_at, url)
        if part:
            yield part, Fact(_said(answer), answer.answered_at, url)
        elif answer.response not in felt:
            felt.add(answer.response)
            yield "nev", Fact("", answer.answered_at, url)


def _said(answer: Answer) -> str:
    value = float(answer.value)
    if answer.item in ("disconfirmation", "comparison"):
        return str(signed(value, 0 if value == int(value) else 1) or number(value))
    return _("%(value)s of 10") % {"value": number(value, 0 if value == int(value) else 1)}


@needs(AdvocacyAct)
def _acts(customer: Customer, day: date, until: datetime, zone: ZoneInfo) -> Iterator[tuple[str, Fact]]:
    acts = AdvocacyAct.objects.filter(customer=customer, occurred_at__lte=until).select_related("referred")
    for act in acts.order_by("-occurred_at")[:READ]:
        if act.occurred_at.astimezone(zone).date() >= day - YEAR:
            yield "advocacy", Fact(str(act.get_kind_display()), act.occurred_at, listed(customer, "voice"))
        if act.kind == AdvocacyAct.Kind.REFERRED_ORDER and act.referred and not act.referred.erased_at:
            url = reverse("customer", args=[act.referred.pk])
            yield "referred_active", Fact(act.referred.display_name, act.occurred_at, url)


@needs(Complaint)
def _complaints(customer: Customer, until: datetime) -> Iterator[tuple[str, Fact]]:
    severe = Complaint.objects.filter(customer=customer, severity=Complaint.Severity.HIGH, opened_at__lte=until)
    for case in severe.filter(Q(closed_at=None) | Q(closed_at__gt=until)).order_by("-opened_at")[:SHOWN]:
        yield "no_severe_complaint", Fact(str(case.number), case.opened_at, reverse("complaint", args=[case.pk]))


@needs(Interaction)
def _contacts(customer: Customer, metrics: Metrics, until: datetime) -> Iterator[tuple[str, Fact]]:
    good = Interaction.objects.filter(
        customer=customer, staff=metrics.contact_id or 0, rating__gte=7, occurred_at__lte=until
    )
    for one in good.filter(occurred_at__gt=until - YEAR).order_by("-occurred_at")[:SHOWN]:
        yield "named_contact", Fact("", one.occurred_at, listed(customer, "contact"))


@needs(Participation)
def _participations(customer: Customer, until: datetime) -> list[Participation]:
    """What counts as taking part: members now, guests within a year."""
    now_member = Q(kind=Participation.Kind.MEMBER) & (Q(ended_at=None) | Q(ended_at__gt=until))
    guest = Q(kind=Participation.Kind.GATHERING, occurred_at__gt=until - YEAR)
    taken = Participation.objects.filter(now_member | guest, customer=customer, occurred_at__lte=until)
    return list(taken.order_by("-occurred_at")[:SHOWN])


@needs(BarrierFact)
def _recorded(customer: Customer, until: datetime) -> Iterator[tuple[str, Fact]]:
    """The latest word on each signal, with who said so, how they know and how long it counts."""
    latest = BarrierFact.objects.filter(customer=customer, recorded_at__lte=until).select_related("recorded_by")
    for one in latest.order_by("signal", "-recorded_at", "-pk").distinct("signal"):
        ends = _("until %(day)s") % {"day": day_text(localtime(one.expires_at).date())} if one.expires_at else ""
        who = ", ".join(part for part in (str(one.recorded_by or one.origin or ""), one.note, ends) if part)
        yield one.signal, Fact(who, one.recorded_at, f"{reverse('customer', args=[customer.pk])}#facts")
