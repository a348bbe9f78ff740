"""What the counter shows of a customer: three facts, a sentence, where they stand, open coupons."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import display, permission
from crm.models import Complaint, Customer, Interaction, Task, User
from crm.worklist_rows import due_words
from loyalty import badges
from loyalty.counter.known import COUPONS, FAVOURITE, Known, gathered
from loyalty.counter.sentences import suggestion
from loyalty.status import Status

FACTS = 3
SOON = 14  # days before a birthday
LONGEST_QUOTE = 90


@dataclass(frozen=True)
class Fact:
    """One line: what is bold, what follows it, where it stands. `tone` bad for what must come first."""

    icon: str
    title: str
    text: str = ""
    url: str = ""
    tone: str = ""


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
    return Fact("alert-circle", quoted(case.text), text, case.get_absolute_url(), "bad")


def quoted(words: str) -> str:
    """The beginning of what somebody said, ending at a word, and closed like a sentence."""
    plain = " ".join(words.split())
    if len(plain) > LONGEST_QUOTE:
        return f"{plain[:LONGEST_QUOTE].rsplit(' ', 1)[0]} …"
    return plain if plain.endswith((".", "!", "?", "…")) else f"{plain}."


def usual(known: Known) -> Fact:
    if not known.purchases or known.last_on is None:
        return Fact("shopping-bag", _("No purchase yet."))
    words = {"day": display.day(known.last_on), "n": display.number(known.purchases)}
    favourite = known.favourite
    if favourite and favourite["n"] >= FAVOURITE:
        words |= {"day": display.day(favourite["last"]), "some": display.number(favourite["n"])}
        text = _("In %(some)s of %(n)s purchases, last on %(day)s.") % words
        return Fact("coffee", quoted(favourite["name"]), text)
    if known.purchases == 1 and favourite:
        return Fact("shopping-bag", quoted(favourite["name"]), _("The only purchase so far, on %(day)s.") % words)
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
