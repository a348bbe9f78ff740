"""A word to somebody who has not been there for long, once a lapse."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils import formats, translation
from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import LIVING, at
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.win_back.texts import BLOCKS, SUBJECT
from loyalty.status import Status, status_sql

STATUS = Setting(
    "status",
    _("Written to as soon as somebody is"),
    "choice",
    Status.LAPSED.value,
    choices=((Status.AT_RISK.value, Status.AT_RISK.label), (Status.LAPSED.value, Status.LAPSED.label)),
)
AFTER = Setting(
    "days_after",
    _("Days after that"),
    "number",
    14,
    help=_("How long somebody must have been so before the mail goes."),
    maximum=365,
)
# A fortnight in which the mail may go; whoever has been away for longer when the recipe is switched on is left in peace.
OPEN_DAYS = 14
# The last day of the status before.
BEFORE = {
    Status.LAPSED.value: "judged.at_risk_until",
    Status.AT_RISK.value: "greatest(judged.overdue_until, judged.active_until, judged.reactivated_until)",
}
AUDIENCE = f"""
SELECT customer.id AS customer_id, 'win_back:' || customer.id || ':' || judged.last_order_on AS dedupe_key,
       'win_back:' || judged.last_order_on AS cause, NULL::bigint AS event_id,
       {at("judged.due_on")} AS not_before, {at(f"judged.due_on + {OPEN_DAYS}")} AS not_after
FROM (
  SELECT judged.*, {{before}} + 1 + %(audience_after)s::int AS due_on FROM loyalty_assessment judged
  WHERE {{before}} BETWEEN %(audience_day)s::date - %(audience_after)s::int - {OPEN_DAYS}
                       AND %(audience_day)s::date - %(audience_after)s::int - 1
    AND judged.contract_until IS NULL
    AND {status_sql("%(audience_day)s::date")} = ANY(%(audience_statuses)s)
) judged
JOIN crm_customer customer ON customer.id = judged.customer_id
WHERE {LIVING} AND NOT EXISTS (
  SELECT FROM campaigns_delivery earlier WHERE earlier.customer_id = customer.id AND earlier.recipe = 'win_back'
    AND (earlier.dedupe_key = 'win_back:' || customer.id || ':' || judged.last_order_on
         OR earlier.not_before > %(audience_day)s::date - 365
            AND earlier.state NOT IN ('suppressed', 'failed', 'quarantined')))
"""
# Who bought meanwhile is back.
STILL_AWAY = """NOT EXISTS (SELECT FROM crm_purchase bought WHERE bought.customer_id = mine.customer_id
    AND bought.ordered_on > split_part(mine.cause, ':', 2)::date AND bought.status <> 'cancelled')"""


def audience(moment: Moment) -> Query:
    """Who came to be at risk or lapsed some days ago, by orders, not by a contract; nobody twice within 365 days."""
    chosen = STATUS.of(moment.campaign)
    further = [Status.LAPSED.value] if chosen == Status.LAPSED else [Status.AT_RISK.value, Status.LAPSED.value]
    return AUDIENCE.format(before=BEFORE[chosen]), local_days.parameters(moment) | {
        "audience_day": moment.day,
        "audience_after": AFTER.of(moment.campaign),
        "audience_statuses": further,
    }


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The month of the last purchase, for the day would sound like an account of somebody's doings."""
    with translation.override(language):
        month = formats.date_format(date.fromisoformat(detail["cause"].split(":")[1]), "F Y")
    return {"last_purchase_month": month}


RECIPE = Recipe(
    code="win_back",
    label=_("Win-back"),
    description=_("Asks honestly, without reproach, when somebody has not bought for long; with or without a coupon."),
    occasion=Occasion.CALENDAR,
    audience=audience,
    message_class="advertising",
    purpose="win_back",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"last_purchase_month": "März 2026"},
    more_values=more_values,
    example={"cause": "win_back:2026-03-09"},
    cause_holds=STILL_AWAY,
    priority=60,
    brings="may",
    settings=(STATUS, AFTER),
    at_most=_("Once until the next purchase, and once in 365 days."),
)
