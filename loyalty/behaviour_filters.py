"""The people behind the numbers about behaviour, for the customer list (`loyalty.drilldown`).

Each value is what a page wrote into an address: cohort `2026-01` are the first buyers of a month, `2026-01.3` those of
them who bought in the third month after it; came_back `2026-01.90` who ordered again within 90 days; rfm
`r~2026-01-01~2026-02-01+f~2~4` whose last order and number of orders lie between these bounds.
"""

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import django_filters
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.display import day as day_text
from crm.display import number
from crm.models import Customer, Purchase
from loyalty import scoring
from loyalty.drilldown import DrillDown
from loyalty.repurchase import last_day

FIELDS = {"r": "last_order_on", "f": "orders", "m": "value"}
MOST_MONTHS, MOST_DAYS = 1_200, 36_500


def month_words(month: date) -> str:
    return date_format(month, "F Y")


def read_month(value: str) -> tuple[date, int | None]:
    """`2026-01.3` → (1 January 2026, 3). Raises ValueError."""
    month, _dot, since = value.partition(".")
    if since and not 0 <= int(since) <= MOST_MONTHS:
        raise ValueError(value)
    return date.fromisoformat(f"{month}-01"), int(since) if since else None


def later(month: date, since: int) -> date:
    """The first day of the month so many months later. Raises ValueError beyond the calendar."""
    months = month.year * 12 + month.month - 1 + since
    return date(months // 12, months % 12 + 1, 1)


def cohort_words(value: str) -> str:
    month, since = read_month(value)
    if since is None:
        return month_words(month)
    return _("%(first)s, bought in %(month)s") % {
        "first": month_words(month),
        "month": month_words(later(month, since)),
    }


def by_cohort(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    month, since = read_month(value)
    found = customers.filter(metrics__first_order_on__range=(month, last_day(month)))
    if since is None:
        return found
    start = later(month, since)
    return found.filter(Exists(valid_purchases().filter(ordered_on__range=(start, last_day(start)))))


def valid_purchases() -> QuerySet[Purchase]:
    paid = (Purchase.Status.PAID, Purchase.Status.COMPLETED)
    day = scoring.shown_day()
    return Purchase.objects.filter(customer=OuterRef("pk"), status__in=paid, net__gt=0, ordered_on__lte=day)


def back_words(value: str) -> str:
    month, days = _month_and_days(value)
    return ngettext("%(month)s, within %(n)s day", "%(month)s, within %(n)s days", days) % {
        "month": month_words(month),
        "n": number(days),
    }


def came_back(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    month, days = _month_and_days(value)
    found = customers.filter(metrics__first_order_on__range=(month, last_day(month)), metrics__orders__gt=1)
    return found.filter(metrics__order_days__1__lte=F("metrics__first_order_on") + timedelta(days=days))


def _month_and_days(value: str) -> tuple[date, int]:
    month, _dot, days = value.partition(".")
    if not 0 < int(days) <= MOST_DAYS:
        raise ValueError(value)
    return date.fromisoformat(f"{month}-01"), int(days)


def read_rfm(value: str) -> list[tuple[str, Any, Any]]:
    """Bounds of each named dimension. Raises ValueError for what no page wrote."""
    found = []
    for part in value.split("+"):
        code, low, high = part.split("~")
        if code not in FIELDS:
            raise ValueError(value)
        try:
            kind: Any = {"r": date.fromisoformat, "f": int, "m": Decimal}[code]
            found.append((code, kind(low), kind(high)))
        except InvalidOperation:
            raise ValueError(value) from None
    return found


def rfm_value(**bounds: tuple[Any, Any]) -> str:
    """r, f, m: (low, high) → what the address names them by."""
    return "+".join(f"{code}~{low}~{high}" for code, (low, high) in bounds.items())


def rfm_words(value: str) -> str:
    words = []
    for code, low, high in read_rfm(value):
        if code == "r":
            named = {"low": day_text(low), "high": day_text(high)}
            words.append(_("last order from %(low)s to %(high)s") % named)
        else:
            named = {"low": number(low, 2 if code == "m" else 0), "high": number(high, 2 if code == "m" else 0)}
            words.append((_("%(low)s to %(high)s orders") if code == "f" else _("value %(low)s to %(high)s")) % named)
    return ", ".join(words)


def by_rfm(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    bounds = {f"metrics__{FIELDS[code]}__range": (low, high) for code, low, high in read_rfm(value)}
    return customers.filter(metrics__orders__gt=0, **bounds)


def bought_words(value: str) -> str:
    return {"any": _("at least once"), "once": _("once"), "again": _("at least twice")}[value]


def bought(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    least = {"any": {"metrics__orders__gt": 0}, "once": {"metrics__orders": 1}, "again": {"metrics__orders__gt": 1}}
    return customers.filter(**least[value])


def categories_words(value: str) -> str:
    n = _categories(value)
    return ngettext("%(n)s category", "%(n)s categories", n) % {"n": number(n)}


def by_categories(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    return customers.filter(metrics__orders__gt=0, metrics__categories=_categories(value))


def _categories(value: str) -> int:
    if not 0 <= int(value) <= 1_000:
        raise ValueError(value)
    return int(value)


def stayed_words(value: str) -> str:
    return {"yes": _("bought again within the last year"), "no": _("did not buy again within the last year")}[value]


def stayed(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    """Of who bought in the year before the last, who bought in the last one too, or did not."""
    start = scoring.shown_day() - timedelta(days=365)
    before = valid_purchases().filter(ordered_on__gt=start - timedelta(days=365), ordered_on__lte=start)
    last = {"yes": {"metrics__last_order_on__gt": start}, "no": {"metrics__last_order_on__lte": start}}
    return customers.filter(Exists(before), metrics__orders__gt=0, **last[value])


def filters() -> dict[str, django_filters.Filter]:
    return {
        "cohort": DrillDown(gettext_lazy("First order in"), cohort_words, by_cohort),
        "came_back": DrillDown(gettext_lazy("First order in, back"), back_words, came_back),
        "bought": DrillDown(gettext_lazy("Bought"), bought_words, bought),
        "rfm": DrillDown(gettext_lazy("Recency, frequency, value"), rfm_words, by_rfm),
        "breadth": DrillDown(gettext_lazy("Bought in"), categories_words, by_categories),
        "stayed": DrillDown(gettext_lazy("Bought the year before"), stayed_words, stayed),
    }
