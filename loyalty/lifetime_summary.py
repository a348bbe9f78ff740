"""What the fitted model expects of the shop's customers together, by stage, for the page about behaviour."""

from typing import Any

from django.db import connection

from loyalty import lifetime_value
from loyalty.figures import figure

BY_STAGE = """
SELECT a.stage, count(*), sum(v.orders), sum(v.orders * v.orders), sum(v.value)::float8, sum(v.value * v.value)::float8,
  sum(v.chance)
FROM loyalty_lifetimevalue v JOIN loyalty_assessment a ON a.customer_id = v.customer_id GROUP BY 1"""


@figure("lifetime")
def lifetime() -> dict[str, Any] | None:
    """Sums by stage: {stage: {n, orders, orders_squares, value, value_squares, chance}}; None without a model to show."""
    fit = lifetime_value.latest()
    if fit is None or not fit.shown:
        return None
    with connection.cursor() as cursor:
        cursor.execute(BY_STAGE)
        rows = cursor.fetchall()
    names = ("n", "orders", "orders_squares", "value", "value_squares", "chance")
    return {stage: dict(zip(names, row, strict=True)) for stage, *row in rows}
