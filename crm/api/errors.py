"""How the API says what is wrong, as the OpenAPI document tells it: one shape for every status from 400 on."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.defaults import page_not_found
from drf_standardized_errors.openapi import AutoSchema
from rest_framework import serializers


class ErrorShape(serializers.Serializer):
    code = serializers.CharField(help_text="For programs, such as wrong_type.")
    detail = serializers.CharField(help_text="For people, in the language of Accept-Language.")
    attr = serializers.CharField(allow_null=True, help_text="The field that is meant; null if it is the whole call.")


class ErrorsShape(serializers.Serializer):
    type = serializers.ChoiceField(["validation_error", "client_error", "server_error"])
    errors = ErrorShape(many=True)  # type: ignore[assignment]


class ErrorsSchema(AutoSchema):
    """Documents besides what every call may answer: 413 where there is a body, and the view's own `refusals`."""

    def _get_allowed_error_status_codes(self) -> list[str]:
        return [*super()._get_allowed_error_status_codes(), *self.further()]

    def _should_add_error_response(self, responses: dict, status_code: str) -> bool:
        if status_code in self.further():
            return status_code not in responses
        return super()._should_add_error_response(responses, status_code)

    def further(self) -> tuple[str, ...]:
        return (*getattr(self.view, "refusals", ()), *(["413"] if self.method == "POST" else []))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 for an address that does not exist: in the API's shape for its callers, else as a page."""
    if not request.path.startswith("/api/"):
        return page_not_found(request, exception)
    error = {"code": "not_found", "detail": _("There is nothing at this address. See /api/schema/."), "attr": None}
    return JsonResponse({"type": "client_error", "errors": [error]}, status=404)
