"""Which purchase a return lowers, and by how much (`docs/sync.md`).

A return with a reference belongs to its purchase; what exceeds the quantity bought, in the order of the returns, is held.
One without a reference takes from the customer's latest earlier purchases of the product that have quantity left. All of
it is computed anew for the customers concerned, so the order of arrival does not matter.

Value: an allocation is worth its share of the return line, at most its share of the purchase line, so no net falls below
0. At an equal price it is the purchase line's share: all brought back is exactly all its worth, whatever was rounded.
What of a return's worth met no purchase is its `unallocated`.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from django.db.backends.utils import CursorWrapper

from crm import sql

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS st_allocation (
  return_line_id bigint, purchase_line_id bigint, quantity numeric, net numeric, met numeric) ON COMMIT DELETE ROWS;
DELETE FROM st_allocation;
"""

CUSTOMERS_OF = "SELECT customer_id FROM crm_return WHERE id = ANY(%s)"
LINK = """
UPDATE crm_return r SET purchase_id = p.id, customer_id = p.customer_id
FROM crm_purchase p, unnest(%(returns)s::bigint[]) AS touched (id)
WHERE r.id = touched.id AND r.purchase_ref <> '' AND p.source_id = r.source_id AND p.external_id = r.purchase_ref
  AND (r.purchase_id, r.customer_id) IS DISTINCT FROM (p.id, p.customer_id)
"""
WAITING = """
SELECT r.id FROM crm_purchase p
JOIN crm_return r ON r.source_id = p.source_id AND r.purchase_ref = p.external_id AND r.purchase_ref <> ''
WHERE p.id = ANY(%s)
"""

# Every record whose allocation may have changed. Purchases of the customers' other returns come in because the returns
# without a reference take from what those have left.
SCOPE = """
WITH seen AS (
  SELECT id, purchase_id, customer_id FROM crm_return WHERE id = ANY(%(returns)s)
), people AS (
  SELECT customer_id FROM seen WHERE customer_id IS NOT NULL UNION SELECT unnest(%(customers)s::bigint[])
), concerned AS (
  SELECT r.id, r.purchase_id FROM crm_return r WHERE r.customer_id IN (SELECT customer_id FROM people)
  UNION SELECT id, purchase_id FROM seen
)
SELECT (SELECT coalesce(array_agg(customer_id), '{}') FROM people),
  coalesce(array_agg(DISTINCT purchase_id) FILTER (WHERE purchase_id IS NOT NULL), '{}')
FROM concerned
"""

RETURNS_IN_SCOPE = """
SELECT id FROM crm_return WHERE purchase_id = ANY(%(purchases)s)
UNION SELECT id FROM crm_return WHERE customer_id = ANY(%(customers)s) AND purchase_ref = ''
UNION SELECT unnest(%(returns)s::bigint[])
"""

BOUGHT = """
SELECT purchase_id, coalesce(product_id, 0), sum(quantity) FROM crm_purchaseline
WHERE purchase_id = ANY(%s) GROUP BY 1, 2
"""
BROUGHT_BACK = """
SELECT r.id, r.purchase_id, r.held, coalesce(l.product_id, 0), sum(l.quantity)
FROM crm_return r JOIN crm_returnline l ON l.parent_id = r.id WHERE r.purchase_id = ANY(%s)
GROUP BY r.id, 4 ORDER BY r.returned_at, r.external_id COLLATE "C"
"""
HOLD = """
UPDATE crm_return r SET held = now.held FROM unnest(%s::bigint[], %s::text[]) AS now (id, held) WHERE r.id = now.id
"""

# Both sides of a reference are laid end to end, per purchase and product; where two stretches overlap, they meet.
# Without a reference it is a stack: a purchase raises the level, a return lowers it, never below 0 (`lowest` reflects
# what fell through). Cut at every level that occurs, each slice of a return lies right above the purchase it takes from.
ALLOCATE = """
INSERT INTO st_allocation
WITH back AS (
  SELECT l.id, r.purchase_id, coalesce(l.product_id, 0) AS product, l.quantity, sum(l.quantity) OVER line AS high
  FROM crm_return r JOIN crm_returnline l ON l.parent_id = r.id
  WHERE r.purchase_id = ANY(%(purchases)s) AND r.held = ''
  WINDOW line AS (PARTITION BY r.purchase_id, coalesce(l.product_id, 0)
    ORDER BY r.returned_at, r.external_id COLLATE "C", l.position)
), stock AS (
  SELECT id, purchase_id, coalesce(product_id, 0) AS product, quantity, sum(quantity) OVER line AS high
  FROM crm_purchaseline WHERE purchase_id = ANY(%(purchases)s)
  WINDOW line AS (PARTITION BY purchase_id, coalesce(product_id, 0) ORDER BY position)
), referenced AS (
  SELECT back.id AS return_line_id, stock.id AS purchase_line_id,
    least(back.high, stock.high) - greatest(back.high - back.quantity, stock.high - stock.quantity) AS quantity
  FROM back JOIN stock USING (purchase_id, product)
  WHERE back.high > stock.high - stock.quantity AND stock.high > back.high - back.quantity
), taken AS (
  SELECT purchase_line_id, sum(quantity) AS quantity FROM referenced GROUP BY 1
), wanted AS (
  SELECT r.customer_id, l.product_id, r.returned_at AS at, 1 AS turn, r.external_id, l.position, l.id, -l.quantity AS step
  FROM crm_return r JOIN crm_returnline l ON l.parent_id = r.id
  WHERE r.customer_id = ANY(%(customers)s) AND r.purchase_ref = '' AND l.product_id IS NOT NULL
), bought AS MATERIALIZED (
  SELECT p.customer_id, l.product_id, p.ordered_at, 0 AS turn, p.external_id, l.position, l.id, l.quantity
  FROM (SELECT DISTINCT customer_id FROM wanted) w
  JOIN crm_purchase p USING (customer_id) JOIN crm_purchaseline l ON l.purchase_id = p.id
  WHERE p.status NOT IN ('cancelled', 'refunded')
), moves AS (
  SELECT * FROM wanted
  UNION ALL
  SELECT b.customer_id, b.product_id, b.ordered_at, b.turn, b.external_id, b.position, b.id,
    b.quantity - coalesce(t.quantity, 0)
  FROM bought b JOIN (SELECT DISTINCT customer_id, product_id FROM wanted) w USING (customer_id, product_id)
  LEFT JOIN taken t ON t.purchase_line_id = b.id
), summed AS (
  SELECT *, sum(step) OVER story AS total,
    row_number() OVER story AS place FROM moves
  WINDOW story AS (PARTITION BY customer_id, product_id ORDER BY at, turn, external_id COLLATE "C", position)
), levelled AS (
  SELECT *, total - least(0, min(total) OVER (PARTITION BY customer_id, product_id ORDER BY place)) AS level FROM summed
), stretches AS (
  SELECT customer_id, product_id, place, turn, id, least(level, before) AS low, greatest(level, before) AS high
  FROM (SELECT *, lag(level, 1, 0::numeric) OVER (PARTITION BY customer_id, product_id ORDER BY place) AS before
        FROM levelled) q
  WHERE level <> before
), cuts AS (
  SELECT customer_id, product_id, low AS cut FROM stretches UNION SELECT customer_id, product_id, high FROM stretches
), slices AS (
  SELECT customer_id, product_id, cut AS bottom,
    lead(cut) OVER (PARTITION BY customer_id, product_id ORDER BY cut) AS top
  FROM cuts
), matched AS (
  SELECT s.turn, s.id, c.top - c.bottom AS quantity,
    lag(s.id) OVER (PARTITION BY s.customer_id, s.product_id, c.bottom ORDER BY s.place) AS below
  FROM stretches s JOIN slices c
    ON c.customer_id = s.customer_id AND c.product_id = s.product_id AND c.bottom >= s.low AND c.top <= s.high
), pairs AS (
  SELECT * FROM referenced
  UNION ALL
  SELECT id, below, sum(quantity) FROM matched WHERE turn = 1 GROUP BY 1, 2
), shared AS (
  SELECT a.return_line_id, a.purchase_line_id, a.quantity,
    r.currency = p.currency AND rl.unit_price = pl.unit_price AS same_price,
    rl.net AS return_net, rl.quantity AS return_quantity, sum(a.quantity) OVER of_return AS return_high,
    pl.net AS line_net, pl.quantity AS line_quantity, sum(a.quantity) OVER of_line AS line_high
  FROM pairs a
  JOIN crm_returnline rl ON rl.id = a.return_line_id JOIN crm_return r ON r.id = rl.parent_id
  JOIN crm_purchaseline pl ON pl.id = a.purchase_line_id JOIN crm_purchase p ON p.id = pl.purchase_id
  WINDOW of_return AS (PARTITION BY a.return_line_id ORDER BY p.ordered_at, p.external_id COLLATE "C", pl.position),
    of_line AS (PARTITION BY a.purchase_line_id ORDER BY r.returned_at, r.external_id COLLATE "C", rl.position)
), worth AS (
  SELECT *,
    round(return_net * return_high / return_quantity, 2)
      - round(return_net * (return_high - quantity) / return_quantity, 2) AS return_share,
    round(line_net * line_high / line_quantity, 2)
      - round(line_net * (line_high - quantity) / line_quantity, 2) AS line_share
  FROM shared
)
SELECT return_line_id, purchase_line_id, quantity,
  CASE WHEN same_price THEN line_share ELSE least(return_share, line_share) END,
  CASE WHEN same_price THEN return_share ELSE least(return_share, line_share) END
FROM worth
"""

LOWERED = """
SELECT DISTINCT l.purchase_id FROM crm_returnallocation a JOIN crm_returnline b ON b.id = a.return_line_id
JOIN crm_purchaseline l ON l.id = a.purchase_line_id WHERE b.parent_id = ANY(%s)
"""
DROP_OLD = """
DELETE FROM crm_returnallocation a USING crm_returnline l
WHERE l.id = a.return_line_id AND l.parent_id = ANY(%(scope)s) AND NOT EXISTS (
  SELECT FROM st_allocation s WHERE s.return_line_id = a.return_line_id AND s.purchase_line_id = a.purchase_line_id)
RETURNING a.purchase_line_id
"""
KEEP_NEW = """
INSERT INTO crm_returnallocation AS a (return_line_id, purchase_line_id, quantity, net)
SELECT return_line_id, purchase_line_id, quantity, net FROM st_allocation
ORDER BY return_line_id, purchase_line_id
ON CONFLICT (return_line_id, purchase_line_id) DO UPDATE SET quantity = excluded.quantity, net = excluded.net
WHERE (a.quantity, a.net) IS DISTINCT FROM (excluded.quantity, excluded.net)
RETURNING a.purchase_line_id
"""
LEFT_OVER = """
SELECT r.id, CASE WHEN r.held <> '' THEN 0 ELSE r.net - coalesce(sum(s.met), 0) END AS unallocated
FROM crm_return r JOIN crm_returnline l ON l.parent_id = r.id
LEFT JOIN st_allocation s ON s.return_line_id = l.id
WHERE {where} GROUP BY r.id
"""
UNALLOCATED = f"""
UPDATE crm_return r SET unallocated = n.unallocated
FROM ({LEFT_OVER.format(where="r.id = ANY(%(scope)s)")}) n WHERE n.id = r.id AND r.unallocated <> n.unallocated
"""
PURCHASES_OF = "SELECT DISTINCT purchase_id FROM crm_purchaseline WHERE id = ANY(%s)"
RECOUNT_LINES = """
UPDATE crm_purchaseline l SET returned_quantity = n.quantity
FROM (SELECT l.id, coalesce(sum(a.quantity), 0) AS quantity
      FROM crm_purchaseline l LEFT JOIN crm_returnallocation a ON a.purchase_line_id = l.id
      WHERE l.purchase_id = ANY(%s) GROUP BY l.id) n
WHERE n.id = l.id AND l.returned_quantity <> n.quantity
"""
RECOUNT = """
UPDATE crm_purchase p SET returned = n.returned, net = p.gross - n.returned, categories = n.categories
FROM (SELECT p.id, coalesce(sum(a.net), 0) AS returned,
        coalesce(array_agg(DISTINCT g.category_id ORDER BY g.category_id)
          FILTER (WHERE g.category_id IS NOT NULL AND l.quantity > l.returned_quantity), '{}') AS categories
      FROM crm_purchase p
      LEFT JOIN crm_purchaseline l ON l.purchase_id = p.id
      LEFT JOIN crm_product g ON g.id = l.product_id
      LEFT JOIN LATERAL (SELECT sum(net) AS net FROM crm_returnallocation WHERE purchase_line_id = l.id) a ON true
      WHERE p.id = ANY(%s) GROUP BY p.id) n
WHERE n.id = p.id AND (p.returned, p.categories) IS DISTINCT FROM (n.returned, n.categories)
RETURNING p.customer_id
"""


def reallocate(
    cursor: CursorWrapper,
    created: Iterable[int],
    updated: Iterable[int],
    returns: Iterable[int],
    customers: Iterable[int],
) -> set[int]:
    """Decide anew what follows from created and updated purchases, changed returns, and customers with returns.

    The customers must be locked. Returns the customers for whom something may have changed.
    """
    stale = list(updated)
    touched = {"returns": list(returns), "customers": list(customers)}
    touched["returns"] += [pk for (pk,) in sql.rows(cursor, WAITING, [[*created, *stale]])]
    if not touched["returns"] and not touched["customers"]:
        return recount(cursor, stale)
    before = {pk for (pk,) in sql.rows(cursor, CUSTOMERS_OF, [touched["returns"]])}
    cursor.execute(LINK, touched)
    ((people, referenced),) = sql.rows(cursor, SCOPE, touched)
    decide_held(cursor, referenced)
    scope = {"customers": people, "purchases": referenced, "returns": touched["returns"]}
    scope["scope"] = [pk for (pk,) in sql.rows(cursor, RETURNS_IN_SCOPE, scope)]
    cursor.execute(ALLOCATE, scope)
    lines = sql.rows(cursor, DROP_OLD, scope) + sql.rows(cursor, KEEP_NEW, scope)
    cursor.execute(UNALLOCATED, scope)
    stale += [pk for (pk,) in sql.rows(cursor, PURCHASES_OF, [[pk for (pk,) in lines]])]
    return recount(cursor, stale) | before - {None}


def lowered_by(cursor: CursorWrapper, returns: list[int]) -> list[int]:
    """The purchases that these returns lower as things stand."""
    return [pk for (pk,) in sql.rows(cursor, LOWERED, [returns])] if returns else []


def recount(cursor: CursorWrapper, purchases: Iterable[int]) -> set[int]:
    """Bring purchases into line with their lines and allocations. Returns the customers of those that changed."""
    wanted = sorted(set(purchases))
    if not wanted:
        return set()
    cursor.execute(RECOUNT_LINES, [wanted])
    return {customer for (customer,) in sql.rows(cursor, RECOUNT, [wanted]) if customer is not None}


def decide_held(cursor: CursorWrapper, purchases: list[int]) -> None:
    """Hold the returns that exceed what their purchase has left, in the order in which the goods came back."""
    changed = misheld(cursor, purchases)
    if changed:
        cursor.execute(HOLD, [list(changed), list(changed.values())])


def misheld(cursor: CursorWrapper, purchases: list[int]) -> dict[int, str]:
    """The returns of these purchases whose `held` is not what it should be, with what it should be."""
    if not purchases:
        return {}
    left: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    left |= {(purchase, product): bought for purchase, product, bought in sql.rows(cursor, BOUGHT, [purchases])}
    returns: dict[int, tuple[int, str, list[tuple[int, Decimal]]]] = {}
    for pk, purchase, held, product, quantity in sql.rows(cursor, BROUGHT_BACK, [purchases]):
        returns.setdefault(pk, (purchase, held, []))[2].append((product, quantity))
    changed = {}
    for pk, (purchase, held, goods) in returns.items():
        fits = all(quantity <= left[purchase, product] for product, quantity in goods)
        for product, quantity in goods if fits else ():
            left[purchase, product] -= quantity
        if held != ("" if fits else "exceeds_purchase"):
            changed[pk] = "" if fits else "exceeds_purchase"
    return changed
