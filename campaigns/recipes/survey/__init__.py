"""Some days after a purchase that was kept: how was it? Answered on a page of our own (`crm.surveys`)."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.survey.links import links
from campaigns.recipes.survey.texts import BLOCKS, SUBJECT

LOCK = 7_120_090

AFTER = Setting(
    "after_days",
    _("Time after the purchase"),
    "number",
    default=10,
    minimum=1,
    maximum=90,
    unit=_("days"),
    help=_("Counted from the day of the purchase. The goods should have arrived and been used by then."),
)
REST = Setting(
    "rest_days",
    _("Rest before the same person is asked again"),
    "number",
    default=90,
    minimum=30,
    maximum=730,
    unit=_("days"),
    help=_("Who is asked after every purchase soon answers none."),
)

AUDIENCE = """
SELECT asked.* FROM (
  SELECT DISTINCT ON (purchase.customer_id) purchase.customer_id,
         'survey:' || purchase.source_id || ':' || purchase.external_id AS dedupe_key,
         'purchase:' || purchase.id AS cause, event.id AS event_id,
         (purchase.ordered_on + %(audience_after)s + time '10:00') AT TIME ZONE %(audience_zone)s AS not_before,
         (purchase.ordered_on + %(audience_after)s + 7 + time '10:00') AT TIME ZONE %(audience_zone)s AS not_after
  FROM crm_event event
  JOIN crm_purchase purchase ON purchase.id = event.purchase_id
  JOIN crm_customer customer ON customer.id = purchase.customer_id
  WHERE event.id = ANY(%(audience_events)s) AND NOT customer.is_test
    AND purchase.status IN ('placed', 'paid', 'completed') AND purchase.net > 0
  ORDER BY purchase.customer_id, event.id
) asked
WHERE NOT EXISTS (
  SELECT FROM campaigns_delivery other WHERE other.customer_id = asked.customer_id AND other.recipe = 'survey'
  AND other.state NOT IN ('suppressed', 'failed', 'quarantined')
  AND other.not_before > asked.not_before - make_interval(days => %(audience_rest)s)
)
"""
# Some days lie between planning and sending: what was cancelled, given back or never paid is no occasion any more.
KEPT = """EXISTS (SELECT FROM crm_event event JOIN crm_purchase purchase ON purchase.id = event.purchase_id
    WHERE event.id = mine.event_id AND purchase.status IN ('paid', 'completed') AND purchase.net > 0)"""


def audience(moment: Moment) -> Query:
    """Who bought something and was not asked lately, nor is going to be. The time to answer begins with the mail."""
    return AUDIENCE, {
        "audience_events": list(moment.event_ids),
        "audience_zone": moment.shop.time_zone,
        "audience_after": AFTER.of(moment.campaign),
        "audience_rest": REST.of(moment.campaign),
    }


@contextmanager
def one_at_a_time(_moment: Moment) -> Iterator[None]:
    """Around a planning: two at once would each ask a person who bought twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    yield


def trouble(campaign: Campaign) -> str:
    """Why nobody could answer the mail, as a sentence; '' if they can."""
    version = campaign.template_version
    if version is None or "survey_url" in f"{version.blocks}":
        return ""
    return gettext("The text has no link to the questions. Give a button the address {{ survey_url }}.")


RECIPE = Recipe(
    code="survey",
    label=_("Survey after a purchase"),
    description=_(
        "Asks how it was, some days after a purchase that was kept. Answered on a page of yours, in two minutes."
    ),
    occasion=Occasion.EVENT,
    event_kind="purchase.created",
    audience=audience,
    cause_holds=KEPT,
    # A thank-you with a question about satisfaction is advertising (BGH VI ZR 225/17) and has a purpose of its own.
    message_class="advertising",
    purpose="survey",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={
        "purchase_number": "10023",
        "purchase_date": "2. November 2026",
        "place": "Laden Ost",
        "survey_url": "https://example.com/survey/x/",
    },
    own_values=links,
    around=one_at_a_time,
    trouble=trouble,
    settings=(AFTER, REST),
    at_most=_("Once within the days set here, whatever was bought."),
    priority=60,
)
