"""The audience of a campaign: everybody, or whom its segment means."""

from typing import Any

from campaigns.models import Campaign, Segment
from campaigns.segments.checking import faults
from campaigns.segments.compiling import Query, expanded, matching
from campaigns.segments.tree import LIST, RULE_SEGMENT, Rule, RuleError

NOBODY = "SELECT NULL::bigint AS customer_id WHERE FALSE"


def rule_of(campaign: Campaign) -> Rule | None:
    """What a campaign's segment asks: as kept at its launch, else as it stands now. None without a segment.

    The rules of segments that it names stand in their places, so that it can be kept. One that cannot be asked comes as it
    is; `problems` says why.
    """
    if campaign.audience_rule is not None:
        return campaign.audience_rule
    segment = campaign.segment
    if segment is None:
        return None
    rule = reference(segment)
    try:
        return expanded(rule)
    except RuleError:
        return rule


def reference(segment: Segment) -> Rule:
    """The rule that means a segment or list."""
    field = RULE_SEGMENT if segment.kind == Segment.Kind.RULE else LIST
    return {"field": field, "operator": "is", "value": segment.pk}


def problems(rule: Any) -> list[str]:
    """What keeps a rule from being asked, as sentences that say where; empty for none, and for no rule."""
    if rule is None:
        return []
    found = [str(one) for one in faults(rule)]
    if found:
        return found
    try:
        expanded(rule)
    except RuleError as error:
        return [str(error)]
    return []


def audience(campaign: Campaign) -> Query | None:
    """SELECT customer_id of whom a campaign's segment means; nobody if it cannot be asked; None without a segment."""
    rule = rule_of(campaign)
    if rule is None:
        return None
    try:
        return matching(rule, launched=campaign.audience_rule is not None)
    except RuleError:
        return NOBODY, {}
