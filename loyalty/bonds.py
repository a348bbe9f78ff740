"""Barriers, lock-in and bond in whole sentences (`docs/scoring.md`)."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from crm.display import day as day_text
from crm.display import number, percent
from loyalty import reasons, rules
from loyalty.barriers import BARRIERS, SIGNALS, Barrier
from loyalty.facts import Behind
from loyalty.models import Assessment, Metrics
from loyalty.reasons import Line
from loyalty.status import Status

# Of those who are bound voluntarily and do not buy: nothing is to be said of staying.
AWAY = {
    "": gettext_lazy("They think well of the shop, and have not bought yet: invite them."),
    Status.AT_RISK: gettext_lazy(
        "They think well of the shop, and stay away longer than usual: ask personally how they are."
    ),
    Status.LAPSED: gettext_lazy(
        "They think well of the shop, and have very probably gone: ask personally how they are."
    ),
}
TALK_BEFORE_END = timedelta(days=90)
NEVER = 9999  # year in which a contract ends that renews by itself


@dataclass(frozen=True)
class Scored:
    """A barrier with its lines.

    `weighted` is what it counts in the lock-in, or how many of 100 parts of the gap it closes; `known` of its signals
    are known.
    """

    code: str
    label: str
    sign: int
    score: float | None
    weight: float
    lines: list[Line]

    @property
    def weighted(self) -> float | None:
        return None if self.score is None else self.score * self.weight

    @property
    def known(self) -> int:
        return sum(line.points is not None for line in self.lines)

    @property
    def coverage(self) -> str:
        return _("%(known)s of %(all)s signals known") % {"known": number(self.known), "all": number(len(self.lines))}


def barriers(
    judged: Assessment, metrics: Metrics, in_force: rules.Rules, behind: Behind, day: date
) -> list[Scored]:  # fmt: skip
    return [scored(barrier, judged, metrics, in_force, behind, day) for barrier in BARRIERS]


def scored(
    barrier: Barrier, judged: Assessment, metrics: Metrics, in_force: rules.Rules, behind: Behind, day: date
) -> Scored:
    return Scored(
        barrier.code,
        str(barrier.label),
        barrier.sign,
        judged.score(barrier.code) if up_to_date(judged) else None,
        in_force.weights[barrier.code],
        reasons.lines(barrier, judged.points, in_force.points, metrics, behind, day),
    )


def up_to_date(judged: Assessment) -> bool:
    """Whether the stored scores and points follow today's registry; until the next judgement they may not."""
    return len(judged.points) == len(SIGNALS) and len(judged.scores) == len(BARRIERS)


def lock_in_sentence(judged: Assessment, scores: list[Scored], in_force: rules.Rules) -> str:
    """The strongest bolt in full, each further one by its share: with the points and signals that made them."""
    if judged.lock_in is None:
        return _("Lock-in unknown: no signal of it is known.")
    bolts = sorted(
        (one for one in scores if one.sign < 0 and one.weighted), key=lambda one: one.weighted or 0, reverse=True
    )
    if not bolts:
        return _("Lock-in 0: nothing known holds them against their will.")
    shares = [bolt(bolts[0]), *(f"{further(in_force.further_share)} {bolt(one)}" for one in bolts[1:])]
    text = _("Lock-in %(value)s: %(bolts)s") % {"value": places(judged.lock_in), "bolts": " + ".join(shares)}
    strongest, *others = (one.weighted or 0 for one in bolts)
    if strongest + in_force.further_share * sum(others) > 100:
        text += ". " + _("What exceeds 100 does not count.")
    return text


def bolt(one: Scored) -> str:
    """“Effort 18 (30 points × 0.6: recurring delivery)”."""
    points = 1 if one.score == 1 else 2
    return ngettext(
        "%(barrier)s %(weighted)s (%(n)s point × %(weight)s: %(signals)s)",
        "%(barrier)s %(weighted)s (%(n)s points × %(weight)s: %(signals)s)",
        points,
    ) % {
        "barrier": one.label,
        "weighted": places(one.weighted),
        "n": places(one.score),
        "weight": places(one.weight),
        "signals": ", ".join(signal_label(one.code, line.code) for line in one.lines if line.points),
    }


def signal_label(barrier: str, code: str) -> str:
    return next(str(s.label) for b in BARRIERS if b.code == barrier for s in b.signals if s.code == code)


def further(share: float) -> str:
    if share == 0.25:
        return pgettext("lock-in: ‹a quarter of› Technology 16", "a quarter of")
    return _("%(share)s of") % {"share": percent(share)}


def places(value: float | None, most: int = 1) -> str | None:
    """A number with as many decimals as it has, at most `most`."""
    if value is None:
        return None
    return number(value, next(n for n in range(most + 1) if n == most or round(value, n) == round(value, most)))


def bond_sentence(judged: Assessment, scores: list[Scored]) -> str:
    """The attitude, what closes the gap to 100, and what is unknown."""
    if judged.bond is None:
        return _("Bond unknown, because the attitude is.")
    text = _("Bond %(value)s: the attitude %(attitude)s is its core") % {
        "value": places(judged.bond),
        "attitude": places(judged.attitude),
    }
    willing = [one for one in scores if one.sign > 0]
    text = "; ".join([text, *(closes(one) for one in willing if one.weighted)]) + "."
    unknown = [one.label for one in willing if one.score is None]
    if unknown:
        text += " " + _("Unknown and counted as 0: %(what)s.") % {"what": ", ".join(unknown)}
    return text


def closes(one: Scored) -> str:
    """“the relationship (40) closes 10% of the gap to 100”."""
    text = {
        "social": _("the relationship (%(score)s) closes %(share)s of the gap to 100"),
        "lost_benefits": _("the benefits (%(score)s) close %(share)s of the gap to 100"),
    }.get(one.code, _("%(what)s (%(score)s): closes %(share)s of the gap to 100"))
    share = (one.weighted or 0) / 100
    return text % {"what": one.label, "score": places(one.score), "share": percent(share, 0 if whole(share) else 1)}


def whole(share: float) -> bool:
    return round(share * 100, 1) == round(share * 100)


def share_sentence(judged: Assessment, in_force: rules.Rules) -> str:
    if judged.bond is None or judged.lock_in is None:
        return _("How much of it is voluntary cannot be told while bond or lock-in is unknown.")
    if judged.voluntary_share is None:
        return _("Bond and lock-in are %(sum)s together: below %(least)s no share is shown.") % {
            "sum": places(judged.bond + judged.lock_in),
            "least": number(in_force.share_from),
        }
    return _("%(share)s of what holds them is voluntary.") % {"share": percent(judged.voluntary_share / 100)}


def advice(judged: Assessment, day: date) -> str:
    """What the type of bond asks for (`docs/scoring.md`), and by when, if a contract ends."""
    status = judged.status_on(day)
    if judged.bond_type == "voluntary" and status in AWAY:
        return str(AWAY[status])
    text = {
        "voluntary": _("They stay because they want to: appreciate it, and ask for a recommendation."),
        "voluntary_and_locked": _(
            "They would stay without the lock: keep asking how they feel, and talk before the contract ends."
        ),
        "captive": _("Held, not bound: take away friction, be clear about ways out, and never ask for a review."),
        "unattached": _("Little holds them yet: get the basics right first."),
    }.get(judged.bond_type, "")
    ends = judged.contract_until
    if judged.bond_type in ("captive", "voluntary_and_locked") and ends and ends.year < NEVER and ends >= day:
        by = max(day, ends - TALK_BEFORE_END)
        text += " " + _("The contract ends on %(day)s: talk by %(by)s.") % {"day": day_text(ends), "by": day_text(by)}
    return text
