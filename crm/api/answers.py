"""POST /api/v1/responses/batch: a door to `crm.answer_batch`."""

from collections import Counter
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import answer_batch, emotions
from crm.answers import ITEMS, LONGEST_NOTE, MOST_MOTIVATORS
from crm.api.purchases import WrongSource, refuse
from crm.api.rows import ProblemShape
from crm.models import ApiKey
from crm.models.contact import Touchpoint

MOST_ROWS = 1_000
NAMES = frozenset({"source", "historic", "responses"})
RATING = {"max_digits": 3, "decimal_places": 1, "min_value": 0, "max_value": 10, "coerce_to_string": False}


def _scale(item: str) -> serializers.Field:
    low, high = ITEMS[item]
    return serializers.DecimalField(
        4, 1, min_value=low, max_value=high, required=False, allow_null=True, coerce_to_string=False,
        help_text=f"{low} to {high}.",
    )  # fmt: skip


# What was asked, with its scale, from the one list there is.
ItemsShape = type("ItemsShape", (serializers.Serializer,), {item: _scale(item) for item in ITEMS})


class NevShape(serializers.Serializer):
    """Net Emotional Value: one form for each response, because the two are never mixed."""

    form = serializers.ChoiceField(sorted(emotions.FORMS), help_text="full asks for 20 emotions, short for 8 of them.")
    ratings = serializers.DictField(
        child=serializers.DecimalField(**RATING),  # type: ignore[arg-type]
        help_text=f"Emotion: 0 to 10. Those of the short form are {', '.join(emotions.FORMS['short'].positive)}, "
        f"{', '.join(emotions.FORMS['short'].negative)}.",
    )


class MotivatorShape(serializers.Serializer):
    motivator = serializers.CharField(max_length=20, help_text="Such as belonging; an unknown one is told the others.")
    importance = serializers.IntegerField(min_value=0, max_value=10)
    fulfilment = serializers.IntegerField(
        min_value=0, max_value=10, required=False, allow_null=True, help_text="How well you help with it, if asked."
    )


class ResponseShape(serializers.Serializer):
    """What one customer answered at one time, in their own words. At least one answer. Stored once, as a whole."""

    external_id = serializers.CharField(max_length=100, help_text="Your number of this response.")
    customer = serializers.CharField(max_length=100, help_text="Your number of the customer, sent before.")
    answered_at = serializers.DateTimeField(help_text="With zone, not in the future.")
    touchpoint = serializers.ChoiceField(Touchpoint.choices, required=False, allow_null=True)
    purchase = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        help_text="Your number of the purchase it is about, sent before.",
    )
    items = ItemsShape(required=False, allow_null=True)
    nev = NevShape(required=False, allow_null=True)
    motivators = serializers.ListField(
        child=MotivatorShape(), max_length=MOST_MOTIVATORS, required=False, allow_null=True
    )
    comment = serializers.CharField(max_length=LONGEST_NOTE, required=False, allow_null=True, allow_blank=True)


class ResponsesShape(serializers.Serializer):
    historic = serializers.BooleanField(required=False, default=False, help_text="true for a backfill: makes no task.")
    responses = serializers.ListField(child=ResponseShape(), min_length=1, max_length=MOST_ROWS)


class ResponseAnswerShape(serializers.Serializer):
    external_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(answer_batch.STATUSES, help_text="unchanged: it is here already.")
    errors = ProblemShape(many=True)  # type: ignore[assignment]


class ResponseAnswersShape(serializers.Serializer):
    """One answer for each row, in the order of the rows."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by status.")
    responses = ResponseAnswerShape(many=True)


EXAMPLES = [
    OpenApiExample(
        "A survey after delivery, and a backfilled rating",
        request_only=True,
        value={
            "responses": [
                {
                    "external_id": "S-2041",
                    "customer": "C-77",
                    "answered_at": "2026-11-02T15:04:00+01:00",
                    "touchpoint": "delivery",
                    "purchase": "W-20417",
                    "items": {"csat": 9, "disconfirmation": 2, "trust": 8, "commitment": 7, "comparison": 1, "nps": 9},
                    "nev": {
                        "form": "short",
                        "ratings": {
                            "happy": 8, "trusting": 8, "valued": 7, "interested": 6,
                            "irritated": 0, "neglected": 1, "disappointed": 0, "stressed": 2,
                        },
                    },
                    "motivators": [{"motivator": "belonging", "importance": 9, "fulfilment": 8}],
                    "comment": "Arrived a day early.",
                },
                {"external_id": "S-1", "customer": "C-12", "answered_at": "2025-03-01T10:00:00Z", "items": {"csat": 6}},
            ]
        },
    ),
    OpenApiExample(
        "The answer",
        response_only=True,
        value={
            "counts": {"created": 1, "unchanged": 0, "invalid": 1},
            "responses": [
                {"external_id": "S-2041", "status": "created", "errors": []},
                {
                    "external_id": "S-1",
                    "status": "invalid",
                    "errors": [
                        {
                            "code": "unknown_customer",
                            "field": "customer",
                            "message": "Your system's customer C-12 is not known here yet. Send the customer first.",
                        }
                    ],
                },
            ],
        },
    ),
]  # fmt: skip


class ResponseBatch(APIView):
    """Bring what customers answered; every row is answered in its place."""

    access = "scope:responses:write"

    @extend_schema(
        operation_id="responses_batch",
        summary="Bring answers of customers",
        description=(
            "Up to 1,000 rows a call, in any order and as often as you like: a response is stored once. Satisfaction, "
            "trust, commitment and more, Net Emotional Value, and what moves the customer. What is brought here counts "
            "as the customer's own words, so never send estimates. A very bad answer of the last 72 hours (a setting) "
            "becomes a task for the staff, and advertising rests until it is done. The answer is 200 also where rows "
            "were refused: look at each row's `status`. See docs/sync.md."
        ),
        request=ResponsesShape,
        responses={200: ResponseAnswersShape},
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        source = cast(ApiKey, request.auth).source
        body = checked_body(request.data, source.name)
        outcomes = answer_batch.apply(source, body["responses"], bool(body.get("historic")))
        counts = Counter(outcome.status for outcome in outcomes)
        return Response(
            {
                "counts": {status: counts[status] for status in answer_batch.STATUSES},
                "responses": [outcome.__dict__ for outcome in outcomes],
            }
        )


def checked_body(body: Any, source: str) -> dict[str, Any]:
    """The body, if rows can be read from it. Raises ValidationError (400) or WrongSource (403)."""
    if not isinstance(body, dict) or not isinstance(body.get("responses"), list):
        refuse("responses", "wrong_type", _("Send an object in braces with “responses”, a list in brackets."))
    for name in sorted(body.keys() - NAMES):
        refuse(name[:100], "unknown_field", _("This field does not exist. Known are: historic, responses."))
    if body.get("source") not in (None, source):
        raise WrongSource
    if not isinstance(body.get("historic"), bool | None):
        refuse("historic", "wrong_type", _("Send true or false."))
    if not body["responses"]:
        refuse("responses", "no_rows", _("There is no row in this batch. Send 1 to 1,000."))
    if len(body["responses"]) > MOST_ROWS:
        refuse("responses", "too_many_rows", _("A batch holds 1,000 rows at most. Send the rest in another one."))
    return body
