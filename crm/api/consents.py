"""POST /api/v1/consents/batch and GET /api/v1/customers/<external_id>/consents: doors to `crm.declarations`."""

from collections import Counter
from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import declarations
from crm.api.purchases import refuse
from crm.api.rows import ProblemShape
from crm.consent_rows import ACTIONS, METHODS
from crm.models import ApiKey, Channel, ConsentState, CustomerKey

MOST_ROWS = 1_000


class WordingShape(serializers.Serializer):
    version = serializers.IntegerField()
    language = serializers.ChoiceField(["de", "en"])


class DoubleOptInShape(serializers.Serializer):
    """The proof of a double opt-in that took place elsewhere."""

    confirmed_at = serializers.DateTimeField(help_text="With zone, not before occurred_at.")
    message_id = serializers.CharField(max_length=200, required=False, help_text="Of the mail that asked.")
    ip = serializers.IPAddressField(required=False, help_text="Of the computer that confirmed.")


class DeclarationShape(serializers.Serializer):
    """One declaration of one person. Sent again, it changes nothing."""

    customer = serializers.CharField(max_length=100, required=False, help_text="Your number; or else send the e-mail.")
    email = serializers.EmailField(required=False, help_text="An end concerns everybody with this address.")
    purpose = serializers.CharField(max_length=30, help_text="May be left out when objecting to all advertising.")
    channel = serializers.ChoiceField(Channel.choices, default="email")
    action = serializers.ChoiceField(sorted(ACTIONS))
    occurred_at = serializers.DateTimeField(help_text="With zone. A grant must not lie in the future.")
    wording = WordingShape(required=False, help_text="Needed for a grant: what the person agreed to.")
    method = serializers.ChoiceField(sorted(METHODS), default="web")
    evidence = serializers.CharField(max_length=200, required=False, help_text="Needed for paper: where it is kept.")
    form = serializers.CharField(max_length=80, required=False, help_text="Name and version of the form.")
    notice_version = serializers.CharField(max_length=40, required=False)
    language = serializers.ChoiceField(["de", "en"], required=False, help_text="Of the mail that asks.")
    double_opt_in = DoubleOptInShape(required=False)
    request_double_opt_in = serializers.BooleanField(default=False, help_text="Ask the mailbox to confirm.")


class DeclarationsShape(serializers.Serializer):
    consents = serializers.ListField(child=DeclarationShape(), min_length=1, max_length=MOST_ROWS)


class DeclarationAnswerShape(serializers.Serializer):
    status = serializers.ChoiceField(
        declarations.STATUSES, help_text="stale: an end at the same time or later outranks it; it is kept all the same."
    )
    state = serializers.CharField(help_text="Where the customer stands now; empty if nobody is concerned.")
    mail = serializers.CharField(help_text="Of request_double_opt_in: requested, limited, silent, no_address or empty.")
    errors = ProblemShape(many=True)  # type: ignore[assignment]


class DeclarationAnswersShape(serializers.Serializer):
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by status.")
    consents = DeclarationAnswerShape(many=True)


class StateShape(serializers.Serializer):
    purpose = serializers.CharField()
    channel = serializers.ChoiceField(Channel.choices)
    state = serializers.ChoiceField(ConsentState.State.choices)
    since = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    method = serializers.CharField()
    wording = WordingShape(allow_null=True)
    wording_hash = serializers.CharField(help_text="SHA-256 of the wording's text in UTF-8.")


class StatesShape(serializers.Serializer):
    customer = serializers.CharField()
    consents = StateShape(many=True)


EXAMPLE = OpenApiExample(
    "A sign-up to be confirmed, an imported consent with its proof, and a withdrawal",
    request_only=True,
    value={
        "consents": [
            {
                "email": "jonas@example.test",
                "purpose": "newsletter",
                "action": "given",
                "occurred_at": "2026-11-02T15:04:00+01:00",
                "wording": {"version": 3, "language": "de"},
                "form": "checkout 7",
                "request_double_opt_in": True,
            },
            {
                "customer": "C-77",
                "purpose": "birthday",
                "action": "given",
                "occurred_at": "2024-05-01T10:00:00+02:00",
                "wording": {"version": 1, "language": "de"},
                "double_opt_in": {"confirmed_at": "2024-05-01T10:06:00+02:00"},
            },
            {"customer": "C-12", "purpose": "newsletter", "action": "withdrawn", "occurred_at": "2026-11-02T15:04:00Z"},
        ]
    },
)


class ConsentBatch(APIView):
    """Bring declarations; every row is answered in its place."""

    access = "scope:consent:write"

    @extend_schema(
        operation_id="consents_batch",
        summary="Bring consents, withdrawals and objections",
        description=(
            "Up to 1,000 rows a call, in any order and as often as you like. A grant needs the wording that was agreed "
            "to and a time later than the last withdrawal; a tie goes to the withdrawal. Without paper or proof of a "
            "double opt-in it is `pending`; with `request_double_opt_in` the mailbox is asked. 202 if a mail was "
            "caused, else 200, also where rows were refused: look at each row's `status`. See docs/consent.md."
        ),
        request=DeclarationsShape,
        responses={200: DeclarationAnswersShape, 202: DeclarationAnswersShape},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        answers = declarations.apply(cast(ApiKey, request.auth).source, checked_rows(request.data))
        told = any(answer.mail == "requested" for answer in answers)
        counts = Counter(answer.status for answer in answers)
        return Response(
            {
                "counts": {name: counts[name] for name in declarations.STATUSES},
                "consents": [answer.__dict__ for answer in answers],
            },
            status=status.HTTP_202_ACCEPTED if told else status.HTTP_200_OK,
        )


class CustomerConsents(APIView):
    """Where a customer of the key's own source stands."""

    access = "scope:customers:read"

    @extend_schema(
        operation_id="customer_consents",
        summary="Where a customer stands with every purpose and channel",
        responses={200: StatesShape},
    )
    def get(self, request: Request, external_id: str) -> Response:
        key = CustomerKey.objects.select_related("customer").filter(
            source=cast(ApiKey, request.auth).source, external_id=external_id
        )
        found = key.first()
        if found is None or found.customer.erased_at:
            raise NotFound(_("Your system has brought no customer with this number."))
        customer_id = found.customer.merged_into_id or found.customer_id
        states = ConsentState.objects.filter(customer=customer_id).select_related("evidence__wording")
        rows = [state_row(state) for state in states.order_by("purpose_id", "channel")]
        return Response({"customer": external_id, "consents": rows})


def state_row(state: ConsentState) -> dict[str, Any]:
    wording = state.evidence.wording
    return {
        "purpose": state.purpose_id,
        "channel": state.channel,
        "state": state.state,
        "since": state.since,
        "last_used_at": state.last_used_at,
        "method": state.evidence.method,
        "wording": {"version": wording.version, "language": wording.language} if wording else None,
        "wording_hash": state.evidence.wording_hash,
    }


def checked_rows(body: Any) -> list[Any]:
    """The rows of a body. Raises ValidationError (400) for one that has none, too many, or something else."""
    if not isinstance(body, dict) or not isinstance(body.get("consents"), list):
        refuse("consents", "wrong_type", _("Send an object in braces with “consents”, a list in brackets."))
    for name in sorted(body.keys() - {"consents"}):
        refuse(name[:100], "unknown_field", _("This field does not exist. Known is: consents."))
    rows: list[Any] = body["consents"]
    if not rows:
        refuse("consents", "no_rows", _("There is no row in this batch. Send 1 to 1,000."))
    if len(rows) > MOST_ROWS:
        refuse("consents", "too_many_rows", _("A batch holds 1,000 rows at most. Send the rest in another one."))
    return rows
