"""One mailing: write it, see whom it reaches, try it, launch it, watch it."""

from collections.abc import Iterable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import composing, couponing, drafting, mail_use, planning, recipes, rendering, testing, tracking
from campaigns.audience import Reach, reach_of
from campaigns.forms import LaunchForm, MailingForm, initial_of
from campaigns.models import Campaign, Delivery
from campaigns.planning import LaunchError
from campaigns.reasons import sentence, why_closed
from campaigns.recipe import Occasion
from campaigns.testing import TestMailError
from campaigns.views.overview import NOT_SENT, OPEN, tally_of
from crm import access
from crm.access import requires
from crm.models import Shop
from loyalty.stages import STAGES

UNKNOWN_SHOWN = 50
LIVE = (Campaign.Status.SCHEDULED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)
STATUS_BADGES = {
    Campaign.Status.DRAFT: ("pencil", ""),
    Campaign.Status.SCHEDULED: ("calendar-event", ""),
    Campaign.Status.RUNNING: ("send", "good"),
    Campaign.Status.PAUSED: ("player-pause", "due"),
    Campaign.Status.FINISHED: ("check", "good"),
    Campaign.Status.CANCELLED: ("x", ""),
}
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


def _mailing(pk: int) -> Campaign:
    found = Campaign.objects.select_related("template_version", "launched_by", "created_by")
    return get_object_or_404(found, pk=pk, standing=False)


@requires("campaigns.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write a mailing; it becomes a draft when it is kept. `?recipe=coupon`: one that brings a coupon."""
    asked = request.GET.get("recipe", drafting.RECIPE)
    if asked not in {recipe.code for recipe in recipes.of_occasion(Occasion.SCHEDULED)}:
        raise Http404
    return _write(request, None, asked)


@requires("campaigns.view")
@require_http_methods(["GET", "POST"])
def mailing(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft to write on, or a launched mailing to watch."""
    campaign = _mailing(pk)
    if campaign.status == Campaign.Status.DRAFT and access.may(request.user, "campaigns.manage"):
        return _write(request, campaign)
    return render(request, "campaigns/mailing.html", _watched(campaign))


def _write(request: HttpRequest, campaign: Campaign | None, recipe: str = drafting.RECIPE) -> HttpResponse:
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
        return render(request, "campaigns/draft.html", _draft(request, campaign, form, recipe=recipe), status=422)
    fresh = _form(request, campaign, shop, recipe)
    return render(request, "campaigns/draft.html", _draft(request, campaign, fresh, recipe=recipe))


def _needs_coupon(recipe: str) -> bool:
    return recipes.everything()[recipe].brings == "always"


def _form(request: HttpRequest, campaign: Campaign | None, shop: Shop, recipe: str) -> MailingForm:
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


def _draft(
    request: HttpRequest,
    campaign: Campaign | None,
    form: MailingForm,
    launch: LaunchForm | None = None,
    recipe: str = drafting.RECIPE,
) -> dict[str, Any]:
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
        address = testing.send_to_myself(_mailing(pk), request.user, request.user.language)  # type: ignore[arg-type, union-attr]
        messages.success(request, _("A test mail went to %(address)s.") % {"address": address})
    except TestMailError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)


@requires("campaigns.manage")
@require_POST
def launch(request: HttpRequest, pk: int) -> HttpResponse:
    """Schedule the draft, if the number typed in is the number of mails."""
    campaign, form = _mailing(pk), LaunchForm(request.POST)
    if form.is_valid():
        try:
            planning.launch(pk, form.cleaned_data["recipients"], request.user)  # type: ignore[arg-type]
        except LaunchError as error:
            form.add_error("recipients", str(error))
        else:
            messages.success(request, _("The mailing is scheduled. It starts by itself."))
            return redirect("mailing", pk=pk)
    if campaign.status != Campaign.Status.DRAFT:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("mailing", pk=pk)
    fresh = _form(request, campaign, Shop.current(), campaign.recipe)
    context = _draft(request, campaign, fresh, form, campaign.recipe)
    return render(request, "campaigns/draft.html", context, status=422)


@requires("campaigns.manage")
@require_POST
def steer(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Pause, resume or cancel."""
    _mailing(pk)
    try:
        if verb == "pause":
            planning.pause(pk)
            messages.success(request, _("The mailing rests. Nothing goes until you resume it."))
        elif verb == "resume":
            planning.resume(pk)
            messages.success(request, _("The mailing goes on where it stopped."))
        else:
            stopped = planning.cancel(pk)
            messages.success(request, _("The mailing is cancelled; %(n)s mails were stopped.") % {"n": stopped})
    except LaunchError as error:
        messages.error(request, str(error))
    return redirect("mailing", pk=pk)


@requires("campaigns.view")
@require_GET
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The counts alone, for the page that asks every few seconds."""
    return render(request, "campaigns/mailing.html#state", _watched(_mailing(pk)))


def _watched(campaign: Campaign) -> dict[str, Any]:
    rows = Delivery.objects.filter(campaign=campaign).values("state", "reason").annotate(n=Count("pk")).order_by()
    found = list(rows)
    counts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for row in found:
        counts[row["state"]] = counts.get(row["state"], 0) + row["n"]
        if row["state"] in NOT_SENT:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["n"]
    tally = tally_of(counts)
    unknown = Delivery.objects.filter(campaign=campaign, state=Delivery.State.UNKNOWN).select_related("customer")
    icon, tone = STATUS_BADGES[Campaign.Status(campaign.status)]
    return {
        "campaign": campaign,
        "badge": {"icon": icon, "tone": tone},
        "tally": tally,
        "all": sum(counts.values()),
        "done": sum(n for name, n in counts.items() if name not in OPEN),
        "bar": [
            (_("sent"), tally.sent, "f-berry"),
            (_("still to go"), tally.waiting, "f-iron-soft"),
            (_("unclear whether sent"), tally.unknown, "f-due"),
            (_("not sent"), tally.left_out, "f-iron"),
        ],
        "reasons": sorted(((sentence(code) or code, n) for code, n in reasons.items()), key=lambda row: -row[1]),
        "unknown": unknown.order_by("-sending_at")[:UNKNOWN_SHOWN] if tally.unknown else [],
        "live": campaign.status in LIVE,
        "previews": previews(campaign),
        "stage_names": [stage.label for stage in STAGES if stage.code in campaign.stages],
        "closed": why_closed(),
        "coupon": couponing.of_campaign(campaign),
        "use": mail_use.totals(campaign.pk),
        "counting": tracking.is_on(),
    }
