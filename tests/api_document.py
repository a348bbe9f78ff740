"""Holds answers of the API against its OpenAPI document: the status is documented, and the body has its documented shape."""

import re
from functools import cache
from typing import Any

import jsonschema
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from orjson import loads

ROOTS = ("/api/v1/", "/webhooks/")


def contradictions(method: str, path: str, response: HttpResponse) -> list[str]:
    """What about an answer is not as documented: empty if nothing, or if it is no answer of the documented API."""
    operation = documented(method.lower(), path)
    if operation is None:
        return []
    told = operation["responses"].get(str(response.status_code))
    if told is None:
        return [f"status {response.status_code} of {method} {path} is not documented: {response.content[:300]!r}"]
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return [f"{method} {path} answers a body, and none is documented"] if response.content else []
    checker = jsonschema.Draft202012Validator({**schema, "components": document()["components"]})
    return [
        f"{method} {path} {response.status_code} {error.json_path}: {error.message[:300]}"
        for error in checker.iter_errors(loads(response.content))
    ]


def documented(method: str, path: str) -> dict[str, Any] | None:
    """The operation that the document describes for a call."""
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path.split("?")[0]):
            return operations.get(method)
    return None


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, its schemas rewritten to plain JSON Schema."""
    told = SchemaGenerator(urlconf="config.urls").get_schema(public=True)
    return plain(loads(OpenApiJsonRenderer().render(told, renderer_context={})))


def plain(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable`, where JSON Schema names the type null; objects may hold named fields only."""
    if isinstance(node, list):
        return [plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: plain(value) for name, value in node.items() if name != "nullable"}
    if "properties" in found and isinstance(found["properties"], dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return {"anyOf": [found, {"type": "null"}]} if node.get("nullable") is True else found
