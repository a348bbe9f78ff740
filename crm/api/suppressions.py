"""POST /api/v1/suppressions/batch: a door to `crm.suppression_batch`."""

from collections import Counter
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import suppression_batch
from crm.api.purchases import refuse
from crm.api.rows import ProblemShape
from crm.models import ApiKey

MOST_ROWS = 1_000


class SuppressionShape(serializers.Serializer):
    """One address that gets no advertising, and why. Sent again, it changes nothing."""

    address = serializers.CharField(
        max_length=suppression_batch.LONGEST, help_text="An e-mail address, or a phone number like +49 221 4710123."
    )
    reason = serializers.ChoiceField(
        sorted(suppression_batch.REASONS),
        help_text="hard_bounce: the mailbox does not exist, no mail at all goes to it. objected: whoever has the address "
        "objected to all advertising. manual: the shop's own stop list.",
    )
    occurred_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="With zone, not in the future; now if left out. What was lifted here since stays lifted.",
    )


class SuppressionsShape(serializers.Serializer):
    suppressions = serializers.ListField(child=SuppressionShape(), min_length=1, max_length=MOST_ROWS)


class SuppressionAnswerShape(serializers.Serializer):
    status = serializers.ChoiceField(
        suppression_batch.STATUSES,
        help_text="unchanged: it stands already. stale: it was lifted here, or the person agreed, since it happened.",
    )
    errors = ProblemShape(many=True)  # type: ignore[assignment]


class SuppressionAnswersShape(serializers.Serializer):
    """One answer for each row, in the order of the rows."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by status.")
    suppressions = SuppressionAnswerShape(many=True)


EXAMPLE = OpenApiExample(
    "Three lists of the program that was used before",
    request_only=True,
    value={
        "suppressions": [
            {"address": "gone@example.test", "reason": "hard_bounce", "occurred_at": "2025-03-01T10:00:00Z"},
            {"address": "anna@example.test", "reason": "objected", "occurred_at": "2024-11-02T15:04:00+01:00"},
            {"address": "+49 221 4710123", "reason": "manual"},
        ]
    },
)


class SuppressionBatch(APIView):
    """Bring addresses that get no advertising; every row is answered in its place."""

    access = "scope:consent:write"

    @extend_schema(
        operation_id="suppressions_batch",
        summary="Bring silenced addresses",
        description=(
            "Up to 1,000 rows a call, in any order and as often as you like. Only a keyed hash of an address is kept, and "
            "nothing of a row that is refused. The answer is 200 also where rows were refused: look at each row's "
            "`status`. See docs/consent.md."
        ),
        request=SuppressionsShape,
        responses={200: SuppressionAnswersShape},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        answers = suppression_batch.apply(cast(ApiKey, request.auth).source, checked_rows(request.data))
        counts = Counter(answer.status for answer in answers)
        return Response(
            {
                "counts": {name: counts[name] for name in suppression_batch.STATUSES},
                "suppressions": [answer.__dict__ for answer in answers],
            }
        )


def checked_rows(body: Any) -> list[Any]:
    """The rows of a body. Raises ValidationError (400) for one that has none, too many, or something else."""
    if not isinstance(body, dict) or not isinstance(body.get("suppressions"), list):
        refuse("suppressions", "wrong_type", _("Send an object in braces with “suppressions”, a list in brackets."))
    for name in sorted(body.keys() - {"suppressions"}):
        refuse(name[:100], "unknown_field", _("This field does not exist. Known is: suppressions."))
    rows: list[Any] = body["suppressions"]
    if not rows:
        refuse("suppressions", "no_rows", _("There is no row in this batch. Send 1 to 1,000."))
    if len(rows) > MOST_ROWS:
        refuse("suppressions", "too_many_rows", _("A batch holds 1,000 rows at most. Send the rest in another one."))
    return rows
