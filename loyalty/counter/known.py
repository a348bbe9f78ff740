"""What is known of the customer who stands at the counter: what the facts and the sentence are made of."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone

from crm.access import may
from crm.models import Complaint, Customer, Interaction, Purchase, PurchaseLine, Task, User
from crm.views.profile import VALID, birthday
from loyalty.coupons import terms
from loyalty.coupons.pages import open_codes, written
from loyalty.models import Coupon

COUPONS = 5
FAVOURITE = 2  # purchases with the same product


@dataclass(frozen=True)
class Known:
    """coupons: one more than is shown, each with its worth. last_on: day of the last valid purchase."""

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
