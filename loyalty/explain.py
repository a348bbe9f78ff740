"""Stored parts in whole sentences: why a customer stands where they stand, what is unknown, and what comes next.

Nothing is computed anew here: every figure is one that the judgement stored, or the answer of the very expression
that judged. Works in the active language.
"""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.display import day as day_text
from crm.display import number
from crm.models import Customer, Participation, Shop, User
from loyalty import actions, bonds, conditions, rules, scoring, stages
from loyalty.bonds import Scored
from loyalty.conditions import Said, Standing
from loyalty.judging import PARTS
from loyalty.models import Assessment, Calibration, Metrics
from loyalty.reasons import Names
from loyalty.status import Status


@dataclass(frozen=True)
class Part:
    """A part of the attitude: value 0 to 100 or None, its weight, and what it adds to the weighted sum."""

    code: str
    label: str
    value: float | None
    weight: float
    answered_on: date | None = None

    @property
    def contribution(self) -> float | None:
        return None if self.value is None else self.value * self.weight / 100


@dataclass(frozen=True)
class Next:
    """The stage above: its conditions, a sentence on what is missing, and the one action that helps."""

    stage: stages.Stage
    conditions: list[Said]
    sentence: str
    action: actions.Action | None


@dataclass(frozen=True)
class Explanation:
    """Everything the profile and the API say about one judgement."""

    assessment: Assessment
    metrics: Metrics
    day: date
    rules_version: int
    stage: str
    badges: list[str]
    conditions: list[Said]
    next: Next | None
    status: str
    interval: str
    attitude: str
    parts: list[Part]
    barriers: list[Scored]
    lock_in: str
    bond: str
    share: str
    advice: str


def explain(customer: Customer) -> Explanation | None:
    """The explanation of a customer's judgement, None if not judged yet. A fixed number of queries."""
    assessment = Assessment.objects.filter(customer=customer).select_related("customer__metrics").first()
    if assessment is None:
        return None
    metrics, day, in_force = assessment.customer.metrics, scoring.shown_day(), rules.current()
    standing = Standing(metrics, assessment, in_force, day)
    found = conditions.states(customer.pk, in_force, day)
    scored = bonds.barriers(assessment, metrics, in_force, names_of(metrics), day)
    return Explanation(
        assessment=assessment,
        metrics=metrics,
        day=day,
        rules_version=assessment.rules_version,
        stage=stage_sentence(standing),
        badges=badges(standing),
        conditions=conditions.said(stages.by_code(assessment.stage), found, standing),
        next=next_of(standing, found),
        status=status_sentence(standing),
        interval=interval_sentence(standing),
        attitude=attitude_sentence(standing),
        parts=parts(metrics, in_force),
        barriers=scored,
        lock_in=bonds.lock_in_sentence(assessment, scored, in_force),
        bond=bonds.bond_sentence(assessment, scored),
        share=bonds.share_sentence(assessment, in_force),
        advice=bonds.advice(assessment),
    )


def names_of(metrics: Metrics) -> Names:
    contact = User.objects.filter(pk=metrics.contact_id or 0).first()
    taken_part = (
        Participation.objects.filter(customer=metrics.customer_id, kind__in=["member", "gathering"])
        .order_by("-occurred_at")
        .first()
    )
    return Names(
        contact=str(contact) if contact else "",
        gathering=taken_part.title if taken_part else "",
        gathering_on=taken_part.occurred_at if taken_part else None,
        currency=Shop.current().currency,
    )


def stage_label(code: str) -> str:
    return str(stages.by_code(code).label)


def stage_sentence(at: Standing) -> str:
    judged = at.assessment
    named = {
        "stage": stage_label(judged.stage),
        "day": day_text(judged.stage_since),
        "raw": stage_label(judged.raw_stage),
    }
    if at.status == Status.LAPSED:
        return _("Last: %(stage)s") % named
    if judged.failing_since:
        return _("%(stage)s; by the facts only %(raw)s since %(failing)s") % (
            named | {"failing": day_text(judged.failing_since)}
        )
    return (_("%(stage)s since %(day)s") if judged.stage_since else "%(stage)s") % named


def badges(at: Standing) -> list[str]:
    """Short warnings beside the stage."""
    judged, found = at.assessment, []
    if judged.stage in ("loyal", "ambassador") and (judged.lock_in or 0) >= at.rules.lock_in_high:
        found.append(_("Behaviour partly forced"))
    if judged.stage == "regular" and judged.attitude is None:
        found.append(_("Attitude unknown: suggest a survey"))
    return found


def next_of(at: Standing, found: dict[str, bool | None]) -> Next | None:
    above = stages.next_stage(at.assessment.stage)
    if above is None:
        return None
    said = conditions.said(above, found, at)
    open_ones = [one for one in said if one.state != "met"]
    missing = [one.code for one in open_ones if one.state == "missing"]
    unknown = [one.code for one in open_ones if one.state == "unknown"]
    sentence = ngettext(
        "%(n)s thing is missing for “%(stage)s”: %(what)s.", "%(n)s things are missing for “%(stage)s”: %(what)s.",
        len(open_ones),
    ) % {"n": number(len(open_ones)), "stage": above.label, "what": "; ".join(one.text for one in open_ones)}  # fmt: skip
    if not open_ones:
        sentence = _("Everything for “%(stage)s” is met.") % {"stage": above.label}
    return Next(above, said, sentence, actions.suggested(missing, unknown, at.assessment.bond_type))


def status_sentence(at: Standing) -> str:
    judged = at.assessment
    if judged.contract_until and at.status:
        return contract_sentence(at)
    if judged.last_order_on is None:
        return _("No order yet, so there is no status.")
    days = (at.day - judged.last_order_on).days
    named = {
        "status": at.status_label,
        "n": number(days),
        "day": day_text(judged.last_order_on),
        "ratio": number(judged.overdue_ratio_on(at.day), 2),
        "expected": number(judged.expected_interval),
    }
    text = (
        ngettext(
            "%(status)s: the last order was %(n)s day ago, on %(day)s. That is %(ratio)s times the expected %(expected)s days.",
            "%(status)s: the last order was %(n)s days ago, on %(day)s. That is %(ratio)s times the expected %(expected)s days.",
            days,
        )
        % named
    )
    if at.status == Status.LAPSED:
        text += " " + _("Very probably they have gone; that is not certain.")
    return text[:1].upper() + text[1:]


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
    named = {
        "expected": number(judged.expected_interval),
        "prior": number(at.rules.prior_intervals),
        "base": number(judged.base_cycle, 1),
        "kind": Calibration.Kind(judged.base_kind).label,
        "n": number(own),
    }
    return (
        ngettext(
            "Expected every %(expected)s days: %(prior)s shop intervals of %(base)s days (%(kind)s) and %(n)s of their own.",
            "Expected every %(expected)s days: %(prior)s shop intervals of %(base)s days (%(kind)s) and %(n)s of their own.",
            own,
        )
        % named
    )


def part_labels() -> dict[str, str]:
    return {
        "satisfaction": _("Satisfaction"),
        "trust": _("Trust"),
        "commitment": _("Commitment"),
        "nev": _("Net Emotional Value"),
        "involvement": _("Involvement"),
    }


def parts(metrics: Metrics, in_force: rules.Rules) -> list[Part]:
    labels = part_labels()
    return [
        Part(code, labels[code], getattr(metrics, code), in_force.attitude[code], getattr(metrics, f"{code}_on", None))
        for code in PARTS
    ]


def attitude_sentence(at: Standing) -> str:
    judged, known = at.assessment, sum(getattr(at.metrics, code) is not None for code in PARTS)
    named = {"value": number(judged.attitude, 1), "n": number(known), "all": number(len(PARTS))}
    if judged.attitude is None:
        return ngettext(
            "Attitude unknown: %(n)s part answered within %(days)s days, at least %(least)s are needed. Ask for their opinion.",
            "Attitude unknown: %(n)s parts answered within %(days)s days, at least %(least)s are needed. Ask for their opinion.",
            judged.evidence,
        ) % {
            "n": number(judged.evidence),
            "days": number(at.rules.evidence_days),
            "least": number(at.rules.evidence_parts),
        }
    text = ngettext(
        "Attitude %(value)s, from %(n)s of %(all)s part.", "Attitude %(value)s, from %(n)s of %(all)s parts.", known
    )
    text %= named
    if not judged.attitude_compared:
        return text + " " + _("Without a comparison with other shops.")
    return (
        text + " " + _("Compared with other shops: %(relative)s.") % {"relative": number(judged.relative_attitude, 1)}
    )
