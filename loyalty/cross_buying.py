"""Whether customers buy in more than one category, and in new ones (`docs/scoring.md`). Returned lines do not count."""

from typing import Any

from django.db import connection

from crm.days import today
from loyalty import metrics, scoring
from loyalty.figures import figure

DAYS = 365

BREADTH = "SELECT least(categories, 1000), orders > 1, count(*) FROM loyalty_metrics WHERE orders > 0 GROUP BY 1, 2"
# The day of the first purchase in each category, for who bought in the period; `old` bought before it too.
NEW = """
SELECT old, count(*), count(*) FILTER (WHERE new) FROM (
  SELECT m.customer_id, m.first_order_on <= %(day)s::date - %(days)s AS old,
    coalesce(max(b.since) > %(day)s::date - %(days)s, FALSE) AS new
  FROM loyalty_metrics m LEFT JOIN (
    SELECT p.customer_id, category, min(p.ordered_on) AS since
    FROM ({purchases}) p CROSS JOIN unnest(p.categories) category GROUP BY 1, 2) b ON b.customer_id = m.customer_id
  WHERE m.orders > 0 AND m.last_order_on > %(day)s::date - %(days)s
  GROUP BY 1, 2) buyers
GROUP BY 1"""


@figure("cross_buying", live=False)
def cross_buying() -> dict[str, Any]:
    """CBR of all and of repeaters, CBR-neu of all and of known buyers, each [part, whole]; and {categories: customers}."""
    day = scoring.shown_day()
    purchases = (metrics.NET_THEN if day < today() else metrics.NET_NOW).format(only="")
    with connection.cursor() as cursor:
        cursor.execute(BREADTH)
        rows = cursor.fetchall()
        cursor.execute(NEW.format(purchases=purchases), {"day": day, "days": DAYS})
        new = {old: (whole, part) for old, whole, part in cursor.fetchall()}
    breadth: dict[int, int] = {}
    for categories, _again, n in rows:
        breadth[categories] = breadth.get(categories, 0) + n
    known, fresh = new.get(True, (0, 0)), new.get(False, (0, 0))
    return {
        "all": [sum(n for c, _a, n in rows if c > 1), sum(n for _c, _a, n in rows)],
        "repeaters": [sum(n for c, again, n in rows if c > 1 and again), sum(n for _c, again, n in rows if again)],
        "new": [known[1] + fresh[1], known[0] + fresh[0]],
        "new_known": [known[1], known[0]],
        "breadth": {str(categories): breadth[categories] for categories in sorted(breadth)},
        "days": DAYS,
    }
