"""How a mailing stands: its mails by state, why some did not go, how fast it goes and how long that takes."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils.translation import ngettext

from campaigns.models import Campaign, Delivery
from crm import display

State = Delivery.State
NOT_SENT = (State.SUPPRESSED, State.FAILED, State.QUARANTINED)
OPEN = (State.PLANNED, State.CLAIMED, State.SENDING)
LATELY = timedelta(minutes=5)

STATES = "SELECT state, count(*) FROM campaigns_delivery WHERE campaign_id = %s GROUP BY 1"
REASONS = """
SELECT reason, count(*) FROM campaigns_delivery
WHERE campaign_id = %s AND state IN ('suppressed', 'failed', 'quarantined') GROUP BY 1 ORDER BY 2 DESC, 1
"""
# What went lately is found by transport and time, however many mails the mailing has; there are few transports.
LATELY_SENT = """
WITH RECURSIVE used AS (
  (SELECT transport FROM campaigns_delivery WHERE state = 'sent' ORDER BY transport LIMIT 1)
  UNION ALL
  SELECT (SELECT next.transport FROM campaigns_delivery next WHERE next.state = 'sent' AND next.transport > used.transport
          ORDER BY next.transport LIMIT 1)
  FROM used WHERE used.transport IS NOT NULL
)
SELECT count(*), extract(epoch FROM now() - min(sent.sending_at))::float FROM used
JOIN campaigns_delivery sent ON sent.state = 'sent' AND sent.transport = used.transport
  AND sent.sending_at > now() - %(lately)s AND sent.campaign_id = %(campaign)s
"""


@dataclass(frozen=True)
class Progress:
    """`counts` by state, `reasons` of those not sent, the most frequent first; `rate` in mails a minute, over the last
    five; None while nothing went."""

    counts: dict[str, int]
    reasons: dict[str, int]
    rate: float | None = None

    @property
    def open(self) -> int:
        return sum(self.counts.get(state, 0) for state in OPEN)

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at this rate."""
        return timedelta(minutes=self.open / self.rate) if self.rate else None


def of_campaign(campaign: Campaign) -> Progress:
    """Three statements at most. The rate is asked for only while the mailing runs."""
    with connection.cursor() as cursor:
        cursor.execute(STATES, [campaign.pk])
        counts = dict(cursor.fetchall())
        cursor.execute(REASONS, [campaign.pk])
        reasons = dict(cursor.fetchall())
        if campaign.status != Campaign.Status.RUNNING:
            return Progress(counts, reasons)
        asked: dict[str, Any] = {"lately": LATELY, "campaign": campaign.pk}
        cursor.execute(LATELY_SENT, asked)
        number, seconds = cursor.fetchone()
    # Of a run that just began: its first seconds say little, so they count as a quarter of a minute at least.
    return Progress(counts, reasons, 60 * number / max(seconds, 15) if number else None)


def about(span: timedelta) -> str:
    """A span as people say it: 40 seconds, 12 minutes, 3 hours, 2 days."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 90:
        return ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": display.number(seconds)}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": display.number(minutes)}
    hours = round(seconds / 3600)
    if hours < 48:
        return ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": display.number(hours)}
    days = round(seconds / 86400)
    return ngettext("%(n)s day", "%(n)s days", days) % {"n": display.number(days)}
