"""What an answer to "why did she get it, or not?" is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from campaigns.models import Campaign, Delivery
from campaigns.recipe import Recipe
from crm.models import Customer, Shop

YES, NO, OPEN = "yes", "no", "open"


@dataclass(frozen=True)
class Step:
    """One question on the way to the mail: its answer (yes, no, open), and what stands behind it."""

    title: str
    answer: str
    told: str
    lines: Sequence[tuple[str, str, int]] = field(default_factory=tuple)


@dataclass(frozen=True)
class Answer:
    """The outcome in one sentence, and the steps to it."""

    outcome: str
    got_it: str
    steps: list[Step]


@dataclass(frozen=True)
class Case:
    """Whom and what is asked about. `sees_all`: the reader may see personal data, such as what a mail server wrote."""

    customer: Customer
    campaign: Campaign
    recipe: Recipe
    shop: Shop
    mail: Delivery | None
    sees_all: bool = False


def group(case: Case, held: bool) -> Step:
    """Whether the customer is left out on purpose."""
    share = {"share": case.campaign.hold_out}
    if held:
        told = _("The customer belongs to the control group of %(share)s per cent, which gets nothing, for comparison.")
        return Step(_("Control group"), NO, told % share)
    return Step(_("Control group"), YES, _("The customer is not in the control group."))
