"""One mailing, watched: how it stands, who did not get it and why, and what to do with what nobody knows.

It is written in `campaigns.views.drafts`, launched and steered in `campaigns.views.launching`.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns import breaker, couponing, mail_use, progress, recipes, tracking, unclear
from campaigns.models import Campaign
from campaigns.reasons import sentence, why_closed
from campaigns.views import drafts
from campaigns.views.drafts import mailing_of
from campaigns.views.launching import WRITTEN, MoveForm
from campaigns.views.overview import tally_of
from crm import access, display
from crm.access import requires
from loyalty.stages import STAGES

LIVE = (Campaign.Status.SCHEDULED, Campaign.Status.RUNNING, Campaign.Status.PAUSED)
# A large mailing takes longer to count, and its figures move little in a few seconds.
LARGE = 50_000
OFTEN, SELDOM = "4s", "15s"


@requires("campaigns.view")
@require_http_methods(["GET", "POST"])
def mailing(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft to write on, or a launched mailing to watch."""
    campaign = mailing_of(pk)
    if campaign.status in WRITTEN and access.may(request.user, "campaigns.manage"):
        return drafts.write(request, campaign)
    return render(request, "campaigns/mailing.html", _watched(campaign))


@requires("campaigns.view")
@require_GET
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The counts alone, for the page that asks every few seconds while the mailing is live."""
    return render(request, "campaigns/mailing.html#state", _watched(mailing_of(pk)) | {"refreshed": True})


def _watched(campaign: Campaign) -> dict[str, Any]:
    stands = progress.of_campaign(campaign)
    tally = tally_of(stands.counts)
    whole = sum(stands.counts.values())
    return {
        "campaign": campaign,
        "recipe": recipes.everything().get(campaign.recipe),
        "tally": tally,
        "all": whole,
        "bar": [
            (_("sent"), tally.sent, "f-berry"),
            (_("still to go"), tally.waiting, "f-iron-soft"),
            (_("unclear whether sent"), tally.unknown, "f-due"),
            (_("not sent"), tally.left_out, "f-iron"),
        ],
        "reasons": [(sentence(code) or code, n, code) for code, n in stands.reasons.items()],
        "held_out": stands.reasons.get("hold_out", 0),
        "held_share": display.percent(campaign.hold_out / 100),
        "rate": _rate(stands),
        "left": progress.about(stands.left) if stands.left and stands.open else "",
        "unknown": unclear.shown(campaign) if tally.unknown else [],
        "live": campaign.status in LIVE,
        "every": OFTEN if whole < LARGE else SELDOM,
        "move": MoveForm() if campaign.status in LIVE and not tally.sent + tally.unknown else None,
        "previews": drafts.previews(campaign),
        "stage_names": [stage.label for stage in STAGES if stage.code in campaign.stages],
        "weekdays": [WEEKDAYS[day - 1] for day in sorted(campaign.weekdays)],
        "closed": why_closed(),
        "stopped": breaker.why_of(campaign),
        "coupon": couponing.of_campaign(campaign),
        "use": mail_use.totals(campaign.pk),
        "counting": tracking.is_on(),
    }


def _rate(stands: progress.Progress) -> str:
    """Mails a minute as words; '' while none go."""
    if not stands.rate:
        return ""
    return _("%(n)s mails a minute") % {"n": display.number(stands.rate, 0 if stands.rate >= 10 else 1)}
