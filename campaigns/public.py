"""What mails lead to without a log-in or a cookie: the unsubscribe page, counted links, and the pixel.

Nothing but counters changes by opening any of them, so scanners may open all.

A mail program's button sends a POST (RFC 8058); a person opens the page and presses its button. Both end the
permission at once, may be repeated, and answer 200 without a redirect. A link that was not made here changes nothing.
"""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from campaigns import tracking
from campaigns.composing import UNSUBSCRIBE
from crm import consent, links, preferences, tokens
from crm.filters import purpose_label
from crm.models import ConsentState, Customer, Purpose
from crm.views.public.page import answer, dead_link, how, page

# What browsers and mail programs say when they fetch ahead of a person.
AHEAD = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


@page(posts=False)
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Lead on to where a link in a mail goes, and count it. Nothing in the address can change where that is."""
    target = tracking.follow(token, machine=by_machine(request))
    return HttpResponseRedirect(target) if target else dead_link(request)


@page(posts=False)
def pixel(request: HttpRequest, token: str) -> HttpResponse:
    """One transparent point, whoever asks. Any page may show it, for a mail is shown in the pages of others."""
    tracking.opened(token, machine=by_machine(request))
    response = HttpResponse(tracking.IMAGE, content_type="image/gif")
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def by_machine(request: HttpRequest) -> bool:
    """Whether the request itself says that nobody is looking at what it fetches."""
    wishes = (request.headers.get(name, "").lower() for name in AHEAD)
    return request.method == "HEAD" or any("prefetch" in wish or "preview" in wish for wish in wishes)


@page()
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End one kind of mail for the person whom the link names; `everything` in the form ends all advertising."""
    named = links.read(UNSUBSCRIBE, token)
    customer = named and Customer.objects.filter(person_key=named[0]).first()
    purpose = named and Purpose.objects.filter(code=named[1]).first()
    if not named or customer is None or purpose is None:
        return _page(request, {"state": "unknown"}, status=404)
    customer = tokens.in_use(customer)
    context = {"purpose": purpose_label(purpose)}
    if request.method != "POST":
        return _page(request, context | {"state": "done" if _ended(customer, purpose) else "ask"})
    proof = how(request, consent.Method.MAIL_LINK)
    if "everything" in request.POST:
        preferences.object_everywhere(customer.pk, proof)
        return _page(request, context | {"state": "silent"})
    if not _ended(customer, purpose):
        consent.withdraw(customer.pk, [purpose.code], proof)
    return _page(request, context | {"state": "done"})


def _ended(customer: Customer, purpose: Purpose) -> bool:
    ended = ConsentState.objects.filter(customer=customer, purpose=purpose, channel="email", state__in=consent.ENDS)
    return ended.exists()


def _page(request: HttpRequest, context: Mapping[str, object], status: int = 200) -> HttpResponse:
    return answer(request, "public/unsubscribe.html", context, status=status)
