"""Thanks when somebody rises to a stage for the first time."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns import local_days
from campaigns.local_days import LIVING, ZONE, at
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.stage_reached.texts import BLOCKS, SUBJECT
from crm.labels import product_word
from loyalty import rules, stages
from loyalty.stages import rank_sql


def _choices() -> list[tuple[str, str | Promise]]:
    """Nobody is congratulated on the lowest stage."""
    return stages.choices()[1:]


LEAST = Setting(
    "from_stage",
    _("From this stage on"),
    "choice",
    "regular",
    help=_("The lower stages have their thank-you after each purchase."),
    choices=_choices,
)
AFTER = Setting(
    "days_after",
    _("Days after the rise"),
    "number",
    1,
    help=_("So that it does not come together with the thank-you for the purchase."),
    maximum=14,
)
TO, FROM = rank_sql("event.detail->>'to'"), rank_sql("event.detail->>'from'")
DAY = f"(event.occurred_at AT TIME ZONE ({ZONE}))::date + %(audience_after)s::int"
AUDIENCE = f"""
SELECT customer.id AS customer_id, 'stage:' || (event.detail->>'to') || ':' || customer.id AS dedupe_key,
       'stage:' || (event.detail->>'to') AS cause, event.id AS event_id,
       {at(DAY)} AS not_before, {at(f"{DAY} + 3")} AS not_after
FROM crm_event event JOIN crm_customer customer ON customer.id = event.customer_id
WHERE event.id = ANY(%(audience_events)s) AND {LIVING} AND {TO} > {FROM} AND {TO} >= {rank_sql("%(audience_least)s")}
  AND NOT EXISTS (
    SELECT FROM loyalty_transition earlier
    WHERE earlier.customer_id = event.customer_id AND earlier.recorded_at < event.occurred_at
      AND greatest({rank_sql("earlier.from_stage")}, {rank_sql("earlier.to_stage")}) >= {TO})
"""
STILL_THERE = f"""EXISTS (SELECT FROM loyalty_assessment judged WHERE judged.customer_id = mine.customer_id
    AND {rank_sql("judged.stage")} >= {rank_sql("split_part(mine.cause, ':', 2)")})"""


def audience(moment: Moment) -> Query:
    """Who rose to a stage at which they, or a higher one, never stood before; on the morning some days later."""
    return AUDIENCE, local_days.parameters(moment) | {
        "audience_events": list(moment.event_ids),
        "audience_after": AFTER.of(moment.campaign),
        "audience_least": LEAST.of(moment.campaign),
    }


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The stage by the shop's own word for it, else by ours. Raises KeyError for a stage that no longer exists."""
    stage = stages.by_code(detail["to"])
    own = rules.own_labels().get(f"stage.{stage.code}", {})
    return {"stage_name": own.get(language) or product_word(stage.label, language)}


RECIPE = Recipe(
    code="stage_reached",
    label=_("Stage reached"),
    description=_(
        "Thanks whoever becomes a regular, loyal or recommending customer. Tells the stage's name, no scores."
    ),
    occasion=Occasion.EVENT,
    event_kind="stage.changed",
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"stage_name": "Stammkunde"},
    more_values=more_values,
    example={"to": "regular"},
    cause_holds=STILL_THERE,
    priority=45,
    brings="may",
    settings=(LEAST, AFTER),
    at_most=_("Once for each stage."),
)
