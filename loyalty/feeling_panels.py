"""What a customer feels and what moves them, on their page."""

from collections.abc import Iterable
from typing import Any

from crm import access, display, emotions
from crm.forms import blank
from crm.models import Customer, User
from crm.plugins import Panel
from loyalty import motivators, nev_customer, phase
from loyalty.forms_motivators import MotivatorForm

SCALE_HALF = 10


def panels(customer: Customer, user: User) -> Iterable[Panel]:
    """A fixed number of queries, whatever the customer answered."""
    felt = nev_customer.of_customer(customer)
    return [
        Panel("side", "loyalty/nev_panel.html", value(customer, felt), 60),
        Panel("side", "loyalty/motivators_panel.html", moved(customer, user), 70),
    ]


def value(customer: Customer, felt: nev_customer.CustomerValue) -> dict[str, Any]:
    half = felt.half if felt.half is not None and felt.half <= SCALE_HALF else None
    return {
        "felt": felt,
        "values": [one.value for one in felt.responses],
        "mean": None if felt.mean is None else float(felt.mean),
        "half": half,
        "no_interval": bool(felt.responses) and half is None,
        "shop_mean": float(felt.shop.mean) if felt.shop and felt.shop.mean is not None else None,
        "shop_half": felt.shop.half if felt.shop else None,
        "clusters": [(label, felt.clusters[code]) for code, label in emotions.CLUSTERS.items()],
        "phase": phase.of_customer(customer, felt),
        "latest": display.signed(felt.latest.value, 1) if felt.latest else None,
    }


def moved(customer: Customer, user: User) -> dict[str, Any]:
    return {
        "found": motivators.of_customer(customer),
        "form": blank(MotivatorForm, auto_id="motivator_%s"),
        "may_record": access.may(user, "customers.edit"),
        "months": motivators.MONTHS,
    }
