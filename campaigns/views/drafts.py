"""Writing a mailing: its text, its audience, its time; looked at and tried before anybody gets it."""

from collections.abc import Iterable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import composing, couponing, drafting, recipes, rendering, testing
from campaigns.audience import Reach, reach_of
from campaigns.forms import LaunchForm, MailingForm, initial_of
from campaigns.models import Campaign
from campaigns.planning import LaunchError
from campaigns.reasons import why_closed
from campaigns.recipe import Occasion
from campaigns.testing import TestMailError
from crm.access import requires
from crm.models import Shop
from loyalty.stages import STAGES

# A mail brings its own styles and nothing else: no script, no form, no picture from elsewhere, no way out of the frame.
MAIL_POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "sandbox": True,
}


def mailing_of(pk: int) -> Campaign:
    """The mailing, with its text and who made and launched it; 404 for a recipe's own campaign."""
    found = Campaign.objects.select_related("template_version", "launched_by", "created_by")
    return get_object_or_404(found, pk=pk, standing=False)


@requires("campaigns.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write a mailing; it becomes a draft when it is kept. `?recipe=coupon`: one that brings a coupon."""
    asked = request.GET.get("recipe", drafting.RECIPE)
    if asked not in {recipe.code for recipe in recipes.of_occasion(Occasion.SCHEDULED)}:
        raise Http404
    return write(request, None, asked)


def write(request: HttpRequest, campaign: Campaign | None, recipe: str = drafting.RECIPE) -> HttpResponse:
    """The page on which a mailing is written, and what it keeps."""
    shop = Shop.current()
    recipe = campaign.recipe if campaign else recipe
    if request.method == "POST":
        form = MailingForm(request.POST, shop=shop, needs_coupon=_needs_coupon(recipe))
        if form.is_valid():
            try:
                kept = drafting.keep(form, request.user, campaign.pk if campaign else None, recipe)  # type: ignore[arg-type]
            except LaunchError as error:
                messages.error(request, str(error))
                return redirect("campaigns")
            messages.success(request, _("The draft is kept."))
            return redirect("mailing", pk=kept.pk)
        return render(request, "campaigns/draft.html", draft_page(request, campaign, form, recipe=recipe), status=422)
    fresh = form_of(request, campaign, shop, recipe)
    return render(request, "campaigns/draft.html", draft_page(request, campaign, fresh, recipe=recipe))


def _needs_coupon(recipe: str) -> bool:
    return recipes.everything()[recipe].brings == "always"


def form_of(request: HttpRequest, campaign: Campaign | None, shop: Shop, recipe: str) -> MailingForm:
    """The form as it stands before anybody wrote: the draft's text, or the one a mailing starts with."""
    version = campaign.template_version if campaign else drafting.starting_text(recipe)
    initial = initial_of(version, campaign.send_at if campaign else None, drafting.signature_of(campaign))
    signer = campaign.options.get("signed_by") if campaign else request.user.pk
    stages = campaign.stages if campaign else []
    given = {"name": campaign.name if campaign else "", "stages": stages, "signed_by": signer}
    given["coupon"] = campaign.options.get(couponing.OPTION) if campaign else None
    form = MailingForm(initial=initial | given, shop=shop, needs_coupon=_needs_coupon(recipe))
    if campaign is None:
        for code in form.languages[1:]:
            for name in ("subject", "appreciation", "closing"):
                form.initial.pop(f"{name}_{code}", None)
    return form


def draft_page(
    request: HttpRequest,
    campaign: Campaign | None,
    form: MailingForm,
    launch: LaunchForm | None = None,
    recipe: str = drafting.RECIPE,
) -> dict[str, Any]:
    """What the draft's page shows."""
    version = campaign.template_version if campaign else None
    stages = known_stages(form["stages"].value() or [])
    reach = reach_of(stages, campaign.send_at if campaign else None) if stages else None
    problems = rendering.problems(version) if version else []
    if campaign and version:
        problems += couponing.problems(campaign, needed=_needs_coupon(campaign.recipe))
    return {
        "campaign": campaign,
        "recipe": recipes.everything()[recipe],
        "form": form,
        "launch": launch or LaunchForm(),
        "reach": reach,
        "problems": problems,
        "missing": _missing(campaign, reach) if campaign else "",
        "previews": previews(campaign),
        "closed": why_closed(),
    }


def previews(campaign: Campaign | None) -> list[tuple[str, str]]:
    """The languages a mailing is written in, each with its subject."""
    version = campaign.template_version if campaign else None
    return [(code, version.subject[code]) for code in rendering.languages(version)] if version else []


def _missing(campaign: Campaign, reach: Reach | None) -> str:
    """What keeps a draft from being launched, as one sentence; '' if nothing does."""
    if campaign.template_version is None:
        return _("Write the text first.")
    if campaign.send_at is None:
        return _("Choose day and time, then keep the draft.")
    if reach is None or not reach.matched:
        return _("Choose stages in which somebody stands.")
    if not reach.recipients:
        return _("None of these people may be mailed.")
    return ""


def known_stages(codes: Iterable[str]) -> list[str]:
    asked = set(codes)
    return [stage.code for stage in STAGES if stage.code in asked]


@requires("campaigns.view")
@require_GET
def audience(request: HttpRequest) -> HttpResponse:
    """How many stand in the stages ticked just now, how many of them may be mailed, and why not the others."""
    stages = known_stages(request.GET.getlist("stages"))
    return render(request, "campaigns/audience.html", {"reach": reach_of(stages) if stages else None, "live": True})


@requires("campaigns.view")
@require_GET
@xframe_options_sameorigin
@csp_replace(MAIL_POLICY)  # type: ignore[arg-type]
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail itself, for an invented person, in a frame that can do nothing; a recipe's own mail, too."""
    campaign = get_object_or_404(Campaign.objects.select_related("template_version"), pk=pk)
    shop, recipe = Shop.current(), recipes.everything()[campaign.recipe]
    version = campaign.template_version
    if version is None:
        return HttpResponse(_("There is no text yet."), content_type="text/plain; charset=utf-8")
    language = rendering.language_for(version, request.GET.get("language", ""), shop.language)
    order = testing.order_for(campaign, "preview@invalid.test", language)
    values = (
        composing.values(order, shop, language) | dict.fromkeys(composing.LINKS, "about:blank") | dict(recipe.values)
    )
    if order.coupon:
        values |= couponing.values(order.coupon, language)
    try:
        content = rendering.compiled(version, language, order.message_class, coupon=bool(order.coupon)).fill(values)
    except (rendering.RenderError, KeyError) as error:
        return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=422)
    return HttpResponse(content.html)


@requires("campaigns.manage")
@require_POST
def test_mail(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the mail to whoever asks, and to nobody else."""
    try:
        address = testing.send_to_myself(mailing_of(pk), request.user, request.user.language)  # type: ignore[arg-type, union-attr]
        messages.success(request, _("A test mail went to %(address)s.") % {"address": address})
    except TestMailError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)
