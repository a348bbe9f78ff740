"""The link of a double opt-in: opening it shows a button, pressing it confirms.

Programs that open every link change nothing by it.
"""

from django.http import HttpRequest, HttpResponse

from crm import address_change, double_opt_in, throttle
from crm.filters import purpose_label
from crm.models import ConsentEvent, Purpose
from crm.views.public.page import answer, how, page


@page(limits=throttle.LINKS)
def confirmation(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm what was declared with this mailbox. A second press says that all is well.

    On an expired link the button asks for a new mail to the same mailbox (`again`).
    """
    found = double_opt_in.look(token)
    if request.method == "POST":
        proof = how(request, ConsentEvent.Method.MAIL_LINK)
        if "again" in request.POST and found.state == "expired":
            double_opt_in.ask_again(token, proof)
            return answer(request, "public/sign_up_done.html")
        found = address_change.confirm(token, proof)
    purposes = Purpose.objects.filter(pk__in=found.purposes).order_by("position")
    context = {"state": found.state, "moves": found.moves, "purposes": [purpose_label(purpose) for purpose in purposes]}
    status = 404 if found.state == "unknown" else 410 if found.state in ("expired", "ended") else 200
    return answer(request, "public/confirmation.html", context, status=status)
