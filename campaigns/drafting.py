"""A marketer's mailing before its launch: keep it, change it, copy it; and the texts of recipes as they grow."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.timezone import now
from django.utils.translation import gettext as _

from campaigns import couponing, launching, recipes
from campaigns.editor import signed
from campaigns.filling import COMMON_VALUES, COUPON_VALUES
from campaigns.forms_mailing import MailingForm
from campaigns.launching import LaunchError
from campaigns.models import Campaign, Template, TemplateVersion
from campaigns.recipe import Recipe
from crm.models import User

RECIPE = "newsletter"


def values_of(recipe: Recipe) -> dict[str, str]:
    """What a recipe's text may use, each with an example."""
    return COMMON_VALUES | dict(recipe.values) | (COUPON_VALUES if recipe.brings else {})


@transaction.atomic
def keep(form: MailingForm, by: User, pk: int | None = None, recipe: str = RECIPE) -> Campaign:
    """Make a draft of a valid form, or change draft `pk`; what was checked must be checked again.

    Raises LaunchError once it is launched.
    """
    given = form.cleaned_data
    campaign = _draft(pk) if pk else Campaign(recipe=recipe, created_by=by)
    version = _version(campaign, given["name"], by)
    version.subject, version.blocks = _text(form, campaign, str(given["signed_by"]))
    version.save()
    campaign.name, campaign.stages, campaign.send_at = given["name"], given["stages"], given["moment"]
    campaign.segment, campaign.template_version = given["segment"], version
    coupon = {couponing.OPTION: given["coupon"].pk} if given.get("coupon") else {}
    signature = {"signed_by": given["signed_by"].pk, "signature": str(given["signed_by"])}
    campaign.options = form.chosen_settings() | signature | coupon
    form.set_pace(campaign)
    launching.touched(campaign)
    campaign.save()
    return campaign


def _text(form: MailingForm, campaign: Campaign, signature: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    subject, blocks = form.editor.text()
    shows = any(block.get("coupon") for block in blocks)
    if not form.cleaned_data.get("coupon"):
        blocks = [block for block in blocks if not block.get("coupon")]
    elif not shows:
        blocks = [dict(block) for block in couponing.with_block(blocks, list(subject))]
    return subject, signed(blocks, signature)


@transaction.atomic
def copy(campaign: Campaign, by: User) -> Campaign:
    """A new draft with the same text, audience and signature. It has no time and no launch, so it sends nothing."""
    old = campaign.template_version
    name = _("Copy of %(name)s") % {"name": campaign.name}
    version = None
    if old is not None:
        template = Template.objects.create(name=name[:120], recipe=campaign.recipe, created_by=by)
        version = TemplateVersion.objects.create(
            template=template, number=1, subject=old.subject, blocks=old.blocks, created_by=by
        )
    return Campaign.objects.create(
        recipe=campaign.recipe,
        name=name[:120],
        stages=campaign.stages,
        segment_id=campaign.segment_id,
        hold_out=campaign.hold_out,
        window_from=campaign.window_from,
        window_until=campaign.window_until,
        weekdays=campaign.weekdays,
        template_version=version,
        options=campaign.options,
        created_by=by,
    )


def starting_text(code: str = RECIPE) -> TemplateVersion:
    """The text a new mailing starts with; not stored."""
    recipe = recipes.everything()[code]
    return TemplateVersion(subject=dict(recipe.subject), blocks=[dict(block) for block in recipe.blocks])


def signature_of(campaign: Campaign | None) -> str:
    """The name that stands below the text; in a new one the place where the sender's name goes."""
    return campaign.options.get("signature", "") if campaign else "{{ sender_name }}"


def next_version(version: TemplateVersion, subject: Mapping[str, str], blocks: list[Any], by: User) -> TemplateVersion:
    """The next version of a frozen text, frozen at once: mails that are planned keep theirs."""
    last = version.template.versions.aggregate(last=Max("number"))["last"]
    return TemplateVersion.objects.create(
        template=version.template,
        number=last + 1,
        subject=dict(subject),
        blocks=[dict(block) for block in blocks],
        frozen_at=now(),
        created_by=by,
    )


def _draft(pk: int) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=["self"]).select_related("template_version").get(pk=pk)
    if campaign.status not in launching.WRITTEN or campaign.standing:
        raise LaunchError(_("This mailing is launched. Copy it to write another one."))
    return campaign


def _version(campaign: Campaign, name: str, by: User) -> TemplateVersion:
    """The version that may be written to: the draft's own, or the next one if that is frozen."""
    version = campaign.template_version
    if version is None:
        template = Template.objects.create(name=name, recipe=campaign.recipe, created_by=by)
        return TemplateVersion(template=template, number=1, created_by=by)
    if version.frozen_at is None:
        return version
    last = version.template.versions.aggregate(last=Max("number"))["last"]
    return TemplateVersion(template=version.template, number=last + 1, created_by=by)
