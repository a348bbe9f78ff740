"""A thank-you after a live purchase."""

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.thank_you.texts import BLOCKS, SUBJECT

KEPT = "purchase.status IN ('placed', 'paid', 'completed') AND purchase.net > 0"
AUDIENCE = f"""
SELECT purchase.customer_id,
       'thanks:' || purchase.source_id || ':' || purchase.external_id AS dedupe_key,
       'purchase:' || purchase.id AS cause, event.id AS event_id,
       least(event.recorded_at, now()) AS not_before, event.recorded_at + interval '3 days' AS not_after
FROM crm_event event
JOIN crm_purchase purchase ON purchase.id = event.purchase_id
JOIN crm_customer customer ON customer.id = purchase.customer_id
WHERE event.id = ANY(%(audience_events)s) AND NOT customer.is_test AND {KEPT}
"""
STILL = f"""EXISTS (SELECT FROM crm_event event JOIN crm_purchase purchase ON purchase.id = event.purchase_id
    WHERE event.id = mine.event_id AND {KEPT})"""


def audience(moment: Moment) -> Query:
    """Who bought something that still stands. A thank-you that comes days late is none, so it ends after three."""
    return AUDIENCE, {"audience_events": list(moment.event_ids)}


RECIPE = Recipe(
    code="thank_you",
    label=_("Thank-you after a purchase"),
    description=_("Thanks for each purchase as soon as it arrives, without advertising anything."),
    occasion=Occasion.EVENT,
    event_kind="purchase.created",
    audience=audience,
    cause_holds=STILL,
    # Relationship care counts as advertising (BGH VI ZR 225/17), so it needs a permission.
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"purchase_number": "10023", "purchase_date": "2. November 2026", "place": "Laden Ost"},
    priority=40,
    on_by_default=True,
    brings="may",
    at_most=_("Once for each purchase."),
)
