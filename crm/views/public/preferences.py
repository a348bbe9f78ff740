"""The preference centre: what one gets, how often, in which language, one's data. Opened by the link in a mail."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crm import address_change, preferences, texts, throttle, tokens
from crm.display import day
from crm.filters import purpose_label
from crm.forms_public import AddressForm, DetailsForm
from crm.masking import masked
from crm.models import Channel, ConsentEvent, LegalText, LinkToken, Shop
from crm.privacy import rectify
from crm.views.public.page import answer, dead_link, how, page

FORM = "preferences 2"
MOVES_PER_PERSON = (throttle.Limit("preferences/move", 5, timedelta(days=1)),)
GOOD, BAD = "good", "bad"


@page(limits=throttle.PREFERENCES)
def centre(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is set; a POST changes the part that its `part` names and shows the page with the result."""
    link = tokens.find(LinkToken.Use.PREFERENCES, token)
    if link is None or not preferences.opens(link):
        return dead_link(request)
    said: tuple[str, str] | None = None
    forms: dict[str, Any] = {}
    part = request.POST.get("part", "")
    if request.method == "POST" and part in PARTS:
        said = PARTS[part](request, link, forms)
        link.customer.refresh_from_db()
    context = _context(link, forms) | {"said": said}
    return answer(request, "public/preferences.html", context, status=422 if said and said[0] == BAD else 200)


def _context(link: LinkToken, forms: dict[str, Any]) -> dict[str, Any]:
    customer, shop = link.customer, Shop.current()
    shown = preferences.choices(customer, texts.wordings(get_language() or "de"))
    channels = [
        (channel.label, [(purpose_label(one.purpose), one) for one in shown if one.channel == channel])
        for channel in Channel
    ]
    return {
        "mailbox": masked("email", link.address),
        "channels": [(label, boxes) for label, boxes in channels if boxes],
        "details": forms.get("details") or DetailsForm(None, customer=customer, shop=shop),
        "address": forms.get("address") or AddressForm(),
        "notice": texts.legal(LegalText.Kind.PRIVACY, get_language() or "de"),
    }


def _permissions(request: HttpRequest, link: LinkToken, _forms: dict[str, Any]) -> tuple[str, str]:
    language = get_language() or "de"
    shown = preferences.choices(link.customer, texts.wordings(language))
    # A box that the person did not see on the page as it was sent is left as it is.
    seen = set(request.POST.getlist("seen"))
    shown = [one for one in shown if f"{one.name}:{one.wording.pk if one.wording else ''}" in seen]
    notice = texts.legal(LegalText.Kind.PRIVACY, language)
    proof = how(
        request,
        ConsentEvent.Method.MAIL_LINK,
        address=link.address,
        form=FORM,
        notice_version=notice.name if notice else "",
        token_hash=link.digest,
    )
    changed = preferences.set_permissions(link.customer, shown, request.POST.getlist("on"), proof)
    return GOOD, _("Saved. It holds at once.") if changed else _("Nothing was different, so nothing was changed.")


def _details(request: HttpRequest, link: LinkToken, forms: dict[str, Any]) -> tuple[str, str]:
    form = forms["details"] = DetailsForm(request.POST, customer=link.customer, shop=Shop.current())
    if not form.is_valid():
        return BAD, _("Nothing was saved. Please look at the fields marked below.")
    rectify.rectify(link.customer.pk, form.corrections(), None)
    preferences.set_rhythm(link.customer, form.cleaned_data["mails"])
    del forms["details"]
    return GOOD, _("Saved.")


def _address(request: HttpRequest, link: LinkToken, forms: dict[str, Any]) -> tuple[str, str]:
    """Have a new mailbox asked. The answer is the same for every address but the one that is in use."""
    form = forms["address"] = AddressForm(request.POST)
    if not form.is_valid():
        return BAD, _("Nothing was sent. Please look at the field marked below.")
    if not throttle.allowed(MOVES_PER_PERSON, str(link.customer.person_key)):
        return BAD, _("You asked for a new address several times today. Please try once more tomorrow.")
    language = get_language() or "de"
    notice = texts.legal(LegalText.Kind.PRIVACY, language)
    proof = how(request, ConsentEvent.Method.MAIL_LINK, form=FORM, notice_version=notice.name if notice else "")
    became = address_change.request(link.customer.pk, form.cleaned_data["email"], language, proof)
    del forms["address"]
    if became == "same":
        return GOOD, _("This is the address that we use already. Nothing was changed.")
    return GOOD, _(
        "We have sent a mail to the new address. Open its link and confirm: only then do we use it. Until then nothing"
        " changes."
    )


def _everything(request: HttpRequest, link: LinkToken, _forms: dict[str, Any]) -> tuple[str, str]:
    proof = how(request, ConsentEvent.Method.MAIL_LINK, address=link.address, form=FORM, token_hash=link.digest)
    preferences.object_everywhere(link.customer.pk, proof)
    return GOOD, _("You get no more advertising from us, on no channel. Mails that belong to an order still reach you.")


def _data(request: HttpRequest, link: LinkToken, _forms: dict[str, Any]) -> tuple[str, str]:
    kind = request.POST.get("kind", "")
    if kind not in ("access", "rectify", "erase"):
        return BAD, _("Please choose what shall happen with your data.")
    asked = preferences.ask_for_data(link.customer, kind)
    return GOOD, _("We have noted it and answer at the latest on %(day)s.") % {"day": day(asked.due_on)}


PARTS = {"address": _address, "permissions": _permissions, "details": _details, "everything": _everything, "data": _data}
