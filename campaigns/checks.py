"""What must hold before a mailing may be launched. One entry of CHECKS is one check; it answers in sentences.

A check looks at a `Draft` and says what is wrong and what to do; nothing wrong, it says nothing. All are asked, so that
somebody who corrects a draft sees everything at once. What is merely unwise is a warning (`campaigns.warnings`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext as _

from campaigns import couponing, freezing, mail_auth, recipes, rendering, segments
from campaigns.freezing import Audience
from campaigns.mail_auth_words import said
from campaigns.models import Campaign
from campaigns.recipe import Recipe
from crm.models import Shop


@dataclass
class Draft:
    """A mailing before its launch, with what several checks ask about; its audience is counted once, if at all."""

    campaign: Campaign
    shop: Shop

    @property
    def recipe(self) -> Recipe:
        return recipes.everything()[self.campaign.recipe]

    @cached_property
    def audience(self) -> Audience:
        """Who would get it now. One statement over the whole audience."""
        return freezing.preview(self.campaign)


def text(draft: Draft) -> Iterable[str]:
    """The text exists and can be filled in."""
    version = draft.campaign.template_version
    return rendering.problems(version, draft.recipe.values) if version else [_("Write the text first.")]


def facts(draft: Draft) -> Iterable[str]:
    """The recipe has what it needs to say."""
    return draft.recipe.problems(draft.campaign, draft.shop) if draft.recipe.problems else []


def coupon(draft: Draft) -> Iterable[str]:
    """What it brings can still be given, and the text tells its terms."""
    if draft.campaign.template_version is None:
        return []
    return couponing.problems(draft.campaign, needed=draft.recipe.brings == "always")


def moment(draft: Draft) -> Iterable[str]:
    return [] if draft.campaign.send_at else [_("Choose day and time.")]


def segment(draft: Draft) -> Iterable[str]:
    """The segment's rule can still be asked."""
    return segments.problems(segments.rule_of(draft.campaign))


def audience(draft: Draft) -> Iterable[str]:
    """Somebody gets it. Without a time nobody can be counted: the time is part of the question."""
    if draft.campaign.send_at is None or draft.campaign.template_version is None:
        return []
    if not draft.audience.matched:
        return [_("Nobody matches. Choose other stages or another segment.")]
    if draft.audience.recipients:
        return []
    if draft.audience.held_out:
        return [_("Everybody who may get it is in the control group. Make the control group smaller.")]
    return [_("Nobody would get this mail. Choose other stages, or wait for permissions.")]


def budget(draft: Draft) -> Iterable[str]:
    """Its coupon can be redeemed by everybody who gets it."""
    campaign = draft.campaign
    if campaign.send_at is None or campaign.template_version is None or not campaign.options.get(couponing.OPTION):
        return []
    said = couponing.shortfall(campaign, draft.audience.recipients)
    return [said] if said else []


def authentication(draft: Draft) -> Iterable[str]:
    """A probe did not show that mailbox providers cannot trust the button for unsubscribing."""
    return [said(one).sentence for one in mail_auth.blocking(mail_auth.known(mail_auth.kept_for(draft.shop)))]


CHECKS: Sequence[Callable[[Draft], Iterable[str]]] = (
    text,
    facts,
    coupon,
    moment,
    segment,
    audience,
    budget,
    authentication,
)


def problems(draft: Draft) -> list[str]:
    """Everything that keeps a draft from being launched, in the order of CHECKS."""
    return [sentence for check in CHECKS for sentence in check(draft)]
