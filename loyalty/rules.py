"""The weights and thresholds in force: the defaults of `docs/scoring.md`, or the merchant's latest version of them.

Every value is our convention or the merchant's, so each stored judgement names the version it was made with. What each
value is called and means for people is in `loyalty.rulebook`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm import once
from crm.compiled import compiled
from loyalty.barriers import BARRIERS, LOCK_IN, SIGNALS, WILLING
from loyalty.models import RuleSet

# What a language's own word may be long: it must fit a badge on a phone.
LONGEST_LABEL = 30
LANGUAGES = ("de", "en")
LEAST_HALF_LIFE = 7
LONGEST_REPURCHASE = 1_095
LONGEST_LIFETIME = 60


class RulesError(ValueError):
    """A value that no rule knows, or values that contradict each other. `name`: the rule it concerns, '' for none."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


def default_points() -> dict[str, float]:
    return {signal.code: signal.points for signal in SIGNALS}


def default_weights() -> dict[str, float]:
    return {barrier.code: barrier.weight for barrier in BARRIERS}


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

    # Barriers and bond. A weight of a lock-in barrier is the share with which it counts; of the others, the share of
    # the gap between attitude and 100 that it may close.
    points: Mapping[str, float] = field(default_factory=default_points)
    weights: Mapping[str, float] = field(default_factory=default_weights)
    further_share: float = 0.25
    bond_high: float = 50
    lock_in_high: float = 50
    share_from: float = 40
    term_months: float = 12
    notice_months_from: float = 3
    saved_items_full: float = 3
    tenure_months: float = 24
    routine_share: float = 0.8
    named_contacts: int = 3

    # Behaviour: days in which a first buyer shall come back, and what a lifetime value is made of.
    repurchase_days: int = 90
    lifetime_months: int = 12
    margin: float = 1.0
    discount_rate: float = 0.10

    # Net Emotional Value of groups and of a customer.
    nev_window_days: int = 365

    # The merchant's own words: {"stage.regular": {"de": "Stammgast"}}.
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """All values by the names that the SQL of stages, barriers and scoring uses."""
        apart = {"attitude", "points", "weights", "labels"}
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in apart}
        named |= {f"attitude_{code}": weight for code, weight in self.attitude.items()}
        named |= {f"points_{code}": points for code, points in self.points.items()}
        return named | {f"weight_{code}": weight for code, weight in self.weights.items()}


NAMES = frozenset(f.name for f in fields(Rules)) - {"version"}


@once.a_page
def current() -> Rules:
    """The rules in force. Raises RulesError if the stored version cannot be used."""
    newest = _newest()
    return Rules() if newest is None else parse(newest.values, newest.version)


@once.a_page
def _newest() -> RuleSet | None:
    return next(iter(_versions()), None)


@compiled
def _versions() -> QuerySet[RuleSet]:
    return RuleSet.objects.order_by("-version")[:1]


def of_version(version: int) -> Rules:
    """A former version. Version 1 without a row of its own is the defaults. Raises RulesError, RuleSet.DoesNotExist."""
    newest = _newest()
    if newest and newest.version == version:
        return current()
    stored = _stored(version)
    if not stored and version == 1:
        return Rules()
    return parse((stored[0] if stored else RuleSet.objects.get(version=version)).values, version)


@compiled
def _stored(version: int) -> QuerySet[RuleSet]:
    return RuleSet.objects.filter(version=version)


def own_labels() -> Mapping[str, Mapping[str, str]]:
    """What the merchant calls stages, statuses and touchpoints. One query."""
    newest = _newest()
    return newest.values.get("labels") or {} if newest else {}


def differences(rules: Rules) -> dict[str, Any]:
    """What differs from the defaults, as `RuleSet.values` keeps it."""
    defaults, found = Rules(), {}
    for name in sorted(NAMES):
        preset, chosen = getattr(defaults, name), getattr(rules, name)
        if isinstance(preset, Mapping):
            chosen = {part: value for part, value in chosen.items() if value != preset.get(part)}
            preset = {}
        if chosen != preset:
            found[name] = list(chosen) if isinstance(chosen, tuple) else chosen
    return found


def parse(values: Mapping[str, Any], version: int) -> Rules:
    """Rules from the values that differ from the defaults: {"active": 1.4, "weights": {"contractual": 0.9}}.

    A barrier or signal that no longer exists is passed over. Raises RulesError for an unknown name, a wrong type, or
    values that contradict each other.
    """
    rules = unchecked(values, version)
    for name, message in problems(rules):
        raise RulesError(message, name)
    return rules


def unchecked(values: Mapping[str, Any], version: int) -> Rules:
    """The same, but values may contradict each other: ask `problems`."""
    defaults = Rules()
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        if name not in NAMES:
            raise RulesError(_("There is no rule called “%(name)s”.") % {"name": name}, name)
        chosen[name] = _labels(value) if name == "labels" else _like(getattr(defaults, name), value, name)
    return Rules(version=version, **chosen)


def _like(default: Any, value: Any, name: str) -> Any:
    if isinstance(default, Mapping):
        return _parts(default, value, name)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise RulesError(_("“%(name)s” must be a lower and an upper bound.") % {"name": name}, name)
        return tuple(_number(one, name) for one in value)
    if isinstance(default, int) and not isinstance(default, bool) and not _whole(value) and name in WHOLE:
        raise RulesError(_("“%(name)s” must be a whole number.") % {"name": name}, name)
    return _number(value, name)


def _parts(default: Mapping[str, float], value: Any, name: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise RulesError(_("“%(name)s” must name its parts.") % {"name": name}, name)
    unknown = sorted(set(value) - set(default))
    if unknown and name == "attitude":
        raise RulesError(_("“%(name)s” has no part “%(part)s”.") % {"name": name, "part": unknown[0]}, name)
    known = {part: _number(one, f"{name}.{part}") for part, one in value.items() if part in default}
    return {**default, **known}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


WHOLE = frozenset(f.name for f in fields(Rules) if f.type is int or f.type == "int")


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or not 0 <= value < 1e6:
        raise RulesError(_("“%(name)s” must be a number from 0 up.") % {"name": name}, name)
    return value


def _labels(value: Any) -> dict[str, dict[str, str]]:
    if not isinstance(value, Mapping):
        raise RulesError(_("“%(name)s” must name its parts.") % {"name": "labels"}, "labels")
    found = {}
    for name, texts in value.items():
        if not isinstance(texts, Mapping) or not all(
            language in LANGUAGES and isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_LABEL
            for language, text in texts.items()
        ):
            message = _("A name has 1 to %(most)s characters.") % {"most": LONGEST_LABEL}
            raise RulesError(message, f"labels.{name}")
        found[str(name)] = {language: text.strip() for language, text in texts.items()}
    return found


def problems(rules: Rules) -> Iterator[tuple[str, str]]:
    """What no customer could satisfy or what would divide by zero: (name of the rule, what to do about it)."""
    yield from _order(rules)
    yield from _bounds(rules)
    yield from _shares(rules)
    for name in POSITIVE:
        if getattr(rules, name) <= 0:
            yield name, _("Must be above 0.")
    if rules.half_life_days < LEAST_HALF_LIFE:
        yield "half_life_days", _("At least %(n)s days.") % {"n": LEAST_HALF_LIFE}
    if rules.repurchase_days > LONGEST_REPURCHASE:
        yield "repurchase_days", _("At most %(n)s days.") % {"n": LONGEST_REPURCHASE}
    if rules.lifetime_months > LONGEST_LIFETIME:
        yield "lifetime_months", _("At most %(n)s months: nobody can look farther ahead.") % {"n": LONGEST_LIFETIME}
    if not 1 <= rules.evidence_parts <= 4:
        yield "evidence_parts", _("From 1 to 4: there are four parts that count as evidence.")
    if sum(rules.attitude.values()) <= 0:
        yield _first("attitude", rules.attitude), _("All weights of the attitude are 0. At least one must be above 0.")
    if sum(rules.weights[barrier.code] for barrier in LOCK_IN) <= 0:
        yield f"weights.{LOCK_IN[0].code}", _("All weights of the lock-in are 0. At least one must be above 0.")


def _first(name: str, parts: Mapping[str, float]) -> str:
    return f"{name}.{next(iter(parts))}"


POSITIVE = (
    "active", "prior_intervals", "default_cycle_days", "least_interval_days", "regular_orders",
    "regular_orders_short_cycle", "cycle_months", "winsor_share", "least_gaps", "strong_acts", "medium_acts",
    "evidence_days", "recent_days", "term_months", "saved_items_full", "tenure_months", "routine_share",
    "named_contacts", "type_overdue", "repurchase_days", "lifetime_months", "margin", "discount_rate",
    "nev_window_days",
)  # fmt: skip
RISING = (
    ("active", "overdue", "at_risk"),
    ("active_share", "overdue_share", "at_risk_share"),
    ("attitude_mid", "attitude_high"),
)
BOUNDS = ("active_bounds", "overdue_bounds", "at_risk_bounds")
SHARES = (
    "winsor_share", "active_share", "overdue_share", "at_risk_share", "further_share", "routine_share", "margin",
    "discount_rate",
)  # fmt: skip
SCORES = ("attitude_high", "bond_high", "lock_in_high")


def _order(rules: Rules) -> Iterator[tuple[str, str]]:
    for names in RISING:
        for below, above in zip(names, names[1:], strict=False):
            if getattr(rules, below) >= getattr(rules, above):
                yield above, _("Must be above the value before it.")


def _bounds(rules: Rules) -> Iterator[tuple[str, str]]:
    found = [getattr(rules, name) for name in BOUNDS]
    for name, (lower, upper) in zip(BOUNDS, found, strict=True):
        if not 0 < lower <= upper:
            yield f"{name}.0", _("First the lower bound, above 0, then the upper one.")
    for name, below, above in zip(BOUNDS[1:], found, found[1:], strict=False):
        for part in (0, 1):
            if below[part] >= above[part]:
                yield f"{name}.{part}", _("Must be above the same bound of the status before it.")


def _shares(rules: Rules) -> Iterator[tuple[str, str]]:
    for name in SHARES:
        if getattr(rules, name) > 1:
            yield name, _("A share is at most 100 percent.")
    for name in SCORES:
        if getattr(rules, name) > 100:
            yield name, _("A score is at most 100.")
    for barrier in BARRIERS:
        if rules.weights[barrier.code] > 1:
            yield f"weights.{barrier.code}", _("A weight is at most 1: then it counts in full.")
    if sum(rules.weights[barrier.code] for barrier in WILLING) > 1:
        yield (
            f"weights.{WILLING[-1].code}",
            _("Relationship and benefits may close the gap to 100 at most once: together their weights exceed 1."),
        )
