"""A mailing to oneself, made exactly as every other mail is, and never to anybody else."""

import time
from datetime import date
from uuid import UUID, uuid4

from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import composing, couponing, local_days, recipes, transport
from campaigns.filling import COUPON_VALUES
from campaigns.message import StableMessage
from campaigns.models import Campaign
from campaigns.recipe import Recipe
from campaigns.transport import Verdict
from crm import salutation
from crm.models import Shop, User

SECONDS = 20.0
# An invented person with what goes wrong most often: a title, umlauts, a hyphen.
PERSONA = salutation.Address("person", "ms", "Dr.", "Jördis", "Wüstenhagen-Özdemir")
PURCHASE_DAY = date(2026, 11, 2)
# How the examples of a coupon read in other languages than the first.
COUPON_IN = {
    "en": {
        "coupon_worth": "€5.00",
        "coupon_terms": "Worth: €5.00. From a purchase of €20.00.",
        "coupon_valid_until": "31 Dec 2026",
    }
}


class TestMailError(ValueError):
    """The test mail did not go; the text says why."""


def order_for(campaign: Campaign, address: str, language: str) -> composing.Order:
    """What the invented person's mail needs, to `address`."""
    recipe = recipes.everything()[campaign.recipe]
    batch = couponing.of_campaign(campaign)
    return composing.Order(
        id=uuid4(),
        customer_id=0,
        version_id=campaign.template_version_id or 0,
        recipe=recipe.code,
        message_class=recipe.message_class,
        purpose=recipe.purpose,
        planned_at=now(),
        person_key=uuid4(),
        language=language,
        who=PERSONA,
        address=address,
        ground="consent",
        purchase={},
        coupon=couponing.example(batch) if batch else None,
        options=campaign.options,
        # Nothing happened that the mail could be about, so it speaks of the recipe's own examples.
        own=_examples(recipe, language) if recipe.standing or not campaign.pk else {},
    )


def _examples(recipe: Recipe, language: str) -> dict[str, str]:
    told = dict(recipe.more_values(recipe.example, language)) if recipe.more_values and recipe.example else {}
    if "purchase_date" in recipe.values:
        told["purchase_date"] = local_days.written(PURCHASE_DAY, language)
    coupon = COUPON_VALUES | COUPON_IN.get(language, {}) if recipe.brings == "always" else {}
    return dict(recipe.values) | told | coupon


def send_to_myself(campaign: Campaign, user: User, language: str) -> str:
    """Send the mailing to the member of staff who asks. Returns the address. Raises TestMailError."""
    shop, version = Shop.current(), campaign.template_version
    if not user.email:
        raise TestMailError(_("Your account has no e-mail address. An administrator can add one."))
    if version is None:
        raise TestMailError(_("There is no text yet."))
    if not shop.sender_email:
        raise TestMailError(_("The shop has no sender address yet. An administrator can set it in the settings."))
    try:
        message = composing.compose(order_for(campaign, user.email, language), shop, version)
    except ValueError as error:
        raise TestMailError(str(error)) from error
    message.subject = _("[Test] %(subject)s") % {"subject": message.subject}
    _hand_over(message)
    return user.email


def _hand_over(message: StableMessage) -> None:
    carrier = transport.configured()
    try:
        outcome = carrier.send(message, time.monotonic() + SECONDS)
    finally:
        carrier.close()
    if outcome.verdict is not Verdict.SENT:
        reply = outcome.reply or _("no answer")
        raise TestMailError(_("The mail server did not take the mail: %(reply)s") % {"reply": reply})


def send_probe(user: User) -> tuple[str, UUID]:
    """Send whoever asks a mail with the headers that all advertising has, to see how it arrives (`mail_auth`).

    Returns the address and the probe's number. Raises TestMailError.
    """
    shop, number = Shop.current(), uuid4()
    if not user.email:
        raise TestMailError(_("Your account has no e-mail address. An administrator can add one."))
    if not shop.sender_email:
        raise TestMailError(_("The shop has no sender address yet. An administrator can set it in the settings."))
    text = _("This mail shows how your mails arrive. Paste its headers into the settings, under Sending.")
    try:
        message = composing.probe(number, user.email, _("[Probe] How your mails arrive"), text, shop)
    except ValueError as error:
        raise TestMailError(str(error)) from error
    _hand_over(message)
    return user.email, number
