"""The shop in one line: what customers feel and say, each with its interval, unknown where nobody answered."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import number, percent, signed
from loyalty import nev
from loyalty.feeling_filters import ANSWERS, group_value
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.nev import Group, Series
from loyalty.overview import Share
from loyalty.voices import Voices


def tiles(told: dict[str, Series], kind: str, said: Voices) -> list[tuple[str, str | None, str, str]]:
    """(name, value, n and interval, address of those who said it) of the shop: unknown stays unknown."""
    everybody = told[kind].everybody if told else None
    found: list[tuple[str, str | None, str, str]] = [
        (
            _("Net Emotional Value, %(form)s") % {"form": nev.KINDS[kind]},
            *group_words(everybody),
            listed(felt=group_value(everybody)) if everybody else "",
        ),
        (
            _("Willing to recommend (NPS)"),
            signed(said.nps.value),
            f"{_('± %(half)s') % {'half': number(said.nps.half)}}, {_people(said.nps.n)}"
            if said.nps.n
            else _("nobody has answered"),
            listed(said="nps") if said.nps.n else "",
        ),
        (
            _("Satisfied 9 or 10 (CSAT)"), percent(said.top.value), _csat(said),
            listed(said="csat") if said.top.whole else "",
        ),
        (
            _("Went although satisfied 8 or more"), percent(said.gone.value), _share(said.gone),
            listed(said="csat.content", status="lapsed") if said.gone.part else "",
        ),
    ]  # fmt: skip
    if said.ces.n:
        found.append((_("Effort, 1 to 7 (CES)"), number(said.ces.value, 1), _mean(said.ces), listed(said="ces")))
    return found


def answers(said: Voices, shown: Shown) -> Picture | None:
    """How many customers gave which answer; None while nobody answered anything."""
    nps = said.nps
    asked = (
        ("nps", {"promoters": nps.promoters, "passives": nps.n - nps.promoters - nps.detractors, "detractors": nps.detractors}),
        ("csat", {"top": said.top.part, "less": said.top.whole - said.top.part}),
        ("disconfirmation", {"missed": said.missed, "met": said.met, "exceeded": said.exceeded}),
    )  # fmt: skip
    rows = []
    for item, counts in asked:
        whole = sum(counts.values())
        for code, n in counts.items() if whole else ():
            share = Share(n, whole)
            low, high = share.interval or (None, None)
            rows.append([
                ANSWERS[item][code][1], Cell(n, listed(said=f"{item}.{code}")), Cell(whole, listed(said=item)),
                Cell(share.value, low=low, high=high),
            ])  # fmt: skip
    if not rows:
        return None
    columns = [Column(_("Answer"), "text"), Column(_("Customers")), Column(_("Of"))]
    table = Table("answers", _("Customers by their latest answer"), [*columns, Column(_("Share"), "percent")], rows)
    return Picture(
        _("What customers answered when asked"),
        _("Each customer's latest own answer to each question, with the 95 percent interval of its share."),
        table,
        shown=shown,
    )


def group_words(group: Group | None) -> tuple[str | None, str]:
    """The value and what stands below it."""
    if group is None or not group.customers:
        return None, _("nobody has answered")
    people = _people(group.customers)
    given = ngettext("%(n)s answer", "%(n)s answers", group.responses) % {"n": number(group.responses)}
    if group.value is None:
        return None, _("too few answers: %(customers)s") % {"customers": people}
    half = _("± %(half)s") % {"half": number(group.half, 1)} if group.half is not None else _("no interval")
    return signed(group.value, 1), f"{half}, {people}, {given}, {state_word(group)}"


def state_word(group: Group) -> str:
    return {"too_few": _("too few answers"), "provisional": _("provisional"), "firm": _("firm")}[group.state]


def _csat(said: Voices) -> str:
    if said.top.interval is None:
        return _("nobody has answered")
    low, high = said.top.interval
    named = {
        "low": percent(low),
        "high": percent(high),
        "mean": number(said.csat.value, 1),
        "people": _people(said.top.whole),
    }
    return _("%(low)s to %(high)s; mean %(mean)s of 10, %(people)s") % named


def _share(share: Any) -> str:
    if share.interval is None:
        return _("nobody has answered")
    named = {"low": percent(share.interval[0]), "high": percent(share.interval[1]), "people": _people(share.whole)}
    return _("%(low)s to %(high)s, %(people)s") % named


def _mean(mean: Any) -> str:
    half = _("± %(half)s") % {"half": number(mean.half, 1)} if mean.half is not None else _("no interval")
    return f"{half}, {_people(mean.n)}"


def _people(n: int) -> str:
    return ngettext("%(n)s customer", "%(n)s customers", n) % {"n": number(n)}


def expectation(said: Voices) -> str:
    """Beside satisfaction always stands what was expected; as expected is neutral."""
    if not said.expected:
        return _("Whether expectations were missed, met or exceeded is unknown: nobody was asked.")
    shares = {
        name: percent(value / said.expected)
        for name, value in (("missed", said.missed), ("met", said.met), ("exceeded", said.exceeded))
    }
    shares |= {"n": number(said.expected)}
    return (
        ngettext(
            "Expectation missed %(missed)s, met %(met)s (neutral), exceeded %(exceeded)s, of %(n)s customer who was asked.",
            "Expectation missed %(missed)s, met %(met)s (neutral), exceeded %(exceeded)s, of %(n)s customers who were asked.",
            said.expected,
        )
        % shares
    )
