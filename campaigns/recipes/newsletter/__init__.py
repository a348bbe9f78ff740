"""One mailing that a marketer writes, aims and schedules."""

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.newsletter.texts import BLOCKS, SUBJECT

AUDIENCE = """
SELECT customer.id AS customer_id, 'run:' || %(audience_run)s || ':' || customer.id AS dedupe_key, '' AS cause,
       NULL::bigint AS event_id, %(audience_send_at)s AS not_before,
       %(audience_send_at)s + interval '3 days' AS not_after
FROM crm_customer customer
{stages}
WHERE customer.merged_into_id IS NULL AND customer.erased_at IS NULL AND NOT customer.is_placeholder
"""
IN_STAGES = """JOIN loyalty_assessment assessment
  ON assessment.customer_id = customer.id AND assessment.stage = ANY(%(audience_stages)s)"""


def audience(moment: Moment) -> Query:
    """Everybody, or those who stand in one of the campaign's stages. The planner adds `audience_run`."""
    campaign = moment.campaign
    return AUDIENCE.format(stages=IN_STAGES if campaign.stages else ""), {
        "audience_stages": campaign.stages,
        "audience_send_at": campaign.send_at,
    }


RECIPE = Recipe(
    code="newsletter",
    label=_("Newsletter"),
    description=_("A text of your own, to everybody or to chosen stages, at a time you choose."),
    occasion=Occasion.SCHEDULED,
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    brings="may",
)
