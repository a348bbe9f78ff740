"""Some weeks before a contract's term ends: the day, and a talk with a person who is named. No offer."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import LIVING, at, written
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.complaint_check_in import AT_PEACE
from campaigns.recipes.contract_end.texts import BLOCKS, SUBJECT

BEFORE = Setting(
    "days_before",
    _("Days before the end of the term"),
    "number",
    45,
    help=_("Leave people time to decide, and to give notice."),
    minimum=7,
    maximum=180,
)
# A term that becomes known later than this many days after its due day gets no mail any more.
OPEN_DAYS = 7
RENEWS, ENDS = "renews", "ends"
# The latest word on each signal counts, as in `loyalty.metrics`; the term's end is that of `loyalty.judging`. Whoever gave
# notice has decided: writing to them would be an attempt to win them back, which is advertising.
TERMS = f"""
  SELECT term.customer_id, (term.recorded_on + term.value * interval '1 month')::date AS ends_on,
         CASE WHEN term.renews > 0 THEN '{RENEWS}' ELSE '{ENDS}' END AS then_what
  FROM (
    SELECT customer_id,
      max(value) FILTER (WHERE signal = 'remaining_months') AS value,
      max(recorded_on) FILTER (WHERE signal = 'remaining_months') AS recorded_on,
      max(value) FILTER (WHERE signal = 'auto_renewal') AS renews,
      max(value) FILTER (WHERE signal = 'contract_cancelled') AS cancelled
    FROM (
      SELECT DISTINCT ON (customer_id, signal) customer_id, signal, value::float8 AS value, expires_at,
             (recorded_at AT TIME ZONE {{zone}})::date AS recorded_on
      FROM crm_barrierfact WHERE recorded_at <= now() {{only}}
        AND signal IN ('remaining_months', 'auto_renewal', 'contract_cancelled')
      ORDER BY customer_id, signal, recorded_at DESC, id DESC
    ) latest
    WHERE expires_at IS NULL OR expires_at > now()
    GROUP BY customer_id
  ) term
  WHERE term.value > 0 AND coalesce(term.cancelled, 0) <= 0"""
AUDIENCE = f"""
SELECT customer.id AS customer_id, 'contract_end:' || customer.id || ':' || contract.ends_on AS dedupe_key,
       'contract_end:' || contract.ends_on || ':' || contract.then_what AS cause, NULL::bigint AS event_id,
       {at("%(audience_day)s::date + 1")} AS not_before, {at("%(audience_day)s::date + 4")} AS not_after
FROM ({TERMS.format(zone="%(audience_zone)s", only="")}) contract
JOIN crm_customer customer ON customer.id = contract.customer_id
WHERE contract.ends_on - %(audience_before)s::int
      BETWEEN %(audience_day)s::date + 2 - {OPEN_DAYS} AND %(audience_day)s::date + 1
  AND {LIVING} AND {AT_PEACE}
  AND NOT EXISTS (
    SELECT FROM campaigns_delivery earlier WHERE earlier.customer_id = customer.id AND earlier.recipe = 'contract_end'
      AND earlier.not_before > %(audience_day)s::date - 90
      AND earlier.state NOT IN ('suppressed', 'failed', 'quarantined'))
"""
STILL_ENDS = f"""EXISTS (
    SELECT FROM ({TERMS.format(zone="%(gate_zone)s", only="AND customer_id = mine.customer_id")}) contract
    JOIN crm_customer customer ON customer.id = contract.customer_id
    WHERE contract.ends_on = split_part(mine.cause, ':', 2)::date AND contract.then_what = split_part(mine.cause, ':', 3)
      AND {AT_PEACE})"""


def audience(moment: Moment) -> Query:
    """Whose contract's term ends in so many days and who has not given notice, on the morning after the day asked about.

    A rounded term that is recorded anew ends some days elsewhere: nobody gets a second mail within 90 days.
    """
    return AUDIENCE, local_days.parameters(moment) | {
        "audience_day": moment.day,
        "audience_before": BEFORE.of(moment.campaign),
    }


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The last day of the term, and "yes" if the contract then renews by itself."""
    _name, day, then_what = detail["cause"].split(":")
    return {
        "contract_end": written(date.fromisoformat(day), language),
        "contract_renews": "yes" if then_what == RENEWS else "",
    }


RECIPE = Recipe(
    code="contract_end",
    label=_("Talk before a contract ends"),
    description=_("Names the day on which a contract's term ends and offers a talk with a person. Advertises nothing."),
    occasion=Occasion.CALENDAR,
    audience=audience,
    # It belongs to the contract while it offers nothing.
    message_class="transactional",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"contract_end": "31. Januar 2027", "contract_renews": "yes"},
    more_values=more_values,
    example={"cause": f"contract_end:2027-01-31:{RENEWS}"},
    cause_holds=STILL_ENDS,
    priority=20,
    settings=(BEFORE,),
    at_most=_("Once for each term."),
)
