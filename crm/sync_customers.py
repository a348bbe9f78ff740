"""Writing customers: make those that are new, and let the last value of each field win."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
from django.db.backends.utils import CursorWrapper

from crm import sql
from crm.sync_fields import Json
from crm.sync_people import POINTS, CustomerNews

STAGING = """
CREATE TEMP TABLE IF NOT EXISTS st_customer (id bigint, stamps jsonb, given jsonb) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS st_point (
  customer_id bigint, kind text, value text, normal text, is_primary boolean,
  collected_at timestamptz, purchase text, notice text) ON COMMIT DELETE ROWS;
DELETE FROM st_customer; DELETE FROM st_point;
"""
# Column of crm_customer: (its value out of `given`, what a customer has whose row leaves it out).
COLUMNS = {
    **{name: (f"given->>'{name}'", "''") for name in ("title", "given_name", "family_name", "company_name")},
    **{name: (f"given->>'{name}'", "''") for name in ("language", "city", "country")},
    "kind": ("given->>'kind'", "'person'"),
    "salutation": ("given->>'salutation'", "'none'"),
    **{name: (f"(given->>'{name}')::smallint", "NULL") for name in ("birth_day", "birth_month", "birth_year")},
    "since": ("(given->>'since')::date", "NULL"),
    "attributes": ("given->'attributes'", "'{}'"),
}
INSERT = f"""
INSERT INTO crm_customer (id, field_versions, is_placeholder, {", ".join(COLUMNS)})
SELECT id, stamps, stamps = '{{}}', {", ".join(f"coalesce({value}, {default})" for value, default in COLUMNS.values())}
FROM st_customer ORDER BY id
"""
UPDATE = f"""
UPDATE crm_customer c SET field_versions = c.field_versions || s.stamps, is_placeholder = false, updated_at = now(),
  {", ".join(f"{name} = CASE WHEN s.given ? '{name}' THEN {value} ELSE c.{name} END" for name, (value, _) in COLUMNS.items())}
FROM st_customer s WHERE c.id = s.id AND s.given <> '{{}}'
"""
# Without the other columns PostgreSQL neither builds the sort key again nor touches an index.
CONFIRM = """
UPDATE crm_customer c SET field_versions = c.field_versions || s.stamps, is_placeholder = false
FROM st_customer s WHERE c.id = s.id AND s.given = '{}'
"""
DEMOTE = """
UPDATE crm_contactpoint p SET is_primary = false,
  state = CASE WHEN p.state IN ('usable', 'soft_bounced') THEN 'gone' ELSE p.state END
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS now (customer_id, kind, normal)
WHERE p.customer_id = now.customer_id AND p.kind = now.kind AND p.is_primary AND p.normal <> now.normal
"""
# The evidence is the earliest sale, the spelling the least of those given: whatever the order of arrival.
KEEP_POINTS = """
INSERT INTO crm_contactpoint AS p
  (customer_id, kind, value, normal, is_primary, state, source_id, collected_at, purchase_id, notice_version)
SELECT s.customer_id, s.kind, s.value, s.normal, s.is_primary, CASE WHEN s.is_primary THEN 'usable' ELSE 'gone' END,
  %(source)s, s.collected_at, u.id, s.notice
FROM st_point s
LEFT JOIN crm_purchase u ON u.source_id = %(source)s AND u.external_id = s.purchase
LEFT JOIN crm_contactpoint k ON k.customer_id = s.customer_id AND k.kind = s.kind AND k.normal = s.normal
LEFT JOIN crm_purchase ku ON ku.id = k.purchase_id
WHERE k.id IS NULL OR k.value COLLATE "C" > s.value OR (s.is_primary AND (NOT k.is_primary OR k.state = 'gone'))
  OR s.collected_at < k.collected_at OR (s.collected_at IS NOT NULL AND k.collected_at IS NULL)
  OR (s.collected_at = k.collected_at AND (s.purchase, s.notice) < (ku.external_id COLLATE "C", k.notice_version))
ORDER BY s.customer_id, s.kind, s.normal COLLATE "C"
ON CONFLICT (customer_id, kind, normal) DO UPDATE SET
  value = least(p.value COLLATE "C", excluded.value),
  is_primary = p.is_primary OR excluded.is_primary,
  state = CASE WHEN excluded.is_primary AND p.state = 'gone' THEN 'usable' ELSE p.state END,
  (collected_at, purchase_id, notice_version) = (
    SELECT w.at, w.id, w.notice FROM (VALUES
      (p.collected_at, (SELECT external_id FROM crm_purchase WHERE id = p.purchase_id), p.purchase_id, p.notice_version),
      (excluded.collected_at, (SELECT external_id FROM crm_purchase WHERE id = excluded.purchase_id),
       excluded.purchase_id, excluded.notice_version)) AS w (at, purchase, id, notice)
    ORDER BY w.at NULLS LAST, w.purchase COLLATE "C", w.notice COLLATE "C" LIMIT 1)
"""


Changes = tuple[dict[str, list], dict[str, Json]]  # stamps of the fields that changed, columns of crm_customer


@dataclass(slots=True)
class Known:
    """The customers of one batch: ids by key, and which of them it has made or changed.

    current: addresses that have become the primary ones; settled: fields that hold what the batch says already.
    """

    ids: dict[str, int]
    made: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    current: dict[tuple[int, str], str] = field(default_factory=dict)
    settled: set[tuple[int, str]] = field(default_factory=set)


def find(cursor: CursorWrapper, source_id: int, news: dict[str, CustomerNews]) -> Known:
    """The ids of the batch's customers; who is not known yet gets one."""
    if not news:
        return Known({})
    known = Known(
        dict(
            sql.rows(
                cursor,
                "SELECT external_id, customer_id FROM crm_customerkey WHERE source_id = %s AND external_id = ANY(%s)",
                [source_id, list(news)],
            )
        )
    )
    unknown = sorted(news.keys() - known.ids.keys())
    if unknown:
        ids = sql.new_ids(cursor, "crm_customer", len(unknown))
        cursor.execute(
            "INSERT INTO crm_customerkey (source_id, external_id, customer_id)"
            " SELECT %s, * FROM unnest(%s::text[], %s::bigint[]) ON CONFLICT DO NOTHING",
            [source_id, unknown, ids],
        )
        if cursor.rowcount < len(unknown):
            raise sql.Raced
        known.ids.update(zip(unknown, ids, strict=True))
        known.made.update(ids)
    return known


def lock(cursor: CursorWrapper, customer_ids: Iterable[int]) -> dict[int, str]:
    """Hold customers until the transaction ends, in one order for all. Returns their fields' versions as JSON."""
    wanted = list(customer_ids)
    if not wanted:
        return {}
    return dict(
        sql.rows(
            cursor,
            "SELECT id, field_versions::text FROM crm_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [wanted],
        )
    )


def write(
    cursor: CursorWrapper, source_id: int, known: Known, locked: dict[int, str], news: dict[str, CustomerNews]
) -> None:
    """Merge what the batch says into its customers. Those who were there must be in `locked`."""
    stored = {pk: orjson.loads(text) for pk, text in locked.items()}
    made: dict[int, Changes] = {pk: ({}, {}) for pk in sorted(known.made)}
    kept: dict[int, Changes] = {}
    for key, said in news.items():
        pk = known.ids[key]
        before = stored.setdefault(pk, {})
        known.settled.update(
            (pk, name) for name in POINTS if name in before and said.stamps.get(name, "")[-8:] == before[name][0][-8:]
        )
        won = winners(said, before, source_id)
        if not won and pk not in made:
            continue
        stamps, given = made[pk] if pk in made else kept.setdefault(pk, ({}, {}))
        for name, is_new in won.items():
            stamps[name] = stored[pk][name]
            if is_new:
                given |= columns(name, said.values[name])
            if name in POINTS and is_new:
                known.current[pk, name] = said.values[name][1] if said.values[name] else ""
        if any(won.values()):
            known.changed.add(pk)
    known.changed |= known.made
    if made:
        stage(cursor, made)
        cursor.execute(INSERT)
    if kept:
        if made:
            cursor.execute("DELETE FROM st_customer")
        stage(cursor, kept)
        cursor.execute(UPDATE)
        cursor.execute(CONFIRM)


def winners(said: CustomerNews, stored: dict[str, list], source_id: int) -> dict[str, bool]:
    """Fields of which the batch brings a later version: True if the value differs too. Enters them into `stored`."""
    won = {}
    for name, stamp in said.stamps.items():
        before = stored.get(name)
        if before is not None and stamp[-8:] in before[2:]:
            continue  # put right by hand: this value was wrong, and stays so however often it is sent
        if before is None or stamp > before[0]:
            won[name] = before is None or stamp[-8:] != before[0][-8:]
            stored[name] = [stamp, source_id]
    return won


def columns(name: str, value: Json) -> dict[str, Json]:
    """A field as columns of crm_customer. An e-mail address or a number is a contact point and none."""
    if name == "birthday":
        *year, month, day = value.split("-") if value else (None, None)
        return {"birth_year": year[0] if year else None, "birth_month": month, "birth_day": day}
    if name == "postal":
        return {"city": value[2], "country": value[3]} if value else {"city": "", "country": ""}
    if name == "since":
        return {"since": value or None}
    if name == "attributes":
        return {"attributes": value or {}}
    return {} if name in POINTS else {name: value}


def stage(cursor: CursorWrapper, customers: dict[int, Changes]) -> None:
    sql.copy(
        cursor,
        "st_customer",
        "id, stamps, given",
        [f"{pk}\t{json_field(stamps)}\t{json_field(given)}\n" for pk, (stamps, given) in sorted(customers.items())],
    )


def json_field(value: dict) -> str:
    return sql.escaped(orjson.dumps(value).decode()) if value else "{}"


def write_points(cursor: CursorWrapper, source_id: int, known: Known, news: dict[str, CustomerNews]) -> None:
    """Keep every address that was named; the last one is the primary. Comes after the purchases: a point names one."""
    kinds = {"email": "email", "phone": "phone", "postal": "post"}
    if known.current:
        won = sorted((pk, kinds[name], compared) for (pk, name), compared in known.current.items())
        cursor.execute(DEMOTE, [list(column) for column in zip(*won, strict=True)])
    lines = []
    for key, said in news.items():
        pk = known.ids[key]
        for (name, compared), given in said.points.items():
            if (
                (pk, name) in known.settled
                and compared not in said.evidence
                and said.values[name][:2] == [given, compared]
            ):
                continue
            primary = "t" if known.current.get((pk, name)) == compared else "f"
            at, purchase, notice = (
                said.evidence.get(compared, (sql.NULL, sql.NULL, "")) if name == "email" else UNPROVED
            )
            lines.append(
                f"{pk}\t{kinds[name]}\t{sql.escaped(given)}\t{sql.escaped(compared)}\t{primary}"
                f"\t{at}\t{sql.escaped(purchase) if purchase != sql.NULL else purchase}\t{sql.escaped(notice)}\n"
            )
    if lines:
        sql.copy(
            cursor, "st_point", "customer_id, kind, value, normal, is_primary, collected_at, purchase, notice", lines
        )
        cursor.execute(KEEP_POINTS, {"source": source_id})


UNPROVED = (sql.NULL, sql.NULL, "")
