"""The gate before every mail: one transaction that asks everything again and makes the row `sending`, or does not.

The customer's row is locked first, so that a withdrawal comes either before the question or after the mail.

The transaction may begin with what became of the mail before (`answer`): a round trip and a commit less for each mail.
No rule is touched by it. The order is the same as in two transactions: the answer is in our hands, it is written, the
customer is locked, everything is asked in a statement of its own, all of it is committed, the mail goes. An answer waits
for nobody: if the customer is locked at this moment, or anything else goes wrong, none of it happened, and the sender
writes the answer alone before it asks again.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from campaigns import composing, couponing, pacing, prepared, recipes, tracking
from campaigns.ledger import SETTLE
from crm import days, permission
from crm.models import Shop

GATE_LOCK = "SELECT FROM crm_customer WHERE id = %(customer)s FOR NO KEY UPDATE"
AT_ONCE = " NOWAIT"
# OFFSET 0 and `delivery.state = ruled.state` keep PostgreSQL to the primary key, where it would read every claimed row by
# their partial index; and from working out what is asked once wherever it is read.
GATE = """
WITH mine AS (
  SELECT delivery.id, delivery.state, delivery.customer_id, delivery.email_hash, delivery.not_after, delivery.event_id, delivery.cause,
         delivery.run_id, delivery.domain, delivery.slot_at, delivery.message_class, {goes} AS running
  FROM (SELECT * FROM campaigns_delivery WHERE id = %(id)s OFFSET 0) delivery
  JOIN campaigns_campaign campaign ON campaign.id = delivery.campaign_id
  WHERE delivery.token = %(token)s AND delivery.state = 'claimed'
    AND delivery.lease_until > clock_timestamp()
), verdict AS ({verdicts}), judged AS (
  SELECT mine.*, verdict.code, verdict.evidence_id, verdict.later, counted.tracking, CASE
      WHEN NOT mine.running OR NOT EXISTS (
        SELECT FROM crm_shop WHERE armed_for = %(deployment)s AND armed_for <> '') THEN 'closed'
      WHEN mine.not_after <= now() THEN 'expired'
      WHEN EXISTS (SELECT FROM crm_event event JOIN crm_purchase purchase ON purchase.id = event.purchase_id
                   WHERE event.id = mine.event_id AND purchase.status = 'cancelled') THEN 'cause_gone'
      WHEN NOT coalesce(({cause_holds}), false) THEN 'cause_gone'
      WHEN verdict.code = 'quiet_hours' AND verdict.later < mine.not_after THEN 'wait'
      WHEN NOT verdict.allowed THEN verdict.code
      WHEN verdict.address_hash IS DISTINCT FROM mine.email_hash THEN 'address_changed'
      WHEN held.trouble <> '' THEN held.trouble
      WHEN verdict.code <> %(ground)s OR counted.tracking <> %(tracking)s THEN 'again'
      ELSE 'go' END AS first_ruling
  FROM mine JOIN verdict USING (customer_id)
  CROSS JOIN LATERAL (SELECT {tracking} AS tracking OFFSET 0) counted
  CROSS JOIN LATERAL ({coupon} OFFSET 0) held
  OFFSET 0
), {pace}, moved AS (
  UPDATE campaigns_delivery delivery SET
    state = CASE WHEN ruling = 'go' THEN 'sending' WHEN ruling IN ('closed', 'wait', 'again', 'full') THEN 'planned'
                 ELSE 'suppressed' END,
    reason = CASE WHEN ruling = 'go' THEN ruled.code WHEN ruling IN ('closed', 'wait', 'again', 'full') THEN ''
                  ELSE ruling END,
    evidence = ruled.evidence_id,
    not_before = CASE WHEN ruling = 'wait' THEN ruled.until ELSE delivery.not_before END,
    slot_at = CASE WHEN ruling = 'wait' THEN ruled.slot ELSE delivery.slot_at END,
    attempts = CASE WHEN ruling = 'go' THEN delivery.attempts ELSE greatest(delivery.attempts - 1, 0) END,
    token = CASE WHEN ruling = 'go' THEN delivery.token END,
    lease_until = CASE WHEN ruling = 'go' THEN clock_timestamp() + %(lease)s END,
    sending_at = CASE WHEN ruling = 'go' THEN clock_timestamp() ELSE delivery.sending_at END,
    settled_at = CASE WHEN ruling NOT IN ('go', 'closed', 'wait', 'again', 'full') THEN now() END,
    tracking = CASE WHEN ruling = 'go' THEN ruled.tracking ELSE delivery.tracking END,
    transport = CASE WHEN ruling = 'go' THEN %(transport)s ELSE delivery.transport END,
    message_id = CASE WHEN ruling = 'go' THEN %(message_id)s ELSE delivery.message_id END
  FROM ruled WHERE delivery.id = ruled.id AND delivery.token = %(token)s AND delivery.state = ruled.state
  RETURNING delivery.customer_id, delivery.message_class, ruled.ruling, ruled.parks, ruled.slot, ruled.probes
), used AS (
  UPDATE crm_consentstate SET last_used_at = now() FROM ruled JOIN moved USING (customer_id)
  WHERE moved.ruling = 'go' AND ruled.code = 'consent' AND crm_consentstate.customer_id = ruled.customer_id
    AND crm_consentstate.evidence_id = ruled.evidence_id
), logged AS (
  INSERT INTO crm_maillog (customer_id, message_class, at)
  SELECT customer_id, message_class, now() FROM moved WHERE ruling = 'go'
){take}
SELECT CASE WHEN ruling = 'go' AND probes THEN 'probe' ELSE ruling END FROM moved
"""

_PARTS = {
    "verdicts": permission.verdicts("mine"),
    "tracking": tracking.decision("mine.customer_id", "verdict.contact_point_id"),
    "coupon": couponing.TROUBLE.format(delivery="mine.id"),
    "goes": f"{pacing.RUNS} AND {pacing.WINDOW.format(at='statement_timestamp()')}",
}
_PACES = {True: {"pace": pacing.PACED, "take": pacing.TAKE}, False: {"pace": pacing.UNPACED, "take": ""}}


def lease() -> timedelta:
    """How long a claim lasts; a row being sent has twice as long before anybody wonders."""
    return timedelta(seconds=settings.SEND_LEASE_S)


def closed() -> str:
    """Why this installation may not send at all; empty if it may."""
    shop = Shop.current()
    if not settings.DEPLOYMENT_ID or shop.armed_for != settings.DEPLOYMENT_ID:
        return "not armed"
    if not shop.sender_email:
        return "no sender address"
    return "" if shop.imprint.strip() else "no imprint"


def gate(
    order: composing.Order,
    token: UUID,
    shop: Shop,
    transport_name: str = "",
    *,
    paced: bool = True,
    answer: Mapping[str, Any] | None = None,
) -> str:
    """Ask for one claimed mail whether it may go now. "go": it is `sending` and logged; else it was put elsewhere.

    "probe" is a "go" that tries whether trouble with its domain is over; "full": nothing of its kind may go for now.
    paced: whether there are limits, a warm-up or rests to look at (`pacing.IN_FORCE`, as the claim found it).
    Returns "" if the row is not ours any more. A mail that names another ground, or counts its links otherwise, than
    holds now is made anew ("again"). The customer's row is locked first and everything read after it, so
    a withdrawal is either seen here, or comes after the mail and waits for it. Two mails to one person pass one by
    one, so the cap is exact.

    answer: parameters of SETTLE for the mail before, written in the same transaction. Raises OperationalError if it would
    have to wait for somebody who holds the customer; then nothing was written, as with every other error.
    """
    parameters = permission.parameters(order.message_class, order.purpose, shop=shop) | {
        "id": order.id,
        "token": token,
        "deployment": settings.DEPLOYMENT_ID,
        "ground": order.ground,
        "tracking": order.tracking,
        "coupon_batch": order.coupon_batch,
        "day": days.today(ZoneInfo(shop.time_zone)),
        "zone": shop.time_zone,
        "lease": 2 * lease(),
        "transport": transport_name,
        "message_id": composing.message_id(order.id),
    }
    known = recipes.everything().get(order.recipe)
    statement = GATE.format(**_PARTS, **_PACES[paced], cause_holds=known.cause_holds if known else "true")
    asked = (statement, parameters)
    customer = {"customer": order.customer_id}
    if answer is None:
        rows = prepared.fetch((GATE_LOCK, customer), asked)
    else:
        rows = prepared.fetch((SETTLE, answer), (GATE_LOCK + AT_ONCE, customer), asked)
    return rows[0][0] if rows else ""
