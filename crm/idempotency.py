"""One call, one effect, however often it is sent (draft-ietf-httpapi-idempotency-key-header).

The key, the effect and the answer stand in one transaction. A second call with the same key waits for the first and gets
its answer; if the first is undone, the second does the work. What was rolled back leaves no answer.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.db import OperationalError, connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from crm import sql
from crm.models import Call

KEPT = timedelta(days=30)
LONGEST_KEY = 200
LOCK_NOT_AVAILABLE = "55P03"

PATIENCE = "SET LOCAL lock_timeout = '10s';"
CLAIM = f"""{PATIENCE}
INSERT INTO crm_call (client, key, fingerprint) VALUES (%s, %s, %s) ON CONFLICT (client, key) DO NOTHING RETURNING id"""
ANSWER = "UPDATE crm_call SET status = %s, answer = %s WHERE id = %s"

Answer = tuple[int, dict[str, Any]]


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was used for another call. Make a new key for each thing to be done.")
    default_code = "idempotency_key_reused"


class StillRunning(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("The same call is still running. Send it again in a moment, with the same Idempotency-Key.")
    default_code = "still_running"


@dataclass(frozen=True)
class Claim:
    """A call by the name its client gave it. fingerprint: what makes the call this one."""

    client: str
    key: str
    fingerprint: str


def claim(client: str, key: str, call: bytes) -> Claim:
    """call: method, path and body. Raises ValidationError (400) for a missing or overlong key."""
    if not key or len(key) > LONGEST_KEY:
        raise ValidationError(
            {"Idempotency-Key": [_("Send this header with up to 200 characters, a new one for each thing to be done.")]}
        )
    return Claim(client, key, hashlib.sha256(call).hexdigest())


def once(claimed: Claim, work: Callable[[], Answer]) -> Answer:
    """Do `work` unless this client's key did it already; then answer what was answered then.

    Raises KeyReused (422) and StillRunning (409). What `work` raises undoes everything, the claim too.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        pk = _claim(cursor, claimed)
        if pk is None:
            return _replay(claimed)
        made, answer = work()
        cursor.execute(ANSWER, [made, orjson.dumps(answer).decode(), pk])
        return made, answer


@contextmanager
def patient() -> Iterator[None]:
    """Within, whoever waits for a lock longer than PATIENCE allows is told so. Raises StillRunning (409)."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") == LOCK_NOT_AVAILABLE:
            raise StillRunning from error
        raise


def forget(most: int = 50_000) -> int:
    """Delete answers older than 30 days."""
    old = Call.objects.filter(made_at__lt=now() - KEPT).values("pk")[:most]
    return Call.objects.filter(pk__in=old).delete()[0]


def _claim(cursor: Any, claimed: Claim) -> int | None:
    with patient():
        found = sql.rows(cursor, CLAIM, [claimed.client, claimed.key, claimed.fingerprint])
    return found[0][0] if found else None


def _replay(claimed: Claim) -> Answer:
    call = Call.objects.get(client=claimed.client, key=claimed.key)
    if call.fingerprint != claimed.fingerprint:
        raise KeyReused
    return call.status or status.HTTP_200_OK, orjson.loads(call.answer)
