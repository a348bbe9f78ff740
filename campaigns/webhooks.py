"""Where mail providers report: one address for whichever provider django-anymail sends through.

Its views check the provider's signature and put the events into one form; here they become reports. Whatever the
provider signs, the password in the address is asked for first, for some sign nothing and others not the body.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import structlog
from anymail import urls as anymail_urls
from anymail.exceptions import AnymailConfigurationError, AnymailError, AnymailWebhookValidationFailure
from anymail.signals import AnymailInboundEvent, AnymailTrackingEvent, EventType, RejectReason
from anymail.webhooks.base import AnymailBaseWebhookView
from django.conf import settings
from django.core.checks import Error, register
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import bounces, returned
from campaigns.bounces import Report, Status
from crm.access import public

log = structlog.get_logger(__name__)

VIEWS = {pattern.name: pattern.callback.view_class for pattern in anymail_urls.urlpatterns}
PLAIN = {
    EventType.QUEUED: Status.ACCEPTED,
    EventType.SENT: Status.SENT,
    EventType.FAILED: Status.FAILED,
    EventType.DEFERRED: Status.DEFERRED,
    EventType.DELIVERED: Status.DELIVERED,
    EventType.AUTORESPONDED: Status.AUTO_REPLY,
    EventType.COMPLAINED: Status.SPAM_REPORT,
    EventType.UNSUBSCRIBED: Status.UNSUBSCRIBED,
}
# Why a provider did not even try.
REJECTED = {
    RejectReason.INVALID: Status.BOUNCED,
    RejectReason.BOUNCED: Status.BOUNCED,
    RejectReason.SPAM: Status.SPAM_REPORT,
    RejectReason.UNSUBSCRIBED: Status.UNSUBSCRIBED,
}
# What a "complaint" says that is none (RFC 6430, RFC 6591): not spam after all, or a word about our signature.
NO_COMPLAINT = ("not-spam", "auth-failure")
# Where each provider says whether a mail came back for good, and in which words.
SAID_IN = {"type", "event", "severity", "reason", "bouncetype", "hard_bounce", "status", "bounce_class"}
FOR_GOOD = re.compile(r"hard|permanent|invalid|^true$|^(10|30|90)$")
FOR_NOW = re.compile(r"soft|transient|temporary|undetermined|blocked|^(old|full)$")
# The mailbox is there, but full, too small, or not willing.
THERE = ("5.2.2", "5.2.3", "5.3.4", "4.", "2.")


def configured() -> str:
    """The provider that mails go through, as django-anymail names it in addresses; '' for none."""
    parts = settings.EMAIL_BACKEND.split(".")
    return parts[2] if parts[:2] == ["anymail", "backends"] else ""


@register
def provider_can_report(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Whether the configured provider exists, and its reports can be understood: keys and packages are there."""
    view_class = VIEWS.get(f"{configured()}_tracking_webhook")
    try:
        import_string(settings.EMAIL_BACKEND)
        if view_class is not None:
            view_class()
    except ModuleNotFoundError:
        known = sorted({name.split("_tracking")[0] for name in VIEWS if name.endswith("_tracking_webhook")})
        hint = f"Write one of: {', '.join(known)}."
        return [Error(f"ANYMAIL_ESP: {configured()!r} is no provider.", hint=hint, id="campaigns.E002")]
    except AnymailConfigurationError as error:
        hint = "Set the key for its webhooks, and install the package it asks for (docs/operating.md)."
        return [Error(f"Reports of {configured()} could not be read: {error}", hint=hint, id="campaigns.E001")]
    return []


@csrf_exempt
@public
@require_http_methods(["POST", "HEAD"])
def provider(request: HttpRequest, esp: str, kind: str) -> HttpResponse:
    """Take what the configured provider reports. Events of mails that are not ours are answered like others: 200."""
    view_class = VIEWS.get(f"{esp}_{kind}_webhook")
    if esp != configured() or view_class is None:
        return _answer(404, "no such webhook")
    if request.method == "HEAD":
        return _answer(200)
    if not getattr(settings, "ANYMAIL", {}).get("WEBHOOK_SECRET"):
        return _answer(403, "ANYMAIL_WEBHOOK_SECRET is not set")
    if "Authorization" not in request.headers:
        response = _answer(401, "user and password are missing")
        response["WWW-Authenticate"] = 'Basic realm="webhook"'
        return response
    try:
        events = _events(view_class, request)
    except AnymailWebhookValidationFailure:
        return _answer(403, "user, password or signature do not fit")
    except AnymailConfigurationError:
        return _answer(400, "this webhook is for other events; see docs/operating.md")
    except RequestDataTooBig:
        return _answer(413, "too long")
    except (AnymailError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        log.warning("webhook_not_understood", source=esp, error=type(error).__name__)
        return _answer(400, "not understood")
    reports = [report for event in events for report in reports_of(event, esp)]
    new = bounces.take(reports)
    log.info("mails_reported", source=esp, events=len(events), reports=len(reports), new=new)
    return _answer(200)


def _events(view_class: type[AnymailBaseWebhookView], request: HttpRequest) -> list[Any]:
    view = view_class()
    view.setup(request)
    view.run_validators(request)
    return list(view.parse_events(request) or [])


def _answer(status: int, text: str = "") -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain")


def reports_of(event: AnymailTrackingEvent | AnymailInboundEvent, esp: str) -> list[Report]:
    """What an event says about a mail of ours; nothing for openings, clicks and what is not understood."""
    at = event.timestamp or now()
    if isinstance(event, AnymailInboundEvent):
        message = event.message
        return list(returned.read(message.as_bytes(), at, esp).reports) if message is not None else []
    status, code = _status(event)
    if not status:
        return []
    number = _number(event)
    return [Report(status, at, esp, number, code, "" if number else str(event.message_id or ""))]


def _number(event: AnymailTrackingEvent) -> UUID | None:
    """The delivery that the event names: by its metadata, else by the mail's Message-ID."""
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    return returned.uuid_of(str(metadata.get("d") or "")) or returned.number_in_message_id(str(event.message_id or ""))


def _status(event: AnymailTrackingEvent) -> tuple[str, str]:
    kind, reason = event.event_type, event.reject_reason
    if kind == EventType.COMPLAINED and event.description in NO_COMPLAINT:
        return "", ""
    if kind == EventType.REJECTED:
        return REJECTED.get(reason, Status.REJECTED), str(reason or "")
    if kind != EventType.BOUNCED:
        return PLAIN.get(kind, ""), ""
    status, code = bounces.judged(f"{event.mta_response or ''} {event.description or ''}")
    for_good = reason == RejectReason.INVALID or _said(event.esp_event) == "good"
    if status == Status.SOFT_BOUNCED and for_good and not code.startswith(THERE):
        status = Status.BOUNCED
    return status, code or str(reason or "")


def _said(raw: Any) -> str:
    """Whether the provider calls the return final: "good", "now", or '' for neither word."""
    words = {word.lower() for word in _words(raw)}
    if any(FOR_NOW.search(word) for word in words):
        return "now"
    return "good" if any(FOR_GOOD.search(word) for word in words) else ""


def _words(raw: Any, depth: int = 0) -> Iterator[str]:
    if not isinstance(raw, Mapping) or depth > 3:
        return
    for key, value in raw.items():
        if isinstance(value, Mapping):
            yield from _words(value, depth + 1)
        elif str(key).lower() in SAID_IN and isinstance(value, str | bool | int):
            yield str(value)
