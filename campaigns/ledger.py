"""The statements by which a delivery's row moves while it is sent, each fenced by the token of its claim."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from campaigns import pacing

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

# A row whose sender died is claimed alone from then on, so that its next crashes are its own and not a neighbour's.
CLAIM = f"""
WITH due AS MATERIALIZED (
  SELECT picked.id FROM campaigns_campaign campaign
  CROSS JOIN LATERAL (
    SELECT id, priority, not_before FROM campaigns_delivery
    WHERE campaign_id = campaign.id AND state = 'planned' AND not_before <= statement_timestamp() AND not_after > statement_timestamp()
      AND attempts >= %(least)s AND attempts <= %(most)s
    ORDER BY priority, not_before, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ) picked
  WHERE {pacing.GOES_NOW}
  ORDER BY picked.priority, picked.not_before, picked.id LIMIT %(limit)s
)
UPDATE campaigns_delivery SET state = 'claimed', token = %(token)s, attempts = attempts + 1,
  lease_until = clock_timestamp() + %(lease)s
WHERE id IN (SELECT id FROM due) AND state = 'planned'
RETURNING id, message_class, purpose, priority, not_before, {pacing.IN_FORCE}
"""

# An empty reason leaves what the gate wrote. A reaper may have ruled `unknown` while the server took its time; the answer in our hands is better evidence.
SETTLE = """
UPDATE campaigns_delivery SET state = %(state)s, reason = coalesce(nullif(%(reason)s, ''), reason), smtp_reply = %(reply)s,
  provider_id = %(provider_id)s, token = NULL, lease_until = NULL, settled_at = clock_timestamp()
WHERE id = %(id)s AND token = %(token)s AND state IN ('sending', 'unknown')
"""
DOUBT = """
UPDATE campaigns_delivery SET state = 'unknown', smtp_reply = %(reply)s
WHERE id = %(id)s AND token = %(token)s AND state = 'sending'
"""
# Certainly not sent: back in the queue, a little later each time, and no crash to count.
GIVE_BACK = """
UPDATE campaigns_delivery SET state = 'planned', token = NULL, lease_until = NULL, smtp_reply = %(reply)s,
  attempts = greatest(attempts - 1, 0), deferrals = deferrals + 1, reason = '', slot_at = NULL,
  not_before = clock_timestamp() + %(pause)s
WHERE id = %(id)s AND token = %(token)s AND state IN ('sending', 'unknown')
"""
RELEASE = """
UPDATE campaigns_delivery SET state = 'planned', token = NULL, lease_until = NULL,
  attempts = greatest(attempts - 1, 0)
WHERE token = %(token)s AND state = 'claimed'
"""
FAIL = """
UPDATE campaigns_delivery SET state = 'failed', reason = %(reason)s, smtp_reply = %(reply)s, token = NULL,
  lease_until = NULL, settled_at = clock_timestamp()
WHERE id = %(id)s AND token = %(token)s AND state = 'claimed'
"""


def fetch(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def change(statement: str, parameters: Any) -> int:
    """Returns how many rows changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def persist(statement: Callable[[], Result]) -> Result:
    """Run a fenced statement until PostgreSQL takes it: an answer that a mail was sent must not get lost."""
    pause = 0.05
    while True:
        try:
            return statement()
        except (DatabaseError, InterfaceError) as error:
            if not passes_by_itself(error) or connection.in_atomic_block:
                raise
            connection.close()
            log.warning("database_away", error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def passes_by_itself(error: Exception) -> bool:
    """Whether PostgreSQL was away or two transactions met (classes 08 and 57P, 40001, 40P01).

    psycopg2 calls a line that breaks now an OperationalError, now a bare DatabaseError without a code.
    """
    code = getattr(error.__cause__, "pgcode", None)
    if not isinstance(error, OperationalError | InterfaceError) and type(error) is not DatabaseError:
        return False
    return code is None or code[:2] == "08" or code in {"57P01", "57P02", "57P03", "40001", "40P01"}
