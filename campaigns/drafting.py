"""A marketer's mailing before its launch: keep it, change it, copy it."""

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from campaigns import couponing, recipes
from campaigns.forms import MailingForm, blocks_of
from campaigns.models import Campaign, Template, TemplateVersion
from campaigns.planning import LaunchError
from crm.models import User

RECIPE = "newsletter"


@transaction.atomic
def keep(form: MailingForm, by: User, pk: int | None = None, recipe: str = RECIPE) -> Campaign:
    """Make a draft of a valid form, or change draft `pk`. Raises LaunchError once it is launched."""
    given = form.cleaned_data
    campaign = _draft(pk) if pk else Campaign(recipe=recipe, created_by=by)
    version = _version(campaign, given["name"], by)
    languages = form.written()
    version.subject = {code: given[f"subject_{code}"] for code in languages}
    version.blocks = blocks_of(given, languages)
    version.save()
    campaign.name, campaign.stages, campaign.send_at = given["name"], given["stages"], given["moment"]
    campaign.template_version = version
    coupon = {couponing.OPTION: given["coupon"].pk} if given["coupon"] else {}
    campaign.options = {"signed_by": given["signed_by"].pk, "signature": str(given["signed_by"])} | coupon
    campaign.save()
    return campaign


@transaction.atomic
def copy(campaign: Campaign, by: User) -> Campaign:
    """A new draft with the same text, stages and signature. It has no time and no launch, so it sends nothing."""
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


def _draft(pk: int) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=["self"]).select_related("template_version").get(pk=pk)
    if campaign.status != Campaign.Status.DRAFT or campaign.standing:
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
