"""What a shop changes about a recipe that runs by itself: its switch, settings, coupon and text; all of it traceable."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import blocks as kinds
from campaigns import couponing, drafting, planning, recipes, rendering
from campaigns.blocks import BlockKind
from campaigns.editor import Editor
from campaigns.forms_pace import PaceForm
from campaigns.models import Campaign, TemplateVersion
from campaigns.recipe import Recipe
from crm.models import AuditEntry, User
from crm.privacy import audit

SHOWN = 30


class TextError(ValueError):
    """A recipe's text cannot be kept; the message says what to do."""


@dataclass(frozen=True)
class Change:
    """One thing that somebody did to a recipe. `version`: number of the text it made, 0 for none."""

    at: datetime
    who: str
    what: str
    version: int = 0


def audited(recipe: Recipe) -> str:
    """What the audit log calls the recipe."""
    return f"recipe:{recipe.code}"[:30]


@transaction.atomic
def switch(recipe: Recipe, on: bool, by: User) -> None:
    """Switch a recipe on or off."""
    planning.switch(recipes.standing_campaign(recipe).pk, on)
    audit.record(by.pk, "switched_on" if on else "switched_off", audited(recipe))


@transaction.atomic
def keep_settings(recipe: Recipe, form: PaceForm, by: User) -> None:
    """Keep a valid form's settings; they hold for every mail that is planned from now on."""
    campaign = _locked(recipe)
    if recipe.brings and (chosen := form.cleaned_data["coupon"]) != couponing.of_campaign(campaign):
        choose_coupon(recipe, chosen, by)
        campaign = _locked(recipe)
    campaign.options = campaign.options | form.chosen_settings()
    form.set_pace(campaign)
    campaign.save(update_fields=["options", "hold_out", "window_from", "window_until", "weekdays", "stages", "segment"])
    audit.record(by.pk, "changed", audited(recipe))


@transaction.atomic
def choose_coupon(recipe: Recipe, batch: Any, by: User) -> None:
    """Let the recipe's mails bring a coupon from now on, or none."""
    couponing.choose(_locked(recipe), batch, by)
    audit.record(by.pk, "coupon_chosen" if batch else "coupon_dropped", audited(recipe), batch.pk if batch else None)


@transaction.atomic
def keep_text(recipe: Recipe, editor: Editor, by: User) -> TemplateVersion:
    """Make a valid editor's text the next version, for mails that are planned from now on. Raises TextError."""
    return _next(recipe, *editor.text(), by, "text_kept")


@transaction.atomic
def text_it_came_with(recipe: Recipe, by: User) -> TemplateVersion:
    """Make the recipe's own text the next version. Raises TextError."""
    return _next(recipe, dict(recipe.subject), [dict(block) for block in recipe.blocks], by, "text_reset")


def _next(
    recipe: Recipe, subject: dict[str, str], blocks: list[dict[str, Any]], by: User, action: str
) -> TemplateVersion:
    campaign = _locked(recipe)
    blocks = with_or_without_coupon(blocks, list(subject), bool(campaign.options.get(couponing.OPTION)))
    if faults := text_faults(recipe, subject, blocks):
        raise TextError(" ".join(faults))
    assert campaign.template_version is not None
    campaign.template_version = drafting.next_version(campaign.template_version, subject, blocks, by)
    campaign.save(update_fields=["template_version"])
    audit.record(by.pk, action, audited(recipe), campaign.template_version.number)
    return campaign.template_version


def with_or_without_coupon(
    blocks: list[dict[str, Any]], languages: Sequence[str], wanted: bool
) -> list[dict[str, Any]]:
    """The blocks with one that shows the coupon, or without any."""
    shows = any(block.get("coupon") for block in blocks)
    if wanted and not shows:
        return [dict(block) for block in couponing.with_block(blocks, languages)]
    return blocks if wanted else [block for block in blocks if not block.get("coupon")]


def text_faults(recipe: Recipe, subject: dict[str, str], blocks: list[dict[str, Any]]) -> list[str]:
    """What keeps a text from being the recipe's, in sentences."""
    found = rendering.problems(TemplateVersion(subject=subject, blocks=blocks), recipe.values)
    if recipe.message_class != "transactional":
        return found
    for number, block in enumerate(blocks, 1):
        if kinds.advertises(block):
            told = {"number": number, "kind": BlockKind(block["kind"]).label}
            found.append(
                _(
                    "This mail needs no permission as long as it advertises nothing. Take block %(number)s (%(kind)s) "
                    "out, or make it a reason."
                )
                % told
            )
    return found


def speaks_of_coupon(version: TemplateVersion | None) -> bool:
    """Whether a text would fail without a coupon: it names one outside the block that is left out then."""
    if version is None:
        return False
    rest = [block for block in version.blocks if not block.get("coupon")]
    return rendering.names_coupon(version.subject, rest)


def history(recipe: Recipe, campaign: Campaign) -> list[Change]:
    """Texts, switches and settings, newest first. Two queries."""
    texts = TemplateVersion.objects.filter(template__versions=campaign.template_version)
    made = [
        Change(one.created_at, _who(one.created_by), _text_said(one.number), one.number)
        for one in texts.select_related("created_by").defer("subject", "blocks").order_by("-number")[:SHOWN]
    ]
    entries = AuditEntry.objects.filter(kind=audited(recipe)).exclude(action__in=("text_kept", "text_reset"))
    done = [
        Change(entry.at, _who(entry.actor), _done(entry.action))
        for entry in entries.select_related("actor").order_by("-at", "-pk")[:SHOWN]
    ]
    return sorted(made + done, key=lambda change: change.at, reverse=True)[:SHOWN]


def _who(user: User | None) -> str:
    return str(user) if user else _("Stammkunde")


def _text_said(number: int) -> str:
    return _("Text it came with") if number == 1 else _("Text, version %(n)s") % {"n": number}


def _done(action: str) -> str:
    return {
        "switched_on": _("Switched on"),
        "switched_off": _("Switched off"),
        "changed": _("Settings changed"),
        "coupon_chosen": _("Coupon chosen"),
        "coupon_dropped": _("Coupon taken out"),
    }.get(action, action)


def _locked(recipe: Recipe) -> Campaign:
    pk = recipes.standing_campaign(recipe).pk
    return Campaign.objects.select_for_update(of=["self"]).select_related("template_version__template").get(pk=pk)
