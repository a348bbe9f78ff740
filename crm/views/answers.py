"""What a customer answered at the counter or on the phone, written down by staff. Works without JavaScript."""

from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm import answers
from crm.access import requires
from crm.forms_answers import AnswersForm
from crm.models import Customer
from crm.views.profile import living

UNPROCESSABLE = 422


@requires("customers.edit")
@require_http_methods(["GET", "HEAD", "POST"])
def record_answers(request: HttpRequest, pk: int) -> HttpResponse:
    """The sheet, and storing it. The same sheet sent twice is stored once."""
    customer, shop = living(pk), request.shop.name  # type: ignore[attr-defined]
    posted = request.method == "POST"
    form = AnswersForm(request.POST if posted else None, shop=shop, initial={"sheet": uuid4()})
    if posted and form.is_valid():
        sheet = form.as_sheet(customer, staff_id=request.user.pk, at=now())
        try:
            answers.record_responses([sheet])
        except Customer.DoesNotExist as gone:  # erased while the sheet was filled in
            raise Http404 from gone
        messages.success(request, _("The answers are recorded. The scores follow within a minute."))
        return redirect("customer", pk=pk)
    context = {"customer": customer, "form": form}
    return render(request, "customers/answers.html", context, status=UNPROCESSABLE if posted else 200)
