"""The people of a campaign: who got it, who did not and why; and what staff decide about mails nobody knows of."""

import csv
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from campaigns import progress, recipes, surprises, unclear
from campaigns.models import Campaign, Delivery
from campaigns.panels import mail_of
from campaigns.reasons import sentence
from crm import access, display
from crm.access import requires
from crm.privacy import exports
from crm.step_up import recent_login

State = Delivery.State
UNCLEAR_AT_ONCE = 1_000
PAGE = 50


def _campaign(pk: int) -> Campaign:
    """A mailing, or the campaign of a recipe that runs by itself."""
    return get_object_or_404(Campaign, pk=pk)


def _chosen(request: HttpRequest, campaign: Campaign) -> tuple[QuerySet[Delivery], dict[str, str]]:
    """The mails that `?state=` and `?reason=` name, and what of them was understood."""
    rows = surprises.told(Delivery.objects.filter(campaign=campaign))
    asked = {}
    if (state := request.GET.get("state", "")) in State.values:
        rows, asked["state"] = rows.filter(state=state), state
    if reason := request.GET.get("reason", "")[:40]:
        # The state first: the index knows states, and a reason of those left out stands in these alone.
        rows = rows if "state" in asked else rows.filter(state__in=progress.NOT_SENT)
        rows, asked["reason"] = rows.filter(reason=reason), reason
    return rows, asked


@requires("campaigns.view")
@require_GET
def people(request: HttpRequest, pk: int) -> HttpResponse:
    """A page of a campaign's people, in the order of their mails' numbers. Nine queries, however many there are.

    Mails of a recipe's own campaign that stay unclear are decided here; those of a mailing on the page of its run.
    """
    campaign = _campaign(pk)
    rows, asked = _chosen(request, campaign)
    after = _number(request.GET.get("after", ""))
    beyond = rows.filter(pk__gt=after) if after else rows
    found = list(beyond.select_related("customer", "campaign").order_by("pk")[: PAGE + 1])
    shown = found[:PAGE]
    stands = progress.of_campaign(campaign)
    # Whom a secret recipe left out, and when the next mail goes, is told to nobody.
    secret = surprises.is_secret(campaign)
    counts = {code: n for code, n in stands.counts.items() if not secret or code in surprises.GONE}
    # A campaign that runs by itself has no end: its many mails are counted by state only.
    states = [(State(code).label, n, urlencode({"state": code}), asked == {"state": code})
              for code, n in sorted(counts.items(), key=lambda one: -one[1])]  # fmt: skip
    reasons = [(sentence(code) or code, n, urlencode({"reason": code}), asked.get("reason") == code)
               for code, n in stands.reasons.items() if not secret]  # fmt: skip
    return render(
        request,
        "campaigns/people.html",
        {
            "campaign": campaign,
            "name": recipes.name_of(campaign),
            "mails": [(row.customer, mail_of(row)) for row in shown],
            "first": "?" + urlencode(asked) if after else "",
            "next": "?" + urlencode(asked | {"after": str(shown[-1].pk)}) if len(found) > PAGE else "",
            "states": states,
            "reasons": reasons,
            "asked": asked,
            "everybody": not asked,
            "chosen": urlencode(asked),
            "all": sum(counts.values()),
            "secret": secret,
            "may_export": access.may(request.user, "pii.view"),
            "unclear": (number := stands.counts.get(State.UNKNOWN, 0)),
            "unknown": unclear.shown(campaign) if number and _is_decided_here(campaign) else [],
        },
    )


def _is_decided_here(campaign: Campaign) -> bool:
    """A mailing's unclear mails stand on the page of its run; mails that are owed go again by themselves."""
    recipe = recipes.everything().get(campaign.recipe)
    return campaign.standing and recipe is not None and recipe.message_class != "transactional"


@requires("pii.view")
@require_GET
@recent_login("campaign_people", reading=True)
def people_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """The same people as a file, for those who may see personal data: counted, and written down."""
    campaign = _campaign(pk)
    if not access.may(request.user, "campaigns.view"):
        raise Http404
    rows, _asked = _chosen(request, campaign)
    if again := exports.take(request.user.pk or 0, "mailing", campaign.pk):
        said = _("You made as many exports as the shop's settings allow. The next one may be made on %(time)s.")
        messages.error(request, said % {"time": display.instant(again)})
        return redirect("campaign_people", pk)
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="campaign-{pk}.csv"'
    return response  # type: ignore[return-value]


class _Line:
    def write(self, text: str) -> str:
        return text


def _lines(rows: QuerySet[Delivery]) -> Iterable[str]:
    out = csv.writer(_Line())
    yield "\ufeff" + out.writerow(["customer", "state", "reason", "planned_at", "settled_at"])
    found = rows.order_by("pk").values_list("customer_id", "state", "reason", "planned_at", "settled_at")
    for customer, state, reason, planned_at, settled_at in found.iterator(chunk_size=5_000):
        moments = [one.isoformat() if one else "" for one in (planned_at, settled_at)]
        yield out.writerow([f"K-{customer}", state, reason, *moments])


# Mails of which nobody knows whether they went


@requires("campaigns.manage")
@require_http_methods(["GET", "POST"])
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Send unclear mails again, or call them sent. GET asks and names the risk, POST does it.

    `do`: again or sent. `mail`: the numbers of mails, or `all=1`.
    """
    campaign = _campaign(pk)
    back = reverse("campaign_people" if campaign.standing else "mailing", args=[pk])
    asked = request.POST if request.method == "POST" else request.GET
    do = asked.get("do", "")
    if do not in ("again", "sent"):
        raise Http404
    ids = None if asked.get("all") else _numbers(asked.getlist("mail"))
    if ids is not None and not ids:
        messages.error(request, _("Choose at least one mail first."))
        return redirect(back)
    if request.method == "POST":
        _done(request, campaign, do, ids)
        return redirect(back)
    rows = Delivery.objects.filter(campaign=campaign, state=State.UNKNOWN)
    number = rows.count() if ids is None else rows.filter(pk__in=ids).count()
    context = {
        "campaign": campaign, "name": recipes.name_of(campaign), "back": back, "do": do, "ids": ids or [],
        "all": ids is None, "number": number,
    }  # fmt: skip
    return render(request, "campaigns/decide.html", context)


def _numbers(given: Iterable[str]) -> list[UUID]:
    return [number for text in list(given)[:UNCLEAR_AT_ONCE] if (number := _number(text))]


def _number(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _done(request: HttpRequest, campaign: Campaign, do: str, ids: list[UUID] | None) -> None:
    decide_on: Any = unclear.send_again if do == "again" else unclear.mark_sent
    decided = decide_on(campaign, ids, request.user)
    if do == "again":
        said = ngettext("%(n)s mail goes again.", "%(n)s mails go again.", decided.changed)
    else:
        said = ngettext("%(n)s mail counts as sent.", "%(n)s mails count as sent.", decided.changed)
    (messages.success if decided.changed else messages.warning)(request, said % {"n": display.number(decided.changed)})
    if decided.left:
        left = ngettext(
            "%(n)s stays as it is: it was settled meanwhile, its time is over, or the mailing is cancelled.",
            "%(n)s stay as they are: they were settled meanwhile, their time is over, or the mailing is cancelled.",
            decided.left,
        )
        messages.warning(request, left % {"n": display.number(decided.left)})
