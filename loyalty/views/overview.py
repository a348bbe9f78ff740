"""Insights: where the customers stand, each number a way to the people behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from crm.access import requires
from crm.display import number, percent
from loyalty import badges, figures
from loyalty import insights as insights_frame
from loyalty.badges import Badge
from loyalty.insights import Cell, Column, Table, listed
from loyalty.models import Calibration
from loyalty.overview import Overview, Share, shown_overview
from loyalty.stages import STAGES
from loyalty.status import Status


@dataclass(frozen=True)
class Group:
    """A row of a table and its part of the picture: whose people stand at `url`."""

    code: str
    word: str | Promise
    n: int
    share: Share
    url: str
    badge: Badge | None = None
    level: int | None = None

    @property
    def fill(self) -> str:
        return f"s{self.level}" if self.level is not None else self.badge.fill if self.badge else ""


@requires("insights.view")
@require_GET
def insights(request: HttpRequest) -> HttpResponse:
    found, shown = shown_overview()
    context = {"tab": "overview", "shown": shown, "figures": found}
    if found is None:
        return insights_frame.page(request, "loyalty/insights.html", context, [], tab="overview")
    words = described(found)
    files = [
        table("stages-now", _("Customers by stage"), words["stages"]),
        table("statuses-now", _("Buyers by status"), words["statuses"]),
        table("bonds-now", _("Buyers by bond"), words["bonds"]),
    ]
    return insights_frame.page(request, "loyalty/insights.html", context | words, files, tab="overview")


def table(code: str, caption: str, shown: Sequence[Group]) -> Table:
    """The rows beside a picture, for a file."""
    rows = []
    for group in shown:
        low, high = group.share.interval or (None, None)
        rows.append([group.word, group.n, Cell(group.share.value, low=low, high=high)])
    return Table(
        code, caption, [Column(_("Group"), "text"), Column(_("Customers")), Column(_("Share"), "percent")], rows
    )


def described(found: Overview) -> dict[str, Any]:
    """What the page says about the figures."""
    return {
        "stages": stage_groups(found),
        "statuses": groups(found.statuses, badges.STATUSES, "status", found.buyers),
        "bonds": groups(found.bonds, badges.BONDS, "bond", found.bonds_known),
        "unknown_bonds": found.bonds[""],
        "titles": {"stages": stage_title(found), "statuses": status_title(found), "bonds": bond_title(found)},
        "as_of": as_of(found),
        "meaning": status_meaning(found.calibration),
        "alarm_url": listed(bond="captive"),
        "held_url": listed(bond="held"),
        "unknown_url": listed(bond="unknown"),
        "buyers_url": listed(bought="any"),
        "repeaters_url": listed(bought="again"),
        "unjudged_url": listed(stage="none"),
    }


def stage_groups(found: Overview) -> list[Group]:
    judged = found.stages.total()
    return [
        Group(
            stage.code,
            stage.label,
            found.stages[stage.code],
            Share(found.stages[stage.code], judged),
            listed(stage=stage.code),
            level=level,
        )
        for level, stage in enumerate(STAGES)
    ]


def groups(counts: Mapping[str, int], shown: Mapping[Any, Badge], name: str, whole: int) -> list[Group]:
    return [
        Group(str(code), badge.word, counts[code], Share(counts[code], whole), listed(**{name: str(code)}), badge)
        for code, badge in shown.items()
    ]


def stage_title(found: Overview) -> str:
    """A sentence that the figures of the picture support, whatever they are."""
    if not found.stages.total():
        return _("Nobody has been judged yet")
    if not found.regulars:
        return _("Nobody is a regular customer yet")
    return ngettext(
        "%(n)s customer of %(all)s is a regular customer or more",
        "%(n)s customers of %(all)s are regular customers or more",
        found.regulars,
    ) % {"n": number(found.regulars), "all": number(found.stages.total())}


def status_title(found: Overview) -> str:
    if not found.buyers:
        return _("Nobody has bought yet")
    if not found.late:
        return _("No buyer is overdue or at risk")
    return ngettext(
        "%(n)s buyer of %(all)s is overdue or at risk",
        "%(n)s buyers of %(all)s are overdue or at risk",
        found.late,
    ) % {"n": number(found.late), "all": number(found.buyers)}


def bond_title(found: Overview) -> str:
    """Speaks of a majority only where the whole interval lies above or below one half."""
    interval = found.voluntary.interval
    if interval is None:
        return _("It is not known yet why customers stay")
    if interval[0] > 0.5:
        return _("Most of those we know stay because they want to")
    if interval[1] < 0.5:
        return _("Fewer than half of those we know stay because they want to")
    return _("%(share)s of those we know stay because they want to") % {"share": percent(found.voluntary.value)}


def status_meaning(rhythm: Calibration | None) -> list[tuple[str | Promise, str]]:
    """What each status means in this shop, from the thresholds in force."""
    if rhythm is None:
        return []
    upto = _("time since the last purchase up to %(ratio)s times the expected interval")
    return [
        (Status.ACTIVE.label, upto % {"ratio": number(rhythm.active, 2)}),
        (Status.OVERDUE.label, upto % {"ratio": number(rhythm.overdue, 2)}),
        (Status.AT_RISK.label, upto % {"ratio": number(rhythm.at_risk, 2)}),
        (Status.LAPSED.label, _("longer than that: very probably gone, not certainly")),
        (Status.REACTIVATED.label, _("came back after having lapsed, for one interval")),
    ]


def as_of(found: Overview) -> Iterable[str]:
    """Which rules made the figures."""
    if found.rule_versions is None:
        return []
    lowest, highest = found.rule_versions
    if lowest == highest:
        return [_("rules version %(version)s") % {"version": highest}]
    return [_("rules versions %(lowest)s to %(highest)s") % {"lowest": lowest, "highest": highest}]


@requires("insights.view")
@require_POST
def refresh(request: HttpRequest) -> HttpResponse:
    """Ask for a fresh figure and go back to the page that showed it."""
    try:
        figures.want(request.POST.get("name", ""), **figures.parameters_of(request.POST.get("parameters", "")[:200]))
    except KeyError:
        raise Http404("there is no such figure") from None
    messages.info(request, _("The figure is being computed anew; load the page again in a minute."))
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else "insights")
