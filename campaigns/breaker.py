"""What stops mails when something is wrong: with a mail server, with one domain behind it, or with a campaign.

All of it stands in rows, so that several senders agree. A server or a domain in trouble rests, longer each time, and
then one mail tries (half open). A campaign whose mails fail is stopped and waits for a person: trying harder would
only burn the sender's name. `docs/sending.md` has the numbers.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import recipes
from campaigns.ledger import change, fetch
from campaigns.models import Campaign, Circuit, Delivery, Pulse
from crm import display

log = structlog.get_logger(__name__)

FORGOTTEN_AFTER = timedelta(minutes=10)
RECENT, MOST_ERRORS = 200, 40  # 20 % of the last 200
MOST_UNFILLED, MOST_UNFILLED_SHARE = 20, 0.02
CODES = re.compile(r"^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?")


@dataclass(frozen=True)
class Patience:
    """failures: with so many in a row it rests; first_s, longest_s: seconds of the first rest, and of any."""

    failures: int
    first_s: float
    longest_s: float


SERVER = Patience(1, 2, 60)
DOMAIN = Patience(3, 30, 1800)

# Every reporter locks the row, so that each sees what the one before wrote.
KNOWN = """
INSERT INTO campaigns_circuit (transport, domain) VALUES (%(transport)s, %(domain)s)
ON CONFLICT (transport, domain) DO UPDATE SET domain = excluded.domain
RETURNING id, state, failures, rests_until > clock_timestamp(), changed_at < clock_timestamp() - %(forgotten)s
"""
REST = """
UPDATE campaigns_circuit SET state = %(state)s, failures = %(failures)s, reply = %(reply)s,
  since = CASE WHEN state = 'closed' THEN clock_timestamp() ELSE since END,
  rests_until = clock_timestamp() + %(rest)s, changed_at = clock_timestamp()
WHERE id = %(id)s
"""
ENTER = """SELECT rests_until <= statement_timestamp() FROM campaigns_circuit
WHERE transport = %s AND domain = '' AND state <> 'closed'"""
TRY = """
UPDATE campaigns_circuit SET state = 'half_open', rests_until = statement_timestamp() + %s, changed_at = statement_timestamp()
WHERE transport = %s AND domain = '' AND state <> 'closed' AND rests_until <= statement_timestamp()
"""
BEAT = """
INSERT INTO campaigns_pulse AS pulse (campaign_id, handled, unfilled, recent)
VALUES (%(id)s, %(handled)s, %(unfilled)s, right(%(marks)s, 200))
ON CONFLICT (campaign_id) DO UPDATE SET handled = pulse.handled + excluded.handled,
  unfilled = pulse.unfilled + excluded.unfilled, recent = right(pulse.recent || excluded.recent, 200)
RETURNING handled, unfilled, recent, tripped_at IS NOT NULL
"""
# Other senders may still finish mails after the campaign was stopped; only one that went after it was resumed counts.
WELL_AGAIN = """
UPDATE campaigns_pulse SET tripped_at = NULL, reason = '' WHERE campaign_id = %s AND EXISTS (
  SELECT FROM campaigns_campaign WHERE id = campaign_id AND status = 'running' AND (switched_on OR NOT standing))
"""


class Passage(StrEnum):
    """Whether mails may go to a server: OPEN, only ONE to try, or NONE while it rests."""

    OPEN = "open"
    ONE = "one"
    NONE = "none"


def enter(transport: str) -> Passage:
    """Ask before mails are claimed. ONE is given to one sender at a time, for as long as a mail may take."""
    rows = fetch(ENTER, [transport])
    if not rows:
        return Passage.OPEN
    lease = timedelta(seconds=2 * settings.SEND_LEASE_S)
    return Passage.ONE if rows[0][0] and change(TRY, [lease, transport]) else Passage.NONE


@transaction.atomic
def trouble(transport: str, reply: str, domain: str = "") -> float:
    """Note trouble with a server (no domain), or with one domain behind it. Returns seconds it rests, 0 for not yet.

    Several senders report one outage: what rests already does not rest longer for it.
    """
    patience = DOMAIN if domain else SERVER
    row = fetch(KNOWN, {"transport": transport, "domain": domain, "forgotten": FORGOTTEN_AFTER})[0]
    pk, state, failures, resting, forgotten = row
    if state == Circuit.State.OPEN and resting:
        return 0
    failures = 1 if state == Circuit.State.CLOSED and forgotten else failures + 1
    rests = failures >= patience.failures
    doublings = min(failures - patience.failures, 20)
    seconds = min(patience.first_s * 2.0**doublings, patience.longest_s) if rests else 0.0
    seconds *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    found = CODES.match(reply)
    change(
        REST,
        {
            "id": pk,
            "state": Circuit.State.OPEN if rests else Circuit.State.CLOSED,
            "failures": failures,
            "reply": found.group().replace("-", " ", 1) if found else "",
            "rest": timedelta(seconds=seconds),
        },
    )
    if rests:
        log.warning("mail_server_in_trouble", times=failures, one_domain=bool(domain))
    return seconds


def recovered(transport: str, domain: str = "") -> None:
    """A mail went: nothing rests any more."""
    Circuit.objects.filter(transport=transport, domain=domain).delete()


def give_way(transport: str) -> None:
    """Nothing was there to try with: the next who has something may."""
    Circuit.objects.filter(transport=transport, domain="", state=Circuit.State.HALF_OPEN).update(rests_until=now())


def try_now(circuit_id: int) -> bool:
    """Let one mail try at once. Returns whether it still rested."""
    resting = Circuit.objects.filter(pk=circuit_id).exclude(state=Circuit.State.CLOSED)
    return bool(resting.update(rests_until=now()))


def forget_old() -> None:
    """Trouble that was noted, made nothing rest and did not come back; and rests that nobody had a mail for."""
    Circuit.objects.filter(state=Circuit.State.CLOSED, changed_at__lt=now() - FORGOTTEN_AFTER).delete()
    Circuit.objects.exclude(domain="").filter(rests_until__lt=now() - timedelta(days=1)).delete()


# Campaigns


def note(campaign_id: int, marks: str, unfilled: int = 0) -> bool:
    """Note how a campaign's mails fared: one character a mail, 1 for an error. Returns whether it is stopped now.

    unfilled: how many of the errors are texts that could not be filled in.
    """
    given = {"id": campaign_id, "handled": len(marks), "unfilled": unfilled, "marks": marks}
    handled, texts, recent, tripped = fetch(BEAT, given)[0]
    errors = recent.count("1")
    if texts > max(MOST_UNFILLED, MOST_UNFILLED_SHARE * handled):
        return _stop(campaign_id, Pulse.Reason.TEXT, texts, handled)
    if errors >= MOST_ERRORS:
        return _stop(campaign_id, Pulse.Reason.REFUSED, errors, len(recent))
    if tripped and "0" in marks:
        change(WELL_AGAIN, [campaign_id])
    return False


def came_back(delivery_ids: Sequence[UUID]) -> None:
    """Mails that had gone came back for good; what was refused on the way is noted by its sender."""
    gone = Delivery.objects.filter(pk__in=delivery_ids, state=Delivery.State.SENT).values("campaign_id")
    for campaign_id, number in gone.annotate(n=Count("pk")).order_by("campaign_id").values_list("campaign_id", "n"):
        note(campaign_id, "1" * number)


@transaction.atomic
def _stop(campaign_id: int, reason: str, errors: int, of: int) -> bool:
    """Stop a campaign and begin its count anew, so that whoever resumes it is not stopped by what was before.

    What people asked for (double opt-in …) goes on; it only shows.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
    Pulse.objects.filter(pk=campaign_id).update(
        handled=0, unfilled=0, recent="", tripped_at=now(), reason=reason, errors=errors, of=of
    )
    if _asked_for(campaign):
        return False
    if campaign.standing:
        Campaign.objects.filter(pk=campaign_id).update(switched_on=False)
    elif campaign.status == Campaign.Status.RUNNING:
        Campaign.objects.filter(pk=campaign_id).update(status=Campaign.Status.PAUSED)
    log.error("campaign_stopped", campaign=campaign_id, reason=str(reason), errors=errors, of=of)
    return True


def why(pulse: Pulse | None) -> str:
    """Why the breaker stopped a campaign and what to do, as a sentence; '' if it did not, or it goes on by now.

    What people asked for goes on while its mails fail, and says so until one arrives.
    """
    if pulse is None or pulse.tripped_at is None or not (_rests(pulse.campaign) or _asked_for(pulse.campaign)):
        return ""
    numbers = {"errors": display.number(pulse.errors), "all": display.number(pulse.of)}
    return f"{_what_happened(pulse)} {_what_to_do(pulse)}" % numbers


def _what_happened(pulse: Pulse) -> str:
    goes_on, text = _asked_for(pulse.campaign), pulse.reason == Pulse.Reason.TEXT
    if goes_on and text:
        return _("The text could not be filled in for %(errors)s of %(all)s people, and no mail went since.")
    if goes_on:
        return _("Mail servers refused %(errors)s of the last %(all)s mails, and no mail went since.")
    if text:
        return _("Stopped by itself: the text could not be filled in for %(errors)s of %(all)s people.")
    return _("Stopped by itself: mail servers refused %(errors)s of the last %(all)s mails.")


def _what_to_do(pulse: Pulse) -> str:
    campaign = pulse.campaign
    if _asked_for(campaign):
        return _("It goes on, for people wait for it. Look at the reasons on its page soon.")
    if pulse.reason != Pulse.Reason.TEXT:
        return _(
            "Look at their answers before you let it go on: addresses that do not exist and mails taken for spam damage "
            "the sender's name."
        )
    if campaign.standing:
        return _("Look at the reasons on its page, mend the text, then switch it on again.")
    return _("Look at the reasons on its page, mend the text in a copy, or resume if it was something else.")


def why_of(campaign: Campaign) -> str:
    """As `why`, for one campaign. One query while it rests, else none."""
    return why(Pulse.objects.select_related("campaign").filter(pk=campaign.pk).first()) if _rests(campaign) else ""


def _asked_for(campaign: Campaign) -> bool:
    recipe = recipes.everything().get(campaign.recipe)
    return bool(recipe and recipe.message_class == "transactional")


def _rests(campaign: Campaign) -> bool:
    return not campaign.switched_on if campaign.standing else campaign.status == Campaign.Status.PAUSED


def stopped() -> list[tuple[Campaign, str]]:
    """The campaigns that the breaker stopped and nobody resumed, or would have stopped, with the reason. One query."""
    pulses = Pulse.objects.exclude(tripped_at=None).select_related("campaign").order_by("-tripped_at")
    return [(pulse.campaign, sentence) for pulse in pulses if (sentence := why(pulse))]


def server_finding() -> str:
    """For /readyz: "ok", or which mail server rests after several tries, with its last answer."""
    row = Circuit.objects.filter(domain="", failures__gte=3).exclude(state=Circuit.State.CLOSED).first()
    return "ok" if row is None else f"the mail server rests after {row.failures} failures ({row.reply or 'no answer'})"
