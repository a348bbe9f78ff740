"""The objection to all advertising by a signed link: never expires, needs nothing, may be repeated."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from crm import links, preferences, tokens
from crm.models import ConsentEvent, ConsentState, Customer, Purpose
from crm.views.public.page import answer, dead_link, how, page

USE = "object"


def url(person_key: UUID) -> str:
    """The link for a mail or a letter."""
    return f"{settings.PUBLIC_BASE_URL}/o/{links.sign(USE, person_key)}/"


@page()
def objection(request: HttpRequest, token: str) -> HttpResponse:
    """A GET asks, a POST objects on every channel."""
    named = links.read(USE, token)
    customer = named and Customer.objects.filter(person_key=named[0]).first()
    if not named or named[1] or not customer or customer.erased_at:
        return dead_link(request)
    customer = tokens.in_use(customer)
    if request.method == "POST":
        preferences.object_everywhere(customer.pk, how(request, ConsentEvent.Method.MAIL_LINK))
    objected = ConsentState.objects.filter(customer=customer, channel="email", state="objected").count()
    done = objected >= Purpose.objects.count()
    return answer(request, "public/objection.html", {"done": done})
