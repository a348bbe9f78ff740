"""What the model of future purchases says of the shop, in words: or why it is not shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import day, number, percent
from crm.models import Shop
from loyalty import badges
from loyalty.estimates import mean_of
from loyalty.figures import Shown
from loyalty.insights import Cell, Column, Picture, Table, listed
from loyalty.lifetime_value import LEAST_CUSTOMERS, LEAST_REPEATERS, MOST_CORRELATION, RATIO_BOUNDS, Reason
from loyalty.models import LifetimeFit
from loyalty.stages import STAGES


@dataclass(frozen=True)
class Expected:
    """fit: None before the first one; reasons: whole sentences why something is not shown; facts: (name, value)."""

    fit: LifetimeFit | None
    pictures: list[Picture]
    reasons: list[str]
    facts: list[tuple[str, str | None]]


def lifetime(fit: LifetimeFit | None, sums: Mapping[str, Any] | None, shown: Shown) -> Expected:
    if fit is None:
        return Expected(None, [], [_("The model of future purchases is fitted nightly; it has not run yet.")], [])
    reasons = [sentence(reason, fit) for reason in (*fit.hidden, *fit.value_hidden)]
    pictures = [by_stage(fit, sums, shown)] if fit.shown and sums else []
    return Expected(fit, pictures, reasons, facts(fit))


def facts(fit: LifetimeFit) -> list[tuple[str, str | None]]:
    """What the fit rests on."""
    counted = _("%(n)s customers, %(again)s of them with a repeat order, since %(day)s")
    named = {"n": number(fit.customers), "again": number(fit.repeaters), "day": day(fit.since) or "–"}
    found: list[tuple[str, str | None]] = [(_("Rests on"), counted % named)]
    if fit.every > 1:
        found.append((_("Parameters from"), _("every %(n)s. customer") % {"n": number(fit.every)}))
    if fit.ratio is not None and fit.predicted is not None:
        text = _("%(predicted)s orders predicted since %(day)s, %(actual)s came: ratio %(ratio)s")
        found.append((_("Back-test"), text % {
            "predicted": number(fit.predicted), "day": day(fit.test_from), "actual": number(fit.actual),
            "ratio": number(fit.ratio, 2),
        }))  # fmt: skip
    if fit.parameters:
        letters = {"r": "r", "alpha": "α", "a": "a", "b": "b"}
        found.append(
            ("BG/NBD", ", ".join(f"{letters[key]} = {number(value, 3)}" for key, value in fit.parameters.items()))
        )
    if fit.spending:
        letters = {"p": "p", "q": "q", "gamma": "γ"}
        found.append(
            ("Gamma-Gamma", ", ".join(f"{letters[key]} = {number(value, 2)}" for key, value in fit.spending.items()))
        )
    if fit.correlation is not None:
        found.append((_("Correlation of how often and how much"), number(fit.correlation, 2)))
    return found


def sentence(reason: Reason, fit: LifetimeFit) -> str:
    """A reason for hiding as a whole sentence that says what would help."""
    n, least = reason.get("n", 0), reason.get("least", 0)
    code = reason["code"]
    if code in ("customers", "test_customers"):
        text = ngettext(
            "Only %(n)s customer has bought; the model needs %(least)s.",
            "Only %(n)s customers have bought; the model needs %(least)s.",
            n,
        )  # fmt: skip
        if code == "test_customers":
            text = ngettext(
                "Only %(n)s customer had bought when the back-test begins; it needs %(least)s.",
                "Only %(n)s customers had bought when the back-test begins; it needs %(least)s.",
                n,
            )
        return text % {"n": number(n), "least": number(least or LEAST_CUSTOMERS)}
    if code in ("repeaters", "test_repeaters"):
        text = ngettext(
            "Only %(n)s customer has come back; the model needs %(least)s.",
            "Only %(n)s customers have come back; the model needs %(least)s.",
            n,
        )
        if code == "test_repeaters":
            text = ngettext(
                "Only %(n)s customer had come back when the back-test begins; it needs %(least)s.",
                "Only %(n)s customers had come back when the back-test begins; it needs %(least)s.",
                n,
            )
        return text % {"n": number(n), "least": number(least or LEAST_REPEATERS)}
    if code in ("history", "test_history"):
        text = ngettext(
            "The history is %(n)s day long; the model needs three base cycles, %(least)s days.",
            "The history is %(n)s days long; the model needs three base cycles, %(least)s days.",
            n,
        )
        return text % {"n": number(n), "least": number(least)}
    return _other(code, reason, fit)


def _other(code: str, reason: Reason, fit: LifetimeFit) -> str:
    if code == "back_test":
        return _(
            "The back-test failed: since %(day)s the model predicted %(predicted)s orders, %(actual)s came. Shown only if "
            "the ratio lies between %(low)s and %(high)s."
        ) % {
            "day": day(fit.test_from), "predicted": number(reason["predicted"]), "actual": number(reason["actual"]),
            "low": number(RATIO_BOUNDS[0], 1), "high": number(RATIO_BOUNDS[1], 1),
        }  # fmt: skip
    if code == "correlation":
        return _(
            "No amounts: how much somebody spends goes with how often they buy (correlation %(value)s; the model needs less "
            "than %(most)s either way)."
        ) % {"value": number(reason["value"], 2), "most": number(MOST_CORRELATION, 1)}
    if code == "no_correlation":
        return _("No amounts: all who came back did so equally often, so amounts cannot be told apart from frequency.")
    if code == "amounts":
        return _("No amounts: some repeat orders have no value above zero.")
    if code == "no_mean":
        return _("No amounts: they differ so much between customers that a mean cannot be worked out.")
    return _("The model could not be fitted to these customers.")


def by_stage(fit: LifetimeFit, sums: Mapping[str, Any], shown: Shown) -> Picture:
    """Mean expected orders and value by stage, with intervals."""
    currency, months = Shop.current().currency, fit.months
    columns = [
        Column(_("Stage"), "text"),
        Column(_("Customers")),
        Column(_("Chance of another order, mean"), "percent"),
        Column(_("Expected orders, mean"), "number", 2),
    ]
    if fit.value_shown:
        columns += [Column(_("Expected value, mean"), "money"), Column(_("Expected value, all"), "money")]
    rows: list[list[Any]] = []
    everybody = 0.0
    for stage in STAGES:
        one = sums.get(stage.code)
        if not one:
            continue
        orders = mean_of(one["n"], one["orders"], one["orders_squares"])
        row: list[Any] = [
            str(badges.STAGE_NAMES[stage.code]), Cell(one["n"], listed(stage=stage.code)), one["chance"] / one["n"],
            _ranged(orders),
        ]  # fmt: skip
        if fit.value_shown:
            row += [_ranged(mean_of(one["n"], one["value"], one["value_squares"])), one["value"]]
            everybody += one["value"]
        rows.append(row)
    orders_total = sum(one["orders"] for one in sums.values())
    return Picture(
        title=ngettext(
            "About %(orders)s orders of known customers are expected in the next month",
            "About %(orders)s orders of known customers are expected in the next %(n)s months",
            months,
        ) % {"orders": number(round(orders_total)), "n": number(months)},
        what=_("Expected of the customers there are today; new ones come on top. The model informs, the rule decides the status."),
        table=Table("lifetime", _("Expected orders and value by stage"), columns, rows, currency=currency),
        note=value_note(fit),
        shown=shown,
    )  # fmt: skip


def _ranged(mean: Any) -> Cell:
    low, high = mean.interval or (None, None)
    return Cell(mean.value, low=None if low is None else max(0.0, low), high=high)


def value_note(fit: LifetimeFit) -> str:
    if not fit.value_shown:
        return ""
    text = (
        _("Value is revenue net of returns, because no margin is set,")
        if fit.margin == 1
        else _("Value is the margin of %(margin)s of the net,") % {"margin": percent(fit.margin)}
    )
    return (
        text
        + " "
        + _("discounted by %(rate)s a year. Both are set in the rules.") % {"rate": percent(fit.discount_rate, 1)}
    )
