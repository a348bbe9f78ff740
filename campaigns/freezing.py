"""From an audience to delivery rows: one statement, safe to repeat, a reason for everyone left out."""

import secrets
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns import hold_out, recipes
from campaigns.models import Campaign
from campaigns.recipe import Moment, Query, Recipe
from crm import permission
from crm.models import Shop

# Held together with others while rows for customers are written, and alone while customers are erased.
LOCK = 0x667265657A65  # "freeze"
# An audience is sorted by mailbox once; memory is taken as far as it is large.
ROOM = "SET LOCAL work_mem = '256MB'"
# One beginning for a whole planning and a number for each row (RFC 9562 § 6.2): each row joins the end of its indexes,
# and PostgreSQL need not ask for random bytes a million times.
ID = "encode(%(ids)s::bytea || int4send(row_number() OVER ()::int), 'hex')::uuid"
# A mailbox gets one mail about one cause: the first customer who may get it. Who is refused takes no mailbox's place.
JUDGED = """
WITH wanted AS ({audience}), verdict AS ({verdicts}), judged AS (
  SELECT verdict.*, {person} AS person_key,
    row_number() OVER (PARTITION BY address_hash, cause, allowed ORDER BY customer_id, dedupe_key) AS place,
    cause <> '' AND EXISTS (
      SELECT FROM campaigns_delivery other WHERE other.recipe = %(recipe)s AND other.cause = verdict.cause
      AND other.cause <> '' AND other.email_hash = verdict.address_hash AND other.dedupe_key <> verdict.dedupe_key
    ) AS taken
  FROM verdict {joined}
), decided AS (
  SELECT *, CASE WHEN NOT allowed THEN code WHEN place > 1 OR taken THEN 'same_mailbox'
                 WHEN {held} THEN 'hold_out' ELSE '' END AS refusal
  FROM judged
  OFFSET 0 -- or PostgreSQL would work out the refusal anew wherever it is read
)"""
INSERT = f"""
INSERT INTO campaigns_delivery (id, campaign_id, run_id, customer_id, event_id, template_version_id, recipe, message_class,
  purpose, dedupe_key, cause, email_hash, domain, state, reason, evidence, priority, not_before, not_after, settled_at)
SELECT {ID}, %(campaign)s, %(run)s::bigint, customer_id, event_id, %(version)s, %(recipe)s, %(gate_class)s,
  %(gate_purpose)s, dedupe_key, cause, CASE WHEN refusal = '' THEN address_hash END,
  CASE WHEN refusal = '' THEN left(lower(split_part(address, '@', 2)), 80) ELSE '' END,
  CASE WHEN refusal = '' THEN 'planned' ELSE 'suppressed' END, refusal, evidence_id, %(priority)s,
  not_before, not_after, CASE WHEN refusal <> '' THEN now() END
FROM decided"""
REPEATED = " ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class Audience:
    """Who would get a campaign: `recipients` mails to `matched` customers, the others refused for reasons.

    The control group counts as refused (`hold_out`): `recipients` is the number of mails.
    """

    matched: int
    recipients: int
    refused: dict[str, int]

    @property
    def held_out(self) -> int:
        return self.refused.get(hold_out.REASON, 0)


def question(recipe: Recipe, moment: Moment, run_id: int) -> Query:
    """The judged audience as a WITH clause, and all parameters of it and of INSERT."""
    audience, asked = recipe.audience(moment)
    # Time passes between planning and sending, so what time alone changes is left to the gate.
    verdicts = permission.verdicts("wanted", timely=False)
    parameters = permission.parameters(recipe.message_class, recipe.purpose, shop=moment.shop)
    campaign = moment.campaign
    held = hold_out.condition(campaign, recipe, "judged.person_key", "judged.cause")
    joined = hold_out.join(campaign, recipe, "verdict.customer_id")
    person = "held.person_key" if joined else "NULL::uuid"
    own = {
        "campaign": campaign.pk,
        "run": run_id or None,
        "version": campaign.template_version_id,
        "recipe": recipe.code,
        "priority": recipe.priority,
        "audience_run": run_id,
        "ids": _ids(),
    }
    judged = JUDGED.format(audience=audience, verdicts=verdicts, held=held, joined=joined, person=person)
    return judged, asked | parameters | hold_out.parameters(campaign, recipe) | own


def _ids() -> bytes:
    """The first 12 bytes of a version 7 UUID (RFC 9562 § 5.7): milliseconds, then 42 random bits."""
    head = time.time_ns() // 1_000_000 << 48 | secrets.randbits(48)
    version, variant = 0x7 << 44, 0b10 << 30
    return (head & ~(0xF << 44) & ~(0b11 << 30) | version | variant).to_bytes(12)


def freeze(recipe: Recipe, moment: Moment, run_id: int = 0) -> int:
    """Insert the deliveries of a moment. Returns how many rows are new, refused ones included."""
    with transaction.atomic(), recipe.around(moment) if recipe.around else nullcontext():
        judged, parameters = question(recipe, moment, run_id)
        with connection.cursor() as cursor:
            cursor.execute(f"{ROOM}; SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])
            return _write(cursor, judged + INSERT, parameters, new=bool(run_id))


def _write(cursor: CursorWrapper, statement: str, parameters: dict[str, Any], *, new: bool) -> int:
    """Looking for a conflict before each row is a third of the work, and a new run meets none."""
    if new:
        try:
            with transaction.atomic():
                cursor.execute(statement, parameters)
                return cursor.rowcount
        except IntegrityError:
            pass  # somebody repeats it
    cursor.execute(statement + REPEATED, parameters)
    return cursor.rowcount


def alone() -> None:
    """Wait for all planning to end and hold it off until the transaction ends: customers are about to go."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def preview(campaign: Campaign) -> Audience:
    """Count who would get a scheduled campaign now, and why the others would not. Writes nothing."""
    recipe = recipes.everything()[campaign.recipe]
    judged, parameters = question(recipe, Moment(campaign, Shop.current()), 0)
    with connection.cursor() as cursor:
        cursor.execute(judged + "SELECT refusal, count(*) FROM decided GROUP BY 1 ORDER BY 2 DESC", parameters)
        counts: dict[str, int] = dict(cursor.fetchall())
    return Audience(sum(counts.values()), counts.pop("", 0), counts)
