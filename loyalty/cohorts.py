"""Customers by the month of their first order: how many of them come back in which month after it, with what revenue."""

from typing import Any

from django.db import connection

from crm.days import today
from loyalty import metrics, scoring
from loyalty.figures import figure

# Customers and net by month of the first order and months since; months are those of the calendar.
CELLS = """
SELECT {first} AS cohort, month - {first} AS since, count(*), sum(net)
FROM (SELECT p.customer_id, (extract(year FROM p.ordered_on) * 12 + extract(month FROM p.ordered_on))::int - 1 AS month,
    sum(p.net) AS net FROM ({purchases}) p GROUP BY 1, 2) bought
  JOIN loyalty_metrics m ON m.customer_id = bought.customer_id
WHERE m.orders > 0
GROUP BY 1, 2 ORDER BY 1, 2"""
FIRST = "((extract(year FROM m.first_order_on) * 12 + extract(month FROM m.first_order_on))::int - 1)"


@figure("cohorts", live=False)
def cohorts() -> list[dict[str, Any]]:
    """Oldest first: {month: "2026-01", n, bought: customers by months since, revenue: net by months since}.

    The lists reach from 0 to the present month, which is not over yet.
    """
    day = scoring.shown_day()
    purchases = (metrics.NET_THEN if day < today() else metrics.NET_NOW).format(only="")
    with connection.cursor() as cursor:
        cursor.execute(CELLS.format(first=FIRST, purchases=purchases), {"day": day})
        rows = cursor.fetchall()
    present = day.year * 12 + day.month - 1
    found: dict[int, dict[str, Any]] = {}
    for cohort, since, customers, net in rows:
        length = present - cohort + 1
        one = found.setdefault(
            cohort, {"month": month_name(cohort), "n": 0, "bought": [0] * length, "revenue": [0] * length}
        )
        one["bought"][since], one["revenue"][since] = customers, net
    for one in found.values():
        one["n"] = one["bought"][0]
    return list(found.values())


def month_name(months: int) -> str:
    """Months since the year 0 as 2026-01."""
    return f"{months // 12:04}-{months % 12 + 1:02}"
