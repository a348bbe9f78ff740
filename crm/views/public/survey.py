"""The questionnaire behind a mail: opened by its link alone, answered once.

Programs that open every link change nothing by it. Neither address nor name is shown: a link may be passed on.
"""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language

from crm import surveys, texts, throttle
from crm.forms_survey import SurveyForm
from crm.models import LegalText, Shop
from crm.views.public.page import answer, dead_link, page

GONE, UNPROCESSABLE = 410, 422
LIMITS = (throttle.Limit("survey/ip", 5, throttle.MINUTE),)


@page(limits=LIMITS)
def survey(request: HttpRequest, token: str) -> HttpResponse:
    """Show the questions; a POST keeps the answers and thanks. What is answered or too old says so."""
    found = surveys.look(token)
    if found is None:
        return dead_link(request)
    if found.state != "open":
        return answer(
            request, "public/survey_closed.html", {"found": found}, 200 if found.state == "answered" else GONE
        )
    posted = request.method == "POST"
    form = SurveyForm(request.POST if posted else None, shop=Shop.current().name, seed=str(found.invitation.response))
    if posted and form.is_valid():
        kept = surveys.answer(token, form.as_sheet)
        return answer(request, "public/survey_thanks.html") if kept else _once_more(request, token)
    notice = texts.legal(LegalText.Kind.PRIVACY, get_language() or "de")
    return answer(
        request,
        "public/survey.html",
        {"found": found, "form": form, "notice": notice},
        UNPROCESSABLE if posted else 200,
    )


def _once_more(request: HttpRequest, token: str) -> HttpResponse:
    """What the link opens now that another answer was faster."""
    found = surveys.look(token)
    return answer(request, "public/survey_closed.html", {"found": found}) if found else dead_link(request)
