"""The mail that asks a mailbox to confirm a consent: no advertising, one link, caused by the request alone."""

from collections.abc import Mapping
from typing import Any

from django.utils import translation
from django.utils.text import get_text_list
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.double_opt_in.texts import BLOCKS, SUBJECT
from crm import double_opt_in
from crm.filters import purpose_label
from crm.models import DoubleOptIn, Purpose

AUDIENCE = """
SELECT asked.customer_id, 'double_opt_in:' || asked.id AS dedupe_key, 'double_opt_in:' || asked.id AS cause,
       event.id AS event_id, now() AS not_before, asked.expires_at AS not_after
FROM crm_event event
JOIN crm_doubleoptin asked ON asked.id = (event.detail->>'double_opt_in')::bigint
  AND asked.customer_id = event.customer_id
WHERE event.id = ANY(%(audience_events)s) AND asked.confirmed_at IS NULL AND asked.expires_at > now()
  AND EXISTS (SELECT FROM crm_consentstate waiting WHERE waiting.customer_id = asked.customer_id
              AND waiting.channel = 'email' AND waiting.purpose_id = ANY(asked.purposes)
              AND waiting.state IN ('pending', 'given'))
"""


def audience(moment: Moment) -> Query:
    """Who asked and has not taken it back. The mail is worth nothing once its link has expired."""
    return AUDIENCE, {"audience_events": list(moment.event_ids)}


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """The link and what it confirms. Raises ValueError if the request is gone, so that no mail without a link goes."""
    asked = DoubleOptIn.objects.filter(pk=int(detail["double_opt_in"])).first()
    if asked is None:
        raise ValueError("the request is gone")
    with translation.override(language):
        labels = [purpose_label(purpose) for purpose in Purpose.objects.filter(pk__in=asked.purposes)]
        return {"confirm_url": double_opt_in.url_of(asked), "purposes": get_text_list(labels, gettext("and"))}


def composed(detail: Mapping[str, Any], message_id: str, content: str) -> None:
    double_opt_in.remember_mail(int(detail["double_opt_in"]), message_id, content)


RECIPE = Recipe(
    code="double_opt_in",
    label=_("Confirmation of a consent"),
    description=_("Asks whoever signed up whether it was them, without advertising. No consent would hold without it."),
    occasion=Occasion.EVENT,
    event_kind="consent.requested",
    audience=audience,
    # Ad-free it is no advertising (OLG Celle 13 U 15/14, OLG Düsseldorf I-15 U 64/15), and the person asked for it.
    message_class="transactional",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"confirm_url": "https://example.com/confirm/x/", "purposes": "Newsletter"},
    more_values=more_values,
    composed=composed,
    priority=5,
    always_on=True,
)
