"""POST /api/v1/purchases/batch: a door to `crm.sync`."""

from typing import Any, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import sync
from crm.api.rows import EXAMPLES, AnswersShape, BatchShape
from crm.models import ApiKey

MOST_ROWS = 1_000
NAMES = frozenset({"source", "historic", "purchases", "returns"})


class WrongSource(PermissionDenied):
    default_detail = _("This key writes to its own source only. Leave “source” out, or use the other source's key.")
    default_code = "wrong_source"


class PurchaseBatch(APIView):
    """Bring purchases and returns with their customers; every row is answered in its place."""

    access = "scope:purchases:write"

    @extend_schema(
        operation_id="purchases_batch",
        summary="Bring purchases and returns",
        description=(
            "Up to 1,000 rows a call. Send rows as often and in any order you like: the one with the later `version` "
            "wins, and a repeated row changes nothing. The answer is 200 also where rows were refused: look at each "
            "row's `status`. See docs/sync.md."
        ),
        request=BatchShape,
        responses={200: AnswersShape},
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        source = cast(ApiKey, request.auth).source
        body = checked_body(request.data, source.name)
        answers = sync.apply(source, body.get("purchases") or [], body.get("returns") or [], bool(body.get("historic")))
        return Response(
            {
                "counts": answers.counts,
                "purchases": [row(answer) for answer in answers.purchases],
                "returns": [row(answer) for answer in answers.returns],
            }
        )


def row(answer: sync.Answer) -> dict[str, Any]:
    return {"external_id": answer.external_id, "status": answer.status, "errors": answer.errors}


def checked_body(body: Any, source: str) -> dict[str, Any]:
    """The body, if rows can be read from it. Raises ValidationError (400) or WrongSource (403)."""
    if not isinstance(body, dict):
        refuse("", "wrong_type", _("Send an object in braces with “purchases”, “returns”, or both."))
    for name in sorted(body.keys() - NAMES):
        refuse(name[:100], "unknown_field", _("This field does not exist. Known are: historic, purchases, returns."))
    if body.get("source") not in (None, source):
        raise WrongSource
    if not isinstance(body.get("historic"), bool | None):
        refuse("historic", "wrong_type", _("Send true or false."))
    for name in ("purchases", "returns"):
        if not isinstance(body.get(name), list | None):
            refuse(name, "wrong_type", _("Send a list in brackets."))
    count = len(body.get("purchases") or []) + len(body.get("returns") or [])
    if not count:
        refuse("purchases", "no_rows", _("There is no row in this batch. Send 1 to 1,000."))
    if count > MOST_ROWS:
        refuse("purchases", "too_many_rows", _("A batch holds 1,000 rows at most. Send the rest in another one."))
    return body


def refuse(field: str, code: str, message: Any) -> None:
    raise ValidationError({field: [message]} if field else [message], code=code)
