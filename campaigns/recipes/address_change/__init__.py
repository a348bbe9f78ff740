"""The mail that asks a new mailbox whether it is the person's: no advertising, one link, caused by the wish alone."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.recipe import Moment, Occasion, Query, Recipe
from campaigns.recipes.address_change.texts import BLOCKS, SUBJECT
from crm import double_opt_in
from crm.models import DoubleOptIn

AUDIENCE = """
SELECT asked.customer_id, 'address_change:' || asked.id AS dedupe_key, 'address_change:' || asked.id AS cause,
       event.id AS event_id, now() AS not_before, asked.expires_at AS not_after
FROM crm_event event
JOIN crm_doubleoptin asked ON asked.id = (event.detail->>'double_opt_in')::bigint
  AND asked.customer_id = event.customer_id
WHERE event.id = ANY(%(audience_events)s) AND asked.confirmed_at IS NULL AND asked.expires_at > now()
"""


def audience(moment: Moment) -> Query:
    """The new mailbox. The mail is worth nothing once its link has expired."""
    return AUDIENCE, {"audience_events": list(moment.event_ids)}


def more_values(detail: Mapping[str, Any], _language: str) -> Mapping[str, str]:
    """The link. Raises ValueError if the request is gone, so that no mail without a link goes."""
    asked = DoubleOptIn.objects.filter(pk=int(detail["double_opt_in"])).first()
    if asked is None:
        raise ValueError("the request is gone")
    return {"confirm_url": double_opt_in.url_of(asked)}


def composed(detail: Mapping[str, Any], message_id: str, content: str) -> None:
    double_opt_in.remember_mail(int(detail["double_opt_in"]), message_id, content)


RECIPE = Recipe(
    code="address_change",
    label=_("Confirmation of a new address"),
    description=_("Asks the new mailbox of whoever changed their address. Switched off, nobody can change it alone."),
    occasion=Occasion.EVENT,
    event_kind="address.change_requested",
    audience=audience,
    # Ad-free, and asked for by the person: no advertising, as the mail of a double opt-in.
    message_class="transactional",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={"confirm_url": "https://example.com/confirm/x/"},
    more_values=more_values,
    composed=composed,
    priority=5,
    on_by_default=True,
)
