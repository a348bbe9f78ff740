"""Customers by stage, status, bond and class of score at past month ends, as the pages read them: small tables only."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from django.db import connection
from django.utils.formats import date_format

from loyalty import figures
from loyalty.models import Assessment, MonthEnd
from loyalty.months import LAYOUT, MARKS, NOT_YET, STAGE_MARKS, class_counts

KINDS = ("stage", "status", "bond")


def ends(months: int = 36) -> list[MonthEnd]:
    """The latest month ends without a gap, oldest first; none whose characters mean something else by now."""
    found: list[MonthEnd] = []
    for end in MonthEnd.objects.filter(layout=LAYOUT).order_by("-month")[:months]:
        if found and found[-1].place != end.place + 1:
            break
        found.append(end)
    return found[::-1]


def by_code(end: MonthEnd, kind: str) -> Counter[str]:
    """Customers by the code of their stage, status or bond."""
    at, codes = KINDS.index(kind), {mark: code for code, mark in MARKS[kind].items()}
    counted: Counter[str] = Counter()
    for marks, n in end.counts.items():
        counted[codes[marks[at]]] += n
    return counted


def moves(end: MonthEnd, span: int) -> tuple[dict[tuple[int, int], int], Counter[int]] | None:
    """Customers by (level before, level now), and those who were new by their level now; None where not counted."""
    if str(span) not in end.moves:
        return None
    levels = {mark: level for level, mark in enumerate(STAGE_MARKS.values())}
    moved, new = {}, Counter[int]()
    for marks, n in end.moves[str(span)].items():
        if marks[0] == NOT_YET:
            new[levels[marks[1]]] += n
        else:
            moved[levels[marks[0]], levels[marks[1]]] = n
    return moved, new


def label(month: date) -> str:
    """“Oct 26” on an axis."""
    return date_format(month, "M y")


def address(month: date) -> str:
    return f"{month:%Y-%m}"


def labels(found: Sequence[MonthEnd]) -> list[str]:
    return [label(end.month) for end in found]


@figures.figure("barriers")
def barriers_now() -> dict[str, dict[str, int]]:
    """Buyers by class of each score, as judged now."""
    with connection.cursor() as cursor:
        return class_counts(cursor, Assessment._meta.db_table)
