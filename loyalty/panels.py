"""Loyalty's part of a customer's page: where they stand and why, what is missing, and what holds them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Func, QuerySet
from django.urls import reverse
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import access
from crm.compiled import compiled
from crm.display import ago, number, percent, signed
from crm.display import day as day_text
from crm.models import Category, Complaint, Customer, Purchase, Shop, User
from crm.plugins import Panel
from loyalty import badges
from loyalty.bonds import places
from loyalty.explain import Explanation, Scored, explain
from loyalty.facts import Fact
from loyalty.models import Assessment
from loyalty.reasons import Line
from loyalty.stages import STAGES
from loyalty.status import Status

CATEGORIES_SHOWN = 3


@dataclass(frozen=True)
class Reason:
    """A row of <c-reason>: what a score is made of. score None is unknown."""

    name: str
    kind: str
    score: float | None
    lines: list[tuple[str, str]]
    total: tuple[str, str] | None = None


def panels(customer: Customer, user: User) -> Iterable[Panel]:
    """A fixed number of queries, whatever the customer's history."""
    found = explain(customer)
    if found is None:
        return [Panel("standing", "loyalty/not_judged.html", {})]
    return [
        Panel("standing", "loyalty/standing.html", standing(customer, user, found)),
        Panel("side", "loyalty/bond.html", bond(customer, user, found)),
    ]


# Where they stand


def standing(customer: Customer, user: User, found: Explanation) -> dict[str, Any]:
    judged = found.assessment
    status = judged.status_on(found.day)
    level = badges.LEVELS[judged.stage]
    return {
        "found": found,
        "judged": judged,
        "status": badges.STATUSES.get(Status(status)) if status else None,
        "type": badges.TYPES.get(Assessment.LoyaltyType(judged.loyalty_type)) if judged.orders else None,
        "stages": [
            (stage.label, reached)
            for stage, reached in zip(STAGES, ladder(judged, found), strict=True)
        ],
        "present": level,
        "next_level": level + 1 if found.next else None,
        "frozen": status == Status.LAPSED,
        "conditions": [(one.state, linked(_sentence(one.text), one.facts)) for one in (found.next or found).conditions],
        "action": action(customer, user, found),
        "attitude": linked(found.attitude, found.compared),
        "figures": figures(customer, found),
    }


def linked(text: str, facts: Sequence[Fact]) -> str:
    """A text whose days lead to where their facts stand; what it does not say itself stands behind it in brackets."""
    said, behind = escape(text), []
    for fact in facts:
        on = day_text(fact.day) or ""
        # The first mention only, and not the end of another day: 2 Nov 2026 stands in 12 Nov 2026 too.
        before, mentioned, after = _parted(said, on) if on and fact.url else (said, "", "")
        if mentioned:
            said, on = format_html("{}{}{}", mark_safe(before), anchor(fact.url, on), mark_safe(after)), ""  # noqa: S308
        word = " ".join(part for part in (fact.text if fact.text not in text else "", on) if part)
        if word:
            behind.append(anchor(fact.url, word))
    return format_html("{} ({})", said, format_html_join(", ", "{}", ((one,) for one in behind))) if behind else said


def _parted(said: str, on: str) -> tuple[str, str, str]:
    """Escaped text before a day, the day, and after it; ("…", "", "") if it is not there or leads somewhere already."""
    found = re.search(rf"(?<![\d>]){re.escape(on)}(?!\d)", said)
    return (said[: found.start()], on, said[found.end() :]) if found else (said, "", "")


def anchor(url: str, word: str) -> str:
    return format_html('<a href="{}">{}</a>', url, word) if url else escape(word)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def ladder(judged: Assessment, found: Explanation) -> list[date | None]:
    """The day on which each stage up to the present one was reached for good; None where nobody recorded it.

    The days of the first two orders are those of the first two steps, also before anybody recorded moves.
    """
    reached: dict[int, date | None] = dict(enumerate(found.metrics.order_days[:2], start=1))
    for move in found.moves:
        old, new = badges.LEVELS.get(move.from_stage), badges.LEVELS.get(move.to_stage)
        if old is None or new is None:
            continue
        for level in range(new + 1, len(STAGES)):
            reached.pop(level, None)
        reached |= dict.fromkeys(range(old + 1, new + 1), move.happened_on)
    present = badges.LEVELS[judged.stage]
    if found.since:
        reached[present] = found.since
    return [reached.get(level) if level <= present else None for level in range(len(STAGES))]


def action(customer: Customer, user: User, found: Explanation) -> dict[str, Any] | None:
    """The one step that helps, and where it is taken; without a link for those who may not write here."""
    step = found.next.action if found.next else None
    if step is None:
        return None
    url = ""
    if access.may(user, "customers.edit"):
        url = _complaint_url(customer) if step.code == "solve_complaint" else "#contact"
    return {"label": step.label, "url": url, "icon": "heart-handshake"}


def _complaint_url(customer: Customer) -> str:
    complaints = Complaint.objects.filter(customer=customer).exclude(state=Complaint.State.CLOSED)
    severe = complaints.filter(severity=Complaint.Severity.HIGH).order_by("due_at", "pk").first()
    return reverse("complaint", args=[severe.pk]) if severe else "#contact"


def figures(customer: Customer, found: Explanation) -> dict[str, Any]:
    judged, metrics = found.assessment, found.metrics
    last = judged.last_order_on
    due = last + timedelta(days=round(judged.expected_interval)) if last else None
    return {
        "last": last,
        "last_ago": ago(last, found.day) if found.is_today else days_before(last, found.day),
        "interval": judged.expected_interval if metrics.orders else None,
        "orders": metrics.orders,
        "net": metrics.value,
        "average": metrics.value / metrics.orders if metrics.orders else None,
        "categories": categories(customer),
        "due": due,
        "due_past": due is not None and due < found.day,
    }


def days_before(last: date | None, day: date) -> str | None:
    """How long before a stored past day something was."""
    if last is None:
        return None
    n = (day - last).days
    return ngettext("%(n)s day before %(day)s", "%(n)s days before %(day)s", n) % {"n": number(n), "day": day_text(day)}


def categories(customer: Customer) -> list[str]:
    """What they buy most often, by the number of purchases."""
    ids = tuple(category for category, _n in _often(customer.pk))
    names = dict(_names(ids)) if ids else {}
    return [names[pk] for pk in ids if pk in names]


@compiled
def _often(customer: int) -> QuerySet[Purchase, tuple[int, int]]:
    bought = Purchase.objects.filter(customer=customer, status__in=["paid", "completed"], net__gt=0)
    by_category: Any = bought.annotate(category=Func(F("categories"), function="unnest")).values_list("category")
    return by_category.annotate(n=Count("pk")).order_by("-n", "category")[:CATEGORIES_SHOWN]


@compiled
def _names(categories: tuple[int, ...]) -> QuerySet[Category, tuple[int, str]]:
    return Category.objects.filter(pk__in=categories).values_list("pk", "name")


# What holds them


def bond(customer: Customer, user: User, found: Explanation) -> dict[str, Any]:
    judged, in_force = found.assessment, found.rules
    scores = {scored.code: scored for scored in found.barriers}
    bolts = sorted(
        (scored for scored in found.barriers if scored.sign < 0),
        key=lambda scored: (scored.weighted is None, -(scored.weighted or 0)),
    )
    willing = sorted((one for one in found.barriers if one.sign > 0), key=lambda one: -one.weight)
    gap = 100 - (judged.attitude or 0)
    return {
        "found": found,
        "judged": judged,
        "badge": badges.BONDS.get(Assessment.BondType(judged.bond_type)) if judged.bond_type else None,
        "shop_name": Shop.current().name,
        "short_name": short_name(customer),
        "social": gap * (scores["social"].weighted or 0) / 100,
        "benefits": gap * sum(one.weighted or 0 for one in willing if one.code != "social") / 100,
        "bolt_parts": lock_parts(bolts, in_force.further_share),
        "threads": [attitude(found), *(thread(one) for one in willing)],
        "bolts": [bolt(scored, place, in_force.further_share) for place, scored in enumerate(bolts)],
        "may_record": access.may(user, "customers.edit"),
    }


def short_name(customer: Customer) -> str:
    named = " ".join(part for part in (customer.title, customer.family_name) if part)
    return named if customer.family_name else customer.display_name


def lock_parts(bolts: list[Scored], further: float) -> list[float]:
    """What each bolt adds to the lock-in: the strongest in full, every other by its share."""
    weighted = [scored.weighted for scored in bolts if scored.weighted]
    return [part * (1 if place == 0 else further) for place, part in enumerate(weighted)]


def attitude(found: Explanation) -> Reason:
    """The emotional barrier: the attitude with its parts, each by its weight."""
    lines, known, total = [], 0.0, 0.0
    for part in found.parts:
        weight = number(part.weight)
        if part.value is None or part.contribution is None:
            text = _("%(part)s, weight %(weight)s: not asked or not answered") % {"part": part.label, "weight": weight}
            lines.append((text, _("unknown")))
            continue
        named = {"part": part.label, "value": places(part.value), "weight": weight}
        text = _("%(part)s %(value)s, weight %(weight)s") % named
        lines.append((linked(text, part.facts), number(part.contribution, 1) or ""))
        known, total = known + part.weight, total + part.contribution
    score = found.assessment.attitude
    if score is None:
        return Reason(_("Emotion"), "thread", None, [*lines, (found.attitude, "–")])
    named = {"sum": number(total, 1), "known": number(known)}
    reached = _("%(sum)s of the %(known)s points that the answered parts can reach") % named
    return Reason(_("Emotion"), "thread", score, lines, (reached, places(score) or ""))


def thread(scored: Scored) -> Reason:
    return Reason(scored.label, "thread", scored.score, listed_lines(scored))


def listed_lines(scored: Scored) -> list[tuple[str, str]]:
    """The signals with their points, and how many of them are known if some are not."""
    lines = [_line(line) for line in scored.lines]
    return [*lines, (scored.coverage, "")] if 0 < scored.known < len(scored.lines) else lines


def bolt(scored: Scored, place: int, further: float) -> Reason:
    total = None
    if scored.score and scored.weighted is not None and scored.weight is not None:
        named = {"points": places(scored.score), "weight": places(scored.weight, 2), "share": percent(further)}
        one = 1 if scored.score == 1 else 2
        words = (
            ngettext(
                "%(points)s point × %(weight)s, the strongest bolt counts in full",
                "%(points)s points × %(weight)s, the strongest bolt counts in full",
                one,
            )
            if place == 0
            else ngettext(
                "%(points)s point × %(weight)s, of which %(share)s count",
                "%(points)s points × %(weight)s, of which %(share)s count",
                one,
            )
        )
        total = (words % named, places(scored.weighted * (1 if place == 0 else further)) or "")
    return Reason(scored.label, "bolt", scored.score, listed_lines(scored), total)


def _line(line: Line) -> tuple[str, str]:
    if line.points is None:
        return f"{line.text}. {line.learn}" if line.learn else line.text, _("unknown")
    return linked(line.text, line.facts), signed(line.points, 0 if line.points == round(line.points) else 1) or ""
