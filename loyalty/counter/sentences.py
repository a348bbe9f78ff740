"""One sentence to say at the counter, with its reason.

It follows from facts alone: rules in order, the first that holds speaks. While a complaint or an alert is open nothing is
offered, and no emotion that somebody tagged is ever quoted back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from crm import display
from crm.models import Complaint
from loyalty.counter.known import FAVOURITE, Known

LONG_AGO = 120  # days since the last purchase


@dataclass(frozen=True)
class Suggestion:
    """What one could say, and why."""

    sentence: str
    because: str


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


def welcome_back(known: Known) -> Suggestion | None:
    if known.last_on is None or (known.day - known.last_on).days <= LONG_AGO:
        return None
    words = {"ago": display.ago(known.last_on)}
    return Suggestion(_("How good to see you again!"), _("The last purchase was %(ago)s.") % words)


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
    settle, listen, congratulate, remind, welcome_back, the_usual, how_was_it, welcome,
)  # fmt: skip
