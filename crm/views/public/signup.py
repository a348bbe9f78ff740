"""Sign-up: a page of its own, and the same form in a frame on the merchant's pages.

Nothing is allowed by it before the mailbox confirmed. The answer is the same for every address, known or not.
"""

from functools import wraps
from typing import cast

from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crm import double_opt_in, texts, throttle
from crm.filters import purpose_label
from crm.forms_public import SignUpForm, read_stamp, stamp, too_fast
from crm.models import ConsentEvent, LegalText, Shop, Wording
from crm.origins import frame_origins
from crm.views.public.page import View, answer, how, page

FORM = "sign-up 2"


@page(limits=throttle.SIGN_UP_BY_COMPUTER)
def sign_up(request: HttpRequest) -> HttpResponse:
    """Show the form; a POST asks the mailbox for its confirmation."""
    return _form(request, embedded=False)


def framed(view: View) -> View:
    """Let the pages that the shop's settings name show this view in a frame; elsewhere no browser does."""

    @wraps(view)
    def shown(request: HttpRequest) -> HttpResponse:
        response = view(request)
        if origins := frame_origins(Shop.current()):
            response.xframe_options_exempt = True  # that header knows no list
            return cast(HttpResponse, csp_replace({"frame-ancestors": origins})(lambda _request: response)(request))
        return response

    return shown


@framed
@page(limits=throttle.SIGN_UP_BY_COMPUTER)
def sign_up_embedded(request: HttpRequest) -> HttpResponse:
    """The form for a frame on the merchant's own pages."""
    return _form(request, embedded=True)


def _form(request: HttpRequest, *, embedded: bool) -> HttpResponse:
    language = get_language() or "de"
    asked = texts.wordings(language)
    notice = texts.legal(LegalText.Kind.PRIVACY, language)
    fresh = stamp(asked, notice.name if notice else "", language)
    form = SignUpForm(request.POST if request.method == "POST" else None, asked, fresh, Shop.current())
    note = ""
    if request.method == "POST":
        if form.trapped:
            return _thanks(request, embedded)
        note = _refused(form, asked)
        if not note and form.is_valid():
            _ask(request, form)
            return _thanks(request, embedded)
    context = {
        "form": form,
        "offers": [(purpose_label(wording.purpose), wording) for wording in asked.values()],
        "ticked": cast(QueryDict, form.data).getlist("purpose") if form.is_bound else [],
        "notice": notice,
        "note": note,
        "fresh": form.data.get("stamp", "") if form.is_bound and not note else fresh,
        "embedded": embedded,
    }
    return answer(request, "public/sign_up.html", context, status=422 if form.is_bound else 200)


def _refused(form: SignUpForm, asked: dict[str, Wording]) -> str:
    """Why the form must be sent once more although its fields may be right; "" if it need not."""
    given = form.data.get("stamp", "")
    shown = read_stamp(given)
    ticked = set(cast(QueryDict, form.data).getlist("purpose"))
    if shown is None:
        return _("The page had been open for too long. Please look at it once more and send it.")
    if any(purpose in shown["w"] and shown["w"][purpose] != asked[purpose].pk for purpose in ticked & asked.keys()):
        return _("What you agree to was worded anew meanwhile. Please read it and send the form once more.")
    if too_fast(given):
        return _("That was very fast. Please send the form once more: it keeps machines out.")
    return ""


def _ask(request: HttpRequest, form: SignUpForm) -> None:
    """Have the mailbox asked, unless it was asked too often lately; who sent the form learns neither."""
    given = form.cleaned_data
    shown = read_stamp(given["stamp"]) or {"w": {}, "n": "", "l": "de"}
    proof = how(
        request,
        ConsentEvent.Method.WEB,
        address=given["email"],
        form=FORM,
        notice_version=shown["n"],
        wordings={purpose: shown["w"][purpose] for purpose in given["purpose"]},
    )
    name = double_opt_in.Name(
        given.get("salutation") or "none", given.get("given_name", ""), given.get("family_name", "")
    )
    double_opt_in.request(given["email"], given["purpose"], shown["l"], proof, name=name)


def _thanks(request: HttpRequest, embedded: bool) -> HttpResponse:
    return answer(request, "public/sign_up_done.html", {"embedded": embedded})
