"""A mail as an invented person would get it, in a frame that can do nothing."""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.http import HttpResponse
from django.utils.translation import gettext as _

from campaigns import composing, couponing, filling, recipes, rendering, testing
from campaigns.models import Campaign, TemplateVersion
from crm.models import Shop

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
PLAIN = "text/plain; charset=utf-8"


def subjects(campaign: Campaign | None, version: TemplateVersion | None) -> list[tuple[str, str]]:
    """The languages in which a text is written, each with its subject as the invented person would read it."""
    if campaign is None or version is None:
        return []
    return [(code, _subject(campaign, version, code)) for code in rendering.languages(version)]


def _subject(campaign: Campaign, version: TemplateVersion, language: str) -> str:
    text = version.subject[language]
    if "{" not in text:
        return text
    try:
        return filling.filled(filling.parsed(text), filling.all_cleaned(_values(campaign, language)))
    except (filling.RenderError, KeyError):
        return text


def _values(campaign: Campaign, language: str) -> dict[str, Any]:
    order = testing.order_for(campaign, "preview@invalid.test", language)
    coupon = couponing.values(order.coupon, language) if order.coupon else {}
    links = dict.fromkeys(composing.LINKS, "about:blank")
    return composing.values(order, Shop.current(), language) | links | coupon


def shown(campaign: Campaign, version: TemplateVersion | None, wanted: str, form: str = "") -> HttpResponse:
    """The mail of a campaign with a text of its recipe. `form`: "text" for its plain text."""
    if version is None:
        return HttpResponse(_("There is no text yet."), content_type=PLAIN)
    language = rendering.language_for(version, wanted, Shop.current().language)
    recipe = recipes.everything()[campaign.recipe]
    coupon = bool(campaign.options.get(couponing.OPTION)) or (recipe.brings == "always" and not campaign.pk)
    try:
        values = _values(campaign, language)
        content = rendering.compiled(version, language, recipe.message_class, coupon=coupon).fill(values)
    except (rendering.RenderError, KeyError) as error:
        return HttpResponse(str(error), content_type=PLAIN, status=422)
    if form == "text":
        return HttpResponse(content.text, content_type=PLAIN)
    return HttpResponse(content.html)
