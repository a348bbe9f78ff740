"""One mailing that a marketer writes, aims and schedules."""

from django.utils.translation import gettext_lazy as _

from campaigns import segments
from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.newsletter.texts import BLOCKS, SUBJECT

AUDIENCE = """
SELECT customer.id AS customer_id, 'run:' || %(audience_run)s || ':' || customer.id AS dedupe_key, '' AS cause,
       NULL::bigint AS event_id, %(audience_send_at)s AS not_before,
       %(audience_send_at)s + interval '3 days' AS not_after
FROM crm_customer customer
{stages}
WHERE customer.merged_into_id IS NULL AND customer.erased_at IS NULL AND NOT customer.is_placeholder
{segment}"""
IN_STAGES = """JOIN loyalty_assessment assessment
  ON assessment.customer_id = customer.id AND assessment.stage = ANY(%(audience_stages)s)"""
IN_SEGMENT = "AND customer.id IN ({meant})"


def audience(moment: Moment) -> Query:
    """Everybody, or those in one of the campaign's stages who are in its segment, too. The planner adds `audience_run`."""
    campaign = moment.campaign
    meant, parameters = segments.audience(campaign) or ("", {})
    stages = IN_STAGES if campaign.stages else ""
    return AUDIENCE.format(stages=stages, segment=IN_SEGMENT.format(meant=meant) if meant else ""), {
        "audience_stages": campaign.stages,
        "audience_send_at": campaign.send_at,
    } | parameters


RECIPE = Recipe(
    code="newsletter",
    label=_("Newsletter"),
    description=_("A text of your own, to chosen stages or a segment, at a time you choose."),
    occasion=Occasion.SCHEDULED,
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    brings="may",
)
