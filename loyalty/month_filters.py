"""Customers by where they stood at the end of a past month, how they moved between two, and by class of a score."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import django_filters
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Substr
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Customer
from loyalty import badges
from loyalty.barriers import BY_CODE, EMOTIONAL, place_of
from loyalty.drilldown import DrillDown, among_rows
from loyalty.models import MonthEnd, Standing
from loyalty.months import CLASSES, COLUMNS, LAYOUT, MARKS, NOT_YET, STAGE_MARKS

Words = str | Promise
SCORE_KINDS = {"bond_score": "bond", "lock_in_score": "lock_in"}  # whose classes are kept a month, by name of the score
UP, DOWN, SAME, NEW = "up", "down", "same", "new"
ALL = "all"  # instead of a code: everybody known, every buyer with a status, every buyer whose bond or score was known
WITHOUT = {"stage": (), "status": ("",), "bond": ("", "none"), **dict.fromkeys(SCORE_KINDS, ("unknown", "none"))}
HIGH = "high"  # instead of a class of score: 50 points or more
HIGH_CLASSES = ("50", "75")


def month_name(month: date) -> str:
    return date_format(month, "F Y")


def standing_words(value: str) -> str:
    """“2026-09.stage.regular”: who stood there at the end of that month."""
    month, kind, code = read_standing(value)
    return _("%(word)s at the end of %(month)s") % {"word": standing_word(kind, code), "month": month_name(month)}


def standing_word(kind: str, code: str) -> Words:
    if code == ALL:
        return ALL_WORDS[kind]
    if kind in SCORE_KINDS:
        return f"{SCORE_NAMES[SCORE_KINDS[kind]]}: {STOOD_CLASSES[code]}"
    words: Mapping[str, Words] = {"stage": badges.STAGE_NAMES, "status": STATUS_WORDS, "bond": BOND_WORDS}[kind]
    return words[code]


def by_standing(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    month, kind, code = read_standing(value)
    place = place_at(month)
    if place is None:
        return customers.none()
    stood = Standing.objects.annotate(mark=mark_at(COLUMNS[kind], place)).filter(mark__in=marks_of(kind, code))
    return among_rows(customers, stood)


def marks_of(kind: str, code: str) -> list[str]:
    """The characters that a code, ALL or HIGH stands for."""
    if code == ALL:
        return [mark for one, mark in MARKS[kind].items() if one not in WITHOUT[kind]]
    return [MARKS[kind][one] for one in (HIGH_CLASSES if code == HIGH else (code,))]


def read_standing(value: str) -> tuple[date, str, str]:
    month, kind, code = value.split(".")
    if code not in MARKS[kind] and code != ALL and not (code == HIGH and kind in SCORE_KINDS):
        raise ValueError(value)
    return read_month(month), kind, code


def movement_words(value: str) -> str:
    """“2026-08.2026-09.first_time.repeat”, “….new.repeat”, “….repeat.all”, or instead of the stages up, down, same or new."""
    start, end, codes = read_movement(value)
    span = {"start": month_name(start), "end": month_name(end)}
    if len(codes) == 2:
        old = _("new") if codes[0] == NEW else badges.STAGE_NAMES[codes[0]]
        if codes[1] == ALL:
            return _("from %(from)s to any stage, end of %(start)s to end of %(end)s") % (span | {"from": old})
        names = {"from": old, "to": badges.STAGE_NAMES[codes[1]]}
        return _("%(from)s → %(to)s, end of %(start)s to end of %(end)s") % (span | names)
    return {
        UP: _("rose, end of %(start)s to end of %(end)s"),
        DOWN: _("fell, end of %(start)s to end of %(end)s"),
        SAME: _("same stage, end of %(start)s and of %(end)s"),
        NEW: _("new between the end of %(start)s and of %(end)s"),
    }[codes[0]] % span


def by_movement(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    start, end, codes = read_movement(value)
    places = place_at(start), place_at(end)
    if places[0] is None or places[1] is None:
        return customers.none()
    moved = Standing.objects.annotate(old=mark_at("stages", places[0]), now=mark_at("stages", places[1]))
    moved = moved.exclude(now__in=("", NOT_YET))
    if len(codes) == 2:
        old = ("", NOT_YET) if codes[0] == NEW else (STAGE_MARKS[codes[0]],)
        found = moved.filter(old__in=old)
        found = found if codes[1] == ALL else found.filter(now=STAGE_MARKS[codes[1]])
    elif codes[0] == NEW:
        found = moved.filter(old__in=("", NOT_YET))
    else:
        way = {UP: "now__gt", DOWN: "now__lt", SAME: "now"}[codes[0]]
        found = moved.exclude(old__in=("", NOT_YET)).filter(**{way: F("old")})
    return among_rows(customers, found)


def read_movement(value: str) -> tuple[date, date, tuple[str, ...]]:
    start, end, *codes = value.split(".")
    if len(codes) == 2:
        codes[1] == ALL or STAGE_MARKS[codes[1]], codes[0] == NEW or STAGE_MARKS[codes[0]]
    elif codes not in ([UP], [DOWN], [SAME], [NEW]):
        raise ValueError(value)
    return read_month(start), read_month(end), tuple(codes)


def score_words(value: str) -> str:
    """“contractual.50”: buyers whose score lies in a class; “contractual.unknown”."""
    name, klass = read_score(value)
    return f"{SCORE_NAMES[name]}: {CLASS_NAMES[klass]}"


def by_score(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    name, klass = read_score(value)
    column = {"lock_in": "lock_in", "bond": "bond", EMOTIONAL[0]: "attitude"}.get(name)
    path: Any = f"assessment__{column}" if column else f"assessment__scores__{place_of(name)}"
    return customers.filter(assessment__orders__gt=0).annotate(judged_score=F(path)).filter(in_class(klass))


def in_class(klass: str) -> Q:
    """The same classes as `months.class_sql`."""
    if klass == "unknown":
        return Q(judged_score=None)
    if klass == "0":
        return Q(judged_score__lte=0)
    if klass == "1":
        return Q(judged_score__gt=0, judged_score__lt=25)
    low = int(klass)
    return Q(judged_score__gte=low) & (Q(judged_score__lt=low + 25) if low < 75 else Q())


def read_score(value: str) -> tuple[str, str]:
    name, klass = value.split(".")
    SCORE_NAMES[name], CLASS_NAMES[klass]
    return name, klass


def read_month(text: str) -> date:
    if len(text) != 7:
        raise ValueError(text)
    return date.fromisoformat(f"{text}-01")


def place_at(month: date) -> int | None:
    return MonthEnd.objects.filter(month=month, layout=LAYOUT).values_list("place", flat=True).first()


def mark_at(column: str, place: int | None) -> Substr:
    return Substr(column, (place or 0) + 1, 1)


STATUS_WORDS: dict[str, Words] = {
    **{str(code): badge.word for code, badge in badges.STATUSES.items()},
    "": gettext_lazy("no purchase yet"),
}
BOND_WORDS: dict[str, Words] = {
    **{str(code): badge.word for code, badge in badges.BONDS.items()},
    "": gettext_lazy("bond unknown"),
    "none": gettext_lazy("no purchase yet"),
}
ALL_WORDS: dict[str, Words] = {
    "stage": gettext_lazy("known"),
    "status": gettext_lazy("buyers"),
    "bond": gettext_lazy("bond known"),
    "bond_score": gettext_lazy("score of the bond known"),
    "lock_in_score": gettext_lazy("lock-in known"),
}
SCORE_NAMES: dict[str, Words] = {
    "lock_in": gettext_lazy("Lock-in"),
    "bond": gettext_lazy("Voluntary bond"),
    **{code: barrier.label for code, barrier in BY_CODE.items()},
    EMOTIONAL[0]: EMOTIONAL[1],
}
CLASS_NAMES: dict[str, Words] = dict(
    zip(
        CLASSES,
        (
            gettext_lazy("unknown"),
            gettext_lazy("0 points"),
            gettext_lazy("1 to 24"),
            gettext_lazy("25 to 49"),
            gettext_lazy("50 to 74"),
            gettext_lazy("75 to 100"),
        ),
        strict=True,
    )
)
STOOD_CLASSES: dict[str, Words] = {
    **CLASS_NAMES,
    HIGH: gettext_lazy("50 points or more"),
    "none": gettext_lazy("no purchase yet"),
}


def filters() -> dict[str, django_filters.Filter]:
    return {
        "stood": DrillDown(gettext_lazy("Stood"), standing_words, by_standing),
        "moved": DrillDown(gettext_lazy("Moved"), movement_words, by_movement),
        "score": DrillDown(gettext_lazy("Score"), score_words, by_score),
    }
