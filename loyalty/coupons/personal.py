"""What coupons know about a person. Codes and their uses stay after an erasure, under a random number."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from crm.privacy.registry import Data, Fate, Table
from loyalty.models import Coupon, Redemption

PROMISE = _("discounts belong to the books, and a code in somebody's hands must still be good")

TABLES = (
    Table(
        "loyalty.Coupon",
        Fate.PSEUDONYMISE,
        {
            Data.IDENTIFIER: "code written cause",
            Data.BEHAVIOUR: "uses used left valid_from valid_until issued_at voided_at expired_at",
            Data.TECHNICAL: "guessable imported",
        },
        _("Coupons"),
        person="customer",
        order="issued_at",
        shown=(
            ("code", _("Coupon code")),
            ("batch__title", _("Coupon")),
            ("issued_at", _("Issued")),
            ("valid_until", _("Valid until")),
            ("used", _("Uses")),
            ("left", _("Left")),
        ),
        why=PROMISE,
        until=_("for good"),
    ),
    Table(
        "loyalty.Redemption",
        Fate.PSEUDONYMISE,
        {
            Data.IDENTIFIER: "reference",
            Data.BEHAVIOUR: "state place basket discount given_back exclusive reserved_at reserved_until redeemed_at"
            " ended_at",
        },
        _("Redeemed coupons"),
        person="customer",
        shown=(
            ("redeemed_at", _("When")),
            ("coupon__code", _("Coupon code")),
            ("place", _("Shop or till")),
            ("reference", _("Order number")),
            ("discount", _("Discount")),
            ("state", _("State")),
        ),
        why=PROMISE,
        until=_("for good"),
    ),
    Table(
        "loyalty.CouponEntry",
        Fate.PSEUDONYMISE,
        {Data.BEHAVIOUR: "step amount place at", Data.TECHNICAL: "reason"},
        _("Steps of coupons"),
        person="coupon__customer",
        shown=(
            ("at", _("When")),
            ("coupon__code", _("Coupon code")),
            ("step", _("Step")),
            ("amount", _("Amount")),
            ("place", _("Shop or till")),
        ),
        why=PROMISE,
        until=_("for good"),
    ),
    Table(
        "loyalty.CouponCustomer",
        Fate.DELETE,
        {Data.BEHAVIOUR: "used most"},
        _("Coupons used per batch"),
        person="customer",
        shown=(("batch__title", _("Coupon")), ("used", _("Uses"))),
    ),
    Table(
        "loyalty.CouponBatch",
        Fate.NOT_OF_CUSTOMERS,
        {
            Data.NONE: "title kind value minimum categories products not_categories not_products valid_from valid_until"
            " valid_days uses in_parts per_customer combinable budget spent on_return note origin created_at stopped_at"
        },
    ),
)


def cut_off(customer_ids: Sequence[int], shell_id: int) -> int:
    """Give the codes and their uses to the shell that an erasure leaves. Answers how many rows."""
    coupons = Coupon.objects.filter(customer__in=customer_ids).update(customer=shell_id)
    return coupons + Redemption.objects.filter(customer__in=customer_ids).update(customer=shell_id)
