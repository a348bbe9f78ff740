"""JSON in and out: strict, quick, and limited before anything is built from it."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 20
_NESTS = {dict, list}


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is larger than 5 MB. Send fewer rows at a time.")
    default_code = "too_large"


def depth(value: Any) -> int:
    """How deeply lists and objects are nested: 0 for a plain value."""
    level, layer = 0, [value] if type(value) in _NESTS else []
    while layer:
        level += 1
        if level > MAX_DEPTH:
            break
        layer = [
            child
            for item in layer
            for child in (item.values() if type(item) is dict else item)
            if type(child) in _NESTS
        ]
    return level


class JsonParser(BaseParser):
    """RFC 8259 in UTF-8, at most 5 MB and 20 levels. NaN, NUL and lone surrogates are refused with 400."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise TooLarge
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(_("This is no valid JSON: %(error)s") % {"error": error}) from error
        if b"\\u0000" in body:
            raise ParseError(_("A text holds the character NUL, which no field may hold. Remove it."))
        if depth(parsed) > MAX_DEPTH:
            raise ParseError(_("The JSON is nested more than 20 levels deep."))
        return parsed


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class JsonNegotiation(DefaultContentNegotiation):
    """Takes what nearly every client sends without weighing it: no wish, or JSON."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first, wished = next(iter(renderers)), request.META.get("HTTP_ACCEPT", "*/*")
        asked_otherwise = format_suffix or self.settings.URL_FORMAT_OVERRIDE in request.GET
        if wished in ("*/*", first.media_type) and not asked_otherwise:
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
