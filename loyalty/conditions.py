"""The conditions of the stages in whole sentences: met, missing or unknown, with the customer's own figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import day as day_text
from crm.display import number
from loyalty import stages, status
from loyalty.facts import Behind, Fact
from loyalty.models import Assessment, Metrics
from loyalty.rules import Rules


@dataclass(frozen=True)
class Standing:
    """What a sentence may speak of."""

    metrics: Metrics
    assessment: Assessment
    rules: Rules
    day: date
    is_today: bool = True

    @property
    def orders_needed(self) -> int:
        short = self.assessment.base_cycle <= self.rules.short_cycle_days
        return self.rules.regular_orders_short_cycle if short else self.rules.regular_orders

    @property
    def window(self) -> int:
        """Days in which the last two orders must lie for stage 3; the same as `loyalty.stages.WINDOW`."""
        days = max(self.rules.recent_days, self.rules.recent_intervals * self.assessment.expected_interval)
        return floor(days + 1e-6)

    def figures(self) -> Mapping[str, object]:
        """What `%(name)s` in a condition's own words may name: columns of metrics and assessment, values of the rules."""
        columns = {
            field.name: field.value_from_object(row)
            for row in (self.metrics, self.assessment)
            for field in row._meta.concrete_fields
        }
        return {name: written(value) for name, value in {**columns, **self.rules.parameters()}.items()}

    @property
    def status(self) -> str:
        return self.assessment.status_on(self.day)

    @property
    def status_label(self) -> str:
        return str(status.Status(self.status).label) if self.status else _("no order yet")


@dataclass(frozen=True)
class Said:
    """A condition in words. state: met, missing or unknown; facts: what stands behind it."""

    code: str
    state: str
    text: str
    facts: tuple[Fact, ...] = ()


def states(customer_id: int, rules: Rules, day: date) -> dict[str, bool | None]:
    """Every stage condition of one customer by its code, from the very expressions that judge everybody. One query."""
    listed = {condition.code: condition.sql for stage in stages.STAGES for condition in stage.conditions}
    own = {field.column for field in Metrics._meta.concrete_fields}
    judged = [f.column for f in Assessment._meta.concrete_fields if f.column not in own]
    row = f"""SELECT m.*, {", ".join(f"a.{name}" for name in judged)} FROM loyalty_metrics m
      JOIN loyalty_assessment a ON a.customer_id = m.customer_id WHERE m.customer_id = %(customer)s"""
    answers = ", ".join(sql for sql in listed.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {answers} FROM (SELECT j.*, {status.status_sql()} AS status FROM ({row}) j) j",
            rules.parameters() | {"customer": customer_id, "day": day},
        )
        found = cursor.fetchone()
    return dict(zip(listed, found, strict=True)) if found else {}


def said(stage: stages.Stage, found: dict[str, bool | None], standing: Standing, behind: Behind) -> list[Said]:
    """The conditions of a stage, those of the stages below first."""
    state = {True: "met", False: "missing", None: "unknown"}
    return [
        Said(
            condition.code,
            state[found[condition.code]],
            words(condition, standing, found[condition.code]),
            behind.of(condition.code),
        )
        for condition in stages.all_conditions(stage)
    ]


def written(value: object) -> object:
    """A figure as people read it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return day_text(value) if isinstance(value, date) else value
    return number(value, 0 if value == int(value) else 1)


def words(condition: stages.Condition, at: Standing, met: bool | None) -> str:
    """What a condition says: by the function of its code, else by the words in its entry, else its bare code."""
    spoken = WORDING.get(condition.code)
    if spoken:
        return spoken(at, met)
    text = {True: condition.met, False: condition.missing, None: condition.unknown or condition.missing}[met]
    return str(text or condition.met or condition.code.replace("_", " ")) % at.figures()


def one_order(at: Standing, met: bool | None) -> str:
    return _("Ordered for the first time") if met else _("a first order")


def two_orders(at: Standing, met: bool | None) -> str:
    if met:
        return _("Ordered again on another day")
    return ngettext("an order on another day, %(n)s so far", "orders on two days, %(n)s so far", at.metrics.orders) % {
        "n": number(at.metrics.orders)
    }


def enough_orders(at: Standing, met: bool | None) -> str:
    lacking = at.orders_needed - at.metrics.orders
    if met:
        return ngettext("%(n)s order, at least %(least)s", "%(n)s orders, at least %(least)s", at.metrics.orders) % {
            "n": number(at.metrics.orders),
            "least": number(at.orders_needed),
        }
    return ngettext(
        "%(n)s more order, at least %(least)s in all", "%(n)s more orders, at least %(least)s in all", lacking
    ) % {"n": number(lacking), "least": number(at.orders_needed)}


def recent_orders(at: Standing, met: bool | None) -> str:
    named = {"days": number(at.window), "day": day_text(at.metrics.previous_order_on)}
    if met:
        return _("Two orders within %(days)s days, the earlier on %(day)s") % named
    last = at.metrics.last_order_on
    if last and (at.day - last).days <= at.window:
        return _("a second order within %(days)s days") % named
    return _("two orders within %(days)s days") % named


def not_lapsed(at: Standing, met: bool | None) -> str:
    if met:
        return _("Not lapsed: status %(status)s") % {"status": at.status_label}
    return _("an order: the last was on %(day)s, status %(status)s") % {
        "status": at.status_label,
        "day": day_text(at.metrics.last_order_on) or _("unknown"),
    }


def alive(at: Standing, met: bool | None) -> str:
    named = {"status": at.status_label}
    if met:
        return _("Status %(status)s") % named
    if at.assessment.contract_until:
        return _("a better status than %(status)s: the contract is cancelled or over") % named
    return _("an order soon: status %(status)s") % named


def attitude_high(at: Standing, met: bool | None) -> str:
    """The relative attitude; without a comparison that is the attitude itself (`docs/scoring.md`)."""
    value, least = at.assessment.relative_attitude, at.rules.attitude_high
    named = {"least": plain(least), "value": plain(value) if met else below(value or 0, least)}
    compared = at.assessment.attitude_compared
    if met is None:
        lacking = max(1, at.rules.evidence_parts - at.assessment.evidence)
        return ngettext(
            "attitude of at least %(least)s: unknown, answers on %(n)s more part are needed",
            "attitude of at least %(least)s: unknown, answers on %(n)s more parts are needed",
            lacking,
        ) % (named | {"n": number(lacking)})
    if compared:
        return (
            _("Relative attitude %(value)s, at least %(least)s")
            if met
            else _("relative attitude from %(value)s to %(least)s")
        ) % named
    return (
        _("Attitude %(value)s, at least %(least)s, without a comparison with other shops")
        if met
        else _("attitude from %(value)s to %(least)s")
    ) % named


def plain(value: float | None) -> str | None:
    """A score with one decimal where it has one."""
    return None if value is None else number(value, 0 if round(value, 1) == round(value) else 1)


def below(value: float, least: float) -> str | None:
    """A score that is too low, with the decimals that show it: 69.96 is not 70."""
    places = next((n for n in range(3) if round(value, n) < least and round(value, n) == round(value, max(n, 1))), 2)
    return number(value, places)


def no_severe_complaint(at: Standing, met: bool | None) -> str:
    n = at.metrics.severe_complaints
    if met:
        return _("No open complaint of high severity")
    return ngettext(
        "solving the open complaint of high severity", "solving %(n)s open complaints of high severity", n
    ) % {"n": number(n)}  # fmt: skip


def advocacy(at: Standing, met: bool | None) -> str:
    strong, medium = at.metrics.strong_acts, at.metrics.medium_acts
    if met:
        return ngettext(
            "Spoke for the shop %(n)s time within 365 days", "Spoke for the shop %(n)s times within 365 days",
            strong + medium,
        ) % {"n": number(strong + medium)}  # fmt: skip
    return _(
        "acts that speak for the shop within 365 days: %(strong)s of %(strong_least)s strong ones (own review, testimonial,"
        " defence, a first order they brought) or %(medium)s of %(medium_least)s weaker ones"
    ) % {
        "strong": number(strong),
        "strong_least": number(at.rules.strong_acts),
        "medium": number(medium),
        "medium_least": number(at.rules.medium_acts),
    }


WORDING: dict[str, Callable[[Standing, bool | None], str]] = {
    wording.__name__: wording
    for wording in (
        one_order, two_orders, enough_orders, recent_orders, not_lapsed, alive, attitude_high, no_severe_complaint,
        advocacy,
    )
}  # fmt: skip
