"""The control group: people who match and get nothing, so that what a mail does can be measured.

Who belongs to it follows from a keyed hash of the person and of what the mail is about: planning again, or a merge of
two records, changes nothing, and nobody can work it out without the installation's key. In a mailing the group stays
the same for all its mails; in a recipe that runs by itself each cause draws anew, so that nobody is left out for ever.
"""

import hashlib
from typing import Any

from campaigns.models import Campaign
from campaigns.recipe import Recipe
from crm import keyed

REASON = "hold_out"
# Four bytes of a hash are spread evenly over this many parts; bytes compare as the numbers that they write.
PARTS = 2**32
PERSON_OF = "(SELECT person_key FROM crm_customer WHERE crm_customer.id = {customer})"
PERSON = "LEFT JOIN crm_customer held ON held.id = {customer}"
MEMBER = """coalesce(substring(sha256(%(held_key)s::bytea || convert_to(
    {person}::text || ':' || %(held_about)s || ':' || {cause}, 'UTF8')) for 4) < %(held_below)s::bytea, false)"""


def share(campaign: Campaign, recipe: Recipe) -> int:
    """Per cent of those who would get the mail. None for mails that belong to a contract: they are owed."""
    return 0 if recipe.message_class == "transactional" else campaign.hold_out


def join(campaign: Campaign, recipe: Recipe, customer: str) -> str:
    """SQL that adds `held.person_key` to rows with a customer; nothing without a control group."""
    return PERSON.format(customer=customer) if share(campaign, recipe) else ""


def condition(campaign: Campaign, recipe: Recipe, person: str, cause: str) -> str:
    """SQL that says whether a row belongs to the control group; it needs `parameters`.

    `person`: the person's key, such as `held.person_key` of `join`, or PERSON_OF for a few rows.
    """
    return MEMBER.format(person=person, cause=cause) if share(campaign, recipe) else "false"


def parameters(campaign: Campaign, recipe: Recipe) -> dict[str, Any]:
    if not share(campaign, recipe):
        return {}
    return {"held_key": _key(), "held_about": _about(campaign), "held_below": _below(campaign, recipe)}


def is_member(campaign: Campaign, recipe: Recipe, person_key: object, cause: str = "") -> bool:
    """The same answer for one person."""
    told = _key() + f"{person_key}:{_about(campaign)}:{cause}".encode()
    return hashlib.sha256(told).digest()[:4] < _below(campaign, recipe)


def _below(campaign: Campaign, recipe: Recipe) -> bytes:
    return (PARTS * share(campaign, recipe) // 100).to_bytes(4)


def _about(campaign: Campaign) -> str:
    return f"recipe:{campaign.recipe}" if campaign.standing else f"mailing:{campaign.pk}"


def _key() -> bytes:
    return keyed.subkey(keyed.keys()[-1], "hold-out")
