"""Claim, gate, send, settle: the life of a delivery, one fenced UPDATE for each step (the gate is `campaigns.gating`).

Nothing is locked while a mail server talks. Two states keep what a crash leaves behind small: `claimed` (certainly not
sent, safe to give back) and `sending` (nobody can know, at most one a sender). `docs/sending.md` has the whole picture.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any, TypeVar
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.timezone import now

from campaigns import composing, couponing, gating, rendering, tracking, transport
from campaigns.message import StableMessage
from campaigns.models import TemplateVersion
from campaigns.transport import Outcome, Transport, Verdict
from crm.models import ContactPoint, Shop

log = structlog.get_logger(__name__)

BATCH, ALONE = 50, 10
CRASHES_ALLOWED = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30, 6 * 3600

Result = TypeVar("Result")

# A row whose sender died is claimed alone from then on, so that its next crashes are its own and not a neighbour's.
CLAIM = """
WITH due AS MATERIALIZED (
  SELECT picked.id FROM campaigns_campaign campaign
  CROSS JOIN LATERAL (
    SELECT id, priority, not_before FROM campaigns_delivery
    WHERE campaign_id = campaign.id AND state = 'planned' AND not_before <= now() AND not_after > now()
      AND attempts >= %(least)s AND attempts <= %(most)s
    ORDER BY priority, not_before, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  ) picked
  WHERE campaign.status = 'running' AND (campaign.switched_on OR NOT campaign.standing)
  ORDER BY picked.priority, picked.not_before, picked.id LIMIT %(limit)s
)
UPDATE campaigns_delivery SET state = 'claimed', token = %(token)s, attempts = attempts + 1,
  lease_until = clock_timestamp() + %(lease)s
WHERE id IN (SELECT id FROM due) AND state = 'planned'
RETURNING id, message_class, purpose, priority, not_before
"""

# A reaper may have ruled `unknown` while the server took its time; the answer in our hands is better evidence.
SETTLE = """
UPDATE campaigns_delivery SET state = %(state)s, reason = coalesce(%(reason)s, reason), smtp_reply = %(reply)s,
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
  attempts = greatest(attempts - 1, 0), deferrals = deferrals + 1, reason = '',
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


@dataclass(frozen=True)
class Claim:
    """Rows that are ours while `token` stands in them. `ends`: when the work on them must stop (monotonic seconds)."""

    token: UUID
    rows: Sequence[tuple[UUID, str, str]]
    ends: float


def passes_by_itself(error: Exception) -> bool:
    """Whether PostgreSQL was away or two transactions met (classes 08 and 57P, 40001, 40P01)."""
    code = getattr(error.__cause__, "pgcode", None)
    return code is None or code[:2] == "08" or code in {"57P01", "57P02", "57P03", "40001", "40P01"}


class Sender:
    """One claim loop. `stop` ends it after the mail in hand; `transport` is kept for all mails of its life."""

    def __init__(self, name: str, mail: Transport | None = None, stop: Event | None = None) -> None:
        self.name = name
        self.mail = mail or transport.configured()
        self.stop = stop or Event()
        self.on_wire = False
        self.sent = 0
        self.pause_until = 0.0
        self._troubles = 0
        self._coupons: list[UUID] = []

    def work(self, seconds: float) -> int:
        """Send what is due until nothing is left or the time is over. Returns how many rows were taken up.

        Does nothing while sending is not armed, the shop's sender is incomplete, or the server pauses us.
        """
        end, handled = time.monotonic() + seconds, 0
        while not self._over(end):
            taken = self._send_all(self.claim(BATCH), end)
            for _ in range(ALONE):
                if self._over(end) or not (alone := self._send_all(self.claim(1, suspects=True), end)):
                    break
                taken += alone
            if not taken:
                break
            handled += taken
        return handled

    def _over(self, end: float) -> bool:
        return self.stop.is_set() or not self.pause_until <= time.monotonic() < end

    def claim(self, limit: int, *, suspects: bool = False) -> Claim:
        """Take up to `limit` due rows under a fresh token; with `suspects`, those that crashed before instead."""
        if gating.closed():
            return Claim(uuid4(), [], 0)
        token = uuid4()
        # Read before the statement: our clock must not run out later than the database's.
        ends = time.monotonic() + settings.SEND_LEASE_S / 2
        wanted = (1, 32_000) if suspects else (0, 0)
        parameters = {"limit": limit, "token": token, "lease": gating.lease(), "least": wanted[0], "most": wanted[1]}
        rows = self._persist(lambda: fetch(CLAIM, parameters))
        rows.sort(key=lambda row: (row[3], row[4], row[0]))
        return Claim(token, [(pk, kind, purpose) for pk, kind, purpose, _priority, _from in rows], ends)

    def _send_all(self, claim: Claim, end: float) -> int:
        """Send what was claimed, and give back what there is no time for. Returns how many rows there were."""
        if not claim.rows:
            return 0
        self._coupons = []
        try:
            shop = Shop.current()
            for mail, order in self._composed(claim, shop):
                if self._over(min(end, claim.ends)):
                    break
                self._send_one(mail, order, claim.token, shop)
        finally:
            self._persist(lambda: change(RELEASE, {"token": claim.token}))
        if self._coupons:
            self._persist(lambda: couponing.take_back(self._coupons))
        return len(claim.rows)

    def _composed(self, claim: Claim, shop: Shop) -> Iterable[tuple[StableMessage, composing.Order]]:
        """The mails of a claim in its order; what cannot be made is failed and left out."""
        orders: dict[UUID, composing.Order] = {}
        for kind, purpose in {(kind, purpose) for _pk, kind, purpose in claim.rows}:
            ids = [pk for pk, *of in claim.rows if of == [kind, purpose]]
            orders |= self._persist(partial(composing.load, ids, kind, purpose, shop))
        versions = TemplateVersion.objects.in_bulk({order.version_id for order in orders.values()})
        orders = self._persist(lambda: couponing.with_codes(orders, versions))
        self._coupons = [pk for pk, order in orders.items() if order.coupon]
        counted = {(order.campaign_id, order.version_id) for order in orders.values() if order.tracking}
        codes = {pair: tracking.codes(pair[0], versions[pair[1]]) for pair in counted}
        for pk, *_of in claim.rows:
            if pk not in orders:
                continue
            order = orders[pk]
            if not order.address or (order.coupon_batch and not order.coupon):
                # The gate says why: it stays the one place that refuses.
                yield StableMessage(), order
                continue
            try:
                mail = composing.compose(
                    order, shop, versions[order.version_id], codes.get((order.campaign_id, order.version_id))
                )
                mail.wire  # noqa: B018 - made now: what cannot be made must fail before the gate
            except rendering.RenderError as error:
                self._fail(pk, claim.token, "render_error", str(error))
            except ValueError:
                self._fail(pk, claim.token, "impossible_address", "")
            except Exception as error:  # one bad row must not stop the queue
                if isinstance(error, (OperationalError, InterfaceError)):
                    raise
                log.error("mail_not_made", delivery=str(pk), error=type(error).__name__)
                self._fail(pk, claim.token, "render_error", type(error).__name__)
            else:
                yield mail, order

    def _fail(self, pk: UUID, token: UUID, reason: str, detail: str) -> None:
        parameters = {"id": pk, "token": token, "reason": reason, "reply": detail[:300]}
        self._persist(lambda: change(FAIL, parameters))

    def _send_one(self, mail: StableMessage, order: composing.Order, token: UUID, shop: Shop) -> None:
        if not self._pass_gate(order, token, shop):
            return
        self.on_wire = True
        try:
            outcome = self.mail.send(mail, seconds=2 * settings.SEND_LEASE_S)
        except Exception as error:  # a transport that fails in a way of its own: it may have been sent
            log.error("transport_failed", delivery=str(order.id), error=type(error).__name__)
            outcome = Outcome(Verdict.UNKNOWN, type(error).__name__)
        finally:
            self.on_wire = False
        self._settle(order, token, outcome)

    def _pass_gate(self, order: composing.Order, token: UUID, shop: Shop) -> bool:
        try:
            return gating.gate(order, token, shop, self.mail.name) == "go"
        except (OperationalError, InterfaceError) as error:
            if not passes_by_itself(error):
                raise
            # Whether the gate's transaction was committed is unclear, that nothing was sent is not.
            parameters = {"id": order.id, "token": token, "reply": "", "pause": timedelta(0)}
            self._persist(lambda: change(GIVE_BACK, parameters))
            return False

    def _settle(self, order: composing.Order, token: UUID, outcome: Outcome) -> None:
        given: dict[str, Any] = {"id": order.id, "token": token, "reply": outcome.reply}
        if outcome.verdict is Verdict.SENT:
            self.sent += 1
            self._troubles = 0
            parameters = given | {"state": "sent", "reason": None, "provider_id": outcome.provider_id}
            self._persist(lambda: change(SETTLE, parameters))
        elif outcome.verdict is Verdict.UNKNOWN:
            self._persist(lambda: change(DOUBT, given))
        elif outcome.verdict is Verdict.REFUSED:
            parameters = given | {"state": "failed", "reason": "refused", "provider_id": ""}
            self._persist(lambda: change(SETTLE, parameters))
            if outcome.no_mailbox:
                mark_undeliverable(order.customer_id, order.address)
        else:
            self._persist(lambda: change(GIVE_BACK, given | {"pause": _pause(order.id)}))
            if outcome.everybody:
                self._rest()

    def _rest(self) -> None:
        """The mail server is in trouble: leave it alone for a while, longer each time."""
        self._troubles += 1
        self.pause_until = time.monotonic() + min(2.0**self._troubles, 60)
        log.warning("mail_server_in_trouble", times=self._troubles)

    def _persist(self, statement: Callable[[], Result]) -> Result:
        """Run a fenced statement until PostgreSQL takes it: an answer that a mail was sent must not get lost."""
        pause = 0.05
        while True:
            try:
                return statement()
            except (OperationalError, InterfaceError) as error:
                if not passes_by_itself(error) or connection.in_atomic_block:
                    raise
                connection.close()
                log.warning("database_away", error=type(error).__name__)
                time.sleep(pause)
                pause = min(pause * 2, 2.0)

    def close(self) -> None:
        self.mail.close()


def _pause(delivery_id: UUID) -> timedelta:
    """Seconds until the next attempt, doubling with each deferral, with a random part so that not all come at once."""
    deferrals = (fetch("SELECT deferrals FROM campaigns_delivery WHERE id = %s", [delivery_id]) or [(0,)])[0][0]
    seconds = min(FIRST_PAUSE_S * 2.0 ** min(deferrals, 12), LONGEST_PAUSE_S)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def mark_undeliverable(customer_id: int, address: str) -> None:
    """The mailbox does not exist: no mail to it any more, whoever else names it."""
    normals = ContactPoint.objects.filter(customer_id=customer_id, kind="email", value=address)
    ContactPoint.objects.filter(kind="email", normal__in=normals.values("normal")).update(
        state=ContactPoint.State.HARD_BOUNCED
    )


def fetch(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def change(statement: str, parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def beat(name: str, sent: int) -> None:
    """Say by the database's clock that this sender lives."""
    change(
        "INSERT INTO campaigns_senderheartbeat (name, at, sent) VALUES (%s, clock_timestamp(), %s) "
        "ON CONFLICT (name) DO UPDATE SET at = excluded.at, sent = excluded.sent",
        [name, sent],
    )


def anything_due() -> bool:
    """Whether a mail waits that could go now."""
    statement = """SELECT EXISTS (SELECT FROM campaigns_delivery delivery JOIN campaigns_campaign campaign
      ON campaign.id = delivery.campaign_id
      WHERE delivery.state = 'planned' AND delivery.not_before <= now() AND delivery.not_after > now()
        AND campaign.status = 'running' AND (campaign.switched_on OR NOT campaign.standing))"""
    return bool(fetch(statement, [])[0][0])


def forget_old_senders() -> None:
    change("DELETE FROM campaigns_senderheartbeat WHERE at < %s", [now() - timedelta(days=1)])
