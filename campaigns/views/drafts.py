"""Writing a mailing: its text, its audience, its time; looked at and tried before anybody gets it."""

from collections.abc import Callable, Iterable
from typing import Any

from csp.decorators import csp_replace
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import drafting, lint, planning, recipes, testing
from campaigns.audience import Reach, reach_of
from campaigns.editor import Editor
from campaigns.filling import MEANINGS
from campaigns.forms import LaunchForm
from campaigns.forms_mailing import MailingForm, initial_of
from campaigns.forms_pace import HALF, PREFIX
from campaigns.models import Campaign, Segment
from campaigns.planning import LaunchError
from campaigns.recipe import Occasion, Recipe, Setting
from campaigns.testing import TestMailError
from campaigns.views import launch_part
from campaigns.views import previews as mails
from crm.access import requires
from crm.models import Shop
from loyalty.stages import STAGES

LISTS = ("stages", "weekdays")


def mailing_of(pk: int) -> Campaign:
    """The mailing, with its text and who made and launched it; 404 for a recipe's own campaign."""
    found = Campaign.objects.select_related("template_version", "launched_by", "created_by", "segment")
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
    """The page on which a mailing is written, and what it keeps. `do` in the form: a button that keeps nothing."""
    shop = Shop.current()
    recipe = campaign.recipe if campaign else recipe
    if request.method != "POST":
        fresh = form_of(request, campaign, shop, recipe)
        return render(request, "campaigns/draft.html", draft_page(request, campaign, fresh, recipe=recipe))
    if verb := request.POST.get("do", ""):
        form = _unkept(request, shop, recipes.everything()[recipe])
        form.editor.act(verb, request.POST.get("add_kind", ""))
        return render(request, "campaigns/draft.html", draft_page(request, campaign, form, recipe=recipe))
    form = _posted(request, shop, recipes.everything()[recipe])
    if form.is_valid():
        try:
            kept = drafting.keep(form, request.user, campaign.pk if campaign else None, recipe)  # type: ignore[arg-type]
        except LaunchError as error:
            messages.error(request, str(error))
            return redirect("campaigns")
        return _next(request, kept)
    return render(request, "campaigns/draft.html", draft_page(request, campaign, form, recipe=recipe), status=422)


def _next(request: HttpRequest, kept: Campaign) -> HttpResponse:
    """What the button asked for beside keeping, `then`: a check or a test mail, of what stands in the form and not of what
    was kept before."""
    then = request.POST.get("then", "")
    if then == "check":
        return check_and_show(request, kept.pk)
    messages.success(request, _("The draft is kept."))
    if then == "test":
        send_test(request, kept)
    return redirect("mailing", pk=kept.pk)


def check_and_show(request: HttpRequest, pk: int) -> HttpResponse:
    """Look for everything that is wrong; what is found stands on the draft's page."""
    page = redirect("mailing", pk=pk)
    try:
        found = planning.check(pk, request.user)  # type: ignore[arg-type]
    except LaunchError as error:
        messages.error(request, str(error))
        return page
    if found.problems:
        page["Location"] += "?checked"
    return page


def _posted(request: HttpRequest, shop: Shop, recipe: Recipe) -> MailingForm:
    values = drafting.values_of(recipe)
    editor = Editor(language=shop.language, values=values, data=request.POST)
    return MailingForm(request.POST, recipe=recipe, editor=editor)


def _unkept(request: HttpRequest, shop: Shop, recipe: Recipe) -> MailingForm:
    """What stands in the form just now, without a word about what is wrong with it."""
    editor = Editor(language=shop.language, values=drafting.values_of(recipe), data=request.POST, tried=False)
    given: dict[str, Any] = {name: request.POST[name] for name in request.POST}
    given |= {name: request.POST.getlist(name) for name in LISTS}
    return MailingForm(initial=given, recipe=recipe, editor=editor)


def form_of(request: HttpRequest, campaign: Campaign | None, shop: Shop, recipe_code: str) -> MailingForm:
    """The form as it stands before anybody wrote: the draft's text, or the one a mailing starts with."""
    recipe = recipes.everything()[recipe_code]
    version = campaign.template_version if campaign else drafting.starting_text(recipe_code)
    editor = Editor(
        language=shop.language,
        values=drafting.values_of(recipe),
        version=version,
        signature=drafting.signature_of(campaign),
    )
    initial = initial_of(campaign or Campaign(recipe=recipe_code), recipe)
    if campaign is None:
        editor.only_first_language()
        initial["signed_by"] = request.user.pk
    return MailingForm(initial=initial, recipe=recipe, editor=editor)


def draft_page(
    request: HttpRequest,
    campaign: Campaign | None,
    form: MailingForm,
    launch: LaunchForm | None = None,
    recipe: str = drafting.RECIPE,
) -> dict[str, Any]:
    """What the draft's page shows."""
    version = campaign.template_version if campaign else None
    used = recipes.everything()[recipe]
    reach = _reach(used, lambda name: form[name].value(), campaign)
    return {
        "campaign": campaign,
        "recipe": used,
        "form": form,
        "editor": form.editor,
        "values": values_shown(form.editor),
        "unkept": form.is_bound or bool(form.editor.changed),
        "reach": reach,
        "findings": lint.findings(version, used.message_class) if version else [],
        "previews": previews(campaign),
        **launch_part.context(request, campaign, launch),
    }


def values_shown(editor: Editor) -> list[tuple[str, str, Any]]:
    """(name, example, what it is) of everything that a text may use."""
    return [(name, example, MEANINGS.get(name, "")) for name, example in editor.values.items()]


def previews(campaign: Campaign | None) -> list[tuple[str, str]]:
    """The languages a mailing is written in, each with its subject."""
    return mails.subjects(campaign, campaign.template_version if campaign else None)


def known_stages(codes: Iterable[str]) -> list[str]:
    asked = set(codes)
    return [stage.code for stage in STAGES if stage.code in asked]


def _reach(recipe: Recipe, value: Callable[[str], Any], campaign: Campaign | None = None) -> Reach | None:
    """Whom a mailing reaches as it is written, its fields asked of `value`; None as long as neither stage nor segment is chosen.

    campaign: the draft as it is kept; what does not decide about people is taken from there.
    """
    stages, segment = known_stages(value("stages") or []), _segment(str(value("segment") or ""))
    if not stages and segment is None:
        return None
    asked = Campaign(
        pk=campaign.pk if campaign else None,
        recipe=recipe.code,
        stages=stages,
        segment=segment,
        send_at=(campaign and campaign.send_at) or now(),
        hold_out=min(_whole(value("hold_out")), HALF),
        options={one.code: _setting(one, value(PREFIX + one.code)) for one in recipe.settings},
    )
    return reach_of(asked)


def _segment(number: str) -> Segment | None:
    if number.isascii() and number.isdecimal() and len(number) < 19:
        return Segment.objects.filter(pk=int(number), archived_at=None).first()
    return None


def _whole(value: Any) -> int:
    """A number as somebody writes it into the form; 0 where it is none."""
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _setting(setting: Setting, value: Any) -> Any:
    if setting.kind == "number":
        return _whole(value)
    return bool(value) if setting.kind == "flag" else str(value or "")


@requires("campaigns.view")
@require_GET
def audience(request: HttpRequest) -> HttpResponse:
    """How many are meant by what stands in the form just now, how many of them may be mailed, and why not the others.

    `?recipe=`: what is written; `?mailing=`: the draft that it is, so that the control group is drawn as it will be.
    """
    given = request.GET
    recipe = recipes.everything().get(given.get("recipe", drafting.RECIPE))
    if recipe is None or recipe.standing:
        raise Http404
    kept = Campaign.objects.filter(pk=_whole(given.get("mailing")), standing=False, recipe=recipe.code).first()
    reach = _reach(recipe, lambda name: given.getlist(name) if name in LISTS else given.get(name), kept)
    return render(request, "campaigns/audience.html", {"reach": reach, "live": True})


@requires("campaigns.view")
@require_GET
@xframe_options_sameorigin
@csp_replace(mails.MAIL_POLICY)  # type: ignore[arg-type]
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail itself, for an invented person; `?form=text` its plain text."""
    campaign = get_object_or_404(Campaign.objects.select_related("template_version"), pk=pk)
    asked = request.GET
    return mails.shown(campaign, campaign.template_version, asked.get("language", ""), asked.get("form", ""))


@requires("campaigns.manage")
@require_POST
def test_mail(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the mail to whoever asks, and to nobody else."""
    send_test(request, mailing_of(pk))
    return redirect("mailing", pk=pk)


def send_test(request: HttpRequest, campaign: Campaign) -> None:
    try:
        address = testing.send_to_myself(campaign, request.user, request.user.language)  # type: ignore[arg-type, union-attr]
        messages.success(request, _("A test mail went to %(address)s.") % {"address": address})
    except TestMailError as error:
        messages.error(request, str(error))
