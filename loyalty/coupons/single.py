"""One code by hand: given to a customer from her profile, or made anew in the place of one that was lost."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.access import requires
from crm.days import today
from crm.models import Customer
from crm.privacy import audit
from loyalty.coupons import codes, issuing
from loyalty.coupons.forms import OneForm
from loyalty.coupons.pages import counter, written
from loyalty.models import Coupon


@requires("coupons.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest, pk: int) -> HttpResponse:
    """A code of its own for one customer; sent twice on a day, the form gives one."""
    customer = get_object_or_404(Customer, pk=pk, erased_at=None, merged_into=None)
    form = OneForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        batch = form.cleaned_data["batch"]
        cause = f"profile {today()} batch {batch.pk}"
        try:
            fresh = issuing.to_customers(batch, [customer.pk], cause, request.user)  # type: ignore[arg-type]
        except issuing.IssueError as refused:
            form.add_error("batch", str(refused))
        else:
            audit.record(request.user.pk, "issued", "coupon batch", batch.pk)
            given = _("The coupon is given. Its code stands here and at the counter; nothing was mailed.")
            messages.success(request, given if fresh else _("This coupon was given to this customer today already."))
            return redirect("customer", pk)
    crumbs = [(customer.display_name, reverse("customer", args=[pk])), (_("Give a coupon"), "")]
    context = {"form": form, "customer": customer, "crumbs": crumbs}
    return render(request, "coupons/give_one.html", context, status=422 if form.errors else 200)


@requires("coupons.redeem")
@require_POST
def replace(request: HttpRequest, code: str) -> HttpResponse:
    """A lost code ends, and a new one takes its place."""
    found = get_object_or_404(Coupon, code=codes.canonical(code))
    try:
        made = issuing.again(found, counter(request))
    except issuing.IssueError as refused:
        messages.error(request, str(refused))
        return redirect("coupon", found.code)
    messages.success(request, _("The new code is %(code)s. The old one is refused from now on.") % {"code": written(made)})
    return redirect("coupon", made.code)
