"""All campaigns: the recipes that run by themselves, and the mailings; and all mails of one customer."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns import couponing, drafting, mail_use, notices, panels, recipes, surprises, tracking
from campaigns.models import Campaign, Delivery
from campaigns.reasons import why_closed
from campaigns.recipe import Recipe
from crm import access, days
from crm.access import requires
from crm.models import Customer
from loyalty.models import CouponBatch

WINDOW_DAYS = 30
PAGE = 25
MAILS_SHOWN = 100
NOT_SENT = (Delivery.State.SUPPRESSED, Delivery.State.FAILED, Delivery.State.QUARANTINED)
OPEN = (Delivery.State.PLANNED, Delivery.State.CLAIMED, Delivery.State.SENDING)


@dataclass(frozen=True)
class Tally:
    """How many mails went, did not, are still to go, and of how many nobody knows."""

    sent: int = 0
    left_out: int = 0
    waiting: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Standing:
    """A recipe with its campaign, its mails of the last 30 days and the clicks on their links."""

    recipe: Recipe
    campaign: Campaign
    tally: Tally
    clicks: int = 0
    coupon: CouponBatch | None = None
    trouble: str = ""


@requires("campaigns.view")
@require_GET
def campaigns(request: HttpRequest) -> HttpResponse:
    """Twelve queries, however many mailings there are."""
    everything = recipes.everything()
    standing = [campaign for campaign in recipes.standing_campaigns() if campaign.recipe in everything]
    mailings = Campaign.objects.filter(standing=False).select_related("launched_by", "created_by").order_by("-pk")
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) <= 18:
        mailings = mailings.filter(pk__lt=int(before))
    rows = list(mailings[: PAGE + 1])
    shown, more = rows[:PAGE], len(rows) > PAGE
    recent = tallies([campaign.pk for campaign in standing], since_days=WINDOW_DAYS)
    whole = tallies([campaign.pk for campaign in shown])
    clicks = mail_use.clicks_since([campaign.pk for campaign in standing], days.today() - timedelta(days=WINDOW_DAYS))
    coupons = CouponBatch.objects.in_bulk([number for one in standing if (number := one.options.get(couponing.OPTION))])
    return render(
        request,
        "campaigns/overview.html",
        {
            "standing": [
                Standing(everything[one.recipe], one, recent[one.pk], clicks.get(one.pk, 0), *_coupon(one, coupons))
                for one in sorted(standing, key=lambda one: _as_sorted(everything[one.recipe]))
            ],
            "mailings": [(campaign, whole[campaign.pk]) for campaign in shown],
            "window": WINDOW_DAYS,
            "columns": columns(access.may(request.user, "campaigns.manage")),
            "next": f"?before={shown[-1].pk}" if more else "",
            "newest": not before,
            "closed": why_closed(),
            "notices": notices.for_staff(request.user),
            "counting": tracking.is_on(),
        },
    )


def _as_sorted(recipe: Recipe) -> str:
    """A recipe's place among the others: by its name in the reader's language, Ü as U."""
    return unicodedata.normalize("NFKD", str(recipe.label)).encode("ascii", "ignore").decode().lower()


def _coupon(campaign: Campaign, coupons: dict[int, CouponBatch]) -> tuple[CouponBatch | None, str]:
    """What a recipe's mails bring, and why they cannot."""
    number = campaign.options.get(couponing.OPTION)
    batch = coupons.get(number) if number else None
    return batch, couponing.refusal(batch) if number else ""


def columns(may_copy: bool) -> list[tuple[str, str, str, str]]:
    """Columns of the mailings' table, as <c-table> takes them."""
    labels = [_("Name"), _("Status"), _("Time"), _("Mails"), *([_("Copy")] if may_copy else [])]
    return [(label, "", "", "") for label in labels]


def tallies(campaign_ids: Sequence[int], since_days: int | None = None) -> dict[int, Tally]:
    """The mails of each campaign, in one query."""
    rows = Delivery.objects.filter(campaign__in=campaign_ids)
    if since_days is not None:
        rows = rows.filter(planned_at__gte=now() - timedelta(days=since_days))
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows.values("campaign_id", "state").annotate(n=Count("pk")).order_by():
        counts[row["campaign_id"]][row["state"]] = row["n"]
    return {pk: tally_of(counts[pk]) for pk in campaign_ids}


def tally_of(counts: dict[str, int]) -> Tally:
    return Tally(
        sent=counts.get(Delivery.State.SENT, 0),
        left_out=sum(counts.get(state, 0) for state in NOT_SENT),
        waiting=sum(counts.get(state, 0) for state in OPEN),
        unknown=counts.get(Delivery.State.UNKNOWN, 0),
    )


@requires("campaigns.manage")
@require_POST
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    """A copy is a draft: it has no time, and sends nothing until it is launched itself."""
    campaign = get_object_or_404(Campaign.objects.select_related("template_version"), pk=pk, standing=False)
    made = drafting.copy(campaign, request.user)  # type: ignore[arg-type]
    messages.success(request, _("This is the copy, a draft without a time. Nothing is sent before you launch it."))
    return redirect("mailing", pk=made.pk)


@requires("customers.view")
@require_GET
def customer_mails(request: HttpRequest, pk: int) -> HttpResponse:
    """Every mail that was meant for a customer, newest first."""
    customer = get_object_or_404(Customer, pk=pk, erased_at=None, merged_into=None)
    before = _instant(request.GET.get("before", ""))
    rows = (
        surprises.told(Delivery.objects.filter(customer=customer))
        .select_related("campaign")
        .order_by("-planned_at", "-pk")
    )
    if before is not None:
        rows = rows.filter(planned_at__lt=before)
    found: list[Any] = list(rows[: MAILS_SHOWN + 1])
    more = len(found) > MAILS_SHOWN
    kept = found[:MAILS_SHOWN]
    return render(
        request,
        "campaigns/customer_mails.html",
        {
            "customer": customer,
            "mails": panels.mails_of(customer, kept, access.may(request.user, "coupons.view")),
            "older": kept[-1].planned_at.isoformat() if more else "",
        },
    )


def _instant(text: str) -> Any:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found and timezone.is_aware(found) and 1900 < found.year < 2200 else None
