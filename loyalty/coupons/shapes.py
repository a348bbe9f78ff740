"""What goes in and out over REST, as the OpenAPI document shows it."""

from decimal import Decimal
from functools import cache
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from crm.models import Shop
from loyalty.models import CouponBatch, Redemption

MOST_ITEMS = 500
MOST_SAID = 10  # fields that do not exist


@cache
def _only(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    return shape()


def read(shape: type[serializers.Serializer[Any]], given: Any) -> dict[str, Any]:
    """What was sent, checked. Raises ValidationError.

    One serializer serves every request: making its fields anew takes longer than checking, and checking keeps nothing.
    """
    return cast(dict[str, Any], _only(shape).run_validation(given))


class Known(serializers.Serializer[Any]):
    """Refuses fields that do not exist: a customer or purchase number that is misspelt would leave a limit unheeded."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(data.keys() - self.fields.keys())):
            names = {"names": ", ".join(sorted(self.fields))}
            error = serializers.ErrorDetail(_("This field does not exist. Known are: %(names)s.") % names, "unknown_field")
            raise serializers.ValidationError({name[:100]: [error] for name in unknown[:MOST_SAID]})
        return super().to_internal_value(data)


class ItemShape(Known):
    product = serializers.CharField(max_length=100, required=False, help_text="Your number of the product.")
    quantity = serializers.DecimalField(12, 3, default=Decimal(1), min_value=Decimal("0.001"))
    amount = serializers.DecimalField(14, 2, help_text="For the whole quantity; below 0 for goods brought back.")


class BasketShape(Known):
    total = serializers.DecimalField(14, 2, help_text="Without delivery, before the coupon.")
    currency = serializers.CharField(max_length=3, help_text="Must be the shop's currency.")
    delivery = serializers.DecimalField(14, 2, default=Decimal(0), min_value=Decimal(0))
    items = ItemShape(many=True, required=False)

    def validate_currency(self, given: str) -> str:
        if given != Shop.current().currency:
            raise serializers.ValidationError(
                _("Coupons are worth %(currency)s. Send the basket in that currency.")
                % {"currency": Shop.current().currency}
            )
        return given

    def validate_items(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(given) > MOST_ITEMS:
            raise serializers.ValidationError(_("A basket holds 500 positions at most."))
        return given


class CodeShape(Known):
    code = serializers.CharField(max_length=80, help_text="As typed or scanned; case, spaces and dashes do not matter.")
    customer = serializers.CharField(max_length=100, required=False, help_text="Your number of the customer.")
    visitor = serializers.CharField(
        max_length=100, required=False, help_text="Whoever tries, as you know them; tries are limited for each."
    )


class CheckShape(CodeShape):
    basket = BasketShape(required=False)


class PlaceShape(Known):
    place = serializers.CharField(max_length=60, default="", allow_blank=True, help_text="Shop or till.")


class UseShape(CodeShape, PlaceShape):
    basket = BasketShape()
    reference = serializers.CharField(max_length=100, default="", allow_blank=True, help_text="Your purchase number.")


class ReserveShape(UseShape):
    minutes = serializers.IntegerField(min_value=1, max_value=7 * 24 * 60, default=30)


class RedeemReservedShape(PlaceShape):
    reference = serializers.CharField(max_length=100, default="", allow_blank=True)


class ReasonShape(PlaceShape):
    reason = serializers.CharField(max_length=200, default="", allow_blank=True, help_text="No names: it stays for good.")


class VoidShape(PlaceShape):
    code = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=200, help_text="For whoever asks later why. No names: it stays for good.")


class IssueShape(PlaceShape):
    batch = serializers.IntegerField(help_text="Number of the batch, as its page shows it.")
    customer = serializers.CharField(max_length=100, required=False)


class CouponAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(CouponBatch.Kind.choices)
    worth = serializers.CharField(help_text="In words, in the language asked for.")
    discount = serializers.DecimalField(14, 2, allow_null=True, help_text="Off this basket; null without a basket.")
    left = serializers.DecimalField(14, 2, allow_null=True, help_text="Of an amount that is spent in parts.")
    uses_left = serializers.IntegerField()
    valid_until = serializers.DateField(allow_null=True)
    terms = serializers.ListField(child=serializers.CharField())


class RedemptionAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    state = serializers.ChoiceField(Redemption.State.choices)
    discount = serializers.DecimalField(14, 2)
    given_back = serializers.DecimalField(14, 2)
    reference = serializers.CharField()
    reserved_until = serializers.DateTimeField(allow_null=True)


class VoidAnswer(serializers.Serializer[Any]):
    voided = serializers.BooleanField(help_text="False if it was void already.")
