"""Where the counter stands: said once, kept while logged in, and entered with every step that is taken there."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from crm import sql
from crm.access import requires
from crm.forms import Styled
from loyalty.coupons import pages as coupons

# The latest tell where the shop sells now, without reading all there ever was.
KNOWN = """
SELECT place FROM (
  (SELECT place FROM crm_purchase ORDER BY id DESC LIMIT 5000)
  UNION ALL (SELECT place FROM loyalty_couponentry ORDER BY id DESC LIMIT 5000)) AS latest
WHERE place <> '' GROUP BY place ORDER BY count(*) DESC, place LIMIT 12"""


class PlaceForm(Styled, forms.Form):
    """A shop or till in the staff's own words; empty for none."""

    place = forms.CharField(
        label=gettext_lazy("Shop or till"), max_length=60, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip


@requires("coupons.redeem")
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Say where this is: one of the places that purchases came from, or another."""
    here, offered = coupons.place(request), known()
    form = PlaceForm(request.POST or None, initial={"place": "" if here in offered else here})
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["place"]
        request.session[coupons.PLACE] = chosen
        entered = _("From now on every step is entered with “%(place)s”.") % {"place": chosen}
        messages.success(request, entered if chosen else _("No place is entered any more."))
        return redirect("counter")
    context = {"form": form, "known": offered, "here": here}
    return render(request, "counter/place.html", context, status=422 if form.errors else 200)


def known() -> list[Any]:
    """Places of the latest purchases and coupon steps, the most frequent first."""
    with connection.cursor() as cursor:
        return [place for (place,) in sql.rows(cursor, KNOWN)]
