"""How deep loyalty goes (Oliver 1999): from knowing to feeling, to wanting, to acting. Information only, no rule uses it.

Source: R. L. Oliver, Whence Consumer Loyalty?, Journal of Marketing 63 (1999). The thresholds are our convention.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Exists, OuterRef
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import display
from crm.days import shop_zone
from crm.models import Answer, Complaint, Customer, Purchase
from crm.presence import has
from loyalty import rules, scoring
from loyalty.nev_customer import CustomerValue

PHASES: dict[str, str | Promise] = {
    "cognitive": gettext_lazy("cognitive: knows that it is good here"),
    "affective": gettext_lazy("affective: likes to be here"),
    "conative": gettext_lazy("conative: wants to come again"),
    "action": gettext_lazy("action: comes again against obstacles"),
}
KNOWS_FROM, BOUND_FROM, WANTS_FROM = 7, 7, 9


@dataclass(frozen=True)
class Phase:
    """code: one of PHASES, '' while nothing is known; reasons: a sentence for each phase, met or not."""

    code: str
    reasons: tuple[str, ...]

    @property
    def label(self) -> str | Promise:
        return PHASES.get(self.code, "")


def of_customer(customer: Customer, felt: CustomerValue) -> Phase:
    """The highest phase whose own condition holds, from the latest own answers that are fresh. Two queries."""
    zone, day = shop_zone(), scoring.shown_day()
    fresh = rules.current().evidence_days
    latest: dict[str, Decimal] = {}
    items = ["csat", "price", "commitment", "repurchase_intent", "nps"]
    own = Answer.objects.filter(customer=customer, item__in=items, origin=Answer.Origin.CUSTOMER_SELF)
    for answer in own.order_by("-answered_at", "-pk") if has(customer, Answer) else ():
        on = answer.answered_at.astimezone(zone).date()
        if day - timedelta(days=fresh) <= on <= day:
            latest.setdefault(answer.item, answer.value)
    returned = has(customer, Complaint) and came_back(customer)
    return judged(latest, felt.latest.value if felt.latest else None, returned)


def came_back(customer: Customer) -> bool:
    """Whether they bought again after a complaint. Stock-outs and price rises are not known to the product."""
    later = Purchase.objects.filter(
        customer=OuterRef("customer"), status__in=["paid", "completed"], net__gt=0, ordered_at__gt=OuterRef("opened_at")
    )
    day = scoring.shown_day()
    return Complaint.objects.filter(customer=customer).filter(Exists(later.filter(ordered_on__lte=day))).exists()


def judged(latest: dict[str, Decimal], nev: Decimal | None, returned: bool) -> Phase:
    """The phase from the latest answers (item → value), the latest valid NEV and whether they came back."""
    knows = max((latest[item] for item in ("csat", "price") if item in latest), default=None)
    wants = max((latest[item] for item in ("repurchase_intent", "nps") if item in latest), default=None)
    bound = latest.get("commitment")
    met = {
        "cognitive": knows is not None and knows >= KNOWS_FROM,
        "affective": nev is not None and nev > 0 and bound is not None and bound >= BOUND_FROM,
        "conative": wants is not None and wants >= WANTS_FROM,
        "action": returned,
    }
    reasons = (
        _answered(_("Satisfaction or price"), knows, KNOWS_FROM),
        _affective(nev, bound),
        _answered(_("Would buy again or recommend"), wants, WANTS_FROM),
        _("Bought again after a complaint.") if returned else _("No purchase after a complaint is known."),
    )
    code = next((one for one in reversed(PHASES) if met[one]), "")
    return Phase(code, reasons)


def _answered(what: str, value: Decimal | None, least: int) -> str:
    if value is None:
        return _("%(what)s: not answered within a year.") % {"what": what}
    named = {"what": what, "value": display.number(value), "least": least}
    return _("%(what)s: %(value)s of 10, needed %(least)s.") % named


def _affective(nev: Decimal | None, bound: Decimal | None) -> str:
    unknown = _("unknown")
    named = {"nev": display.signed(nev, 1) or unknown, "bound": display.number(bound) or unknown, "least": BOUND_FROM}
    return _("Net Emotional Value %(nev)s, needed above 0; attachment %(bound)s, needed %(least)s.") % named
