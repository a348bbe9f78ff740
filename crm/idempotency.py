"""One call, one effect, however often it is sent (draft-ietf-httpapi-idempotency-key-header).

The key, the effect and the answer stand in one transaction. A second call with the same key waits for the first and gets
its answer; if the first is undone, the second does the work. What was rolled back leaves no answer.
"""

import hashlib
from collections.abc import Callable
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

CLAIM = """
SET LOCAL lock_timeout = '10s';
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


def once(client: str, key: str, call: bytes, work: Callable[[], Answer]) -> Answer:
    """Do `work` unless this client's `key` did it already; then answer what was answered then.

    call: what makes the call this one (method, path, body). Raises KeyReused (422), StillRunning (409), and
    ValidationError (400) for a missing or overlong key. What `work` raises undoes everything, the claim too.
    """
    if not key or len(key) > LONGEST_KEY:
        raise ValidationError(
            {"Idempotency-Key": [_("Send this header with up to 200 characters, a new one for each thing to be done.")]}
        )
    fingerprint = hashlib.sha256(call).hexdigest()
    with transaction.atomic(), connection.cursor() as cursor:
        claimed = _claim(cursor, client, key, fingerprint)
        if claimed is None:
            return _replay(client, key, fingerprint)
        made, answer = work()
        cursor.execute(ANSWER, [made, orjson.dumps(answer).decode(), claimed])
        return made, answer


def forget(most: int = 50_000) -> int:
    """Delete answers older than 30 days."""
    old = Call.objects.filter(made_at__lt=now() - KEPT).values("pk")[:most]
    return Call.objects.filter(pk__in=old).delete()[0]


def _claim(cursor: Any, client: str, key: str, fingerprint: str) -> int | None:
    try:
        found = sql.rows(cursor, CLAIM, [client, key, fingerprint])
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") == LOCK_NOT_AVAILABLE:
            raise StillRunning from error
        raise
    return found[0][0] if found else None


def _replay(client: str, key: str, fingerprint: str) -> Answer:
    call = Call.objects.get(client=client, key=key)
    if call.fingerprint != fingerprint:
        raise KeyReused
    return call.status or status.HTTP_200_OK, orjson.loads(call.answer)
