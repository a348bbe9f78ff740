"""Logs: JSON lines on standard error, in UTC, with internal ids only. Addresses and numbers are masked."""

import os
import re
from typing import Any

import structlog

_ADDRESS = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.\w+")
_NUMBER = re.compile(r"(?:\+|\b0)\d[\d /-]{6,}\d")
# What the links in mails open is open to whoever reads them.
_TOKEN = re.compile(r"(/(?:u|l|o|confirm|preferences|survey)/)[\w-]{6,}")
# PostgreSQL repeats whole rows in the details of an error, line breaks included.
_ROW = re.compile(r"(DETAIL|CONTEXT|QUERY|STATEMENT):.*?(?=\n\n|\Z)", re.DOTALL)


def mask(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace e-mail addresses, phone numbers, database rows and the tokens of links in every text of a log entry.

    Of a request's address the query goes: names are searched and coupon codes looked up in it.
    """
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].partition("?")[0]
    for key, value in event.items():
        if key not in {"timestamp", "request_id"} and isinstance(value, str):
            event[key] = _cleaned(value)
    return event


def _cleaned(text: str) -> str:
    text = _TOKEN.sub(r"\1[token]", _ROW.sub("[row]", text))
    return _NUMBER.sub("[number]", _ADDRESS.sub("[address]", text))


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
    processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
