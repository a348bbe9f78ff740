"""Pages of a long list by key, not by number: every page costs the same, however deep, and none is skipped or doubled
when rows are added meanwhile."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Concat

PAGE = 50
COUNT_LIMIT = 1000


@dataclass(frozen=True)
class Page:
    """Rows of one page, and the cursors of its neighbours ('' where there is none)."""

    rows: list[Any]
    previous: str = ""
    next: str = ""


def page_of(
    rows: QuerySet[Any],
    field: str,
    cursor: str = "",
    size: int = PAGE,
    gather: bool = False,
    dress: Callable[[QuerySet[Any]], QuerySet[Any]] | None = None,
) -> Page:
    """The page of `rows`, ordered by (field, id), that a cursor points to; the first one for a broken cursor.

    gather: find all the rows and sort them, instead of walking the index of `field` until the page is full. That is
    quicker where the rows wanted are few, or stand close together far down the order (measured: 34 against 290 ms).
    dress: adds to the page's own rows what is shown with them, so that it is not looked up for rows of other pages.
    """
    place = _read(cursor)
    back = place is not None and place[0] == "b"
    if place is not None:
        rows = rows.filter(_beyond(field, place[1], place[2], back))
    # Equal to the field, and to no index.
    key = Concat(F(field), Value("")) if gather else F(field)
    ordered = rows.order_by(key.desc(), "-pk") if back else rows.order_by(key.asc(), "pk")
    # Which rows, before all that belongs to them: what is joined to the rows is fetched for one page only.
    keys = list(ordered.values_list("pk", flat=True)[: size + 1])
    more, wanted = len(keys) > size, rows.model._default_manager.filter(pk__in=keys[:size])
    by_key = {row.pk: row for row in (dress(wanted) if dress else rows.filter(pk__in=keys[:size]))}
    kept = [by_key[key] for key in keys[:size] if key in by_key]
    if back:
        kept.reverse()
    if not kept:
        return Page([])
    has_previous = more if back else place is not None
    has_next = True if back else more
    return Page(
        kept,
        _write("b", field, kept[0]) if has_previous else "",
        _write("f", field, kept[-1]) if has_next else "",
    )


def counted(rows: QuerySet[Any], limit: int = COUNT_LIMIT) -> tuple[int, bool]:
    """How many rows there are, and whether there are more than `limit` (then the number is `limit`)."""
    found = rows.order_by()[: limit + 1].count()
    return min(found, limit), found > limit


def _beyond(field: str, value: str, pk: int, back: bool) -> Q:
    edge, past = ("lte", "lt") if back else ("gte", "gt")
    return Q(**{f"{field}__{edge}": value}) & (Q(**{f"{field}__{past}": value}) | Q(**{f"pk__{past}": pk}))


def _write(way: str, field: str, row: Any) -> str:
    place: Sequence[Any] = (way, getattr(row, field), row.pk)
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[str, str, int] | None:
    try:
        way, value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError):
        return None
    known = way in ("f", "b") and isinstance(value, str) and "\0" not in value and type(pk) is int
    return (way, value, pk) if known and 0 <= pk < 2**63 else None
