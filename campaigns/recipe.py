"""What a recipe is: occasion + audience + text + timing + purpose + message class.

Each recipe is one folder below `campaigns/recipes/` whose `__init__.py` holds `RECIPE`; nothing else has to be told
about it (`docs/adding.md`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

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
class Setting:
    """One thing that a shop may set about a recipe; the recipe's page makes a field of it.

    `kind`: "number" (whole, from `minimum` to `maximum`), "choice" (one of `choices`, pairs of value and label, or a
    function that answers them), "flag" (yes or no), "text" (one line of up to `maximum` characters, 200 if not told) or
    "day" (as YYYY-MM-DD, '' for none). `unit` stands behind a number. `awaited`: a draft may lack it, a launch may not. Kept in `Campaign.options` under `code`.
    """

    code: str
    label: str | Promise
    kind: str
    default: Any
    help: str | Promise = ""
    minimum: int = 0
    maximum: int = 0
    unit: str | Promise = ""
    choices: Sequence[tuple[str, str | Promise]] | Callable[[], Sequence[tuple[str, str | Promise]]] = ()
    required: bool = True
    awaited: bool = False

    def of(self, campaign: Campaign) -> Any:
        """What the shop set, or the default where it set nothing that still holds."""
        found = campaign.options.get(self.code, self.default)
        return found if self.allows(found) else self.default

    def pairs(self) -> list[tuple[str, str | Promise]]:
        """The choices as they stand now."""
        return list(self.choices() if callable(self.choices) else self.choices)

    def allows(self, value: Any) -> bool:
        """Whether a value may be kept."""
        if self.kind == "number":
            return type(value) is int and self.minimum <= value <= self.maximum
        if self.kind == "flag":
            return isinstance(value, bool)
        if not isinstance(value, str) or not (value or not self.required):
            return False
        if self.kind == "choice":
            return not value or value in {code for code, _label in self.pairs()}
        return _is_day(value) if self.kind == "day" else len(value) <= (self.maximum or 200)


def _is_day(value: str) -> bool:
    try:
        return not value or bool(date.fromisoformat(value))
    except ValueError:
        return False


@dataclass(frozen=True)
class Recipe:
    """One kind of mail.

    `audience(moment)` is a SELECT and its parameters: who matches the occasion, whatever they allowed. Columns:
    customer_id, dedupe_key (text, unique for ever), cause (text: what the mail is about, so that one mailbox gets one
    mail about it; '' in a scheduled mailing), event_id, not_before, not_after. Parameter names start with `audience_`.
    `subject` and `blocks` are the text it starts with (see TemplateVersion). `values` names what its texts may use
    beside `campaigns.rendering.COMMON_VALUES`. Smaller `priority` goes first.
    `more_values(detail, language)` are values that hang on what the mail is about: `detail` is that of the event that
    caused it, and `cause` (as `audience` gave it) and `options` (the campaign's). `example`: such a detail, for previews
    in each language; without it `values` alone serve.
    `cause_holds` is an SQL condition over `mine` (customer_id, event_id, cause) by which the gate asks again, right
    before the mail goes, whether what it is about still holds; else it is suppressed with `cause_gone`.
    `problems(campaign, shop)` says, in sentences, what a draft lacks before it may be launched.
    `own_values(delivery ids)` are values that each mail has for itself, such as a link with a token; it may store what
    makes them work, and answers the same whenever it is asked again.
    `around(moment)` is entered in the transaction of a planning and left when its rows are made: it holds what two
    plannings must not both use.
    `aimed`: the shop may narrow whom it reaches by stages and a segment; the audience heeds them.
    `trouble(campaign)` is why none of its mails goes as it is set, `stands(campaign)` how it stands, both as sentences.
    `secret`: nobody is told beforehand, staff included: no page names a person before the mail has gone.
    `always_on`: what people asked for hangs on it, so nobody can switch it off.
    `brings`: whether its mails may bring a coupon: "" never, "may", or "always", for it says nothing without one.
    `composed(detail, message_id, content)` is told of each finished mail, the same on every attempt.
    `settings` is what a shop may set about it; the audience reads one by `SETTING.of(moment.campaign)`.
    `at_most` says how often one person gets it at most, as a sentence: "Once a year.".
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
    example: Mapping[str, Any] | None = None
    composed: Callable[[Mapping[str, Any], str, str], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cause_holds: str = "true"
    problems: Callable[[Campaign, Shop], Iterable[str]] | None = None
    brings: str = ""
    own_values: Callable[[Sequence[UUID]], Mapping[UUID, Mapping[str, str]]] | None = None
    around: Callable[[Moment], AbstractContextManager[None]] | None = None
    secret: bool = False
    aimed: bool = False
    trouble: Callable[[Campaign], str] | None = None
    stands: Callable[[Campaign], str] | None = None
    settings: Sequence[Setting] = ()
    at_most: str | Promise = ""

    @property
    def first_options(self) -> dict[str, Any]:
        """The options its campaign starts with."""
        return {setting.code: setting.default for setting in self.settings} | dict(self.options)

    @property
    def standing(self) -> bool:
        """It runs by itself while switched on, in one campaign."""
        return self.occasion is not Occasion.SCHEDULED
