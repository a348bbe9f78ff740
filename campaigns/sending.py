"""Claim, gate, send, settle: the life of a delivery, one fenced UPDATE for each step (the gate is `campaigns.gating`).

Nothing is locked while a mail server talks. Two states keep what a crash leaves behind small: `claimed` (certainly not
sent, safe to give back) and `sending` (nobody can know, at most one a sender). `docs/sending.md` has the whole picture.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from campaigns import bounces, breaker, composing, couponing, gating, pacing, rendering, tracking, transport
from campaigns.breaker import Passage
from campaigns.ledger import CLAIM, DOUBT, FAIL, GIVE_BACK, RELEASE, SETTLE, change, fetch, passes_by_itself, persist
from campaigns.message import StableMessage
from campaigns.models import TemplateVersion
from campaigns.transport import Outcome, Transport, Verdict
from crm.models import Shop

log = structlog.get_logger(__name__)

BATCH, ALONE = 50, 10
CRASHES_ALLOWED = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30, 6 * 3600
LONGEST_WAIT_S = 2.0
FLUSH_ERRORS = 20
SMTP = "smtp"


@dataclass(frozen=True)
class Claim:
    """Rows that are ours while `token` stands in them. `ends`: when the work on them must stop (monotonic seconds).

    paced: whether there are limits or rests that the gate has to look at.
    """

    token: UUID
    rows: Sequence[tuple[UUID, str, str]]
    ends: float
    paced: bool = True


class Sender:
    """One claim loop. `stop` ends it after the mail in hand; `transport` is kept for all mails of its life."""

    def __init__(self, name: str, mail: Transport | None = None, stop: Event | None = None) -> None:
        self.name = name
        self.mail = mail or transport.configured()
        self.stop = stop or Event()
        self.on_wire = False
        self.sent = 0
        self.pause_until = 0.0
        self._paced = True
        self._trying = self._probing = self._full = False
        self._noted: set[str] = set()
        self._just_busy = ""
        self._marks: dict[int, str] = {}
        self._unfilled: Counter[int] = Counter()
        self._stopped: set[int] = set()
        self._coupons: list[UUID] = []
        self._answer: dict[str, Any] | None = None

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
        passage = persist(lambda: breaker.enter(self.mail.name))
        self._trying = passage is Passage.ONE
        if passage is Passage.NONE:
            return Claim(uuid4(), [], 0)
        token = uuid4()
        # Read before the statement: our clock must not run out later than the database's.
        ends = time.monotonic() + settings.SEND_LEASE_S / 2
        wanted = (1, 32_000) if suspects else (0, 0)
        parameters = pacing.parameters(Shop.current(), self.mail.name) | {
            "limit": 1 if self._trying else limit,
            "token": token,
            "lease": gating.lease(),
            "least": wanted[0],
            "most": wanted[1],
        }
        rows = persist(lambda: fetch(CLAIM, parameters))
        if self._trying and not rows:
            persist(lambda: breaker.give_way(self.mail.name))
        rows.sort(key=lambda row: (row[3], row[4], row[0]))
        paced = any(row[5] for row in rows)
        return Claim(token, [(pk, kind, purpose) for pk, kind, purpose, *_more in rows], ends, paced)

    def _send_all(self, claim: Claim, end: float) -> int:
        """Send what was claimed, and give back what there is no time for. Returns how many rows there were."""
        if not claim.rows:
            return 0
        self._coupons, self._full, self._paced = [], False, claim.paced
        try:
            shop = Shop.current()
            # All of them are made before the first goes: nothing shall delay a note, or a mail behind the gate.
            for mail, order in self._composed(claim, shop, end):
                if self._full or self._over(min(end, claim.ends)):
                    break
                self._send_one(mail, order, claim.token, shop)
        finally:
            self._write_answer()
            persist(lambda: change(RELEASE, {"token": claim.token}))
            if self._trying:  # the mail never came to the wire, or its answer said nothing about the server
                self._trying = False
                persist(lambda: breaker.give_way(self.mail.name))
            self._tell_breaker()
        if self._coupons:
            persist(lambda: couponing.take_back(self._coupons))
        return len(claim.rows)

    def _composed(self, claim: Claim, shop: Shop, end: float = math.inf) -> list[tuple[StableMessage, composing.Order]]:
        """The mails of a claim in its order, for as long as there is time; what cannot be made is failed and left out."""
        orders: dict[UUID, composing.Order] = {}
        for kind, purpose in {(kind, purpose) for _pk, kind, purpose in claim.rows}:
            ids = [pk for pk, *of in claim.rows if of == [kind, purpose]]
            orders |= persist(partial(composing.load, ids, kind, purpose, shop))
        versions = TemplateVersion.objects.in_bulk({order.version_id for order in orders.values()})
        orders = persist(lambda: couponing.with_codes(orders, versions))
        self._coupons = [pk for pk, order in orders.items() if order.coupon]
        counted = {(order.campaign_id, order.version_id) for order in orders.values() if order.tracking}
        codes = {pair: tracking.codes(pair[0], versions[pair[1]]) for pair in counted}
        mails: list[tuple[StableMessage, composing.Order]] = []
        for order in (orders[pk] for pk, *_of in claim.rows if pk in orders):
            if self._over(min(end, claim.ends)):
                break
            if order.campaign_id in self._stopped:  # by one of the mails before
                continue
            version = versions[order.version_id]
            if mail := self._made(order, claim.token, shop, version, codes.get((order.campaign_id, version.pk))):
                mails.append((mail, order))
        return mails

    def _made(
        self, order: composing.Order, token: UUID, shop: Shop, version: TemplateVersion, codes: Mapping[int, str] | None
    ) -> StableMessage | None:
        """The mail of an order; None if it cannot be made, which is written down."""
        if not order.address or (order.coupon_batch and not order.coupon):
            return StableMessage()  # the gate says why: it stays the one place that refuses
        try:
            mail = composing.compose(order, shop, version, codes)
            mail.wire  # noqa: B018 - made now: what cannot be made must fail before the gate
        except rendering.RenderError as error:
            self._fail(order, token, "render_error", str(error))
        except ValueError:
            self._fail(order, token, "impossible_address", "")
        except Exception as error:  # one bad row must not stop the queue
            if isinstance(error, OperationalError | InterfaceError) or passes_by_itself(error):
                raise
            log.error("mail_not_made", delivery=str(order.id), error=type(error).__name__)
            self._fail(order, token, "render_error", type(error).__name__)
        else:
            return mail
        return None

    def _fail(self, order: composing.Order, token: UUID, reason: str, detail: str) -> None:
        parameters = {"id": order.id, "token": token, "reason": reason, "reply": detail[:300]}
        persist(lambda: change(FAIL, parameters))
        self._mark(order, "1", unfilled=reason == "render_error")

    def _send_one(self, mail: StableMessage, order: composing.Order, token: UUID, shop: Shop) -> None:
        # Read before the gate opens: who is held up in between must not begin anew when the row may be another's.
        deadline = time.monotonic() + 2 * settings.SEND_LEASE_S
        if not self._pass_gate(order, token, shop):
            return
        self.on_wire = True
        try:
            outcome = self.mail.send(mail, deadline)
        except Exception as error:  # a transport that fails in a way of its own: it may have been sent
            log.error("transport_failed", delivery=str(order.id), error=type(error).__name__)
            outcome = Outcome(Verdict.UNKNOWN, type(error).__name__)
        finally:
            self.on_wire = False
        self._settle(order, token, outcome)
        self._learn(order, outcome)

    def _pass_gate(self, order: composing.Order, token: UUID, shop: Shop) -> bool:
        """Ask the gate, and write with it what became of the mail before."""
        answer = self._answer
        try:
            ruling = gating.gate(order, token, shop, self.mail.name, paced=self._paced, answer=answer)
        except (DatabaseError, InterfaceError) as error:
            self._write_answer()
            if passes_by_itself(error):
                # Whether the gate's transaction was committed is unclear, that nothing was sent is not.
                parameters = {"id": order.id, "token": token, "reply": "", "pause": timedelta(0)}
                persist(lambda: change(GIVE_BACK, parameters))
                return False
            if answer is None:
                raise
            return self._pass_gate(order, token, shop)
        self._answer = None
        self._full, self._probing = ruling == "full", ruling == "probe"
        return ruling in ("go", "probe")

    def _settle(self, order: composing.Order, token: UUID, outcome: Outcome) -> None:
        """Write what became of a mail. That it was taken is written with the next gate, or before the claim ends."""
        given: dict[str, Any] = {"id": order.id, "token": token, "reply": outcome.reply}
        if outcome.verdict is Verdict.SENT:
            self.sent += 1
            self._answer = given | {"state": "sent", "reason": "", "provider_id": outcome.provider_id}
        elif outcome.verdict is Verdict.UNKNOWN:
            persist(lambda: change(DOUBT, given))
        elif outcome.verdict is Verdict.REFUSED:
            parameters = given | {"state": "failed", "reason": "refused", "provider_id": ""}
            persist(lambda: change(SETTLE, parameters))
            if outcome.reply.startswith("5"):  # a mail server's word on the mailbox; an ESP's on a request is none
                persist(lambda: bounces.refused(order.id, outcome.reply, SMTP))
        else:
            persist(lambda: change(GIVE_BACK, given | {"pause": _pause(order.id)}))

    def _write_answer(self) -> None:
        """Write what became of the last mail, if no gate took it along."""
        if answer := self._answer:
            persist(lambda: change(SETTLE, answer))
            self._answer = None

    def _learn(self, order: composing.Order, outcome: Outcome) -> None:
        """Draw the conclusions about server, domain and campaign."""
        domain = domain_of(order)
        if outcome.verdict in (Verdict.SENT, Verdict.REFUSED):
            self._mark(order, "0" if outcome.verdict is Verdict.SENT else "1")
            if self._probing or domain in self._noted:
                self._noted.discard(domain)
                persist(lambda: breaker.recovered(self.mail.name, domain))
        elif outcome.everybody or (outcome.busy and self._just_busy not in ("", domain)):
            self._rest(outcome.reply)
            return
        elif outcome.domain:
            self._noted.add(domain)
            rests = persist(lambda: breaker.trouble(self.mail.name, outcome.reply, domain))
            self._paced = self._paced or rests > 0
        self._just_busy = domain if outcome.busy else ""
        if self._trying and outcome.reply:  # the server answered to the point, whatever it said of this mail
            self._trying = False
            persist(lambda: breaker.recovered(self.mail.name))

    def _rest(self, reply: str) -> None:
        """The mail server is in trouble: every sender leaves it alone for a while, longer each time."""
        seconds = persist(lambda: breaker.trouble(self.mail.name, reply))
        # Another sender, or a person, may find out earlier that it is over.
        self.pause_until = time.monotonic() + min(seconds, LONGEST_WAIT_S)

    def _mark(self, order: composing.Order, mark: str, *, unfilled: bool = False) -> None:
        marks = self._marks[order.campaign_id] = self._marks.get(order.campaign_id, "") + mark
        self._unfilled[order.campaign_id] += unfilled
        if mark == "1" and marks.count("1") >= FLUSH_ERRORS:
            self._tell_breaker()

    def _tell_breaker(self) -> None:
        """Note how the mails fared; what the breaker stops, is made no further."""
        marks, unfilled = self._marks, self._unfilled
        self._marks, self._unfilled = {}, Counter()
        self._stopped = {pk for pk, seen in marks.items() if persist(partial(breaker.note, pk, seen, unfilled[pk]))}

    def close(self) -> None:
        self.mail.close()


def _pause(delivery_id: UUID) -> timedelta:
    """Seconds until the next attempt, doubling with each deferral, with a random part so that not all come at once."""
    deferrals = (fetch("SELECT deferrals FROM campaigns_delivery WHERE id = %s", [delivery_id]) or [(0,)])[0][0]
    seconds = min(FIRST_PAUSE_S * 2.0 ** min(deferrals, 12), LONGEST_PAUSE_S)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def domain_of(order: composing.Order) -> str:
    """As Delivery.domain has it."""
    return order.address.partition("@")[2].lower()[:80]
