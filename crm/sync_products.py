"""Writing products and categories, which come along with the lines of purchases."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.backends.utils import CursorWrapper

from crm import sql
from crm.sync_checks import ProductNews

Versioned = tuple[datetime, str]
NEVER = datetime.min.replace(tzinfo=UTC)

FIND_CATEGORIES = """
SELECT external_id, id, name, name_version FROM crm_category WHERE source_id = %s AND external_id = ANY(%s)
"""
FIND_PLAIN = "SELECT external_id, id, category_id FROM crm_product WHERE source_id = %s AND external_id = ANY(%s)"
FIND_PRODUCTS = """
SELECT p.external_id, p.id, p.category_id, p.name, p.name_version, c.external_id, p.category_version
FROM crm_product p LEFT JOIN crm_category c ON c.id = p.category_id
WHERE p.source_id = %s AND p.external_id = ANY(%s)
"""
ADD_CATEGORIES = """
INSERT INTO crm_category (source_id, external_id, name, name_version)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) ON CONFLICT DO NOTHING RETURNING external_id, id
"""
ADD_PRODUCTS = """
INSERT INTO crm_product (source_id, external_id, name, name_version, category_id, category_version)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::timestamptz[])
ON CONFLICT DO NOTHING RETURNING external_id, id
"""
RENAME = """
WITH news AS MATERIALIZED (
  SELECT t.id, n.name, n.version FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS n (id, name, version)
  JOIN {table} t USING (id) ORDER BY t.id FOR NO KEY UPDATE OF t)
UPDATE {table} t SET name = n.name, name_version = n.version FROM news n WHERE t.id = n.id
  AND (n.version, n.name COLLATE "C") > (coalesce(t.name_version, '-infinity'), t.name COLLATE "C")
"""
REGROUP = """
UPDATE crm_product p SET category_id = n.category_id, category_version = n.version
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS n (id, category_id, version) WHERE p.id = n.id
"""


@dataclass(slots=True)
class Goods:
    """The products of one batch: (id, category's id) by key, and what remains to be written at the end."""

    ids: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    names: dict[int, Versioned] = field(default_factory=dict)
    category_names: dict[int, Versioned] = field(default_factory=dict)
    groups: dict[int, tuple[datetime, int | None]] = field(default_factory=dict)
    regrouped: set[int] = field(default_factory=set)


def find(
    cursor: CursorWrapper,
    source_id: int,
    products: dict[str, ProductNews],
    categories: dict[str, Versioned],
    exclusive: bool,
) -> Goods:
    """The ids of the batch's products; unknown ones are made. Raises Raced(exclusive) if a known product changes its
    category: then purchases that others are writing would keep the old one.
    """
    goods = Goods()
    if not any(news.name or news.category for news in products.values()):
        plain = sql.rows(cursor, FIND_PLAIN, [source_id, list(products)]) if products else []
        goods.ids = {key: (pk, group) for key, pk, group in plain}
        add_products(cursor, source_id, products, {}, goods)
        return goods
    groups = find_categories(cursor, source_id, categories, goods)
    for key, pk, group, name, name_version, group_key, group_version in sql.rows(
        cursor, FIND_PRODUCTS, [source_id, list(products)]
    ):
        news = products[key]
        if news.name and news.name > (name_version or NEVER, name):
            goods.names[pk] = news.name
        if news.category and news.category > (group_version or NEVER, group_key or ""):
            found = groups.get(news.category[1])
            if found != group:
                if not exclusive:
                    raise sql.Raced(exclusive=True)
                goods.regrouped.add(pk)
            goods.groups[pk] = (news.category[0], found)
            group = found
        goods.ids[key] = (pk, group)
    add_products(cursor, source_id, products, groups, goods)
    return goods


def find_categories(
    cursor: CursorWrapper, source_id: int, categories: dict[str, Versioned], goods: Goods
) -> dict[str, int]:
    if not categories:
        return {}
    found = {}
    for key, pk, name, version in sql.rows(cursor, FIND_CATEGORIES, [source_id, list(categories)]):
        found[key] = pk
        if categories[key] > (version or NEVER, name):
            goods.category_names[pk] = categories[key]
    unknown = sorted(categories.keys() - found.keys())
    if unknown:
        names, versions = [categories[key][1] for key in unknown], [categories[key][0] for key in unknown]
        found.update(added(sql.rows(cursor, ADD_CATEGORIES, [source_id, unknown, names, versions]), unknown))
    return found


def add_products(
    cursor: CursorWrapper, source_id: int, products: dict[str, ProductNews], groups: dict[str, int], goods: Goods
) -> None:
    unknown = sorted(products.keys() - goods.ids.keys())
    if not unknown:
        return
    news = [products[key] for key in unknown]
    names = [said.name or (None, "") for said in news]
    kinds = [said.category or (None, "") for said in news]
    group_ids = [groups.get(key) for _version, key in kinds]
    parameters = [
        source_id, unknown, [name for _version, name in names], [version for version, _name in names],
        group_ids, [version for version, _key in kinds],
    ]  # fmt: skip
    made = added(sql.rows(cursor, ADD_PRODUCTS, parameters), unknown)
    goods.ids.update({key: (made[key], group) for key, group in zip(unknown, group_ids, strict=True)})


def added(returned: list[tuple], wanted: list[str]) -> dict[str, int]:
    if len(returned) < len(wanted):
        raise sql.Raced
    return dict(returned)


def settle(cursor: CursorWrapper, goods: Goods) -> None:
    """Write names and categories that have changed. Late in the transaction: everybody buys these products."""
    for table, names in (("crm_category", goods.category_names), ("crm_product", goods.names)):
        if names:
            texts, versions = (
                [name for _version, name in names.values()],
                [version for version, _name in names.values()],
            )
            cursor.execute(RENAME.format(table=table), [list(names), texts, versions])
    if goods.groups:
        hours, groups = zip(*goods.groups.values(), strict=True)
        cursor.execute(REGROUP, [list(goods.groups), list(groups), list(hours)])
