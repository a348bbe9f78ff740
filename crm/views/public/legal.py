"""The merchant's legal texts, open to everybody."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import get_language

from crm import texts
from crm.views.public.page import NAMES, answer, page


@page(posts=False)
def legal(request: HttpRequest, kind: str) -> HttpResponse:
    """The newest version of one text, in the reader's language if there is one."""
    if kind not in NAMES:
        raise Http404
    text = texts.legal(kind, get_language() or "de")
    return answer(request, "public/legal.html", {"name": NAMES[kind], "text": text}, status=200 if text else 404)
