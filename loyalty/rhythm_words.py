"""Status, rhythm and type of loyalty in whole sentences: how long ago, how often else, up to where, and why."""

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import day as day_text
from crm.display import number
from loyalty import bonds, conditions, rules, stages
from loyalty.conditions import Standing
from loyalty.models import Assessment, Calibration
from loyalty.status import Status


def status_sentence(at: Standing, limits: Calibration | None = None) -> str:
    judged = at.assessment
    if judged.contract_until and at.status:
        return contract_sentence(at)
    if judged.last_order_on is None:
        return _("No order yet, so there is no status.")
    days = (at.day - judged.last_order_on).days
    text = _since_last(at, days) % {
        "status": at.status_label,
        "n": number(days),
        "day": day_text(judged.last_order_on),
        "as_of": day_text(at.day),
        "ratio": ratio_text(judged.overdue_ratio_on(at.day) or 0, limits),
        "expected": number(judged.expected_interval),
    }
    if at.status == Status.LAPSED:
        text += " " + _("Very probably they have gone; that is not certain.")
    if at.status == Status.REACTIVATED and at.metrics.previous_order_on:
        text += " " + _away(judged.last_order_on - at.metrics.previous_order_on)
    return text[:1].upper() + text[1:]


def ratio_text(ratio: float, limits: Calibration | None) -> str | None:
    """With two decimals, or with as many as show on which side of a limit it lies: 1.352 is above 1.35."""
    edges = (limits.active, limits.overdue, limits.at_risk) if limits else ()
    for decimals in (2, 3, 4):
        if all((round(ratio, decimals) > edge) == (ratio > edge + 1e-6) for edge in edges):
            return number(ratio, decimals)
    return number(ratio, 4)


def _since_last(at: Standing, days: int) -> str:
    if not at.is_today:
        return ngettext(
            "%(status)s: on %(as_of)s the last order was %(n)s day old, from %(day)s. That is %(ratio)s times the expected %(expected)s days.",
            "%(status)s: on %(as_of)s the last order was %(n)s days old, from %(day)s. That is %(ratio)s times the expected %(expected)s days.",
            days,
        )
    return ngettext(
        "%(status)s: the last order was %(n)s day ago, on %(day)s. That is %(ratio)s times the expected %(expected)s days.",
        "%(status)s: the last order was %(n)s days ago, on %(day)s. That is %(ratio)s times the expected %(expected)s days.",
        days,
    )


def _away(gap: timedelta) -> str:
    return ngettext(
        "Before it they had stayed away for %(n)s day, long enough to have lapsed.",
        "Before it they had stayed away for %(n)s days, long enough to have lapsed.",
        gap.days,
    ) % {"n": number(gap.days)}


def limits_sentence(judged: Assessment, known: Calibration | None) -> str:
    """Up to where each status goes, and where these limits come from. Empty without an order, and under a contract."""
    if known is None or judged.last_order_on is None or judged.contract_until:
        return ""
    text = (
        _(
            "Active up to %(active)s times, overdue up to %(overdue)s, at risk up to %(at_risk)s: from the shop's own gaps."
        )
        if known.self_calibrated
        else _("Active up to %(active)s times, overdue up to %(overdue)s, at risk up to %(at_risk)s: preset.")
    )
    return text % {name: bonds.places(getattr(known, name), 2) for name in ("active", "overdue", "at_risk")}


def contract_sentence(at: Standing) -> str:
    named = {"status": at.status_label, "day": day_text(at.assessment.contract_until)}
    if at.assessment.contract_until and at.assessment.contract_until.year == 9999:
        text = _("%(status)s: the contract renews by itself.")
    elif at.status == Status.ACTIVE:
        text = _("%(status)s: the contract runs until %(day)s.")
    elif at.status == Status.AT_RISK:
        text = _("%(status)s: the contract is cancelled and ends on %(day)s.")
    else:
        text = _("%(status)s: the contract ended on %(day)s.")
    text %= named
    return text[:1].upper() + text[1:]


def interval_sentence(at: Standing) -> str:
    """domain 3.1: three thought-of shop intervals and the customer's own, and which base was used."""
    judged, own = at.assessment, max(0, at.metrics.orders - 1)
    first, last = at.metrics.first_order_on, at.metrics.last_order_on
    named = {
        "expected": number(judged.expected_interval),
        "prior": bonds.places(at.rules.prior_intervals),
        "base": bonds.places(judged.base_cycle),
        "kind": Calibration.Kind(judged.base_kind).label,
        "n": number(own),
        "days": number((last - first).days) if first and last else None,
    }
    if not own:
        return _("Expected every %(expected)s days: the gap of the shop is %(base)s days (%(kind)s), and there is none of "
                 "their own yet.") % named  # fmt: skip
    text = (
        ngettext(
            "Expected every %(expected)s days: the mean of %(prior)s gaps of the shop of %(base)s days (%(kind)s) and %(n)s of their own, %(days)s days.",
            "Expected every %(expected)s days: the mean of %(prior)s gaps of the shop of %(base)s days (%(kind)s) and %(n)s of their own, together %(days)s days.",
            own,
        )
        % named
    )
    if judged.expected_interval <= at.rules.least_interval_days:
        least = at.rules.least_interval_days
        text += " " + ngettext(
            "Less than %(n)s day is never expected.",
            "Fewer than %(n)s days are never expected.",
            1 if least == 1 else 2,
        ) % {"n": bonds.places(least)}
    return text


def type_sentence(at: Standing) -> str:
    """Why they are of this type (Dick & Basu 1994): what they do, and what they think. Empty without an order."""
    judged = at.assessment
    ratio = judged.overdue_ratio_on(at.day)
    if ratio is None:
        return ""
    text = _("%(type)s: %(behaviour)s, and %(attitude)s.") % {
        "type": judged.get_loyalty_type_display(),
        "behaviour": _behaviour(at, ratio),
        "attitude": _attitude_level(judged.relative_attitude, at.rules),
    }
    return text[:1].upper() + text[1:]


def _behaviour(at: Standing, ratio: float) -> str:
    steady = stages.rank(at.assessment.raw_stage) >= stages.rank("regular")
    named = {"ratio": number(ratio, 2), "most": bonds.places(at.rules.type_overdue)}
    if not steady:
        return _("they do not buy like a regular customer")
    if ratio > at.rules.type_overdue + 1e-6:
        return _("the last order is %(ratio)s expected gaps ago, more than %(most)s") % named
    return _("they buy like a regular customer, the last time %(ratio)s expected gaps ago, at most %(most)s") % named


def _attitude_level(value: float | None, in_force: rules.Rules) -> str:
    named = {"high": bonds.places(in_force.attitude_high), "mid": bonds.places(in_force.attitude_mid)}
    if value is None:
        return _("their attitude is unknown")
    if value >= in_force.attitude_high:
        return _("the relative attitude %(value)s is high, from %(high)s on") % (named | {"value": bonds.places(value)})
    if value >= in_force.attitude_mid:
        named |= {"value": conditions.below(value, in_force.attitude_high)}
        return _("the relative attitude %(value)s is medium, from %(mid)s on and below %(high)s") % named
    named |= {"value": conditions.below(value, in_force.attitude_mid)}
    return _("the relative attitude %(value)s is low, below %(mid)s") % named
