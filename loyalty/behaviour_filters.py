"""The people behind the numbers about behaviour, for the customer list (`loyalty.drilldown`).

Each value is what a page wrote into an address: cohort `2026-01` are the first buyers of a month, `2025-02~2026-01` those
of all months from one to another, `2026-01.3` those of them who bought in the third month after their first;
came_back `2026-01.90` who ordered again within 90 days; rfm `r~2026-01-01~2026-02-01+f~2~4` whose last order and number
of orders lie between these bounds; bought_in `30.known` who bought within 30 days and before that; breadth `2+` who
bought in two categories or more; stayed who bought in the year before the last one, and whether in the last one too.
"""

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import django_filters
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.days import today
from crm.display import day as day_text
from crm.display import number
from crm.models import Customer
from loyalty import cross_buying, metrics, scoring
from loyalty.drilldown import DrillDown, among, raw

FIELDS = {"r": "last_order_on", "f": "orders", "m": "value"}
MOST_MONTHS, MOST_DAYS, MOST_MONEY = 1_200, 36_500, 10**15
YEAR = timedelta(days=365)

# Who bought in the so-manieth month after the one of their first order.
BOUGHT_SINCE = """
SELECT customer_id FROM loyalty_metrics WHERE orders > 0 AND first_order_on BETWEEN %s AND %s AND last_order_on >= %s
  AND EXISTS (SELECT FROM unnest(order_days) d
    WHERE date_trunc('month', d) = date_trunc('month', first_order_on) + make_interval(months => %s))"""
BOUGHT_BETWEEN = """
SELECT customer_id FROM loyalty_metrics WHERE orders > 0 AND first_order_on <= %s AND last_order_on > %s
  AND (last_order_on <= %s OR EXISTS (SELECT FROM unnest(order_days) d WHERE d > %s AND d <= %s))"""
NEW_CATEGORY = """
SELECT o.customer_id FROM loyalty_metrics o WHERE o.orders > 0 AND o.last_order_on > %(start)s::date
  AND EXISTS (SELECT FROM ({purchases}) p CROSS JOIN unnest(p.categories) category
    GROUP BY category HAVING min(p.ordered_on) > %(start)s::date)"""


def month_words(month: date) -> str:
    return date_format(month, "F Y")


def months_value(first: str, last: str) -> str:
    """Months, as 2026-01, from one to another → what the address names them by."""
    return first if first == last else f"{first}~{last}"


def read_months(text: str) -> tuple[date, date]:
    """`2025-02~2026-01` → (1 February 2025, 31 January 2026). Raises ValueError."""
    first, _tilde, last = text.partition("~")
    end = date.fromisoformat(f"{last or first}-01")
    return date.fromisoformat(f"{first}-01"), later(end, 1) - timedelta(days=1)


def months_words(start: date, end: date) -> str:
    if (start.year, start.month) == (end.year, end.month):
        return month_words(start)
    return _("%(first)s to %(last)s") % {"first": month_words(start), "last": month_words(end)}


def read_cohort(value: str) -> tuple[date, date, int | None]:
    """`2026-01.3` → (1 January 2026, 31 January 2026, 3). Raises ValueError."""
    months, _dot, since = value.partition(".")
    if since and not 0 <= int(since) <= MOST_MONTHS:
        raise ValueError(value)
    start, end = read_months(months)
    later(start, int(since or 0))
    return start, end, int(since) if since else None


def later(month: date, since: int) -> date:
    """The first day of the month so many months later. Raises ValueError beyond the calendar."""
    months = month.year * 12 + month.month - 1 + since
    return date(months // 12, months % 12 + 1, 1)


def cohort_words(value: str) -> str:
    start, end, since = read_cohort(value)
    words = months_words(start, end)
    if since is None:
        return words
    if words == month_words(start):
        return _("%(first)s, bought in %(month)s") % {"first": words, "month": month_words(later(start, since))}
    text = ngettext("%(first)s, bought %(n)s month later", "%(first)s, bought %(n)s months later", since)
    return text % {"first": words, "n": number(since)}


def by_cohort(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    start, end, since = read_cohort(value)
    if since is None:
        return customers.filter(metrics__orders__gt=0, metrics__first_order_on__range=(start, end))
    return among(customers, BOUGHT_SINCE, [start, end, later(start, since), since])


def back_words(value: str) -> str:
    start, end, days = _months_and_days(value)
    return ngettext("%(month)s, within %(n)s day", "%(month)s, within %(n)s days", days) % {
        "month": months_words(start, end),
        "n": number(days),
    }


def came_back(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    start, end, days = _months_and_days(value)
    found = customers.filter(metrics__first_order_on__range=(start, end), metrics__orders__gt=1)
    return found.filter(metrics__order_days__1__lte=F("metrics__first_order_on") + timedelta(days=days))


def _months_and_days(value: str) -> tuple[date, date, int]:
    months, _dot, days = value.partition(".")
    return *read_months(months), _days(days)


def _days(text: str) -> int:
    if not 0 < int(text) <= MOST_DAYS:
        raise ValueError(text)
    return int(text)


def read_rfm(value: str) -> list[tuple[str, Any, Any]]:
    """Bounds of each named dimension. Raises ValueError for what no page wrote."""
    found = []
    for part in value.split("+"):
        code, low, high = part.split("~")
        if code not in FIELDS:
            raise ValueError(value)
        try:
            kind: Any = {"r": date.fromisoformat, "f": int, "m": _amount}[code]
            found.append((code, kind(low), kind(high)))
        except InvalidOperation:
            raise ValueError(value) from None
    return found


def _amount(text: str) -> Decimal:
    """Raises ValueError for what is no number of this world, InvalidOperation for what is none."""
    amount = Decimal(text)
    if not amount.is_finite() or abs(amount) > MOST_MONEY:
        raise ValueError(text)
    return amount


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


def bought_in_words(value: str) -> str:
    days, known = read_bought_in(value)
    if known:
        text = ngettext("the last %(n)s day, and before it", "the last %(n)s days, and before them", days)
    else:
        text = ngettext("the last %(n)s day", "the last %(n)s days", days)
    return text % {"n": number(days)}


def bought_in(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    days, known = read_bought_in(value)
    start = scoring.shown_day() - timedelta(days=days)
    found = customers.filter(metrics__orders__gt=0, metrics__last_order_on__gt=start)
    return found.filter(metrics__first_order_on__lte=start) if known else found


def read_bought_in(value: str) -> tuple[int, bool]:
    """`30.known` → (30, True). Raises ValueError."""
    days, _dot, known = value.partition(".")
    if known not in ("", "known"):
        raise ValueError(value)
    return _days(days), bool(known)


def categories_words(value: str) -> str:
    n, more = _categories(value)
    if more:
        text = ngettext("%(n)s category or more", "%(n)s categories or more", n)
    else:
        text = ngettext("%(n)s category", "%(n)s categories", n)
    return text % {"n": number(n)}


def by_categories(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    n, more = _categories(value)
    return customers.filter(metrics__orders__gt=0, **{f"metrics__categories{'__gte' if more else ''}": n})


def _categories(value: str) -> tuple[int, bool]:
    """`2+` → (2, True): two or more; `2` → (2, False): exactly two. Raises ValueError."""
    n = int(value.removesuffix("+"))
    if not 0 <= n <= 1_000:
        raise ValueError(value)
    return n, value.endswith("+")


def new_category_words(value: str) -> str:
    return {"yes": _("within the last year")}[value]


def in_new_category(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    """Who bought within a year in a category they had never bought in before."""
    new_category_words(value)
    day = scoring.shown_day()
    of_one = metrics.NET_THEN_OF_ONE if day < today() else metrics.NET_NOW
    statement = NEW_CATEGORY.format(purchases=of_one.format(only="AND p.customer_id = o.customer_id"))
    named = {"day": day, "start": day - timedelta(days=cross_buying.DAYS)}
    return customers.filter(pk__in=raw(statement, named))


def stayed_words(value: str) -> str:
    return {
        "any": _("yes"),
        "yes": _("bought again within the last year"),
        "no": _("did not buy again within the last year"),
    }[value]


def stayed(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    """Of who bought in the year before the last, who bought in the last one too, or did not."""
    end = scoring.shown_day() - YEAR
    start = end - YEAR
    last: dict[str, dict[str, date]] = {
        "any": {},
        "yes": {"metrics__last_order_on__gt": end},
        "no": {"metrics__last_order_on__lte": end},
    }
    before = RawSQL(BOUGHT_BETWEEN, [end, start, end, start, end])  # noqa: S611 - the statement is ours
    return customers.filter(pk__in=before, **last[value])


def filters() -> dict[str, django_filters.Filter]:
    return {
        "cohort": DrillDown(gettext_lazy("First order in"), cohort_words, by_cohort),
        "came_back": DrillDown(gettext_lazy("First order in, back"), back_words, came_back),
        "bought": DrillDown(gettext_lazy("Bought"), bought_words, bought),
        "rfm": DrillDown(gettext_lazy("Recency, frequency, value"), rfm_words, by_rfm),
        "bought_in": DrillDown(gettext_lazy("Bought within"), bought_in_words, bought_in),
        "breadth": DrillDown(gettext_lazy("Bought in"), categories_words, by_categories),
        "new_category": DrillDown(gettext_lazy("Bought in a new category"), new_category_words, in_new_category),
        "stayed": DrillDown(gettext_lazy("Bought the year before"), stayed_words, stayed),
    }
