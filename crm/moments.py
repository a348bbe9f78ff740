"""Each of crm's facts as an entry of the timeline, in words for staff.

A function of `MOMENTS` answers up to `limit` entries older than `before`, newest first, with a fixed number of queries.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from crm import alerts, display, emotions
from crm.compiled import compiled
from crm.filters import purpose_label
from crm.models import (
    AdvocacyAct,
    Answer,
    Complaint,
    ConsentEvent,
    Customer,
    Interaction,
    Participation,
    Purchase,
    PurchaseLine,
    Return,
    ReturnLine,
    Shop,
    Task,
)
from crm.plugins import Feeling, TimelineEntry
from crm.presence import needs

LINES_SHOWN = 3
STRONG_FEELING = 5  # of 10: from here on an answered emotion is shown
CHANNEL_ICONS = {"shop": "building-store", "phone": "phone", "mail": "mail", "chat": "messages", "social": "world"}
ITEMS: dict[str, str | Promise] = {
    "csat": _("satisfaction"),
    "trust": _("trust"),
    "commitment": _("commitment"),
    "involvement": _("involvement"),
    "price": _("price"),
    "repurchase_intent": _("would buy again"),
    "nps": _("would recommend"),
    "ces": _("effort"),
    "disconfirmation": _("compared with what was expected"),
    "comparison": _("compared with other shops"),
}

Moments = Callable[[Customer, datetime, int], Iterable[TimelineEntry]]


@compiled
def _bought(customer: int, before: datetime, *, limit: int) -> QuerySet[Purchase]:
    return Purchase.objects.filter(customer=customer, ordered_at__lt=before).order_by("-ordered_at", "-pk")[:limit]


def purchases(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    found = _bought(customer.pk, before, limit=limit)
    lines = _told_lines(_bought_lines, found, "purchase_id")
    currency = Shop.current().currency
    for purchase in found:
        amount = display.money(purchase.net, currency) or ""
        notes = list(lines[purchase.pk])
        if purchase.returned:
            notes.append(gettext("%(amount)s of it returned") % {"amount": display.money(purchase.returned, currency)})
        void = purchase.status in (Purchase.Status.CANCELLED, Purchase.Status.REFUNDED)
        yield TimelineEntry(
            at=purchase.ordered_at,
            kind="purchase",
            icon="shopping-bag",
            title=gettext("Purchase %(number)s") % {"number": purchase.external_id},
            text=f"{purchase.place}, {amount}" if purchase.place else amount,
            notes=notes,
            warning=str(purchase.get_status_display()) if void else "",
        )


@compiled
def _brought_back(customer: int, before: datetime, *, limit: int) -> QuerySet[Return]:
    return Return.objects.filter(customer=customer, returned_at__lt=before).order_by("-returned_at", "-pk")[:limit]


@needs(Return)
def returns(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    found = _brought_back(customer.pk, before, limit=limit)
    lines = _told_lines(_returned_lines, found, "parent_id")
    currency = Shop.current().currency
    for back in found:
        if back.purchase_ref:
            title = gettext("Return %(number)s for purchase %(purchase)s")
        else:
            title = gettext("Return %(number)s")
        yield TimelineEntry(
            at=back.returned_at,
            kind="purchase",
            icon="truck-return",
            title=title % {"number": back.external_id, "purchase": back.purchase_ref},
            text=display.money(-back.net, currency) or "",
            notes=lines[back.pk],
            warning=gettext("held: %(reason)s") % {"reason": back.get_held_display()} if back.held else "",
        )


@compiled
def _bought_lines(purchases: tuple[int, ...]) -> QuerySet[PurchaseLine]:
    return _first_lines(PurchaseLine.objects.filter(purchase__in=purchases), "purchase_id")


@compiled
def _returned_lines(returns: tuple[int, ...]) -> QuerySet[ReturnLine]:
    return _first_lines(ReturnLine.objects.filter(parent__in=returns), "parent_id")


def _first_lines(rows: QuerySet[Any], owner: str) -> QuerySet[Any]:
    place = Window(RowNumber(), partition_by=[F(owner)], order_by=[F("position")])
    counted = rows.annotate(place=place, of=Window(Count("pk"), partition_by=[F(owner)]))
    return counted.filter(place__lte=LINES_SHOWN).select_related("product").order_by(owner, "position")


def _told_lines(lines: Callable[..., list[Any]], owners: list[Any], owner: str) -> dict[int, list[str]]:
    """The first lines of each purchase or return in words, and how many more there are."""
    told: dict[int, list[str]] = defaultdict(list)
    for line in lines(tuple(one.pk for one in owners)) if owners else ():
        words = told[getattr(line, owner)]
        name = line.description or (str(line.product) if line.product else gettext("item without a name"))
        quantity = display.number(line.quantity, 0 if line.quantity == int(line.quantity) else 3)
        words.append(name if line.quantity == 1 else f"{quantity} × {name}")
        if line.place == LINES_SHOWN and line.of > LINES_SHOWN:
            more = line.of - LINES_SHOWN
            words.append(ngettext("+%(n)s more line", "+%(n)s more lines", more) % {"n": display.number(more)})
    return told


@needs(Interaction)
def interactions(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    for contact in _interactions(customer.pk, before, limit=limit):
        felt = sorted(contact.emotions.all(), key=lambda emotion: emotion.slot)
        estimated = [emotion.origin == "staff_estimate" for emotion in felt]
        notes = []
        if any(estimated):
            notes.append(gettext("the team's estimate, does not count as the customer's word"))
        elif felt:
            notes.append(gettext("said by the customer"))
        if contact.rating is not None:
            notes.append(gettext("rated %(rating)s of 10") % {"rating": contact.rating})
        destroying = sum(emotions.BY_CODE[emotion.emotion].sign < 0 for emotion in felt)
        yield TimelineEntry(
            at=contact.occurred_at,
            kind="contact",
            icon=CHANNEL_ICONS.get(contact.channel, "messages"),
            title=gettext("Contact: %(channel)s") % {"channel": contact.get_channel_display()},
            text=_with_whom(contact),
            body=contact.note,
            feelings=[Feeling(one.emotion, estimate=staff) for one, staff in zip(felt, estimated, strict=True)],
            notes=notes,
            tone="bad" if destroying >= 2 else "",
            warning=gettext("Alert: two destroying emotions") if destroying >= 2 else "",
        )


@compiled
def _interactions(customer: int, before: datetime, *, limit: int) -> QuerySet[Interaction]:
    found = Interaction.objects.filter(customer=customer, occurred_at__lt=before).order_by("-occurred_at", "-pk")
    return found.select_related("staff", "source").prefetch_related("emotions")[:limit]


def _with_whom(contact: Interaction) -> str:
    touchpoint = gettext("touchpoint %(name)s") % {"name": contact.get_touchpoint_display()}
    who = contact.staff or contact.source
    return gettext("by %(who)s, %(touchpoint)s") % {"who": who, "touchpoint": touchpoint} if who else touchpoint


@needs(Task)
def tasks_done(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    closed = Task.objects.filter(customer=customer, closed_at__lt=before).order_by("-closed_at", "-pk")
    for task in closed.select_related("closed_by")[:limit]:
        yield TimelineEntry(
            at=task.closed_at,  # type: ignore[arg-type]  # a closed task has a time
            kind="contact",
            icon="circle-check",
            title=gettext("Done: %(task)s") % {"task": task.get_kind_display()},
            text=gettext("by %(who)s") % {"who": task.closed_by} if task.closed_by else "",
            body=task.note,
            notes=[str(task.get_outcome_display())],
            tone="" if task.outcome == Task.Outcome.NOT_REACHED else "good",
        )


@needs(Complaint)
def complaints(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    opened = Complaint.objects.filter(customer=customer, opened_at__lt=before).order_by("-opened_at", "-pk")
    for case in opened[:limit]:
        yield TimelineEntry(
            at=case.opened_at,
            kind="voice",
            icon="alert-circle",
            title=gettext("Complaint %(number)s") % {"number": case.number},
            text=gettext("severity %(severity)s") % {"severity": case.get_severity_display()},
            own_words=case.text,
            tone="" if case.state == Complaint.State.CLOSED else "bad",
            url=case.get_absolute_url(),
        )


@needs(Complaint)
def solved_complaints(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    closed = Complaint.objects.filter(customer=customer, closed_at__lt=before).order_by("-closed_at", "-pk")
    for case in closed[:limit]:
        yield TimelineEntry(
            at=case.closed_at,  # type: ignore[arg-type]  # a closed complaint has a time
            kind="voice",
            icon="circle-check",
            title=gettext("Complaint %(number)s closed") % {"number": case.number},
            body=case.resolution,
            tone="good",
            url=case.get_absolute_url(),
        )


@needs(Answer)
def answers(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    """Each answered sheet once, at the time of its last answer."""
    sheets = Answer.objects.filter(customer=customer).order_by().values("response")
    recent = sheets.annotate(at=Max("answered_at")).filter(at__lt=before).order_by("-at", "response")[:limit]
    times = {sheet["response"]: sheet["at"] for sheet in recent}
    given: dict[Any, list[Answer]] = defaultdict(list)
    for answer in Answer.objects.filter(customer=customer, response__in=times).order_by("pk"):
        given[answer.response].append(answer)
    for response, sheet in given.items():
        yield _sheet(times[response], sheet)


def _sheet(at: datetime, sheet: list[Answer]) -> TimelineEntry:
    estimate = sheet[0].origin == Answer.Origin.STAFF_ESTIMATE
    told = [
        _told(answer)
        for answer in sorted(sheet, key=lambda one: list(ITEMS).index(one.item) if one.item in ITEMS else 99)
        if answer.item in ITEMS
    ]
    felt = [(answer.item.removeprefix("nev_"), float(answer.value)) for answer in sheet if answer.item[:4] == "nev_"]
    strong = sorted(
        (one for one in felt if one[1] >= STRONG_FEELING and one[0] in emotions.BY_CODE), key=lambda e: -e[1]
    )
    return TimelineEntry(
        at=at,
        kind="voice",
        icon="message-2",
        title=gettext("Survey answered"),
        text=", ".join(told),
        own_words=" ".join(answer.comment for answer in sheet if answer.comment),
        feelings=[Feeling(code, strength, estimate) for code, strength in strong[:3]],
        notes=[gettext("estimated by staff") if estimate else gettext("said by the customer")],
        **_alarm(sheet),
    )


def _told(answer: Answer) -> str:
    """One answered item. As expected is neutral: it is neither praise nor blame."""
    if answer.item == "disconfirmation":
        return str(expectation(answer.value))
    return f"{ITEMS[answer.item]} {display.signed(answer.value) if answer.value < 0 else display.number(answer.value)}"


def expectation(value: Any) -> str | Promise:
    """−3 to +3 in words."""
    if value == 0:
        return gettext("expectation met")
    return gettext("expectation exceeded") if value > 0 else gettext("expectation missed")


def _alarm(sheet: list[Answer]) -> dict[str, str]:
    """What makes an entry of a sheet an alert, in the words of the strongest reason."""
    felt = {one.item.removeprefix("nev_"): one.value for one in sheet if one.item.startswith("nev_")}
    form = next((one.form for one in sheet if one.form), "")
    alert = alerts.of_ratings(felt, form) if form else None
    if alert is None:
        return {}
    if alert.felt:
        code, rating = alert.felt[0]
        words = {"emotion": emotions.BY_CODE[code].label, "rating": display.number(rating)}
        return {"tone": "bad", "warning": gettext("Alert: “%(emotion)s” %(rating)s of 10") % words}
    value = display.signed(alert.value, 1)
    return {"tone": "bad", "warning": gettext("Alert: Net Emotional Value %(value)s") % {"value": value}}


@needs(AdvocacyAct)
def advocacy(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    acts = AdvocacyAct.objects.filter(customer=customer, occurred_at__lt=before).order_by("-occurred_at", "-pk")
    for act in acts[:limit]:
        yield TimelineEntry(
            at=act.occurred_at,
            kind="voice",
            icon="speakerphone",
            title=gettext("Spoke for the shop"),
            text=str(act.get_kind_display()),
            body=act.note,
            tone="bond",
        )


@compiled
def _ledger(person: UUID, before: datetime, *, limit: int) -> QuerySet[ConsentEvent]:
    ledger = ConsentEvent.objects.filter(person_key=person, occurred_at__lt=before)
    return ledger.select_related("purpose", "trace").order_by("-occurred_at", "-pk")[:limit]


def consents(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    for event in _ledger(customer.person_key, before, limit=limit):
        ended = event.action not in (ConsentEvent.Action.GIVEN, ConsentEvent.Action.CONFIRMED, ConsentEvent.Action.USED)
        yield TimelineEntry(
            at=event.occurred_at,
            kind="consent",
            icon="ban" if ended else "check",
            title=gettext("Consent %(action)s: %(purpose)s")
            % {"action": event.get_action_display(), "purpose": purpose_label(event.purpose)},
            text=gettext("by %(channel)s") % {"channel": event.get_channel_display()},
            notes=[note for note in (str(event.get_method_display()), event.note, _trace_note(event)) if note],
        )


def _trace_note(event: ConsentEvent) -> str:
    return event.trace.note if hasattr(event, "trace") else ""


@needs(Participation)
def participations(customer: Customer, before: datetime, limit: int) -> Iterable[TimelineEntry]:
    found = Participation.objects.filter(customer=customer, occurred_at__lt=before).order_by("-occurred_at", "-pk")
    for part in found[:limit]:
        yield TimelineEntry(
            at=part.occurred_at,
            kind="taking_part",
            icon="ticket",
            title=gettext("Took part"),
            text=part.title,
            notes=[str(part.get_kind_display())],
        )


MOMENTS: dict[str, tuple[Moments, ...]] = {
    "purchase": (purchases, returns),
    "contact": (interactions, tasks_done),
    "voice": (complaints, solved_complaints, answers, advocacy),
    "consent": (consents,),
    "taking_part": (participations,),
}
