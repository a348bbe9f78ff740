"""Why a customer did, or did not, get a mail: on their page, for any mailing and any recipe."""

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from campaigns import recipes, surprises
from campaigns import why as reasons
from campaigns.models import Campaign, Delivery
from campaigns.why_steps import NO, OPEN, YES
from crm import access
from crm.access import requires
from crm.models import Customer

MAILINGS_SHOWN = 30
ICONS = {YES: ("circle-check", "good"), NO: ("circle-x", "bad"), OPEN: ("question-mark", "due")}


def _customer(pk: int) -> Customer:
    return get_object_or_404(Customer, pk=pk, erased_at=None, merged_into=None)


def _campaigns() -> QuerySet[Campaign]:
    return Campaign.objects.filter(recipe__in=recipes.everything()).select_related("segment")


@requires("customers.view")
@require_GET
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Which mail is meant: the recipes, and the latest mailings. `?campaign=` leads on."""
    customer = _customer(pk)
    if (asked := request.GET.get("campaign", "")).isdecimal() and len(asked) < 19:
        return redirect("mail_why", pk, int(asked))
    got = Exists(surprises.told(Delivery.objects.filter(customer=customer, campaign=OuterRef("pk"))))
    found = _campaigns().annotate(has_row=got)
    context = {
        "customer": customer,
        "standing": found.filter(standing=True).order_by("name"),
        "mailings": found.filter(standing=False).exclude(send_at=None).order_by("-send_at")[:MAILINGS_SHOWN],
    }
    return render(request, "campaigns/why_choose.html", context)


@requires("customers.view")
@require_GET
def why(request: HttpRequest, pk: int, campaign: int) -> HttpResponse:
    """Every step between a customer and one campaign's mail, with its answer."""
    customer, asked = _customer(pk), get_object_or_404(_campaigns(), pk=campaign)
    answer = reasons.explain(customer, asked, sees_all=access.may(request.user, "pii.view"))
    steps = [
        {"step": step, "icon": ICONS[step.answer][0], "tone": ICONS[step.answer][1],
         "lines": [(*ICONS[met], words, depth) for met, words, depth in step.lines]}
        for step in answer.steps
    ]  # fmt: skip
    icon, tone = ICONS[answer.got_it]
    context = {"customer": customer, "campaign": asked, "answer": answer, "steps": steps, "icon": icon, "tone": tone}
    return render(request, "campaigns/why.html", context)
