"""What moves customers: recorded on their page, and over all of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm.access import requires
from crm.display import number, percent
from crm.models import MotivatorEvidence
from crm.views.profile import living
from loyalty import charts, figures, insights, motivators
from loyalty.charts import Interval
from loyalty.forms_motivators import MotivatorForm
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.motivators import Overall
from loyalty.overview import Share


@requires("customers.edit")
@require_POST
def record(request: HttpRequest, pk: int) -> HttpResponse:
    customer, form = living(pk), MotivatorForm(request.POST)
    if form.is_valid():
        motivators.record(customer, staff=request.user, **form.cleaned_data)  # type: ignore[arg-type]  # logged in
        messages.success(request, _("Recorded what moves them."))
    else:
        problems = [str(problem) for found in form.errors.values() for problem in found]
        messages.error(request, " ".join([_("It is not recorded."), *problems]))
    return redirect(f"{reverse('customer', args=[pk])}#motivators")


@requires("customers.edit")
@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    one = get_object_or_404(MotivatorEvidence, pk=pk, customer__erased_at=None)
    motivators.forget(one)
    messages.success(request, _("Deleted: nothing of it is kept."))
    return redirect(f"{reverse('customer', args=[one.customer_id])}#motivators")


@requires("insights.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The Emotional Connection Score, what matters to customers, and where the shop does not help."""
    found = figures.show("motivators")
    told = motivators.overall(found.value) if found.value else None
    tables = [table(told)] if told else []
    context = {
        "figure": found,
        "told": told,
        "score_note": score_note(told.score) if told else "",
        "everything": Picture(title(told), what(), tables[0], chart(told), note(told), shown=found) if told else None,
        "months": motivators.MONTHS,
    }
    return insights.page(request, "loyalty/motivators.html", context, tables, tab="motivators")


def score_note(score: Share) -> str:
    if score.interval is None:
        return _("nobody has been asked yet")
    low, high = score.interval
    named = {"low": percent(low), "high": percent(high), "part": number(score.part), "whole": number(score.whole)}
    return _("%(low)s to %(high)s; %(part)s of %(whole)s customers with valid answers") % named


def title(told: Overall) -> str:
    """What the figures support: the largest gap, or what matters to most."""
    widest = max(told.rows, key=lambda row: (row.gaps, -(row.fulfilment or 0)), default=None)
    if widest is None:
        return _("Nobody has said yet what moves them")
    if widest.gaps:
        return _("The widest gap: “%(motivator)s”") % {"motivator": widest.motivator.label}
    return _("What matters to most: “%(motivator)s”") % {"motivator": told.rows[0].motivator.label}


def what() -> str:
    named = {"months": motivators.MONTHS, "least": motivators.FULFILLED_FROM, "most": motivators.MISSING_UP_TO}
    return (
        _(
            "Share of customers whom the shop helps with it: %(least)s of 10 or more on one of their three most important, said"
            " by themselves within %(months)s months, with its 95%% interval. A gap: important 8 or more, fulfilled %(most)s or"
            " less."
        )
        % named
    )


def note(told: Overall) -> str:
    return _(
        "Staff notes and guesses do not count. Say it, do not guess: no health, belief or origin may be concluded."
    )


def chart(told: Overall) -> charts.Chart | None:
    rows = [
        Interval(
            row.motivator.label,
            Share(row.connecting, row.asked).value,
            (Share(row.connecting, row.asked).interval or (None, None))[0],
            (Share(row.connecting, row.asked).interval or (None, None))[1],
            n=_("n = %(n)s") % {"n": number(row.asked)},
            provisional=row.asked < 30,
            words=_("not asked yet"),
        )
        for row in told.rows
    ]
    return charts.intervals(rows, kind="percent", places=0, low=0, high=1) if rows else None


def table(told: Overall) -> Table:
    columns = [
        Column(_("Motivator"), "text"),
        Column(_("Said by")),
        Column(_("Among the top three")),
        Column(_("Importance"), "number", 1),
        Column(_("Fulfilled"), "number", 1),
        Column(_("Connected by it"), "percent"),
        Column(_("Gap")),
        Column(_("What helps"), "text"),
    ]
    rows = [
        [
            row.motivator.label,
            Cell(row.said, url=listed(moved_by=row.motivator.code)),
            Cell(row.top, url=listed(moved_by=f"{row.motivator.code}.top")),
            row.importance,
            row.fulfilment,
            _share(row.connecting, row.asked, listed(moved_by=f"{row.motivator.code}.connected")),
            Cell(row.gaps, url=listed(motivator_gap=row.motivator.code)),
            row.motivator.lever,
        ]
        for row in told.rows
    ]
    return Table("motivators", _("Motivators of the customers"), columns, rows)


def _share(part: int, whole: int, url: str) -> Cell:
    share = Share(part, whole)
    low, high = share.interval or (None, None)
    return Cell(share.value, url, low=low, high=high)
