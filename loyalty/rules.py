"""The weights and thresholds in force: the defaults of `domain.md` 3 and 4, or the merchant's latest version of them.

Every value is our convention or the merchant's, so each stored judgement names the version it was made with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.utils.translation import gettext as _

from loyalty.barriers import LOCK_IN, SIGNALS
from loyalty.models import RuleSet


class RulesError(ValueError):
    """A value that no rule knows, or values that contradict each other."""


def default_points() -> dict[str, float]:
    return {signal.code: signal.points for signal in SIGNALS}


def default_weights() -> dict[str, float]:
    return {barrier.code: barrier.weight or 0 for barrier in LOCK_IN}


def default_attitude() -> dict[str, float]:
    return {"satisfaction": 25, "trust": 25, "commitment": 25, "nev": 15, "involvement": 10}


@dataclass(frozen=True)
class Rules:
    """One version of all conventions. Days, months, shares 0 to 1 and scores 0 to 100, as the names say."""

    version: int = 1

    # Purchase rhythm: k thought-of shop intervals join the customer's own.
    prior_intervals: float = 3
    least_interval_days: float = 3
    default_cycle_days: float = 90
    least_gaps: int = 30
    cycle_months: int = 24
    winsor_share: float = 0.95

    # Overdue ratio up to which a status holds, and when the shop's own history may set it within which bounds.
    active: float = 1.5
    overdue: float = 3
    at_risk: float = 6
    calibrate_gaps: int = 200
    calibrate_months: int = 24
    active_share: float = 0.75
    overdue_share: float = 0.90
    at_risk_share: float = 0.975
    active_bounds: tuple[float, float] = (1.25, 3)
    overdue_bounds: tuple[float, float] = (2, 6)
    at_risk_bounds: tuple[float, float] = (4, 12)

    # Stages.
    regular_orders: int = 3
    regular_orders_short_cycle: int = 5
    short_cycle_days: float = 30
    recent_days: int = 365
    recent_intervals: float = 6
    strong_acts: int = 1
    medium_acts: int = 2
    hysteresis_days: float = 30
    hysteresis_intervals: float = 0.5
    type_overdue: float = 3

    # Attitude.
    attitude: Mapping[str, float] = field(default_factory=default_attitude)
    half_life_days: float = 180
    evidence_days: int = 365
    evidence_parts: int = 2
    attitude_high: float = 70
    attitude_mid: float = 50

    # Barriers and bond.
    points: Mapping[str, float] = field(default_factory=default_points)
    weights: Mapping[str, float] = field(default_factory=default_weights)
    further_share: float = 0.25
    social_share: float = 0.25
    benefits_share: float = 0.10
    bond_high: float = 50
    lock_in_high: float = 50
    share_from: float = 40

    def parameters(self) -> dict[str, Any]:
        """All values by the names that the SQL of stages, barriers and scoring uses."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"attitude", "points", "weights"}}
        named |= {f"attitude_{code}": weight for code, weight in self.attitude.items()}
        named |= {f"points_{code}": points for code, points in self.points.items()}
        return named | {f"weight_{code}": weight for code, weight in self.weights.items()}


def current() -> Rules:
    """The rules in force. Raises RulesError if the stored version cannot be used."""
    newest = RuleSet.objects.order_by("-version").first()
    return Rules() if newest is None else parse(newest.values, newest.version)


def parse(values: Mapping[str, Any], version: int) -> Rules:
    """Rules from the values that differ from the defaults: {"active": 1.4, "weights": {"contractual": 0.9}}.

    Raises RulesError for an unknown name, a wrong type, or values that contradict each other.
    """
    defaults, chosen = Rules(), {}
    for name, value in values.items():
        if name == "version" or not hasattr(defaults, name) or name not in {f.name for f in fields(Rules)}:
            raise RulesError(_("There is no rule called “%(name)s”.") % {"name": name})
        chosen[name] = _like(getattr(defaults, name), value, name)
    rules = Rules(version=version, **chosen)
    _check(rules)
    return rules


def _like(default: Any, value: Any, name: str) -> Any:
    if isinstance(default, Mapping):
        if not isinstance(value, Mapping):
            raise RulesError(_("“%(name)s” must name its parts.") % {"name": name})
        unknown = sorted(set(value) - set(default))
        if unknown:
            raise RulesError(_("“%(name)s” has no part “%(part)s”.") % {"name": name, "part": unknown[0]})
        return {**default, **{part: _number(one, f"{name}.{part}") for part, one in value.items()}}
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise RulesError(_("“%(name)s” must be a lower and an upper bound.") % {"name": name})
        return tuple(_number(one, name) for one in value)
    if isinstance(default, int) and not (isinstance(value, int) and not isinstance(value, bool)):
        raise RulesError(_("“%(name)s” must be a whole number.") % {"name": name})
    return _number(value, name)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or not 0 <= value < 1e6:
        raise RulesError(_("“%(name)s” must be a number from 0 up.") % {"name": name})
    return value


def _check(rules: Rules) -> None:
    """Refuse what no customer could satisfy or what would divide by zero."""
    _check_order(rules)
    _check_bounds(rules)
    _check_shares(rules)
    for name in POSITIVE:
        if getattr(rules, name) <= 0:
            raise RulesError(_("“%(name)s” must be above 0.") % {"name": name})
    if rules.half_life_days < 7:
        raise RulesError(_("“%(name)s” must be at least 7 days.") % {"name": "half_life_days"})
    if sum(rules.attitude.values()) <= 0 or sum(rules.weights.values()) <= 0:
        raise RulesError(_("At least one weight must be above 0."))


POSITIVE = (
    "active", "prior_intervals", "default_cycle_days", "least_interval_days", "half_life_days", "regular_orders",
    "cycle_months", "winsor_share",
)  # fmt: skip
RISING = (
    ("active", "overdue", "at_risk"),
    ("active_share", "overdue_share", "at_risk_share"),
    ("attitude_mid", "attitude_high"),
)
BOUNDS = ("active_bounds", "overdue_bounds", "at_risk_bounds")
SHARES = ("winsor_share", "active_share", "overdue_share", "at_risk_share", "further_share")


def _check_order(rules: Rules) -> None:
    for names in RISING:
        values = [getattr(rules, name) for name in names]
        if values != sorted(set(values)):
            raise RulesError(_("These must rise from one to the next: %(names)s.") % {"names": ", ".join(names)})


def _check_bounds(rules: Rules) -> None:
    found = [getattr(rules, name) for name in BOUNDS]
    for name, (lower, upper) in zip(BOUNDS, found, strict=True):
        if not 0 < lower <= upper:
            raise RulesError(_("“%(name)s” must be a lower and an upper bound.") % {"name": name})
    for below, above in zip(found, found[1:], strict=False):
        if below[0] >= above[0] or below[1] >= above[1]:
            raise RulesError(_("These must rise from one to the next: %(names)s.") % {"names": ", ".join(BOUNDS)})


def _check_shares(rules: Rules) -> None:
    for name in SHARES:
        if getattr(rules, name) > 1:
            raise RulesError(_("“%(name)s” is a share and at most 1.") % {"name": name})
    if rules.social_share + rules.benefits_share > 1:
        raise RulesError(_("Relationship and benefits may close the gap to 100 at most once: their shares exceed 1."))
    if any(weight > 1 for weight in rules.weights.values()):
        raise RulesError(_("A barrier counts at most in full: its weight is at most 1."))
