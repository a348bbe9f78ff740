"""All recipes: every folder below this one."""

from copy import deepcopy
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from django.db import transaction
from django.utils.timezone import now

from campaigns.models import Campaign, Template, TemplateVersion
from campaigns.recipe import Occasion, Recipe


@cache
def everything() -> dict[str, Recipe]:
    """Every recipe by its code, in alphabetical order."""
    names = sorted(module.name for module in iter_modules(__path__) if module.ispkg)
    found = [import_module(f"{__name__}.{name}").RECIPE for name in names]
    return {recipe.code: recipe for recipe in found}


def of_event(kind: str) -> list[Recipe]:
    """The recipes that answer to a kind of event."""
    return [recipe for recipe in everything().values() if recipe.event_kind == kind]


def of_occasion(occasion: Occasion) -> list[Recipe]:
    return [recipe for recipe in everything().values() if recipe.occasion is occasion]


def standing_campaign(recipe: Recipe) -> Campaign:
    """The one campaign of a recipe that runs by itself; made with the recipe's own text when first asked for."""
    standing = Campaign.objects.select_related("template_version").filter(recipe=recipe.code, standing=True)
    campaign = standing.first() or _install(recipe) or standing.get()
    if recipe.always_on and not campaign.switched_on:
        standing.update(switched_on=True)
        campaign.switched_on = True
    return campaign


def standing_campaigns() -> list[Campaign]:
    """The campaign of every recipe that runs by itself, switched on or off."""
    return [standing_campaign(recipe) for recipe in everything().values() if recipe.standing]


def name_of(campaign: Campaign) -> str:
    """How a campaign is called for the reader: a mailing as its marketer did, a recipe's own in the active language."""
    recipe = everything().get(campaign.recipe) if campaign.standing else None
    return str(recipe.label) if recipe else campaign.name


def first_version(recipe: Recipe, name: str = "") -> TemplateVersion:
    """A new template with the text the recipe starts with."""
    template = Template.objects.create(name=name or str(recipe.label), recipe=recipe.code)
    return TemplateVersion.objects.create(
        template=template, number=1, subject=deepcopy(dict(recipe.subject)), blocks=deepcopy(list(recipe.blocks))
    )


@transaction.atomic
def _install(recipe: Recipe) -> Campaign | None:
    """Make the standing campaign; None if somebody else just did."""
    version = first_version(recipe)
    TemplateVersion.objects.filter(pk=version.pk).update(frozen_at=now())
    current = now()
    campaign = Campaign(
        recipe=recipe.code,
        name=str(recipe.label),
        standing=True,
        switched_on=recipe.on_by_default or recipe.always_on,
        status=Campaign.Status.RUNNING,
        send_at=current,
        launched_at=current,
        template_version=version,
        options=recipe.first_options,
    )
    Campaign.objects.bulk_create([campaign], ignore_conflicts=True)
    made = Campaign.objects.select_related("template_version").filter(recipe=recipe.code, template_version=version)
    if (kept := made.first()) is None:
        version.template.delete()
    return kept
