"""Three facts about the customer who stands at the counter, and one sentence to say, with its reason.

The sentence follows from facts alone: rules in order, the first that holds speaks. While a complaint or an alert is open
nothing is offered, and no emotion that somebody tagged is ever quoted back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Max
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import display, permission
from crm.access import may
from crm.models import Complaint, Customer, Interaction, Purchase, PurchaseLine, Task, User
from crm.views.profile import VALID, birthday
from crm.worklist_rows import due_words
from loyalty import badges
from loyalty.coupons import terms
from loyalty.coupons.pages import open_codes, written
from loyalty.models import Coupon
from loyalty.status import Status

FACTS = 3
COUPONS = 5
SOON = 14  # days before a birthday
FAVOURITE = 2  # purchases with the same product
LONGEST_QUOTE = 90


@dataclass(frozen=True)
class Fact:
    """One line: what is bold, what follows it, where it stands. `tone` bad for what must come first."""

    icon: str
    title: str
    text: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Suggestion:
    """What one could say, and why."""

    sentence: str
    because: str


@dataclass(frozen=True)
class Known:
    """What the facts and the sentence are made of."""

    customer: Customer
    day: date
    case: Complaint | None
    tasks: list[Task]
    favourite: dict[str, Any] | None
    purchases: int
    last_on: date | None
    birthday: dict[str, Any] | None
    contact: Interaction | None
    coupons: list[dict[str, Any]]

    @property
    def alert(self) -> Task | None:
        return next((task for task in self.tasks if task.kind == Task.Kind.ALERT), None)


def card(customer: Customer, user: User) -> dict[str, Any]:
    """What the counter shows of a customer. A fixed number of queries, whatever their history."""
    known = gathered(customer, user)
    silent = customer.restricted_at or customer.deceased_at
    assessment = getattr(customer, "assessment", None)
    return {
        "customer": customer,
        "address": spoken_name(customer),
        "facts": [rest(customer)] if silent else list(facts(known))[:FACTS],
        "suggestion": None if silent else suggestion(known),
        "silent": silent,
        "holds": known.case or known.alert,
        "coupons": known.coupons[:COUPONS],
        "more_coupons": len(known.coupons) > COUPONS,
        "assessment": assessment,
        "status": badges.STATUSES.get(Status(code))
        if assessment and (code := assessment.status_on(known.day))
        else None,
    }


def spoken_name(customer: Customer) -> str:
    """Ms Dr. Müller, if the customer said so; '' where the form of address is not known."""
    named = " ".join(part for part in (customer.title, customer.family_name) if part)
    if not customer.family_name or customer.salutation not in (Customer.Salutation.MS, Customer.Salutation.MR):
        return ""
    if customer.salutation == Customer.Salutation.MS:
        return _("Ms %(name)s") % {"name": named}
    return _("Mr %(name)s") % {"name": named}


def gathered(customer: Customer, user: User) -> Known:
    valid = Purchase.objects.filter(VALID, customer=customer)
    bought = valid.aggregate(n=Count("pk"), last=Max("ordered_on"))
    cases = customer.complaints.exclude(state=Complaint.State.CLOSED)
    usable = open_codes(Coupon.objects.filter(customer=customer).select_related("batch__free_product")).order_by(
        "valid_until", "pk"
    )
    contacts = customer.interactions.select_related("staff").order_by("-occurred_at", "-pk")
    return Known(
        customer,
        timezone.localdate(),
        cases.order_by("due_at", "pk").first(),
        list(customer.tasks.filter(state=Task.State.OPEN).order_by("due_at", "pk")[:5]),
        favourite(customer),
        bought["n"],
        bought["last"],
        birthday(customer, True) if may(user, "pii.view") else None,
        contacts.first(),
        [
            {"coupon": one, "shown": written(one), "worth": terms.worth(one.batch, one.left)}
            for one in usable[: COUPONS + 1]
        ],
    )


def favourite(customer: Customer) -> dict[str, Any] | None:
    """The product that is in most of the purchases: product, name, n purchases with it, last day."""
    lines = PurchaseLine.objects.filter(
        purchase__customer=customer, purchase__status__in=["paid", "completed"], purchase__net__gt=0,
        product__isnull=False,
    )  # fmt: skip
    often = lines.values("product", "product__name", "product__external_id").annotate(
        n=Count("purchase", distinct=True), last=Max("purchase__ordered_on")
    )
    found = often.order_by("-n", "-last", "product").first()
    return found and found | {"name": found["product__name"] or found["product__external_id"]}


# Three facts


def facts(known: Known) -> Iterable[Fact]:
    """What counts, the most urgent first."""
    if known.case:
        yield complaint(known.case)
    for task in known.tasks:
        if task.kind == Task.Kind.ALERT and not known.case:
            profile = reverse("customer", args=[known.customer.pk])
            yield Fact("alert-circle", _("Something went badly."), _("The profile says what."), profile, "bad")
        if task.kind == Task.Kind.CALL_BACK:
            yield Fact("phone-call", _("A call is promised."), f"{due_words(task.due_at)[0]}: {task.text}")
    yield usual(known)
    if known.birthday and (fact := soon(known)):
        yield fact
    if known.contact:
        yield last_contact(known.contact)
    else:
        yield Fact("messages", _("No contact recorded yet."))


def complaint(case: Complaint) -> Fact:
    when = due_words(case.due_at)[0]
    words = {"ago": display.ago(case.opened_at), "when": when}
    if case.state == Complaint.State.ANSWERED:
        text = _("Complaint taken down %(ago)s, answered, not closed yet.") % words
    elif case.due_at < timezone.now():
        text = _("Complaint taken down %(ago)s, answer overdue since %(when)s.") % words
    else:
        text = _("Complaint taken down %(ago)s, answer due %(when)s.") % words
    quote = " ".join(case.text.split())
    quote = quote if len(quote) <= LONGEST_QUOTE else f"{quote[: LONGEST_QUOTE - 1]}…"
    return Fact("alert-circle", quote, text, case.get_absolute_url(), "bad")


def usual(known: Known) -> Fact:
    if not known.purchases or known.last_on is None:
        return Fact("shopping-bag", _("No purchase yet."))
    words = {"day": display.day(known.last_on), "n": display.number(known.purchases)}
    favourite = known.favourite
    if favourite and favourite["n"] >= FAVOURITE:
        words |= {"day": display.day(favourite["last"]), "some": display.number(favourite["n"])}
        text = _("In %(some)s of %(n)s purchases, last on %(day)s.") % words
        return Fact("coffee", favourite["name"], text)
    if known.purchases == 1 and favourite:
        return Fact("shopping-bag", favourite["name"], _("The only purchase so far, on %(day)s.") % words)
    title = ngettext("%(n)s purchase.", "%(n)s purchases.", known.purchases) % words
    return Fact("shopping-bag", title, _("The last one on %(day)s.") % words)


def soon(known: Known) -> Fact | None:
    """The birthday, if it is near, and whether a mail may go; the gate is asked only then."""
    assert known.birthday is not None
    following = known.birthday["next"]
    if (following - known.day).days > SOON:
        return None
    title = _("Birthday today.") if following == known.day else _("Birthday %(ago)s.") % {"ago": display.ago(following)}
    decision = permission.may_send(known.customer.pk, "advertising", "birthday")
    if decision.code == "open_complaint":
        return Fact("cake", title, _("No mail while a case is open, a greeting at the counter is fine."))
    if decision.allowed or not permission.BY_CODE[decision.code].lasting:
        return Fact("cake", title, _("A mail is allowed."))
    return Fact("cake", title, _("No mail is allowed, a greeting at the counter is fine."))


def last_contact(contact: Interaction) -> Fact:
    parts = [str(contact.get_channel_display()), str(contact.get_touchpoint_display())]
    if contact.staff:
        parts.append(str(contact.staff))
    return Fact("messages", _("Last contact %(ago)s.") % {"ago": display.ago(contact.occurred_at)}, ", ".join(parts))


def rest(customer: Customer) -> Fact:
    if customer.deceased_at:
        return Fact("info-circle", _("The person has died."), _("Nothing is offered and nothing recorded."))
    return Fact("lock", _("Use of this person's data is restricted."), _("Nothing is offered and nothing recorded."))


# One sentence


def suggestion(known: Known) -> Suggestion:
    return next(found for rule in RULES if (found := rule(known)))


def settle(known: Known) -> Suggestion | None:
    if known.case is None:
        return None
    if known.case.state == Complaint.State.ANSWERED:
        return Suggestion(
            _("Is everything settled now? If not, I will see to it at once."),
            _("The complaint is answered but not closed: make sure first, offer nothing today."),
        )
    return Suggestion(
        _("I know that something is still open with us. May I tell you how far we are?"),
        _("The complaint is open: solve it first, offer nothing today."),
    )


def listen(known: Known) -> Suggestion | None:
    if known.alert is None:
        return None
    return Suggestion(
        _("Good that you are here. Is there something we should do better?"),
        _("Something went badly and nobody has settled it yet: listen first, offer nothing today."),
    )


def congratulate(known: Known) -> Suggestion | None:
    if not known.birthday or not known.birthday["today"]:
        return None
    return Suggestion(_("Happy birthday! It is good to see you today."), _("It is the birthday. It asks for nothing."))


def remind(known: Known) -> Suggestion | None:
    """A coupon that can be used today; one that begins later is no reason yet."""
    now_good = (one for one in known.coupons if not one["coupon"].valid_from or one["coupon"].valid_from <= known.day)
    one = next(now_good, None)
    if one is None:
        return None
    until = one["coupon"].valid_until
    words = {"worth": one["worth"], "day": display.day(until)}
    if until is None:
        return Suggestion(
            _("You still have a coupon: %(worth)s. Would you like to use it today?") % words,
            _("A coupon of this customer is open, without end."),
        )
    return Suggestion(
        _("You still have a coupon: %(worth)s. Would you like to use it today?") % words,
        _("A coupon of this customer is open until %(day)s.") % words,
    )


def the_usual(known: Known) -> Suggestion | None:
    found = known.favourite
    if not found or found["n"] < FAVOURITE:
        return None
    words = {"product": found["name"], "n": display.number(found["n"]), "ago": display.ago(found["last"])}
    return Suggestion(
        _("Would you like %(product)s again?") % words,
        _("It was in %(n)s purchases, last %(ago)s.") % words,
    )


def how_was_it(known: Known) -> Suggestion | None:
    if not known.favourite or known.purchases != 1:
        return None
    words = {"product": known.favourite["name"], "ago": display.ago(known.last_on)}
    return Suggestion(_("How do you like %(product)s?") % words, _("It was the only purchase so far, %(ago)s.") % words)


def welcome(known: Known) -> Suggestion:
    return Suggestion(_("Good to see you. What can I do for you?"), _("No fact calls for more than a welcome."))


RULES: tuple[Callable[[Known], Suggestion | None], ...] = (
    settle, listen, congratulate, remind, the_usual, how_was_it, welcome,
)  # fmt: skip
