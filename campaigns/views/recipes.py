"""One page for each recipe: what it does and to whom, its switch and settings, its text, what came of it."""

from datetime import timedelta
from typing import Any

from csp.decorators import csp_replace
from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import couponing, drafting, lint, mail_use, recipe_care, recipes, testing, tracking
from campaigns.editor import Editor
from campaigns.forms_pace import PaceForm, initial_of
from campaigns.models import Campaign, Delivery, TemplateVersion
from campaigns.reasons import sentence, why_closed
from campaigns.recipe import Recipe
from campaigns.testing import TestMailError
from campaigns.views import previews as mails
from campaigns.views.drafts import values_shown
from campaigns.views.overview import NOT_SENT, WINDOW_DAYS, tally_of
from crm import days, permission
from crm.access import requires
from crm.filters import purpose_label
from crm.models import Purpose, Shop
from loyalty.models import CouponBatch


def _recipe(code: str, *, standing: bool = True) -> Recipe:
    """The recipe; 404 if there is none, or if it must run by itself and does not."""
    recipe = recipes.everything().get(code)
    if recipe is None or (standing and not recipe.standing):
        raise Http404
    return recipe


@requires("campaigns.view")
@require_GET
def recipe(request: HttpRequest, code: str) -> HttpResponse:
    """Everything about one recipe."""
    return render(request, "campaigns/recipe.html", _page(request, _recipe(code, standing=False)))


@requires("campaigns.manage")
@require_POST
def switch(request: HttpRequest, code: str) -> HttpResponse:
    """Switch a recipe on or off: `on` is 1 or 0. `back` says from which page."""
    found = _recipe(code)
    on = {"1": True, "0": False}.get(request.POST.get("on", ""))
    if found.always_on or on is None:
        raise Http404
    recipe_care.switch(found, on, request.user)  # type: ignore[arg-type]
    said = _("“%(name)s” is switched on.") if on else _("“%(name)s” is switched off. What was planned waits.")
    messages.success(request, said % {"name": found.label})
    return redirect("recipe", code) if request.POST.get("back") == "recipe" else redirect("campaigns")


@requires("campaigns.manage")
@require_POST
def settings(request: HttpRequest, code: str) -> HttpResponse:
    """Keep a recipe's settings for the mails that are planned from now on."""
    found = _recipe(code)
    campaign = recipes.standing_campaign(found)
    form = PaceForm(request.POST, recipe=found)
    if form.is_valid() and _coupon_may_go(form, campaign):
        recipe_care.keep_settings(found, form, request.user)  # type: ignore[arg-type]
        messages.success(request, _("Kept. It holds for every mail that is planned from now on."))
        return redirect("recipe", code)
    return render(request, "campaigns/recipe.html", _page(request, found, form=form), status=422)


def _coupon_may_go(form: PaceForm, campaign: Campaign) -> bool:
    if (
        not form.recipe.brings
        or form.cleaned_data["coupon"]
        or not recipe_care.speaks_of_coupon(campaign.template_version)
    ):
        return True
    form.add_error("coupon", _("The text speaks of a coupon. Take its placeholders out first, then the coupon."))
    return False


@requires("campaigns.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def coupon(request: HttpRequest, code: str) -> HttpResponse:
    """Choose the coupon that a recipe's mails bring from now on; it is shown on the recipe's page."""
    found = _recipe(code)
    if not found.brings:
        raise Http404
    if request.method != "POST":
        return redirect("recipe", code)
    number = request.POST.get("coupon", "")
    batch: CouponBatch | None = None
    if number:
        known = number.isascii() and number.isdecimal() and len(number) < 19
        batch = couponing.choices().filter(pk=int(number)).first() if known else None
        if batch is None:
            form = PaceForm(request.POST, recipe=found)
            return render(request, "campaigns/recipe.html", _page(request, found, form=form), status=422)
    recipe_care.choose_coupon(found, batch, request.user)  # type: ignore[arg-type]
    messages.success(request, _("Kept. It holds for every mail that is planned from now on."))
    return redirect("recipe", code)


@requires("campaigns.manage")
@require_POST
def text(request: HttpRequest, code: str) -> HttpResponse:
    """Keep the next version of a recipe's text. `do` in the form: a button that keeps nothing."""
    found = _recipe(code)
    verb = request.POST.get("do", "")
    values = drafting.values_of(found)
    editor = Editor(language=Shop.current().language, values=values, data=request.POST, tried=not verb)
    if verb:
        editor.act(verb, request.POST.get("add_kind", ""))
        return render(request, "campaigns/recipe.html", _page(request, found, editor=editor))
    if editor.is_valid() and _is_newest(request, found, editor):
        try:
            made = recipe_care.keep_text(found, editor, request.user)  # type: ignore[arg-type]
        except recipe_care.TextError as error:
            editor.errors.append(str(error))
        else:
            messages.success(
                request, _("Kept as version %(n)s, for every mail that is planned from now on.") % {"n": made.number}
            )
            return redirect("recipe", code)
    return render(request, "campaigns/recipe.html", _page(request, found, editor=editor), status=422)


def _is_newest(request: HttpRequest, found: Recipe, editor: Editor) -> bool:
    """Whether nobody kept another text since this one was opened; else the editor says so."""
    version = recipes.standing_campaign(found).template_version
    if version is None or request.POST.get("base") == str(version.number):
        return True
    editor.errors.append(
        _("Somebody kept version %(n)s meanwhile. Look at it below; keep again, and yours takes its place.")
        % {"n": version.number}
    )
    return False


@requires("campaigns.manage")
@require_POST
def reset(request: HttpRequest, code: str) -> HttpResponse:
    """Back to the text that the recipe came with, as its next version."""
    found = _recipe(code)
    try:
        recipe_care.text_it_came_with(found, request.user)  # type: ignore[arg-type]
        messages.success(request, _("The text it came with is back, for every mail that is planned from now on."))
    except recipe_care.TextError as error:
        messages.error(request, str(error))
    return redirect("recipe", code)


@requires("campaigns.manage")
@require_POST
def test_mail(request: HttpRequest, code: str) -> HttpResponse:
    """Send the recipe's mail to whoever asks, and to nobody else."""
    campaign = recipes.standing_campaign(_recipe(code))
    try:
        address = testing.send_to_myself(campaign, request.user, request.user.language)  # type: ignore[arg-type, union-attr]
        messages.success(request, _("A test mail went to %(address)s.") % {"address": address})
    except TestMailError as error:
        messages.error(request, str(error))
    return redirect("recipe", code)


@requires("campaigns.view")
@require_GET
@xframe_options_sameorigin
@csp_replace(mails.MAIL_POLICY)  # type: ignore[arg-type]
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """The recipe's mail for an invented person; `?version=` an earlier text, `?form=text` its plain text."""
    found = _recipe(code, standing=False)
    campaign, version = _text_of(found)
    asked = request.GET.get("version", "")
    if asked and version and version.pk:
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 0
        version = TemplateVersion.objects.filter(template_id=version.template_id, number=number).first()
        if version is None:
            raise Http404
    return mails.shown(campaign, version, request.GET.get("language", ""), request.GET.get("form", ""))


def _text_of(found: Recipe) -> tuple[Campaign, TemplateVersion | None]:
    """The recipe's campaign, unsaved for one that marketers send, and its text."""
    if found.standing:
        campaign = recipes.standing_campaign(found)
        return campaign, campaign.template_version
    return Campaign(recipe=found.code, options=found.first_options), drafting.starting_text(found.code)


def _page(
    request: HttpRequest, found: Recipe, *, form: PaceForm | None = None, editor: Editor | None = None
) -> dict[str, Any]:
    campaign, version = _text_of(found)
    shop = Shop.current()
    advertising = found.message_class != "transactional"
    context: dict[str, Any] = {
        "recipe": found,
        "campaign": campaign,
        "advertising": advertising,
        "purpose": _purpose(found),
        "similar_goods": found.purpose in permission.SIMILAR_GOODS,
        "cap": shop.mails_per_fortnight,
        "cap_days": permission.CAP_DAYS,
        "previews": mails.subjects(campaign, version),
        "findings": lint.findings(version, found.message_class) if version else [],
        "closed": why_closed(),
    }
    if not found.standing:
        return context
    values = drafting.values_of(found)
    chosen = campaign.options.get(couponing.OPTION)
    return context | {
        "form": form or PaceForm(initial=initial_of(campaign, found), recipe=found),
        "editor": editor or Editor(language=shop.language, values=values, version=version),
        "values": values_shown(editor or Editor(language=shop.language, values=values)),
        "version": version,
        "own_text": version
        and (version.subject, version.blocks) == (dict(found.subject), [dict(b) for b in found.blocks]),
        "trouble": (couponing.refusal(couponing.of_campaign(campaign)) if chosen else "")
        or (found.trouble(campaign) if found.trouble else ""),
        "stands": found.stands(campaign) if found.stands else "",
        "history": recipe_care.history(found, campaign),
        "window": WINDOW_DAYS,
        **_lately(campaign),
    }


def _purpose(found: Recipe) -> str:
    purpose = Purpose.objects.filter(pk=found.purpose).first()
    return purpose_label(purpose) if purpose else found.purpose


def _lately(campaign: Campaign) -> dict[str, Any]:
    """The mails of the last days by state, and why some did not go. Two queries, with the clicks three."""
    rows = Delivery.objects.filter(campaign=campaign, planned_at__gte=now() - timedelta(days=WINDOW_DAYS))
    counts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for row in rows.values("state", "reason").annotate(n=Count("pk")).order_by():
        counts[row["state"]] = counts.get(row["state"], 0) + row["n"]
        if row["state"] in NOT_SENT:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["n"]
    clicks = mail_use.clicks_since([campaign.pk], days.today() - timedelta(days=WINDOW_DAYS))
    return {
        "tally": tally_of(counts),
        "reasons": sorted(((sentence(code) or code, n, code) for code, n in reasons.items()), key=lambda row: -row[1]),
        "clicks": clicks.get(campaign.pk, 0),
        "counting": tracking.is_on(),
    }
