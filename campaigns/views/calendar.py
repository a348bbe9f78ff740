"""The month of all planned occasions."""

from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dates import WEEKDAYS
from django.views.decorators.http import require_GET

from campaigns import calendar
from campaigns.reasons import why_closed
from crm import days
from crm.access import requires

YEARS = 5


@requires("campaigns.view")
@require_GET
def month(request: HttpRequest) -> HttpResponse:
    """`?month=2026-12`; the current month without it, and for one that does not exist or is further than five years."""
    today = days.today()
    first = _first(request.GET.get("month", ""), today)
    shown = calendar.month(first)
    before, after = (first - timedelta(days=1)).replace(day=1), (first + timedelta(days=31)).replace(day=1)
    context = {
        "month": shown,
        "weekdays": [WEEKDAYS[n] for n in range(7)],
        "agenda": [day for day in shown.days if day.entries or day.holiday or day.today],
        "warned": [(day, entry) for day in shown.days for entry in day.entries if entry.warnings],
        "previous": f"?month={before:%Y-%m}",
        "next": f"?month={after:%Y-%m}",
        "current": first == today.replace(day=1),
        "limited": any(day.capacity is not None for day in shown.days),
        "closed": why_closed(),
    }
    return render(request, "campaigns/calendar.html", context)


def _first(text: str, today: date) -> date:
    try:
        asked = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return asked if abs(asked.year - today.year) <= YEARS else today.replace(day=1)
