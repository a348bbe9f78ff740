"""Recency, frequency and monetary value in fifths of this shop's buyers (Hughes 1994). Not used for any stage.

A class is the fifth of who stands lowest among equals, so equals share a class and a class may be empty: of a shop in
which most bought once, the frequencies 1 and 2 may be classes 1 and 4.
"""

from typing import Any

from django.db import connection

from loyalty import scoring
from loyalty.figures import figure

CLASSES = 5

CELLS = """
WITH ranked AS (
  SELECT m.last_order_on, m.orders, m.value, (%(day)s::date - m.last_order_on) / a.expected_interval AS ratio,
    1 + 5 * (rank() OVER (ORDER BY m.last_order_on) - 1) / count(*) OVER () AS r,
    1 + 5 * (rank() OVER (ORDER BY m.orders) - 1) / count(*) OVER () AS f,
    1 + 5 * (rank() OVER (ORDER BY m.value) - 1) / count(*) OVER () AS m
  FROM loyalty_metrics m LEFT JOIN loyalty_assessment a ON a.customer_id = m.customer_id
  WHERE m.orders > 0)
SELECT r, f, m, count(*), sum(value), min(last_order_on), max(last_order_on), min(orders), max(orders), min(value),
  max(value), percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio)
FROM ranked GROUP BY GROUPING SETS ((r), (f), (m), (r, f))"""


@figure("rfm", live=False)
def rfm() -> dict[str, Any]:
    """n buyers; classes of each dimension with their bounds; cells of recency × frequency.

    classes: {"r": [{code, n, value, low, high, ratio}]}, low and high being days (r), orders (f) or amounts (m);
    cells: {code of r, code of f, n, value}, value being the sum of net.
    """
    with connection.cursor() as cursor:
        cursor.execute(CELLS, {"day": scoring.shown_day()})
        rows = cursor.fetchall()
    classes: dict[str, list[dict[str, Any]]] = {"r": [], "f": [], "m": []}
    cells = []
    for r, f, m, n, value, *bounds, ratio in rows:
        if r is not None and f is not None:
            cells.append({"r": r, "f": f, "n": n, "value": value})
            continue
        name, at = ("r", 0) if r is not None else ("f", 2) if f is not None else ("m", 4)
        low, high = bounds[at : at + 2]
        one = {"code": r or f or m, "n": n, "value": value, "low": low, "high": high}
        classes[name].append(one | {"ratio": ratio} if name == "r" else one)
    for found in classes.values():
        found.sort(key=lambda one: one["code"])
    return {"n": sum(one["n"] for one in classes["r"]), "classes": classes, "cells": cells}
