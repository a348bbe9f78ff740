"""What happened to the mails whose sender fell silent, and to rows that nobody works on any more.

- A claim that ran out goes back into the queue; after three crashes of its own it is set aside.
- A row that stayed `sending` past lease and grace is `unknown`: the mail may have gone out.
- Evidence (a relay's receipt) makes it `sent`. That no receipt came counts as "not sent" only where receipts were
  provably alive: every mail sent later on that transport has its own, and there are at least 20. Otherwise advertising
  stays `unknown` and is never sent again by itself; a transactional mail is sent again, for twice is better than never.
"""

from datetime import timedelta

from django.conf import settings

from campaigns import bounces, breaker, couponing, pacing, transport
from campaigns.heartbeat import forget_old_senders
from campaigns.ledger import change, fetch
from campaigns.models import Receipt
from campaigns.sending import CRASHES_ALLOWED

WATERMARK = 20
ARRIVED = {"delivered", "sent", "accepted", "deferred"}
BOUNCED = {"bounced", "failed", "rejected"}

REAP = """
UPDATE campaigns_delivery SET
  state = CASE WHEN attempts > %(allowed)s THEN 'quarantined' ELSE 'planned' END,
  reason = CASE WHEN attempts > %(allowed)s THEN 'crashed_3_times' ELSE '' END,
  settled_at = CASE WHEN attempts > %(allowed)s THEN now() END, token = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM campaigns_delivery WHERE state = 'claimed' AND lease_until < now()
             FOR UPDATE SKIP LOCKED) AND state = 'claimed'
"""
# The reason stays: it is the ground that the gate found, and the proof of it should the mail have gone.
WONDER = """
UPDATE campaigns_delivery SET state = 'unknown'
WHERE id IN (SELECT id FROM campaigns_delivery WHERE state = 'sending' AND lease_until < now() - %(grace)s
             FOR UPDATE SKIP LOCKED) AND state = 'sending'
"""
# The window of a mailing that was given another time may not have been moved yet.
EXPIRE = """
UPDATE campaigns_delivery SET state = 'suppressed', reason = 'expired', settled_at = now()
WHERE id IN (SELECT id FROM campaigns_delivery late WHERE state = 'planned' AND not_after <= now()
             AND NOT EXISTS (SELECT FROM campaigns_move WHERE run_id = late.run_id)
             FOR UPDATE OF late SKIP LOCKED) AND state = 'planned'
"""
# Given back, or proved not to have been sent, after the campaign had been cancelled.
STOP = """
UPDATE campaigns_delivery SET state = 'suppressed', reason = 'cancelled', settled_at = now()
WHERE id IN (SELECT delivery.id FROM campaigns_campaign campaign
             JOIN campaigns_delivery delivery ON delivery.campaign_id = campaign.id AND delivery.state = 'planned'
             WHERE campaign.status = 'cancelled' FOR UPDATE OF delivery SKIP LOCKED) AND state = 'planned'
"""
LATE_RECEIPTS = """
SELECT delivery.id FROM campaigns_delivery delivery
WHERE delivery.state = 'unknown' AND EXISTS (SELECT FROM campaigns_receipt WHERE delivery_id = delivery.id)
"""
PROVABLY_NOT_SENT = """
UPDATE campaigns_delivery lost SET state = 'planned', reason = '', token = NULL, lease_until = NULL
WHERE lost.state = 'unknown' AND lost.lease_until < now() - %(grace)s
  AND NOT EXISTS (SELECT FROM campaigns_receipt WHERE delivery_id = lost.id)
  AND (lost.message_class = 'transactional' OR (
    SELECT count(*) >= %(watermark)s AND count(*) = count(receipt.delivery_id) FROM (
      SELECT later.id FROM campaigns_delivery later
      WHERE later.state = 'sent' AND later.transport = lost.transport AND later.sending_at > lost.sending_at
      ORDER BY later.sending_at LIMIT 1000
    ) later
    LEFT JOIN LATERAL (SELECT delivery_id FROM campaigns_receipt WHERE delivery_id = later.id LIMIT 1) receipt ON true
  ))
"""
# The key makes asking twice harmless while the provider remembers it; after that the row may not go on its own.
BY_KEY = """
UPDATE campaigns_delivery again SET state = 'planned', reason = '', token = NULL, lease_until = NULL,
  not_after = least(not_after, sending_at + make_interval(hours => %(hours)s - 1))
WHERE state = 'unknown' AND transport LIKE %(transport)s AND lease_until < now() - %(grace)s
  AND sending_at > now() - make_interval(hours => %(hours)s - 4)
  AND not_after > now() AND not_before < now()
  AND NOT EXISTS (SELECT FROM campaigns_receipt WHERE delivery_id = again.id)
"""


def reap() -> dict[str, int]:
    """Put rows whose lease ran out where they belong. Returns how many were moved, by kind."""
    grace = {"grace": timedelta(seconds=settings.SEND_GRACE_S)}
    return {"claimed": change(REAP, {"allowed": CRASHES_ALLOWED}), "unknown": change(WONDER, grace)}


def resolve() -> dict[str, int]:
    """Reap, end what came too late, and rule on the unknown rows by what is known. Returns how many moved, by kind."""
    moved = reap() | {"expired": change(EXPIRE, None)}
    late = [row[0] for row in fetch(LATE_RECEIPTS, None)]
    moved["evidence"] = change(bounces.SETTLE, {"ids": list(map(str, late))}) if late else 0
    moved["again"] = change(
        PROVABLY_NOT_SENT, {"grace": timedelta(seconds=settings.SEND_GRACE_S), "watermark": WATERMARK}
    )
    for one in transport.CAPABILITIES:
        known = {"transport": f"{one.transport}%", "hours": one.hours}
        moved["again"] += change(BY_KEY, known | {"grace": timedelta(seconds=settings.SEND_GRACE_S)})
    moved["cancelled"] = change(STOP, None)
    moved["coupons"] = couponing.take_back()
    moved["awake"] = bounces.wake()
    pacing.pull_forward()
    breaker.forget_old()
    forget_old_senders()
    return moved


def take_receipts(receipts: list[Receipt]) -> int:
    """Take what a relay reported. Returns how many reports are new. Safe to repeat."""
    return bounces.take(
        bounces.Report(one.status, one.at, one.source or bounces.RELAY, one.delivery_id, one.code) for one in receipts
    )
