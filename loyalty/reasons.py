"""Why a barrier has its points: every signal in words, with its figures and dates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import day as day_text
from crm.display import money, number, percent
from loyalty.barriers import SIGNALS, Barrier, Signal, slice_of
from loyalty.models import Metrics

if TYPE_CHECKING:
    from loyalty.facts import Behind, Fact


@dataclass(frozen=True)
class Names:
    """What a reason calls by name: the member of staff, the latest event or membership, the currency."""

    contact: str = ""
    gathering: str = ""
    gathering_on: date | None = None
    currency: str = "EUR"


@dataclass(frozen=True)
class Line:
    """One signal. points is None while it is unknown; `learn` then says how to come to know it. `most`: points at most."""

    code: str
    text: str
    points: float | None
    most: float
    learn: str = ""
    facts: tuple["Fact", ...] = ()


def lines(
    barrier: Barrier,
    points: list[float | None],
    most: Mapping[str, float],
    metrics: Metrics,
    behind: "Behind",
    day: date,
) -> list[Line]:
    """The signals of a barrier with their stored points. most: what each may give by the rules of the judgement."""
    stored = points[slice_of(barrier.code)] if len(points) == len(SIGNALS) else [None] * len(barrier.signals)
    return [
        line(signal, found, most[signal.code], metrics, behind, day)
        for signal, found in zip(barrier.signals, stored, strict=True)
    ]


def line(signal: Signal, points: float | None, most: float, metrics: Metrics, behind: "Behind", day: date) -> Line:
    if points is None:
        return Line(signal.code, str(signal.label), None, most, how_to_learn(signal))
    wording, names = WORDING.get(signal.code), behind.names
    if wording:
        text = wording(metrics, names, day, points / most if most else 0)
    elif signal.kind == "recorded":
        text = recorded(signal, metrics, names)
    else:
        text = str(signal.label)
    return Line(signal.code, text, points, most, facts=behind.of(signal.code))


def how_to_learn(signal: Signal) -> str:
    if signal.kind == "recorded":
        return _("Nobody has recorded it. Ask, and note it here.")
    return {
        "purchases": _("There is no purchase yet: connect the shop or import a file."),
        "places": _("No purchase says where it was made: let the shop send the place."),
        "interactions": _("No contact is recorded yet: note contacts, with the customer's rating."),
        "participations": _("Nobody takes part in anything yet: note memberships and visits to events."),
        "referrals": _("No referral is recorded yet: note who brought whom."),
    }.get(signal.kind, _("No connected system delivers this, and it cannot be noted by hand. Until one does it adds nothing."))


def recorded(signal: Signal, metrics: Metrics, names: Names) -> str:
    """What staff recorded: the signal, its value and the day."""
    value, on = (metrics.recorded or {}).get(signal.code, (0, None))
    named = {"signal": signal.label, "value": amount(signal, float(value), names), "day": day_text(as_day(on))}
    return _("%(signal)s: %(value)s, recorded on %(day)s") % named


def as_day(stored: str | None) -> date | None:
    return date.fromisoformat(stored) if stored else None


def amount(signal: Signal, value: float, names: Names) -> str | None:
    """A recorded value in its unit."""
    if signal.unit == "months":
        return ngettext("%(n)s month", "%(n)s months", round(value)) % {"n": number(value)}
    if signal.unit == "share":
        return percent(value)
    if signal.unit == "money":
        return money(value, names.currency)
    if signal.unit == "count":
        return number(value)
    return _("yes") if value > 0 else _("no")


def full_months(start: date | None, end: date) -> int:
    """Whole months from one day to another, as PostgreSQL's age() counts them."""
    if start is None or start > end:
        return 0
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


def remaining_months(metrics: Metrics, names: Names, day: date, share: float) -> str:
    """A term runs down from the day on which it was recorded."""
    value, on = (metrics.recorded or {}).get("remaining_months", (0, None))
    left = max(0, float(value) - full_months(as_day(on), day))
    if not left:
        return _term_is_over(float(value), as_day(on))
    return ngettext(
        "Remaining term: %(n)s month, of %(all)s recorded on %(day)s",
        "Remaining term: %(n)s months, of %(all)s recorded on %(day)s",
        1 if left == 1 else 2,
    ) % {"n": number(left), "all": number(float(value)), "day": day_text(as_day(on))}


def _term_is_over(months: float, recorded_on: date | None) -> str:
    named = {"n": number(months), "day": day_text(recorded_on)}
    if not months:
        return _("No remaining term, recorded on %(day)s") % named
    return ngettext(
        "The remaining term of %(n)s month, recorded on %(day)s, is over",
        "The remaining term of %(n)s months, recorded on %(day)s, is over",
        1 if months == 1 else 2,
    ) % named


def prepaid_credit(metrics: Metrics, names: Names, day: date, share: float) -> str:
    value, on = (metrics.recorded or {}).get("prepaid_credit", (0, None))
    average = metrics.value / metrics.orders if metrics.orders else 0
    return _("Prepaid credit or bought voucher: %(credit)s beside a mean order of %(average)s, recorded on %(day)s") % {
        "credit": money(float(value), names.currency),
        "average": money(average, names.currency),
        "day": day_text(as_day(on)),
    }


def tenure(metrics: Metrics, names: Names, day: date, share: float) -> str:
    if metrics.first_order_on is None:
        return _("No order yet")
    months = full_months(metrics.first_order_on, day)
    return ngettext(
        "Customer for %(n)s month, since %(day)s", "Customer for %(n)s months, since %(day)s", months
    ) % {"n": number(months), "day": day_text(metrics.first_order_on)}  # fmt: skip


def routine_place(metrics: Metrics, names: Names, day: date, share: float) -> str:
    if not metrics.orders:
        return _("No order yet")
    if not metrics.place:
        return _("No place is known of their purchases")
    return ngettext(
        "%(n)s of %(all)s order through %(place)s", "%(n)s of %(all)s orders through %(place)s", metrics.orders
    ) % {"n": number(metrics.place_orders), "all": number(metrics.orders), "place": metrics.place}


def named_contact(metrics: Metrics, names: Names, day: date, share: float) -> str:
    n = metrics.good_contacts
    if n == 0:
        return _("No contact rated 7 or better in 12 months")
    return ngettext(
        "%(n)s contact with %(name)s rated 7 or better in 12 months",
        "%(n)s contacts with %(name)s rated 7 or better in 12 months",
        n,
    ) % {"n": number(n), "name": names.contact or _("a member of staff")}


def takes_part(metrics: Metrics, names: Names, day: date, share: float) -> str:
    if not metrics.takes_part:
        return _("Neither a member nor a guest of an event in 12 months")
    return _("Takes part: %(title)s, %(day)s") % {"title": names.gathering, "day": day_text(names.gathering_on)}


def referred_active(metrics: Metrics, names: Names, day: date, share: float) -> str:
    """Two active ones make the full points, so of more than two nobody says how many are."""
    n, active = len(metrics.referred or []), round(2 * share)
    if n == 0:
        return _("Brought no customer yet")
    text = ngettext(
        "Brought %(n)s customer, active of them: %(active)s",
        "Brought %(n)s customers, active of them: %(active)s",
        n,
    )
    many = _("at least %(n)s") % {"n": number(active)} if n > active >= 2 else number(active)
    return text % {"n": number(n), "active": many}


# By the code of the signal. The last argument is the share of the points at most that it gave, 0 to 1.
WORDING: dict[str, Callable[[Metrics, Names, date, float], str]] = {
    wording.__name__: wording
    for wording in (
        remaining_months, prepaid_credit, tenure, routine_place, named_contact, takes_part, referred_active,
    )
}  # fmt: skip
