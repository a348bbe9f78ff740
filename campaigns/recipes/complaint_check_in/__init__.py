"""A few days after a complaint is closed: is it really solved? No advertising, and no survey."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import LIVING, ZONE, at, written
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.complaint_check_in.texts import BLOCKS, SUBJECT

AFTER = Setting("days_after", _("Days after the closing"), "number", 3, minimum=1, maximum=30)
DAY = f"(event.occurred_at AT TIME ZONE ({ZONE}))::date + %(audience_after)s::int"
AUDIENCE = f"""
SELECT customer.id AS customer_id, 'check_in:' || complaint.id AS dedupe_key,
       'complaint:' || complaint.id || ':' || (event.occurred_at AT TIME ZONE %(audience_zone)s)::date AS cause,
       event.id AS event_id, {at(DAY)} AS not_before, {at(f"{DAY} + 3")} AS not_after
FROM crm_event event
JOIN crm_complaint complaint ON complaint.id = (event.detail->>'complaint')::bigint
JOIN crm_customer customer ON customer.id = complaint.customer_id
WHERE event.id = ANY(%(audience_events)s) AND complaint.state = 'closed' AND {LIVING}
"""
# Whoever has another case or an alert open hears from the person who looks after it; nobody writes past them.
AT_PEACE = """customer.restricted_at IS NULL
    AND NOT EXISTS (SELECT FROM crm_complaint open WHERE open.customer_id = customer.id AND open.state <> 'closed')
    AND NOT EXISTS (SELECT FROM crm_hold hold WHERE hold.customer_id = customer.id AND hold.lifted_at IS NULL
                    AND (hold.until IS NULL OR hold.until > now()))"""
STILL_CLOSED = f"""EXISTS (SELECT FROM crm_complaint settled JOIN crm_customer customer ON customer.id = settled.customer_id
    WHERE settled.id = split_part(mine.cause, ':', 2)::bigint AND settled.customer_id = mine.customer_id
      AND settled.state = 'closed' AND {AT_PEACE})"""


def audience(moment: Moment) -> Query:
    """Whose complaint was closed, on the morning some days later. Late by three days, it does not go any more."""
    return AUDIENCE, local_days.parameters(moment) | {
        "audience_events": list(moment.event_ids),
        "audience_after": AFTER.of(moment.campaign),
    }


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The number staff say on the phone, and the day on which the case was closed."""
    _name, number, day = detail["cause"].split(":")
    return {"complaint_number": f"R-{number}", "closed_on": written(date.fromisoformat(day), language)}


RECIPE = Recipe(
    code="complaint_check_in",
    label=_("Check-in after a complaint"),
    description=_("Asks some days after a complaint was closed whether anything is still open. Advertises nothing."),
    occasion=Occasion.EVENT,
    event_kind="complaint.closed",
    audience=audience,
    # Part of handling the complaint while it holds nothing else.
    message_class="transactional",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"complaint_number": "R-17", "closed_on": "20. November 2026"},
    more_values=more_values,
    example={"cause": "complaint:17:2026-11-20"},
    cause_holds=STILL_CLOSED,
    priority=20,
    settings=(AFTER,),
    at_most=_("Once for each complaint."),
)
