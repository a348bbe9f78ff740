"""Coupons over REST: check, reserve, redeem, release, issue, void. Every changing call needs an Idempotency-Key."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast

import orjson
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, Throttled, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import idempotency
from crm.models import ApiKey, Customer, CustomerKey, Product
from loyalty.coupons import codes, guarding, issuing, ledger, terms
from loyalty.coupons.guarding import REFUSAL, TOO_MANY, TooMany
from loyalty.coupons.ledger import Actor, Call, Refused
from loyalty.coupons.shapes import (
    CheckShape,
    CouponAnswer,
    IssueShape,
    ReasonShape,
    RedeemReservedShape,
    RedemptionAnswer,
    ReserveShape,
    UseShape,
    VoidAnswer,
    VoidShape,
    read,
)
from loyalty.coupons.terms import Basket, Item
from loyalty.models import Coupon, CouponBatch, Redemption

KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True,
    description="Up to 200 characters, new for each thing to be done; sent again, it answers what it answered. 30 days.",
)  # fmt: skip


class NotRedeemable(APIException):
    """409 for every no, with one text, so that nobody learns which codes exist."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = REFUSAL  # type: ignore[assignment]
    default_code = "not_redeemable"


class CouponView(APIView):
    """What the doors share: who calls, one answer for every no, once for each key."""

    access = "scope:coupons:redeem"
    refusals = ("409", "422", "429")
    made: int = status.HTTP_200_OK

    def actor(self, place: str = "") -> Actor:
        return Actor(cast(ApiKey, self.request.auth).source, place=place)

    def given(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        return read(shape, self.request.data)

    def tried(self, visitor: str, action: Callable[[], Any]) -> Any:
        """The answer of an action that may refuse a code. Raises NotRedeemable (409) and Throttled (429)."""
        try:
            return guarding.guarded(self.actor().source.pk, visitor, action)
        except TooMany as error:
            raise Throttled(wait=60, detail=str(TOO_MANY)) from error
        except Refused as error:
            raise NotRedeemable from error

    def claim(self) -> idempotency.Claim:
        body = orjson.dumps(self.request.data, option=orjson.OPT_SORT_KEYS)
        call = b"\n".join([(self.request.method or "").encode(), self.request.path.encode(), body])
        return idempotency.claim(f"source/{self.actor().source.pk}", self.request.META.get("HTTP_IDEMPOTENCY_KEY", ""), call)

    def once(self, work: Callable[[], dict[str, Any]]) -> idempotency.Answer:
        return idempotency.once(self.claim(), lambda: (self.made, work()))

    def used(self, given: dict[str, Any], use: Callable[..., Redemption]) -> idempotency.Answer:
        """Use a code in one statement that also keeps the answer. What stands against it is told by the longer way."""
        customer, basket = self.customer(given.get("customer")), self.basket(given["basket"])
        step = partial(
            use, given["code"], basket, self.actor(given["place"]), reference=given["reference"], customer=customer
        )
        claim = self.claim()
        try:
            return self.made, answered(step(call=Call(claim, self.made, answered)))
        except Refused:
            return idempotency.once(claim, lambda: (self.made, answered(step())))

    def customer(self, external_id: str | None) -> Customer | None:
        """The caller's customer. Raises ValidationError (400) for a number that its source never sent."""
        if not external_id:
            return None
        known = CustomerKey.objects.select_related("customer__merged_into").filter(
            source=self.actor().source, external_id=external_id
        )
        found = known.first()
        if found is None:
            raise ValidationError({"customer": [_("This customer is not known. Send the customer first.")]})
        return found.customer.merged_into or found.customer

    def basket(self, given: dict[str, Any]) -> Basket:
        items = given.get("items") or []
        wanted = {item["product"] for item in items if item.get("product")}
        products = Product.objects.filter(source=self.actor().source, external_id__in=wanted) if wanted else ()
        known = {product.external_id: product for product in products}
        found = [(item, known.get(item.get("product", ""))) for item in items]
        return Basket(
            given["total"],
            [
                Item(
                    item["amount"],
                    item["quantity"],
                    product.pk if product else None,
                    product.category_id if product else None,
                )
                for item, product in found
            ],
            given["delivery"],
        )


class CouponCheck(CouponView):
    """Whether a code can be used now. Promises nothing: only a reservation does."""

    @extend_schema(operation_id="coupons_check", request=CheckShape, responses={200: CouponAnswer})
    def post(self, request: Request) -> Response:
        given = self.given(CheckShape)
        basket = self.basket(given["basket"]) if "basket" in given else None
        customer = self.customer(given.get("customer"))
        checked = self.tried(given.get("visitor", ""), lambda: ledger.check(given["code"], basket, customer))
        return Response(described(checked.coupon, checked.discount))


class CouponReserve(CouponView):
    """Hold one use while a checkout runs; it is released by itself after `minutes`."""

    made = status.HTTP_201_CREATED

    @extend_schema(
        operation_id="coupons_reserve", request=ReserveShape, responses={201: RedemptionAnswer}, parameters=[KEY]
    )
    def post(self, request: Request) -> Response:
        given = self.given(ReserveShape)
        reserve = partial(ledger.reserve, lasting=timedelta(minutes=given["minutes"]))
        code, answer = self.tried(given.get("visitor", ""), lambda: self.used(given, reserve))
        return Response(answer, code)


class CouponRedeem(CouponView):
    """Use a code at once."""

    made = status.HTTP_201_CREATED

    @extend_schema(operation_id="coupons_redeem", request=UseShape, responses={201: RedemptionAnswer}, parameters=[KEY])
    def post(self, request: Request) -> Response:
        given = self.given(UseShape)
        code, answer = self.tried(given.get("visitor", ""), lambda: self.used(given, ledger.redeem))
        return Response(answer, code)


class RedemptionRedeem(CouponView):
    """Turn a reservation into a redemption."""

    @extend_schema(
        operation_id="redemptions_redeem", request=RedeemReservedShape, responses={200: RedemptionAnswer},
        parameters=[KEY],
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        given = self.given(RedeemReservedShape)
        code, answer = self.tried(
            "", lambda: self.once(lambda: answered(ledger.redeem_reserved(pk, self.actor(given["place"]), given["reference"])))
        )
        return Response(answer, code)


class RedemptionRelease(CouponView):
    """Give a reservation or a redemption back as if it had never been."""

    @extend_schema(
        operation_id="redemptions_release", request=ReasonShape, responses={200: RedemptionAnswer}, parameters=[KEY]
    )
    def post(self, request: Request, pk: int) -> Response:
        given = self.given(ReasonShape)
        code, answer = self.tried(
            "", lambda: self.once(lambda: answered(ledger.release(pk, self.actor(given["place"]), given["reason"])))
        )
        return Response(answer, code)


class RedemptionDetail(CouponView):
    """One reservation or redemption of the caller's source."""

    @extend_schema(operation_id="redemptions_read", responses={200: RedemptionAnswer})
    def get(self, request: Request, pk: int) -> Response:
        found = Redemption.objects.select_related("coupon").filter(pk=pk, source=self.actor().source).first()
        if found is None:
            raise NotFound
        return Response(answered(found))


class CouponVoid(CouponView):
    """End a code for good. What was redeemed stays redeemed."""

    access = "scope:coupons:issue"

    @extend_schema(operation_id="coupons_void", request=VoidShape, responses={200: VoidAnswer}, parameters=[KEY])
    def post(self, request: Request) -> Response:
        given = self.given(VoidShape)

        def work() -> dict[str, Any]:
            coupon = ledger.find(given["code"])
            if coupon is None:
                raise Refused("unknown")
            return {"voided": bool(ledger.void([coupon.pk], self.actor(given["place"]), given["reason"]))}

        code, answer = self.tried("", lambda: self.once(work))
        return Response(answer, code)


class CouponIssue(CouponView):
    """Make one code of a batch, for a customer or for whoever holds it."""

    access = "scope:coupons:issue"
    made = status.HTTP_201_CREATED

    @extend_schema(operation_id="coupons_issue", request=IssueShape, responses={201: CouponAnswer}, parameters=[KEY])
    def post(self, request: Request) -> Response:
        given = self.given(IssueShape)
        batch = CouponBatch.objects.filter(pk=given["batch"]).first()
        if batch is None:
            raise ValidationError({"batch": [_("There is no batch with this number.")]})
        customer = self.customer(given.get("customer"))
        code, answer = self.once(lambda: self.issued(batch, customer, given["place"]))
        return Response(answer, code)

    def issued(self, batch: CouponBatch, customer: Customer | None, place: str) -> dict[str, Any]:
        wanted = issuing.Wanted(customer.pk if customer else None)
        try:
            (code,) = issuing.issue(batch, [wanted], by=self.actor(place))
        except issuing.IssueError as error:
            raise ValidationError({"batch": [str(error)]}) from error
        return described(Coupon.objects.select_related("batch").get(code=code), None)


def described(coupon: Coupon, discount: Decimal | None) -> dict[str, Any]:
    return {
        "code": coupon.written or codes.shown(coupon.code),
        "title": coupon.batch.title,
        "kind": coupon.batch.kind,
        "worth": terms.worth(coupon.batch, coupon.left),
        "discount": None if discount is None else str(discount.quantize(terms.CENT)),
        "left": None if coupon.left is None else str(coupon.left),
        "uses_left": coupon.uses - coupon.used,
        "valid_until": coupon.valid_until.isoformat() if coupon.valid_until else None,
        "terms": terms.sentences(coupon.batch, coupon),
    }


def answered(done: Redemption) -> dict[str, Any]:
    return {
        "id": done.pk,
        "code": done.coupon.written or codes.shown(done.coupon.code),
        "state": done.state,
        "discount": str(done.discount),
        "given_back": str(done.given_back),
        "reference": done.reference,
        "reserved_until": done.reserved_until.isoformat() if done.reserved_until else None,
    }
