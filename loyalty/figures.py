"""Figures of the whole shop: computed by set queries, stored, and shown with their age.

A figure is a name, a function that answers something JSON can hold, and perhaps parameters. In a small shop a page
computes it anew; in a large one a page only ever reads what the nightly run, `manage.py score` or somebody's wish for a
fresh one has stored. Everything here can be deleted and comes back.
"""

import importlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils.timezone import now

from loyalty import rules, scoring
from loyalty.models import Calibration, StoredFigure

# Modules with `@figure` functions. Add yours.
SOURCES: tuple[str, ...] = (
    "loyalty.month_counts",
    "loyalty.overview",
    "loyalty.repurchase",
    "loyalty.cross_buying",
    "loyalty.intervals",
    "loyalty.wallet",
    "loyalty.rfm",
    "loyalty.cohorts",
    "loyalty.lifetime_summary",
    "loyalty.what_if",
    "loyalty.nev_facts",
    "loyalty.voices",
    "loyalty.motivators",
    "loyalty.response_rate",
)

SMALL = 20_000  # customers up to whom a page may compute by itself: each figure stays far below 300 ms there
KEPT_DAYS = 30
ROOM = "SET LOCAL work_mem = '64MB'"

Compute = Callable[..., Any]


@dataclass(frozen=True)
class Figure:
    """live: cheap enough for a page of a small shop to compute at every view.

    variants: parameters that the nightly run computes in any case; those that people asked for are added to them.
    """

    name: str
    compute: Compute
    live: bool
    variants: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Shown:
    """A figure for a page. value: None while it was never computed; waiting: a new one is being made.

    live: computed for this page; outdated: customers have been judged anew since.
    """

    name: str
    parameters: str
    value: Any
    as_of: date | None = None
    computed_at: datetime | None = None
    rules_version: int | None = None
    waiting: bool = False
    outdated: bool = False
    live: bool = False


_known: dict[str, Figure] = {}


def figure(
    name: str, *, live: bool = True, variants: Iterable[Mapping[str, Any]] = ({},)
) -> Callable[[Compute], Compute]:
    """Register a function as a figure. Its parameters must be words, numbers or days; its answer JSON-able.

    Raises ValueError for a name that another function has.
    """

    def register(compute: Compute) -> Compute:
        taken = _known.get(name)
        if taken and taken.compute.__module__ != compute.__module__:
            raise ValueError(f"there are two figures named {name!r}")
        _known[name] = Figure(name, compute, live, tuple(variants))
        return compute

    return register


@cache
def registry() -> dict[str, Figure]:
    """All figures by name."""
    for module in SOURCES:
        importlib.import_module(module)
    return _known


def show(name: str, **parameters: Any) -> Shown:
    """What a page shows for a figure; raises KeyError for an unknown name. Three queries and, in a small shop, its own."""
    one, key = registry()[name], key_of(parameters)
    known = Calibration.objects.filter(pk=1).only("computed_at", "customers").first()
    small = known is None or known.customers <= SMALL
    if one.live and small:
        return replace(_shown(StoredFigure(name=name, parameters=key, **_computed(one, parameters)), None), live=True)
    row = StoredFigure.objects.filter(name=name, parameters=key).first()
    if (row is None or row.computed_at is None) and small:
        return _shown(refresh(name, **parameters), None)
    if row is None or row.computed_at is None:
        row = want(name, **parameters)
    _remember_asking(row)
    return _shown(row, known.computed_at if known else None)


def want(name: str, **parameters: Any) -> StoredFigure:
    """Ask for a new value: the worker makes it within a minute. Raises KeyError for an unknown name."""
    one = registry()[name]
    row, _made = StoredFigure.objects.get_or_create(name=one.name, parameters=key_of(parameters))
    if row.wanted_at is None:
        row.wanted_at, row.asked_at = now(), now().date()
        row.save(update_fields=["wanted_at", "asked_at"])
    return row


def refresh(name: str, **parameters: Any) -> StoredFigure:
    """Compute and store a figure now."""
    values = _computed(registry()[name], parameters)
    row, _made = StoredFigure.objects.update_or_create(
        name=name,
        parameters=key_of(parameters),
        defaults=values | {"wanted_at": None},
        create_defaults=values | {"asked_at": now().date()},
    )
    return row


def refresh_wanted(seconds: float = 1e9) -> int:
    """Compute what somebody waits for, for about so many seconds. Returns how many.

    Safe to run side by side: each figure is made once.
    """
    made, started = 0, time.monotonic()
    while not made or time.monotonic() - started < seconds:
        with transaction.atomic():
            waiting = StoredFigure.objects.filter(wanted_at__isnull=False).order_by("wanted_at", "pk")
            row = waiting.select_for_update(skip_locked=True).first()
            if row is None:
                return made
            if row.name in registry():
                refresh(row.name, **parameters_of(row.parameters))
            else:
                row.delete()
        made += 1
    return made


def want_all() -> int:
    """Ask for all figures that are due by themselves or were looked at lately. Returns how many."""
    due = due_figures()
    for name, key in due:
        want(name, **parameters_of(key))
    return len(due)


def due_figures() -> list[tuple[str, str]]:
    """(name, parameters) of what the nightly run computes; drops what nobody looked at for a month."""
    StoredFigure.objects.filter(asked_at__lt=now().date() - timedelta(days=KEPT_DAYS)).delete()
    StoredFigure.objects.exclude(name__in=registry()).delete()
    due = [(one.name, key_of(variant)) for one in registry().values() for variant in one.variants]
    return due + [known for known in StoredFigure.objects.values_list("name", "parameters") if known not in due]


def refresh_all(told: Callable[[str, int], Any] = lambda name, milliseconds: None) -> int:
    """Compute all figures with the parameters that are due by themselves or were looked at lately. Returns how many.

    told: hears of each figure and its milliseconds.
    """
    due = due_figures()
    for name, key in due:
        row = refresh(name, **parameters_of(key))
        told(name + (f"?{key}" if key else ""), row.took_ms or 0)
    return len(due)


def key_of(parameters: Mapping[str, Any]) -> str:
    """Parameters as one text, in the order of their names."""
    return urlencode(sorted((name, str(value)) for name, value in parameters.items()))


def parameters_of(key: str) -> dict[str, Any]:
    """The other way; whole numbers are numbers again, all else is text."""
    return {name: int(value) if value.lstrip("-").isdigit() else value for name, value in parse_qsl(key)}


def _computed(one: Figure, parameters: Mapping[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ROOM)
        found = one.compute(**parameters)
    return {
        # Written and read once, so that a stored figure and a live one are of the same kinds.
        "value": json.loads(json.dumps(found, cls=DjangoJSONEncoder)),
        "as_of": scoring.shown_day(),
        "computed_at": now(),
        "rules_version": rules.current().version,
        "took_ms": round((time.monotonic() - started) * 1000),
    }


def _shown(row: StoredFigure, judged_at: datetime | None) -> Shown:
    return Shown(
        row.name,
        row.parameters,
        row.value,
        row.as_of,
        row.computed_at,
        row.rules_version,
        waiting=row.wanted_at is not None,
        outdated=bool(judged_at and row.computed_at and judged_at > row.computed_at),
    )


def _remember_asking(row: StoredFigure) -> None:
    today = now().date()
    if row.asked_at != today:
        StoredFigure.objects.filter(pk=row.pk).update(asked_at=today)
