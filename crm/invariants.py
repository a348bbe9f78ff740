"""What must always hold of the stored facts, counted again from their source. `manage.py verify_invariants` asks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm import consent, emotions, plugins, returns
from crm.models import Customer

SLICE = 10_000


@dataclass(frozen=True)
class Invariant:
    """A rule and how to count the records that break it. Counting may write: all of it is rolled back."""

    name: str
    violations: Callable[[CursorWrapper], int]


def rows_of(name: str, statement: str) -> Invariant:
    """An invariant broken by every row that `statement` yields."""

    def violations(cursor: CursorWrapper) -> int:
        cursor.execute(f"SELECT count(*) FROM ({statement}) broken")
        return cursor.fetchone()[0]

    return Invariant(name, violations)


def verify() -> list[tuple[str, int]]:
    """Every invariant of every app with how many records break it, on one state of the database."""
    checks = (*FACTS, *plugins.collect(lambda plugin: plugin.invariants()))
    with transaction.atomic(), connection.cursor() as cursor:
        if transaction.get_connection().savepoint_ids == []:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = [(check.name, check.violations(cursor)) for check in checks]
        transaction.set_rollback(True)
    return found


def misallocated(cursor: CursorWrapper) -> int:
    """Allocations that a computation over everything would not have made, or would have made otherwise."""
    cursor.execute(returns.STAGING)
    cursor.execute("SELECT DISTINCT customer_id FROM crm_return WHERE customer_id IS NOT NULL AND purchase_ref = ''")
    customers = [pk for (pk,) in cursor.fetchall()]
    cursor.execute("SELECT DISTINCT purchase_id FROM crm_return WHERE purchase_id IS NOT NULL")
    purchases = [pk for (pk,) in cursor.fetchall()]
    # What references of one customer's purchases have taken is needed with his other returns: slices of customers would
    # tear them apart, so it is one statement.
    cursor.execute(returns.ALLOCATE, {"customers": customers, "purchases": purchases})
    cursor.execute(
        """SELECT count(*) FROM crm_returnallocation a FULL JOIN st_allocation s USING (return_line_id, purchase_line_id)
        WHERE (a.quantity, a.net) IS DISTINCT FROM (s.quantity, s.net)"""
    )
    return cursor.fetchone()[0]


def wrong_unallocated(cursor: CursorWrapper) -> int:
    """Returns whose unallocated worth is not what their allocations leave. Comes after `misallocated`."""
    cursor.execute(f"SELECT count(*) FROM ({returns.LEFT_OVER.format(where='true')}) n JOIN crm_return r USING (id)"
                   " WHERE r.unallocated <> n.unallocated")  # fmt: skip
    return cursor.fetchone()[0]


def wrongly_held(cursor: CursorWrapper) -> int:
    cursor.execute("SELECT DISTINCT purchase_id FROM crm_return WHERE purchase_id IS NOT NULL")
    purchases = [pk for (pk,) in cursor.fetchall()]
    slices = (purchases[at : at + SLICE] for at in range(0, len(purchases), SLICE))
    return sum(len(returns.misheld(cursor, some)) for some in slices)


def consent_out_of_step(cursor: CursorWrapper) -> int:
    """States that differ from the ledger."""
    ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    return sum(consent.refresh(ids[at : at + SLICE]) for at in range(0, len(ids), SLICE))


TRUE_CATEGORIES = """
SELECT p.id, coalesce(array_agg(DISTINCT g.category_id ORDER BY g.category_id)
  FILTER (WHERE g.category_id IS NOT NULL AND l.quantity > l.returned_quantity), '{}') AS categories
FROM crm_purchase p LEFT JOIN crm_purchaseline l ON l.purchase_id = p.id LEFT JOIN crm_product g ON g.id = l.product_id
GROUP BY p.id
"""
DAY = "({at} AT TIME ZONE (SELECT time_zone FROM crm_shop))::date"

FACTS: Sequence[Invariant] = (
    rows_of(
        "purchase_gross_is_the_sum_of_its_lines",
        """SELECT p.id FROM crm_purchase p LEFT JOIN crm_purchaseline l ON l.purchase_id = p.id
        GROUP BY p.id HAVING p.gross <> coalesce(sum(l.net), 0)""",
    ),
    rows_of(
        "purchase_returned_is_the_sum_of_its_allocations",
        """SELECT p.id FROM crm_purchase p LEFT JOIN crm_purchaseline l ON l.purchase_id = p.id
        LEFT JOIN crm_returnallocation a ON a.purchase_line_id = l.id
        GROUP BY p.id HAVING p.returned <> coalesce(sum(a.net), 0)""",
    ),
    rows_of(
        "purchase_categories_are_those_of_lines_that_stayed",
        f"SELECT id FROM ({TRUE_CATEGORIES}) n JOIN crm_purchase p USING (id) WHERE p.categories <> n.categories",
    ),
    rows_of(
        "line_net_is_quantity_times_price_times_rate",
        """SELECT l.id FROM crm_purchaseline l JOIN crm_purchase p ON p.id = l.purchase_id
        WHERE l.net <> round(l.quantity * l.unit_price * p.rate, 2)
        UNION ALL SELECT l.id FROM crm_returnline l JOIN crm_return r ON r.id = l.parent_id
        WHERE l.net <> round(l.quantity * l.unit_price * r.rate, 2)""",
    ),
    rows_of(
        "line_returned_quantity_is_the_sum_of_its_allocations",
        """SELECT l.id FROM crm_purchaseline l LEFT JOIN crm_returnallocation a ON a.purchase_line_id = l.id
        GROUP BY l.id HAVING l.returned_quantity <> coalesce(sum(a.quantity), 0)""",
    ),
    rows_of(
        "return_net_is_the_sum_of_its_lines",
        """SELECT r.id FROM crm_return r LEFT JOIN crm_returnline l ON l.parent_id = r.id
        GROUP BY r.id HAVING r.net <> coalesce(sum(l.net), 0)""",
    ),
    rows_of(
        "return_line_gives_no_more_than_it_has",
        """SELECT l.id FROM crm_returnline l JOIN crm_returnallocation a ON a.return_line_id = l.id
        GROUP BY l.id HAVING sum(a.quantity) > l.quantity""",
    ),
    Invariant("returns_are_allocated_as_defined", misallocated),
    Invariant("return_unallocated_is_what_met_no_purchase", wrong_unallocated),
    Invariant("returns_beyond_the_purchase_are_held", wrongly_held),
    rows_of(
        "returns_wait_only_for_purchases_that_are_missing",
        """SELECT r.id FROM crm_return r
        LEFT JOIN crm_purchase p ON p.source_id = r.source_id AND p.external_id = r.purchase_ref AND r.purchase_ref <> ''
        WHERE (r.held = 'unknown_purchase') <> (p.id IS NULL AND r.purchase_ref <> '')
          OR r.purchase_id IS DISTINCT FROM p.id OR (p.id IS NOT NULL AND r.customer_id IS DISTINCT FROM p.customer_id)""",
    ),
    rows_of(
        "days_are_days_in_the_shops_zone",
        f"""SELECT id FROM crm_purchase WHERE ordered_on <> {DAY.format(at="ordered_at")}
        UNION ALL SELECT id FROM crm_return WHERE returned_on <> {DAY.format(at="returned_at")}""",
    ),
    rows_of(
        "a_purchase_is_announced_once",
        """SELECT purchase_id FROM crm_event WHERE kind = 'purchase.created'
        GROUP BY purchase_id HAVING count(*) > 1""",
    ),
    rows_of(
        "a_placeholder_has_no_fields",
        "SELECT id FROM crm_customer WHERE is_placeholder AND field_versions <> '{}'",
    ),
    rows_of(
        "consent_state_rests_on_the_persons_own_ledger",
        """SELECT s.id FROM crm_consentstate s JOIN crm_customer c ON c.id = s.customer_id
        JOIN crm_consentevent e ON e.id = s.evidence_id WHERE e.person_key <> c.person_key""",
    ),
    Invariant("consent_state_follows_from_the_ledger", consent_out_of_step),
    rows_of(
        "advertising_rests_while_an_alert_is_open_and_no_longer",
        """SELECT t.id FROM crm_task t LEFT JOIN crm_hold h ON h.task_id = t.id
        WHERE t.kind = 'alert' AND (h.id IS NULL OR (h.lifted_at IS NULL) <> (t.state = 'open'))""",
    ),
    rows_of(
        "two_destroying_emotions_on_a_contact_are_a_task",
        """SELECT interaction_id FROM crm_interactionemotion WHERE emotion IN ({negative})
        GROUP BY interaction_id HAVING count(*) >= 2 AND NOT EXISTS (
          SELECT FROM crm_task t WHERE t.cause = 'interaction:' || interaction_id)""".format(
            negative=", ".join(f"'{code}'" for code in emotions.NEGATIVE)
        ),
    ),
)


def broken(found: Iterable[tuple[str, int]]) -> bool:
    return any(count for _name, count in found)
