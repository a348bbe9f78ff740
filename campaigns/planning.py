"""Planning as others use it: what turns an occasion, or a launch, into delivery rows.

The statement stands in `campaigns.freezing`, what comes by itself in `campaigns.occasions`, the life of a mailing in
`campaigns.launching`.
"""

from typing import Any

from django.db import connection

from campaigns.freezing import Audience, preview
from campaigns.launching import (
    Checked,
    LaunchError,
    advance_campaigns,
    cancel,
    check,
    launch,
    pause,
    reschedule,
    resume,
    switch,
    touched,
)
from campaigns.models import Delivery, Run
from campaigns.occasions import end_of, plan_calendar_if_due, plan_due, plan_events, plan_occasions

__all__ = [
    "Audience",
    "Checked",
    "LaunchError",
    "advance_campaigns",
    "cancel",
    "check",
    "counts",
    "end_of",
    "launch",
    "pause",
    "plan_calendar_if_due",
    "plan_due",
    "plan_events",
    "plan_occasions",
    "preview",
    "reasons",
    "reschedule",
    "resume",
    "switch",
    "touched",
]


def counts(run: Run) -> dict[str, Any]:
    """A run's deliveries by state; states without any are 0."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, count(*) FROM campaigns_delivery WHERE campaign_id = %s AND run_id = %s GROUP BY 1",
            [run.campaign_id, run.pk],
        )
        return dict.fromkeys(Delivery.State.values, 0) | dict(cursor.fetchall())


def reasons(run: Run) -> dict[str, int]:
    """A run's refused or failed deliveries by reason, the most frequent first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reason, count(*) FROM campaigns_delivery WHERE campaign_id = %s AND run_id = %s "
            "AND state IN ('suppressed', 'failed', 'quarantined') GROUP BY 1 ORDER BY 2 DESC, 1",
            [run.campaign_id, run.pk],
        )
        return dict(cursor.fetchall())
