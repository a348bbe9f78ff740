"""What each value of the rules is called and means, grouped as the rules page shows them (`docs/scoring.md`).

All of them are our convention (“Festlegung”): no source prescribes the number. Points and weights of barriers follow
from `loyalty.barriers` by themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models.contact import Touchpoint
from loyalty.barriers import BARRIERS
from loyalty.rules import WHOLE, Rules
from loyalty.stages import STAGES
from loyalty.status import Status

Text = str | Promise
# Beyond these nothing sensible is meant, and days past the end of the calendar could follow.
MOST = {"days": 3_650, "months": 240, "share": 100, "times": 100, "points": 100, "weight": 100, "number": 999_999}
GAPS = ("recent_intervals", "hysteresis_intervals")  # numbers that lengthen a gap as “times” do


@dataclass(frozen=True)
class Value:
    """One value. name: `active`, `weights.social`, or `active_bounds.0` for a lower bound.

    unit: days, months, share (0 to 1, shown as percent), points, times, number or weight.
    """

    name: str
    label: Text
    unit: str
    help: Text = ""

    @property
    def field(self) -> str:
        """Its name in the form."""
        return self.name.replace(".", "-")

    @property
    def most(self) -> int:
        """What may be entered at most; a share in percent."""
        return MOST["times" if self.name in GAPS else self.unit]

    @property
    def whole(self) -> bool:
        return self.name in WHOLE


@dataclass(frozen=True)
class Group:
    code: str
    title: Text
    help: Text
    values: tuple[Value, ...]


RHYTHM = Group(
    "rhythm",
    gettext_lazy("How often somebody orders"),
    gettext_lazy(
        "From the gaps between orders follows when the next one is expected. New customers have few gaps of their own, so "
        "some gaps of the shop are added in thought."
    ),
    (
        Value("prior_intervals", gettext_lazy("Gaps of the shop added in thought"), "number",
               gettext_lazy("More of them: one customer's own rhythm counts later.")),
        Value("least_interval_days", gettext_lazy("Shortest expected gap"), "days"),
        Value("default_cycle_days", gettext_lazy("Gap while the shop has too few"), "days"),
        Value("least_gaps", gettext_lazy("Gaps needed for a mean of the shop or of a category"), "number"),
        Value("cycle_months", gettext_lazy("How far back gaps count"), "months"),
        Value("winsor_share", gettext_lazy("Gaps above this share of all count as that limit"), "share",
               gettext_lazy("So that a few very long gaps do not shift the mean.")),
    ),
)  # fmt: skip

STATUS = Group(
    "status",
    gettext_lazy("Status: is somebody still there?"),
    gettext_lazy(
        "Days since the last order, divided by the expected gap. Up to the first limit somebody is active, up to the second "
        "overdue, up to the third at risk, beyond it lapsed."
    ),
    (
        Value("active", gettext_lazy("Active up to"), "times"),
        Value("overdue", gettext_lazy("Overdue up to"), "times"),
        Value("at_risk", gettext_lazy("At risk up to"), "times"),
    ),
)

OWN_LIMITS = Group(
    "limits",
    gettext_lazy("Limits from the shop's own history"),
    gettext_lazy(
        "A shop with enough history sets the three limits by itself: at the shares of its own gaps named here, within the "
        "bounds. Until then the limits above hold."
    ),
    (
        Value("calibrate_gaps", gettext_lazy("Gaps needed"), "number"),
        Value("calibrate_months", gettext_lazy("Months of history needed"), "months"),
        Value("active_share", gettext_lazy("Share of gaps that count as active"), "share"),
        Value("active_bounds.0", gettext_lazy("Limit of active, at least"), "times"),
        Value("active_bounds.1", gettext_lazy("Limit of active, at most"), "times"),
        Value("overdue_share", gettext_lazy("Share of gaps up to overdue"), "share"),
        Value("overdue_bounds.0", gettext_lazy("Limit of overdue, at least"), "times"),
        Value("overdue_bounds.1", gettext_lazy("Limit of overdue, at most"), "times"),
        Value("at_risk_share", gettext_lazy("Share of gaps up to at risk"), "share"),
        Value("at_risk_bounds.0", gettext_lazy("Limit of at risk, at least"), "times"),
        Value("at_risk_bounds.1", gettext_lazy("Limit of at risk, at most"), "times"),
    ),
)

STAGE = Group(
    "stages",
    gettext_lazy("Stages: how far somebody has come"),
    gettext_lazy(
        "What a regular customer, a loyal one and an ambassador must have done. A stage is reached at once and lost only "
        "after its rule has failed for a while."
    ),
    (
        Value("regular_orders", gettext_lazy("Orders of a regular customer"), "number"),
        Value("regular_orders_short_cycle", gettext_lazy("Orders where people buy often"), "number"),
        Value("short_cycle_days", gettext_lazy("“Often” is a mean gap of at most"), "days"),
        Value("recent_days", gettext_lazy("The last two orders lie within"), "days",
               gettext_lazy("Or within the multiple below, whichever is longer.")),
        Value("recent_intervals", gettext_lazy("… or within this many expected gaps"), "number"),
        Value("strong_acts", gettext_lazy("Strong acts of an ambassador in a year"), "number",
               gettext_lazy("A referred first order, an own review, a testimonial, a defence in public.")),
        Value("medium_acts", gettext_lazy("… or weaker ones"), "number",
               gettext_lazy("A review with an incentive, a mention, a reported recommendation.")),
        Value("hysteresis_days", gettext_lazy("A stage falls only after"), "days",
               gettext_lazy("Or after the share of the expected gap below, whichever is longer.")),
        Value("hysteresis_intervals", gettext_lazy("… or after this many expected gaps"), "number"),
        Value("type_overdue", gettext_lazy("Behaviour counts as loyal up to"), "times",
               gettext_lazy("For the type of loyalty: days since the last order by the expected gap.")),
    ),
)  # fmt: skip

BOND = Group(
    "bond",
    gettext_lazy("Bond and lock-in"),
    gettext_lazy(
        "What holds somebody against their will adds up to the lock-in; the attitude, the relationship and benefits to the "
        "bond."
    ),
    (
        Value("further_share", gettext_lazy("What each further lock counts"), "share",
               gettext_lazy("The strongest one counts in full.")),
        Value("bond_high", gettext_lazy("A bond is strong from"), "points"),
        Value("lock_in_high", gettext_lazy("A lock-in is strong from"), "points"),
        Value("share_from", gettext_lazy("Voluntary share shown from bond and lock-in together"), "points"),
    ),
)  # fmt: skip

MEASURES = Group(
    "measures",
    gettext_lazy("When a sign counts in full"),
    gettext_lazy("Full points are reached at these values; below, in proportion or not at all."),
    (
        Value("term_months", gettext_lazy("Remaining term of a contract"), "months"),
        Value("notice_months_from", gettext_lazy("Notice period from"), "months"),
        Value("saved_items_full", gettext_lazy("Saved lists, profiles and measurements"), "number"),
        Value("tenure_months", gettext_lazy("Time as a customer"), "months"),
        Value("routine_share", gettext_lazy("Orders through one place from"), "share"),
        Value("named_contacts", gettext_lazy("Good contacts with one person from"), "number"),
    ),
)

BEHAVIOUR = Group(
    "behaviour",
    gettext_lazy("Repurchase and lifetime value"),
    gettext_lazy("No stage depends on these values; the pages about behaviour and the expected value of a customer do."),
    (
        Value("repurchase_days", gettext_lazy("A first buyer comes back within"), "days",
               gettext_lazy("For the repurchase rate of a month's first buyers.")),
        Value("lifetime_months", gettext_lazy("Expected orders and value reach"), "months"),
        Value("margin", gettext_lazy("Margin"), "share",
               gettext_lazy("What is left of the net price. The whole of it shows revenue instead of profit.")),
        Value("discount_rate", gettext_lazy("Discount rate a year"), "share",
               gettext_lazy("Money of next year is worth this much less today.")),
    ),
)  # fmt: skip

VOICES = Group(
    "voices",
    gettext_lazy("What customers feel and say"),
    gettext_lazy("For the Net Emotional Value, satisfaction and recommendation of the shop and of each customer."),
    (
        Value("nev_window_days", gettext_lazy("Answers count for"), "days",
              gettext_lazy("Older ones are in no mean and no interval.")),
    ),
)  # fmt: skip


def attitude() -> Group:
    words = {
        "satisfaction": _("Satisfaction"),
        "trust": _("Trust"),
        "commitment": _("Commitment"),
        "nev": _("Net Emotional Value"),
        "involvement": _("Involvement"),
    }
    return Group(
        "attitude",
        _("Attitude: what they think and feel"),
        _("The weighted mean of what a customer answered. Only the relation of the weights counts, not their sum."),
        (
            *(Value(f"attitude.{code}", word, "weight") for code, word in words.items()),
            Value("half_life_days", _("An answer counts half after"), "days"),
            Value("evidence_days", _("An answer is fresh for"), "days"),
            Value("evidence_parts", _("Parts with a fresh answer needed"), "number",
                  _("Of satisfaction, trust, commitment and Net Emotional Value. With fewer the attitude is unknown.")),
            Value("attitude_high", _("High from"), "points"),
            Value("attitude_mid", _("Medium from"), "points"),
        ),
    )  # fmt: skip


def weights() -> Group:
    return Group(
        "weights",
        _("Weights of the barriers"),
        _("0 to 1. A lock counts with this part of its points; relationship and benefits close this part of the gap to 100."),
        tuple(Value(f"weights.{barrier.code}", barrier.label, "weight") for barrier in BARRIERS),
    )


def points() -> list[Group]:
    return [
        Group(
            f"points-{barrier.code}",
            _("Points: %(barrier)s") % {"barrier": barrier.label},
            _("A barrier is the sum of its signs, at most 100."),
            tuple(Value(f"points.{signal.code}", signal.label, "points") for signal in barrier.signals),
        )
        for barrier in BARRIERS
    ]


def groups() -> list[Group]:
    """All of it, in the order of the page and in the reader's language."""
    return [RHYTHM, STATUS, OWN_LIMITS, STAGE, attitude(), BOND, weights(), MEASURES, BEHAVIOUR, VOICES, *points()]


@dataclass(frozen=True)
class Name:
    """Something the merchant may call otherwise. preset: the product's own word."""

    name: str
    preset: Text

    def field(self, language: str) -> str:
        return f"labels-{self.name.replace('.', '-')}-{language}"


def names() -> list[tuple[Text, list[Name]]]:
    """What may be called otherwise: stages, statuses and touchpoints."""
    return [
        (_("Stages"), [Name(f"stage.{stage.code}", stage.label) for stage in STAGES]),
        (_("Statuses"), [Name(f"status.{status.value}", status.label) for status in Status]),
        (_("Touchpoints"), [Name(f"touchpoint.{one.value}", one.label) for one in Touchpoint]),
    ]


def listed() -> Iterator[Value]:
    for group in groups():
        yield from group.values


def read(rules: Rules, name: str) -> Any:
    """A value by its name."""
    head, _dot, part = name.partition(".")
    found = getattr(rules, head)
    if not part:
        return found
    return found[int(part)] if isinstance(found, tuple) else found[part]


def assembled(values: dict[str, Any]) -> dict[str, Any]:
    """{"active": 1.4, "weights.social": 0.2, "active_bounds.0": 1} as `rules.unchecked` takes it."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        head, _dot, part = name.partition(".")
        if not part:
            found[head] = value
        elif part.isdigit():
            found.setdefault(head, [0, 0])[int(part)] = value
        else:
            found.setdefault(head, {})[part] = value
    return found


def uncovered() -> set[str]:
    """Rules without a place on the page: must be empty."""
    shown = {value.name.partition(".")[0] for value in listed()}
    return {f.name for f in fields(Rules)} - shown - {"version", "labels"}
