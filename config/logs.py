"""Logs: JSON lines on standard error, in UTC, with internal ids only. Addresses and numbers are masked."""

import os
import re
from typing import Any

import structlog

_ADDRESS = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.\w+")
_NUMBER = re.compile(r"(?:\+|\b0)\d[\d /-]{6,}\d")
# PostgreSQL repeats whole rows in the details of an error, line breaks included.
_ROW = re.compile(r"(DETAIL|CONTEXT|QUERY|STATEMENT):.*?(?=\n\n|\Z)", re.DOTALL)


def mask(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace e-mail addresses, phone numbers and database rows in every text of a log entry.

    Of a request's address the query goes: names are searched and coupon codes looked up in it.
    """
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].partition("?")[0]
    for key, value in event.items():
        if key not in {"timestamp", "request_id"} and isinstance(value, str):
            event[key] = _NUMBER.sub("[number]", _ADDRESS.sub("[address]", _ROW.sub("[row]", value)))
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.format_exc_info,
    mask,
]
structlog.configure(
    processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": _SHARED,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
    "loggers": {"django.server": {"handlers": ["console"], "propagate": False}},
}
