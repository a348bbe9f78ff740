"""The part of a draft's page from which it is checked and launched."""

from typing import Any

from django.http import HttpRequest

from campaigns import checks, warnings
from campaigns.forms import LaunchForm
from campaigns.models import Campaign
from campaigns.reasons import why_closed
from crm.models import Shop


def context(request: HttpRequest, campaign: Campaign | None, form: LaunchForm | None = None) -> dict[str, Any]:
    """What `campaigns/launch.html` shows of a kept draft: what a check found, warnings, and the way to launch it."""
    found: dict[str, Any] = {"launch": form or LaunchForm(), "closed": why_closed(), "found": [], "cautions": []}
    if campaign is None:
        return found
    draft = checks.Draft(campaign, Shop.current())
    if campaign.status == Campaign.Status.CHECKED:
        advice = warnings.of_draft(draft)
        return found | {"cautions": advice.warnings, "held_out": advice.held_out}
    return found | {"found": checks.problems(draft) if "checked" in request.GET else []}
