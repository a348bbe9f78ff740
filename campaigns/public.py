"""The unsubscribe page: no log-in, no cookie, and nothing changes by opening it.

A mail program's button sends a POST (RFC 8058); a person opens the page and presses its button. Both end the
permission at once, may be repeated, and answer 200 without a redirect. A link that was not made here changes nothing.
"""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse

from campaigns.composing import UNSUBSCRIBE
from crm import consent, links, preferences, tokens
from crm.filters import purpose_label
from crm.models import ConsentState, Customer, Purpose
from crm.views.public.page import answer, how, page


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
