"""A mail as an invented person would get it, in a frame that can do nothing."""

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.http import HttpResponse
from django.utils.translation import gettext as _

from campaigns import composing, couponing, rendering, testing
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


def subjects(version: TemplateVersion | None) -> list[tuple[str, str]]:
    """The languages in which a text is written, each with its subject."""
    return [(code, version.subject[code]) for code in rendering.languages(version)] if version else []


def shown(campaign: Campaign, version: TemplateVersion | None, wanted: str, form: str = "") -> HttpResponse:
    """The mail of a campaign with a text of its recipe. `form`: "text" for its plain text."""
    if version is None:
        return HttpResponse(_("There is no text yet."), content_type=PLAIN)
    shop = Shop.current()
    language = rendering.language_for(version, wanted, shop.language)
    order = testing.order_for(campaign, "preview@invalid.test", language)
    values = composing.values(order, shop, language) | dict.fromkeys(composing.LINKS, "about:blank")
    if order.coupon:
        values |= couponing.values(order.coupon, language)
    try:
        content = rendering.compiled(version, language, order.message_class, coupon=bool(order.coupon)).fill(values)
    except (rendering.RenderError, KeyError) as error:
        return HttpResponse(str(error), content_type=PLAIN, status=422)
    if form == "text":
        return HttpResponse(content.text, content_type=PLAIN)
    return HttpResponse(content.html)
