"""The whole shop in one look: how many customers stand where. A fixed number of set queries, whatever the size."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from crm.models import Customer, Purchase, Return
from loyalty import figures, rules, scoring
from loyalty.figures import Shown
from loyalty.models import Assessment, Calibration
from loyalty.stages import STAGES
from loyalty.status import status_expression

YEAR = timedelta(days=365)
PAID = (Purchase.Status.PAID, Purchase.Status.COMPLETED)
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, with the 95 % interval of Wilson (1927). All None for an empty whole; else 0 to 1."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        if not self.whole:
            return None
        z, n, p = NORMAL_95, self.whole, self.part / self.whole
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Overview:
    """Figures of the shop on `day`. `judged_at` and `rule_versions` (lowest, highest) are None before the first run."""

    day: date
    pinned: bool
    customers: int
    unjudged: int
    stages: Counter[str]
    statuses: Counter[str]
    bonds: Counter[str]
    repurchase: Share
    held_unknown: int
    revenue: Decimal
    revenue_anonymous: Decimal
    judged_at: datetime | None = None
    rule_versions: tuple[int, int] | None = None
    calibration: Calibration | None = None
    stage_order: tuple[str, ...] = field(default=tuple(stage.code for stage in STAGES))

    @property
    def buyers(self) -> int:
        return self.repurchase.whole

    @property
    def regulars(self) -> int:
        """Customers who are regular or more."""
        return sum(self.stages[code] for code in self.stage_order[3:])

    @property
    def bonds_known(self) -> int:
        return sum(count for code, count in self.bonds.items() if code)

    @property
    def voluntary(self) -> Share:
        """Of those whose bond is known, who stay because they want to and could go."""
        return Share(self.bonds[Assessment.BondType.VOLUNTARY], self.bonds_known)

    @property
    def captive(self) -> int:
        return self.bonds[Assessment.BondType.CAPTIVE]

    @property
    def late(self) -> int:
        """Buyers who are overdue or at risk."""
        return self.statuses["overdue"] + self.statuses["at_risk"]


def overview() -> Overview:
    """The figures, computed now: six queries."""
    return overview_of(figures_now())


def shown_overview() -> tuple[Overview | None, Shown]:
    """The figures as a page shows them, None while they were never computed, and how old they are."""
    shown = figures.show("overview")
    return (None if shown.value is None else overview_of(shown.value)), shown


def overview_of(found: Mapping[str, Any]) -> Overview:
    """From what the figure `overview` holds."""
    calibration = Calibration.objects.filter(pk=1).first()
    at = found["judged_at"]
    judged_at = datetime.fromisoformat(at) if isinstance(at, str) else at
    day = found["day"]
    return Overview(
        day=date.fromisoformat(day) if isinstance(day, str) else day,
        pinned=bool(calibration and calibration.pinned_on),
        customers=found["customers"],
        unjudged=found["unjudged"],
        stages=Counter(found["stages"]),
        statuses=Counter(found["statuses"]),
        bonds=Counter(found["bonds"]),
        repurchase=Share(found["repeaters"], found["buyers"]),
        held_unknown=found["held_unknown"],
        revenue=Decimal(found["revenue"]),
        revenue_anonymous=Decimal(found["revenue_anonymous"]),
        judged_at=max(filter(None, (judged_at, calibration.computed_at if calibration else None)), default=None),
        calibration=calibration,
        rule_versions=tuple(found["rule_versions"]) if found["rule_versions"] else None,
    )


@figures.figure("overview")
def figures_now() -> dict[str, Any]:
    day = scoring.shown_day()
    rows = list(_groups(day, rules.current().lock_in_high))
    revenue, anonymous = _revenue(day)
    versions = Assessment.objects.aggregate(low=Min("rules_version"), high=Max("rules_version"), at=Max("judged_at"))
    judged = [row for row in rows if row["stage"] is not None]
    return {
        "day": day,
        "customers": _sum(rows),
        "unjudged": _sum(row for row in rows if row["stage"] is None),
        "stages": _count(judged, "stage"),
        "statuses": _count((row for row in judged if row["status"]), "status"),
        "bonds": _count((row for row in judged if row["bought"]), "bond_type"),
        "repeaters": _sum(row for row in judged if row["bought"] == 2),
        "buyers": _sum(row for row in judged if row["bought"]),
        "held_unknown": _sum(row for row in judged if row["held"] and not row["bond_type"]),
        "revenue": revenue,
        "revenue_anonymous": anonymous,
        "judged_at": versions["at"],
        "rule_versions": (versions["low"], versions["high"]) if versions["low"] is not None else None,
    }


def _groups(day: date, lock_in_high: float) -> Iterable[Any]:
    """Customers of the list by everything the page asks for, counted by one statement."""
    return (
        Customer.objects.filter(merged_into=None, erased_at=None)
        .annotate(
            stage=F("assessment__stage"),
            status=status_expression(day, "assessment__"),
            bond_type=F("assessment__bond_type"),
            bought=Case(
                When(assessment__orders__gte=2, then=Value(2)), When(assessment__orders=1, then=Value(1)), default=0
            ),
            held=Case(When(assessment__lock_in__gte=lock_in_high, then=Value(1)), default=0),
        )
        .values("stage", "status", "bond_type", "bought", "held")
        .annotate(n=Count("pk"))
        .order_by()
    )


def _sum(rows: Iterable[dict]) -> int:
    return sum(row["n"] for row in rows)


def _count(rows: Iterable[dict], name: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row[name]] += row["n"]
    return counted


def _revenue(day: date) -> tuple[Decimal, Decimal]:
    """Net of paid purchases in 365 days up to `day` less returns that met no purchase; and its part without customer."""
    tests = Customer.objects.filter(is_test=True)
    sold = Purchase.objects.filter(status__in=PAID, ordered_on__gt=day - YEAR, ordered_on__lte=day)
    brought = Return.objects.filter(held="", unallocated__gt=0, returned_on__gt=day - YEAR, returned_on__lte=day)
    earned = _total(sold.exclude(customer__in=tests), "net")
    paid_back = _total(brought.exclude(customer__in=tests), "unallocated")
    return earned[0] - paid_back[0], earned[1] - paid_back[1]


def _total(rows: QuerySet, column: str) -> tuple[Decimal, Decimal]:
    """Sum of a column over all rows, and over those without a customer."""
    nothing = Decimal(0)
    found = rows.aggregate(
        all=Coalesce(Sum(column), nothing), anonymous=Coalesce(Sum(column, filter=Q(customer=None)), nothing)
    )
    return found["all"], found["anonymous"]
