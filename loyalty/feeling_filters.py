"""The people behind the numbers about feelings and motivators, for the customer list (`loyalty.drilldown`).

Each value is what a page wrote into an address: `short.advice.month.2026-05-01` are all who answered the short form about
advice in May 2026, with `.team` of whom the team estimated it; `secure` a motivator, `secure.top` those among whose
three most important it is; `nps.promoters` whose latest answer to an item is one of those.
"""

from datetime import date

import django_filters
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Answer, Customer
from crm.models.contact import Touchpoint
from loyalty import motivators, nev, nev_facts, scoring, voices, wallet
from loyalty.drilldown import DrillDown, Words, among
from loyalty.nev import Group

TEAM = "team"
UNITS = ("", "month", "quarter")
# The same answers as `nev_facts.RESPONSES`, of one kind, without their values: an index alone answers it.
DATED = "(%(unit)s = '' OR date_trunc(nullif(%(unit)s, ''), {day})::date = %(period)s::date)"
PLACED = "(%(place)s = '' OR coalesce(nullif({place}, ''), '" + nev.UNNAMED + "') = %(place)s)"
OF_FORM = """
SELECT a.customer_id FROM crm_answer a
WHERE a.form = %(kind)s AND a.origin = %(origin)s AND {within}
GROUP BY a.customer_id, a.response HAVING {valid} AND {placed} AND {dated}"""
OF_TAGS = f"""
SELECT i.customer_id FROM crm_interaction i
WHERE {nev_facts.WITHIN.format(at="i.occurred_at")} AND {PLACED.format(place="i.touchpoint")}
  AND {DATED.format(day="(i.occurred_at AT TIME ZONE %(zone)s)::date")}
  AND EXISTS (SELECT FROM crm_interactionemotion e WHERE e.interaction_id = i.id AND (e.origin = 'customer_self') = %(own)s)"""
MOVED = f"SELECT customer_id FROM ({motivators.SAID_BY_ANYBODY}) said WHERE motivator = %(motivator)s"
# Which of those who named a motivator: condition and words.
PARTS: dict[str, tuple[str, Words]] = {
    "": ("TRUE", ""),
    "top": ("top", gettext_lazy("among the three most important")),
    "connected": (motivators.CONNECTS, gettext_lazy("connected by it")),
}
LATEST = f"SELECT customer_id FROM ({voices.LATEST_OF_ONE}) latest WHERE {{condition}}"
ITEMS: dict[str, Words] = {
    "nps": gettext_lazy("willing to recommend"),
    "csat": gettext_lazy("satisfaction"),
    "ces": gettext_lazy("effort"),
    "disconfirmation": gettext_lazy("expectation"),
    "wallet_share": gettext_lazy("share of wallet"),
    "wallet_rank": gettext_lazy("place among the shops"),
}
# Which of those who answered: condition and words, by item and code.
ANSWERS: dict[str, dict[str, tuple[str, Words]]] = {
    "nps": {
        "promoters": ("value >= 9", gettext_lazy("willing to recommend: 9 or 10 of 10")),
        "passives": ("value > 6 AND value < 9", gettext_lazy("willing to recommend: 7 or 8 of 10")),
        "detractors": ("value <= 6", gettext_lazy("willing to recommend: 0 to 6 of 10")),
    },
    "csat": {
        "top": ("value >= 9", gettext_lazy("satisfied: 9 or 10 of 10")),
        "less": ("value < 9", gettext_lazy("satisfied: 0 to 8 of 10")),
        "content": (f"value >= {voices.CONTENT_FROM}", gettext_lazy("satisfied: 8 or more of 10")),
    },
    "disconfirmation": {
        "missed": ("value < 0", gettext_lazy("expectation missed")),
        "met": ("value = 0", gettext_lazy("expectation met")),
        "exceeded": ("value > 0", gettext_lazy("expectation exceeded")),
    },
}


def group_value(group: Group) -> str:
    """What the address names a group by."""
    period = group.period.isoformat() if group.period else ""
    return f"{group.kind}.{group.touchpoint}.{group.unit}.{period}" + ("" if group.own else f".{TEAM}")


def read(value: str) -> tuple[str, str, str, date | None, bool]:
    """(kind, touchpoint, unit, period, said by themselves). Raises ValueError for what no page wrote."""
    own = not value.endswith(f".{TEAM}")
    kind, place, unit, period = value.removesuffix(f".{TEAM}").split(".")
    if kind not in nev.KINDS or unit not in UNITS or place not in ("", nev.UNNAMED, *Touchpoint.values):
        raise ValueError(value)
    if bool(unit) != bool(period):
        raise ValueError(value)
    return kind, place, unit, date.fromisoformat(period) if period else None, own


def describe(value: str) -> str:
    kind, place, unit, period, own = read(value)
    words = [str(nev.KINDS[kind]), *([] if own else [_("estimated by the team")])]
    if place:
        words.append(place_name(place))
    if period:
        words.append(period_name(unit, period))
    return ", ".join(words)


def place_name(place: str) -> str:
    return _("no touchpoint named") if place == nev.UNNAMED else str(Touchpoint(place).label)


def period_name(unit: str, period: date) -> str:
    if unit == "quarter":
        return _("quarter %(n)s of %(year)s") % {"n": (period.month + 2) // 3, "year": period.year}
    return date_format(period, "F Y")


def answered(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    kind, place, unit, period, own = read(value)
    named = nev_facts.window() | {"kind": kind, "place": place, "unit": unit, "period": period, "own": own}
    named["origin"] = Answer.Origin.CUSTOMER_SELF if own else Answer.Origin.STAFF_ESTIMATE
    return among(customers.filter(is_test=False), OF_TAGS if kind == nev.TAGS else _of_form(kind), named)


def _of_form(form: str) -> str:
    return OF_FORM.format(
        within=nev_facts.WITHIN.format(at="a.answered_at"),
        valid=nev_facts.answered_enough(form),
        placed=PLACED.format(place="max(a.touchpoint)"),
        dated=DATED.format(day=nev_facts.DAY.format(at="a.answered_at")),
    )


def moved_by(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    code, part = read_moved(value)
    return _moved(customers, code, f"{MOVED} AND {PARTS[part][0]}")


def moved_words(value: str) -> str:
    code, part = read_moved(value)
    return ": ".join(str(word) for word in (motivators.BY_CODE[code].label, PARTS[part][1]) if word)


def read_moved(value: str) -> tuple[str, str]:
    """`secure.top` → (secure, top). Raises KeyError for what no page wrote."""
    code, _dot, part = value.partition(".")
    motivators.BY_CODE[code], PARTS[part]
    return code, part


def with_gap(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    return _moved(customers, value, f"{MOVED} AND {motivators.GAP}")


def connected(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    having = "bool_or({connects})" if value == "yes" else "NOT bool_or({connects})"
    statement = f"""SELECT customer_id FROM ({motivators.SAID_BY_ANYBODY}) said WHERE top AND fulfilment IS NOT NULL
      GROUP BY customer_id HAVING {having.format(connects=motivators.CONNECTS)}"""
    return among(customers.filter(is_test=False), statement, motivators.parameters(scoring.shown_day()))


def _moved(customers: QuerySet[Customer], value: str, statement: str) -> QuerySet[Customer]:
    named = motivators.parameters(scoring.shown_day()) | {"motivator": motivators.BY_CODE[value].code}
    return among(customers.filter(is_test=False), statement, named)


def read_said(value: str) -> tuple[str, str, Words]:
    """`nps.promoters` → (nps, condition, words); `nps` → whatever they answered. Raises KeyError."""
    item, _dot, code = value.partition(".")
    condition, words = ANSWERS[item][code] if code else ("TRUE", ITEMS[item])
    return item, condition, words


def said_words(value: str) -> Words:
    return read_said(value)[2]


def said(customers: QuerySet[Customer], value: str) -> QuerySet[Customer]:
    item, condition, _words = read_said(value)
    if item in wallet.SAYING:
        return among(customers.filter(is_test=False), wallet.SAYING[item], nev_facts.window(wallet.DAYS))
    return among(
        customers.filter(is_test=False), LATEST.format(condition=condition), nev_facts.window() | {"item": item}
    )


def _motivator(value: str) -> str:
    return str(motivators.BY_CODE[value].label)


def _yes_or_no(value: str) -> str:
    return {"yes": _("yes"), "no": _("no")}[value]


def filters() -> dict[str, django_filters.Filter]:
    return {
        "felt": DrillDown(gettext_lazy("Said how they felt"), describe, answered),
        "moved_by": DrillDown(gettext_lazy("Moved by"), moved_words, moved_by),
        "motivator_gap": DrillDown(gettext_lazy("Gap in"), _motivator, with_gap),
        "said": DrillDown(gettext_lazy("Answered about"), said_words, said),
        "connected": DrillDown(gettext_lazy("Emotionally connected"), _yes_or_no, connected),
    }
