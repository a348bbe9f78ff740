"""The eight switching barriers and the signals that score them (`docs/scoring.md`).

A signal gives up to `points`: its SQL `share` of them, 0 to 1 (clipped), over a customer's metrics `m`. In it `{v}` is
the value staff recorded, `{recorded_on}` the day of that, `{average}` the customer's mean order, `{day}` the day of the
judgement, `%(name)s` a value of `loyalty.rules`. A barrier is the sum of its known signals, at most 100, and unknown
while all of them are. Adding a barrier or a signal is one entry here: form, points, rules page and reasons follow.
"""

import zlib
from dataclasses import dataclass
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

YES = "CASE WHEN {v} > 0 THEN 1 ELSE 0 END"
MONTHS_SINCE_RECORDED = (
    "(extract(year FROM age({day}, {recorded_on})) * 12 + extract(month FROM age({day}, {recorded_on})))"
)
TENURE_MONTHS = (
    "(extract(year FROM age({day}, m.first_order_on)) * 12 + extract(month FROM age({day}, m.first_order_on)))"
)
VALUE = "(m.recorded->'{code}'->>0)::float8"
RECORDED_ON = "(m.recorded->'{code}'->>1)::date"


@dataclass(frozen=True)
class Signal:
    """One observable sign of a barrier.

    kind: 'recorded' is known where staff recorded it for this customer; any other kind of fact (a key of
    `loyalty.knowledge.KINDS`) is known for everybody once the installation has it, its absence then counts 0.
    unit: '' for yes or no, else months, share, money or count. help: what staff should enter.
    """

    code: str
    label: str | Promise
    points: float
    share: str = YES
    kind: str = "recorded"
    unit: str = ""
    help: str | Promise = ""

    @property
    def sql(self) -> str:
        """Points on this signal, or NULL while it is unknown. Asks for the parameters named in `loyalty.rules`."""
        share = self.share.replace("{v}", VALUE).replace("{recorded_on}", RECORDED_ON).replace("{code}", self.code)
        share = share.replace("{average}", "(m.value / nullif(m.orders, 0))::float8").replace("{day}", "%(day)s::date")
        line = f"round(%(points_{self.code})s * least(1, greatest(0, coalesce({share}, 0)))::float8 * 100) / 100"
        if self.kind == "recorded":
            return f"CASE WHEN m.recorded ? '{self.code}' AND ({share}) IS NOT NULL THEN {line} END"
        return f"CASE WHEN %(knows_{self.kind})s THEN {line} END"


@dataclass(frozen=True)
class Barrier:
    """sign: −1 for what keeps a customer who would rather go (lock-in), +1 for what makes them want to stay.

    weight: of a lock-in barrier the share with which it counts; of another the share of the gap between the attitude
    and 100 that it closes at a score of 100.
    """

    code: str
    label: str | Promise
    sign: int
    weight: float
    signals: tuple[Signal, ...]


BARRIERS = (
    Barrier("contractual", _("Contract"), -1, 1.0, (
        Signal("remaining_months", _("Remaining term"), 60, f"({{v}} - {MONTHS_SINCE_RECORDED}) / %(term_months)s", unit="months",
               help=_("Months until the contract ends, counted from today.")),
        Signal("notice_months", _("Notice period"), 20, "CASE WHEN {v} >= %(notice_months_from)s THEN 1 ELSE 0 END",
               unit="months", help=_("Months. A short one does not count.")),
        Signal("auto_renewal", _("Renews by itself"), 10),
        Signal("prepaid_term", _("Term paid in advance"), 10),
    )),
    Barrier("technical", _("Technology"), -1, 0.8, (
        Signal("owns_system", _("Owns a system that needs our parts or consumables"), 40),
        Signal("consumables_share", _("Share of spending on those"), 40, "{v}", unit="share",
               help=_("Share of the last twelve months' spending.")),
        Signal("custom_configuration", _("We hold a configuration made for the customer"), 20),
    )),
    Barrier("monetary_loss", _("Loss of money"), -1, 0.8, (
        Signal("prepaid_credit", _("Prepaid credit or bought voucher"), 60, "{v} / nullif({average}, 0)", unit="money",
               help=_("Amount still open.")),
        Signal("exit_fee", _("Fee for leaving"), 40),
    )),
    Barrier("procedural", _("Effort"), -1, 0.6, (
        Signal("saved_items", _("Saved lists, profiles and measurements"), 30, "{v} / %(saved_items_full)s", unit="count",
               help=_("How many are kept with us.")),
        Signal("recurring_delivery", _("Recurring delivery or interface set up"), 30),
        Signal("training_done", _("Training or introduction done"), 20),
        Signal("tenure", _("Used to us"), 20, f"{TENURE_MONTHS} / %(tenure_months)s", kind="purchases", unit="months"),
    )),
    Barrier("situational", _("Situation"), -1, 0.6, (
        Signal("only_supplier", _("Only supplier in reach"), 40),
        Signal("branch_closer", _("Our branch is clearly closer than a competitor's"), 30),
        Signal("routine_place", _("Routine: nearly all orders through one place"), 30,
               "CASE WHEN m.place_orders >= %(routine_share)s * m.orders AND m.place_orders > 0 THEN 1 ELSE 0 END", kind="places"),
    )),
    Barrier("lost_benefits", _("Benefits to lose"), 1, 0.10, (
        Signal("loyalty_discount", _("Loyalty discount"), 50, "0", kind="discounts", unit="percent"),
        Signal("points_value", _("Value of points"), 30, "0", kind="points", unit="money"),
        Signal("status_benefits", _("Benefits of a tier"), 20, "0", kind="tiers"),
    )),
    Barrier("social", _("Relationship"), 1, 0.25, (
        Signal("named_contact", _("Somebody here knows them well"), 40,
               "CASE WHEN m.good_contacts >= %(named_contacts)s THEN 1 ELSE 0 END", kind="interactions", unit="count"),
        Signal("takes_part", _("Member or guest of events"), 30, "m.takes_part::int", kind="participations"),
        Signal("referred_active", _("Active customers they brought"), 30, "referred_active / 2.0",
               kind="referrals", unit="count"),
    )),
)  # fmt: skip

# Recorded by staff as well, and without points of their own: they decide the status of contract customers.
CONTRACT_CANCELLED = Signal(
    "contract_cancelled", _("Contract cancelled"), 0, help=_("From the day of recording until the contract ends.")
)

EMOTIONAL = ("emotional", _("Emotion"))

SIGNALS = tuple(signal for barrier in BARRIERS for signal in barrier.signals)
BY_CODE = {barrier.code: barrier for barrier in BARRIERS}
LOCK_IN = tuple(barrier for barrier in BARRIERS if barrier.sign < 0)
WILLING = tuple(barrier for barrier in BARRIERS if barrier.sign > 0)
# What the staff form offers and `crm.BarrierFact.signal` may hold.
RECORDABLE = {signal.code: signal for signal in (*SIGNALS, CONTRACT_CANCELLED) if signal.kind == "recorded"}

# Changes whenever a barrier or signal is added, moved or taken away: then everybody is judged anew at once, and until
# that is done the stored scores and points are not worded.
LAYOUT = (
    zlib.crc32(" ".join(f"{b.code}:{','.join(s.code for s in b.signals)}" for b in BARRIERS).encode()) & 0x7FFFFFFF
)


@cache
def slice_of(code: str) -> slice:
    """Where a barrier's lines stand in `Assessment.points` (Python's counting)."""
    start = 0
    for barrier in BARRIERS:
        if barrier.code == code:
            return slice(start, start + len(barrier.signals))
        start += len(barrier.signals)
    raise KeyError(code)


@cache
def place_of(code: str) -> int:
    """Where a barrier's score stands in `Assessment.scores` (Python's counting). Raises KeyError for an unknown one."""
    return {barrier.code: at for at, barrier in enumerate(BARRIERS)}[code]


def points_sql() -> str:
    """All point lines as one array in registry order."""
    return f"ARRAY[{', '.join(signal.sql for signal in SIGNALS)}]::float8[]"


def scores_sql() -> str:
    """Scores of all barriers as one array in registry order, from the array of point lines."""
    return f"ARRAY[{', '.join(score_sql(barrier) for barrier in BARRIERS)}]::float8[]"


def weighted_sql(barrier: Barrier, scores: str = "scores") -> str:
    """A barrier's score times its weight of the rules."""
    return f"%(weight_{barrier.code})s * {scores}[{place_of(barrier.code) + 1}]"


def score_sql(barrier: Barrier, points: str = "points") -> str:
    """Score of a barrier from the array of point lines: 0 to 100, NULL while all its signals are unknown."""
    span = slice_of(barrier.code)
    places = [f"{points}[{at + 1}]" for at in range(span.start, span.stop)]
    total = " + ".join(f"coalesce({place}, 0)" for place in places)
    return f"CASE WHEN coalesce({', '.join(places)}) IS NOT NULL THEN least(100, {total}) END"
