"""Rows as a shop's system would send them, and the facts of the whole database in a form that can be compared."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import connection
from django.utils.timezone import now

DAY = timedelta(days=1)


def days_ago(days: float) -> str:
    return (now().replace(microsecond=0) - days * DAY).isoformat()


def fixed_day(day: int, hour: int = 12) -> str:
    """A moment that is the same in each run: that many days after 1 January 2026."""
    return (datetime(2026, 1, 1, hour, tzinfo=UTC) + day * DAY).isoformat()


def line(product: str | None = "tea", quantity: Any = 1, price: Any = "10.00", **more: Any) -> dict[str, Any]:
    row = {"quantity": quantity, "unit_price": price}
    if product:
        row["product"] = {"external_id": product}
    return row | more


def purchase(external_id: str = "p1", customer: Any = "anna", at: str | None = None, **more: Any) -> dict[str, Any]:
    row = {
        "external_id": external_id,
        "ordered_at": at or fixed_day(0),
        "status": "paid",
        "currency": "EUR",
        "customer": {"external_id": customer} if isinstance(customer, str) else customer,
        "lines": [line()],
    }
    return row | more


def brought_back(external_id: str = "r1", at: str | None = None, **more: Any) -> dict[str, Any]:
    row = {
        "external_id": external_id,
        "returned_at": at or fixed_day(5),
        "currency": "EUR",
        "lines": [line()],
    }
    return row | more


SOURCE = "(SELECT name FROM crm_source WHERE id = {0}.source_id)"
CUSTOMER = "(SELECT array_agg(k.external_id ORDER BY k.external_id) FROM crm_customerkey k WHERE k.customer_id = {0})"
PRODUCT = "(SELECT g.external_id FROM crm_product g WHERE g.id = {0})"
GROUPS = "(SELECT array_agg(g.external_id ORDER BY g.external_id) FROM crm_category g WHERE g.id = ANY({0}))"
VERSIONS = "(SELECT jsonb_object_agg(key, value->0) FROM jsonb_each(c.field_versions))"

# All facts by the names of their sources: without ids, and without the time of arrival.
FACTS = {
    "customers": f"""SELECT {CUSTOMER.format("c.id")} AS keys, kind, salutation, title, given_name, family_name,
        company_name, birth_day, birth_month, birth_year, language, country, city, attributes, is_placeholder, since,
        {VERSIONS} FROM crm_customer c""",
    "contact points": f"""SELECT {CUSTOMER.format("c.customer_id")} AS keys, kind, value, normal, state, is_primary,
        {SOURCE.format("c")}, (SELECT external_id FROM crm_purchase WHERE id = c.purchase_id), notice_version,
        collected_at FROM crm_contactpoint c""",
    "categories": f"SELECT {SOURCE.format('c')}, external_id, name, name_version FROM crm_category c",
    "products": f"""SELECT {SOURCE.format("c")}, external_id, name, name_version, category_version,
        (SELECT g.external_id FROM crm_category g WHERE g.id = c.category_id) FROM crm_product c""",
    "purchases": f"""SELECT {SOURCE.format("c")}, external_id, {CUSTOMER.format("c.customer_id")}, ordered_at, ordered_on,
        status, place, currency, rate, gross, returned, net, {GROUPS.format("c.categories")}, version, digest
        FROM crm_purchase c""",
    "purchase lines": f"""SELECT {SOURCE.format("p")}, p.external_id, position, {PRODUCT.format("c.product_id")},
        description, quantity, unit_price, c.net, returned_quantity
        FROM crm_purchaseline c JOIN crm_purchase p ON p.id = c.purchase_id""",
    "returns": f"""SELECT {SOURCE.format("c")}, external_id, purchase_ref,
        (SELECT external_id FROM crm_purchase WHERE id = c.purchase_id), {CUSTOMER.format("c.customer_id")},
        returned_at, returned_on, held, currency, rate, net, unallocated, version, digest FROM crm_return c""",
    "return lines": f"""SELECT {SOURCE.format("p")}, p.external_id, position, {PRODUCT.format("c.product_id")},
        description, quantity, unit_price, c.net FROM crm_returnline c JOIN crm_return p ON p.id = c.parent_id""",
    "allocations": """SELECT r.external_id, b.position, p.external_id AS purchase, l.position AS line, a.quantity, a.net
        FROM crm_returnallocation a JOIN crm_returnline b ON b.id = a.return_line_id
        JOIN crm_return r ON r.id = b.parent_id JOIN crm_purchaseline l ON l.id = a.purchase_line_id
        JOIN crm_purchase p ON p.id = l.purchase_id""",
}


def facts() -> dict[str, list[str]]:
    """Every fact that sync writes, a sorted list of rows by table."""
    found = {}
    with connection.cursor() as cursor:
        for name, statement in FACTS.items():
            cursor.execute(f'SELECT q::text FROM ({statement}) q ORDER BY q::text COLLATE "C"')
            found[name] = [text for (text,) in cursor.fetchall()]
    return found


def facts_digest() -> dict[str, str]:
    """Number of rows and checksum of each table: for databases too large to compare row by row."""
    return {
        name: f"{len(rows)} {sha256(chr(10).join(rows).encode()).hexdigest()[:16]}" for name, rows in facts().items()
    }
