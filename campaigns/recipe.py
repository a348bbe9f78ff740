"""What a recipe is: occasion + audience + text + timing + purpose + message class.

Each recipe is one folder below `campaigns/recipes/` whose `__init__.py` holds `RECIPE`; nothing else has to be told
about it (`docs/adding.md`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise

from campaigns.models import Campaign
from crm.models import Shop

# Shows a mail's code and all its terms below these words (`campaigns.couponing`); left out of a mail that brings none.
COUPON_BLOCK: Mapping[str, Any] = {
    "kind": "benefit",
    "coupon": True,
    "text": {"de": "Ihr Gutschein: {{ coupon_worth }}", "en": "Your coupon: {{ coupon_worth }}"},
}

Query = tuple[str, dict[str, Any]]


class Occasion(StrEnum):
    """When a recipe's mails are planned: something happened, a day came, or a marketer chose a time."""

    EVENT = "event"
    CALENDAR = "calendar"
    SCHEDULED = "scheduled"


@dataclass(frozen=True)
class Moment:
    """What an audience is asked about: the events taken (event), the shop's day (calendar), or neither (scheduled)."""

    campaign: Campaign
    shop: Shop
    event_ids: Sequence[int] = ()
    day: date | None = None


@dataclass(frozen=True)
class Recipe:
    """One kind of mail.

    `audience(moment)` is a SELECT and its parameters: who matches the occasion, whatever they allowed. Columns:
    customer_id, dedupe_key (text, unique for ever), cause (text: what the mail is about, so that one mailbox gets one
    mail about it; '' in a scheduled mailing), event_id, not_before, not_after. Parameter names start with `audience_`.
    `subject` and `blocks` are the text it starts with (see TemplateVersion). `values` names what its texts may use
    beside `campaigns.rendering.COMMON_VALUES`. Smaller `priority` goes first.
    `more_values(detail, language)` are values that hang on the event that caused the mail, by the event's detail.
    `always_on`: what people asked for hangs on it, so nobody can switch it off.
    `brings`: whether its mails may bring a coupon: "" never, "may", or "always", for it says nothing without one.
    `composed(detail, message_id, content)` is told of each finished mail, the same on every attempt.
    """

    code: str
    label: str | Promise
    description: str | Promise
    occasion: Occasion
    audience: Callable[[Moment], Query]
    message_class: str
    purpose: str
    subject: Mapping[str, str]
    blocks: Sequence[Mapping[str, Any]]
    event_kind: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    priority: int = 50
    on_by_default: bool = False
    always_on: bool = False
    more_values: Callable[[Mapping[str, Any], str], Mapping[str, str]] | None = None
    composed: Callable[[Mapping[str, Any], str, str], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    brings: str = ""

    @property
    def standing(self) -> bool:
        """It runs by itself while switched on, in one campaign."""
        return self.occasion is not Occasion.SCHEDULED
