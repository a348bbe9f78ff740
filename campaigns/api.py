"""What others may ask and tell over REST: how a run goes, and what became of single mails."""

import hmac
import re
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import planning, resolving, unclear
from campaigns.models import Delivery, Receipt, Run
from crm import access
from crm.api.json import MAX_BYTES, TooLarge

UNKNOWN_SHOWN = 1_000
MAX_AGE_S = 300
SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
DELIVERY_IN_MESSAGE_ID = re.compile(r"<?([0-9a-f-]{36})@")


class UnknownDelivery(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    customer = serializers.IntegerField(source="customer_id")
    since = serializers.DateTimeField(source="sending_at")
    message_id = serializers.CharField()


class RunHead(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    campaign = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.CharField()
    expected_recipients = serializers.IntegerField(allow_null=True)


class RunAnswer(RunHead):
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Deliveries by state.")
    reasons = serializers.DictField(child=serializers.IntegerField(), help_text="Refused deliveries by reason.")
    unknown = UnknownDelivery(many=True)


class RunList(APIView):
    """The latest 100 runs, newest first."""

    access = "scope:reports:read"

    @extend_schema(
        operation_id="runs_list",
        responses=inline_serializer("Runs", {"runs": RunHead(many=True)}),
    )
    def get(self, request: Request) -> Response:
        runs = Run.objects.select_related("campaign").order_by("-pk")[:100]
        return Response({"runs": [_head(run) for run in runs]})


class RunDetail(APIView):
    """How one run stands: deliveries by state, refusals by reason, and those of which nobody knows whether they went."""

    access = "scope:reports:read"

    @extend_schema(operation_id="runs_read", responses=RunAnswer)
    def get(self, request: Request, pk: int) -> Response:
        run = get_object_or_404(Run.objects.select_related("campaign"), pk=pk)
        unknown = Delivery.objects.filter(run=run, state=Delivery.State.UNKNOWN).order_by("sending_at", "pk")
        return Response(
            _head(run)
            | {
                "counts": planning.counts(run),
                "reasons": planning.reasons(run),
                "unknown": UnknownDelivery(unknown[:UNKNOWN_SHOWN], many=True).data,
            }
        )


class Decision(serializers.Serializer[Any]):
    """What to do with unclear mails: `deliveries` names them, or `all` is true."""

    action = serializers.ChoiceField(
        choices=["send_again", "mark_sent"],
        help_text="send_again: some may arrive twice. mark_sent: who got none gets none.",
    )
    deliveries = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=UNKNOWN_SHOWN)
    all = serializers.BooleanField(required=False, default=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if bool(given.get("deliveries")) == given["all"]:
            raise serializers.ValidationError(_("Name the mails in deliveries, or set all to true; one of the two."))
        return given


class RunUnknown(APIView):
    """Decide about mails of which nobody knows whether they went, once their mail server's log has told."""

    access = "scope:campaigns:write"

    @extend_schema(
        operation_id="runs_decide_unknown",
        request=Decision,
        responses=inline_serializer(
            "Decided",
            {
                "changed": serializers.IntegerField(help_text="Mails decided about."),
                "left": serializers.IntegerField(help_text="Settled meanwhile, over, cancelled, or not unclear."),
            },
        ),
    )
    def post(self, request: Request, pk: int) -> Response:
        run = get_object_or_404(Run.objects.select_related("campaign"), pk=pk)
        asked = Decision(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        decide = unclear.send_again if given["action"] == "send_again" else unclear.mark_sent
        decided = decide(run.campaign, None if given["all"] else given["deliveries"], None)
        return Response({"changed": decided.changed, "left": decided.left})


def _head(run: Run) -> dict[str, Any]:
    campaign = run.campaign
    return {
        "id": run.pk,
        "campaign": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "expected_recipients": campaign.expected_recipients,
    }


class ReceiptRow(serializers.Serializer[Any]):
    """One mail's fate. It is named by `delivery_id` (X-Delivery-ID) or by `message_id`."""

    message_id = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=300)
    delivery_id = serializers.UUIDField(required=False, allow_null=True)
    status = serializers.ChoiceField(choices=sorted(resolving.ARRIVED | resolving.BOUNCED))
    at = serializers.DateTimeField()

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        found = DELIVERY_IN_MESSAGE_ID.search(given.get("message_id") or "")
        try:
            given["delivery_id"] = given.get("delivery_id") or UUID(found[1] if found else "")
        except ValueError as error:
            raise serializers.ValidationError(_("Name the mail by delivery_id or message_id.")) from error
        return given


class Receipts(APIView):
    """For relays that report delivery: signed, at most 5 minutes old, safe to repeat.

    `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of RECEIPT_SECRET over t + "." + body>`. A report can only
    settle a mail as sent or silence a mailbox that does not exist.
    """

    access = access.PUBLIC
    authentication_classes = ()

    @extend_schema(
        operation_id="receipts_create",
        request=ReceiptRow(many=True),
        parameters=[OpenApiParameter("X-Signature", str, OpenApiParameter.HEADER, required=True)],
        responses=inline_serializer(
            "ReceiptsTaken", {"received": serializers.IntegerField(), "new": serializers.IntegerField()}
        ),
    )
    def post(self, request: Request) -> Response:
        body = request._request.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise TooLarge
        check_signature(request.headers.get("X-Signature") or request.headers.get("Signature") or "", body)
        request._request._body = body
        rows = ReceiptRow(data=request.data, many=True)
        rows.is_valid(raise_exception=True)
        new = resolving.take_receipts(
            [Receipt(delivery_id=row["delivery_id"], status=row["status"], at=row["at"]) for row in rows.validated_data]
        )
        return Response({"received": len(rows.validated_data), "new": new})


def check_signature(header: str, body: bytes, current: float | None = None) -> None:
    """Raise AuthenticationFailed unless the header signs this body with RECEIPT_SECRET, not long ago."""
    found = SIGNATURE.fullmatch(header.replace(" ", ""))
    if not settings.RECEIPT_SECRET or not found:
        raise AuthenticationFailed(_("Sign the body: X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256>."))
    expected = hmac.new(settings.RECEIPT_SECRET.encode(), f"{found[1]}.".encode() + body, "sha256").hexdigest()
    age = abs((current or time.time()) - int(found[1]))
    if not hmac.compare_digest(expected, found[2]) or age > MAX_AGE_S:
        raise AuthenticationFailed(_("The signature does not fit this body, or it is older than 5 minutes."))


def signature(body: bytes, at: datetime) -> str:
    """The header's value for a body, as a relay makes it."""
    stamp = str(int(at.timestamp()))
    return (
        f"t={stamp},v1=" + hmac.new(settings.RECEIPT_SECRET.encode(), f"{stamp}.".encode() + body, "sha256").hexdigest()
    )
