"""Stored parts in whole sentences: why a customer stands where they stand, what is unknown, and what comes next.

Nothing is computed anew here: every figure is one that the judgement stored, or the answer of the very expression
that judged. Works in the active language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.compiled import compiled
from crm.days import today
from crm.display import day as day_text
from crm.display import number
from crm.models import Customer
from crm.presence import needs
from loyalty import actions, bonds, conditions, rules, scoring, stages
from loyalty.bonds import Scored
from loyalty.conditions import Said, Standing
from loyalty.facts import Behind, Fact, behind
from loyalty.judging import PARTS
from loyalty.models import Assessment, Metrics, RuleSet, Transition
from loyalty.rhythm_words import interval_sentence, limits_sentence, status_sentence, type_sentence
from loyalty.status import Status


@dataclass(frozen=True)
class Part:
    """A part of the attitude: value 0 to 100 or None, its weight, and what it adds to the weighted sum."""

    code: str
    label: str
    value: float | None
    weight: float
    answered_on: date | None = None
    facts: tuple[Fact, ...] = ()

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
    """Everything the profile and the API say about one judgement. compared: the customer's comparisons with others;
    moves: the changes of stage, oldest first; since: the day of the present one, None where nothing tells it."""

    assessment: Assessment
    metrics: Metrics
    day: date
    rules: rules.Rules
    stage: str
    badges: list[str]
    conditions: list[Said]
    next: Next | None
    status: str
    limits: str
    interval: str
    attitude: str
    type: str
    parts: list[Part]
    barriers: list[Scored]
    lock_in: str
    bond: str
    share: str
    advice: str

    is_today: bool = True
    compared: tuple[Fact, ...] = ()
    moves: tuple[Transition, ...] = ()
    since: date | None = None

    @property
    def rules_version(self) -> int:
        return self.assessment.rules_version


def explain(customer: Customer) -> Explanation | None:
    """The explanation of a customer's judgement, None if not judged yet. A fixed number of queries."""
    assessment = next(iter(_judgements(customer.pk)), None)
    if assessment is None:
        return None
    metrics, day, in_force = assessment.customer.metrics, scoring.shown_day(), rules_of(assessment)
    standing = Standing(metrics, assessment, in_force, day, day == today())
    found, moved = conditions.states(customer.pk, in_force, day), tuple(moves(customer))
    since = stage_day(assessment, moved)
    known = behind(customer, metrics, day, by_contract=assessment.contract_until is not None)
    scored = bonds.barriers(assessment, metrics, in_force, known, day)
    limits = scoring.calibration()
    return Explanation(
        assessment=assessment,
        metrics=metrics,
        day=day,
        rules=in_force,
        stage=stage_sentence(standing, since),
        badges=badges(standing),
        conditions=conditions.said(stages.by_code(assessment.stage), found, standing, known),
        next=next_of(standing, found, known),
        status=status_sentence(standing, limits),
        limits=limits_sentence(assessment, limits),
        interval=interval_sentence(standing),
        attitude=attitude_sentence(standing),
        type=type_sentence(standing),
        parts=parts(metrics, in_force, known),
        barriers=scored,
        lock_in=bonds.lock_in_sentence(assessment, scored, in_force),
        bond=bonds.bond_sentence(assessment, scored),
        share=bonds.share_sentence(assessment, in_force),
        advice=bonds.advice(assessment, day),
        is_today=standing.is_today,
        compared=known.of("comparison"),
        moves=moved,
        since=since,
    )


@needs(Transition)
def moves(customer: Customer) -> Sequence[Transition]:
    return list(Transition.objects.filter(customer=customer).order_by("happened_on", "pk"))


def stage_day(judged: Assessment, moved: Sequence[Transition]) -> date | None:
    """Since when the stage is theirs. Up to regular the orders tell; of a higher one that the first judgement found, nobody
    knows the day, and that of the judgement is none."""
    told = stages.rank(judged.stage) <= stages.rank("regular") or any(
        move.to_stage == judged.stage and move.happened_on == judged.stage_since for move in moved
    )
    return judged.stage_since if told else None


@compiled
def _judgements(customer: int) -> QuerySet[Assessment]:
    return Assessment.objects.filter(customer=customer).select_related("customer__metrics")


def rules_of(judged: Assessment) -> rules.Rules:
    """The version a judgement was made by: after a change of rules everybody is judged anew, but not in an instant."""
    try:
        return rules.of_version(judged.rules_version)
    except (rules.RulesError, RuleSet.DoesNotExist):
        return rules.current()


def stage_label(code: str) -> str:
    return str(stages.by_code(code).label)


def stage_sentence(at: Standing, since: date | None) -> str:
    judged = at.assessment
    named = {
        "stage": stage_label(judged.stage),
        "day": day_text(since),
        "raw": stage_label(judged.raw_stage),
    }
    if at.status == Status.LAPSED:
        return _("Last: %(stage)s") % named
    if judged.failing_since:
        return _("%(stage)s; by the facts only %(raw)s since %(failing)s") % (
            named | {"failing": day_text(judged.failing_since)}
        )
    return (_("%(stage)s since %(day)s") if since else "%(stage)s") % named


def badges(at: Standing) -> list[str]:
    """Short warnings beside the stage."""
    judged, found = at.assessment, []
    if judged.stage in ("loyal", "ambassador") and (judged.lock_in or 0) >= at.rules.lock_in_high:
        found.append(_("Behaviour partly forced"))
    if judged.stage == "regular" and judged.attitude is None:
        found.append(_("Attitude unknown: suggest a survey"))
    return found


def next_of(at: Standing, found: dict[str, bool | None], known: Behind) -> Next | None:
    above = stages.next_stage(at.assessment.stage)
    if above is None:
        return None
    said = conditions.said(above, found, at, known)
    open_ones = [one for one in said if one.state != "met"]
    missing = [one.code for one in open_ones if one.state == "missing"]
    unknown = [one.code for one in open_ones if one.state == "unknown"]
    sentence = ngettext(
        "%(n)s thing is missing for “%(stage)s”: %(what)s.", "%(n)s things are missing for “%(stage)s”: %(what)s.",
        len(open_ones),
    ) % {"n": number(len(open_ones)), "stage": above.label, "what": "; ".join(one.text for one in open_ones)}  # fmt: skip
    if not open_ones:
        sentence = _("Everything for “%(stage)s” is met.") % {"stage": above.label}
    return Next(above, said, sentence, actions.suggested(missing, unknown, at.assessment.bond_type, at.status))


def part_labels() -> dict[str, str]:
    return {
        "satisfaction": _("Satisfaction"),
        "trust": _("Trust"),
        "commitment": _("Commitment"),
        "nev": _("Net Emotional Value, −10 to +10 as 0 to 100"),
        "involvement": _("Involvement"),
    }


def parts(metrics: Metrics, in_force: rules.Rules, known: Behind) -> list[Part]:
    labels = part_labels()
    return [
        Part(
            code,
            labels[code],
            getattr(metrics, code),
            in_force.attitude[code],
            getattr(metrics, f"{code}_on", None),
            known.of(code),
        )
        for code in PARTS
    ]


def attitude_sentence(at: Standing) -> str:
    judged, known = at.assessment, sum(getattr(at.metrics, code) is not None for code in PARTS)
    named = {"value": bonds.places(judged.attitude), "n": number(known), "all": number(len(PARTS))}
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
    text = _("Attitude %(value)s, from %(n)s of %(all)s parts.") % named
    if not judged.attitude_compared:
        return text + " " + _("Without a comparison with other shops.")
    return (
        text
        + " "
        + _("Relative attitude %(relative)s: the mean of that and of the comparison with other shops, %(compared)s.")
        % {
            "relative": bonds.places(judged.relative_attitude),
            "compared": bonds.places(at.metrics.comparison),
        }
    )
