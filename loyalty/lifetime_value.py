"""What each customer will probably buy and be worth: fitted nightly, hidden where it cannot be trusted.

The model of purchases is `loyalty.bgnbd`, that of amounts `loyalty.gamma_gamma`. The model informs; the status stays
what the rule says.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from io import StringIO
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.utils.timezone import now

from crm.compiled import compiled
from crm.days import today
from loyalty import bgnbd, gamma_gamma, metrics, rules, scoring
from loyalty.bgnbd import History, Model
from loyalty.gamma_gamma import Spending
from loyalty.models import Calibration, LifetimeFit, LifetimeValue

LOCK = 0x4C494645
LEAST_CUSTOMERS, LEAST_REPEATERS, LEAST_CYCLES = 300, 100, 3
KNOWN_SHARE = 0.75  # of the time is known to the back-test; the rest it predicts
RATIO_BOUNDS = (0.7, 1.3)
MOST_CORRELATION = 0.3
SAMPLE = 20_000  # customers on whom parameters rest; expectations are worked out for everybody
WEEKS_A_MONTH = 365.25 / 12 / 7

Reason = dict[str, Any]

# Order days of everybody who bought, with the mean net of the orders after the first.
INPUT = """
CREATE TEMP TABLE lifetime_input ON COMMIT DROP AS
SELECT m.customer_id, m.orders - 1 AS x, m.last_order_on - m.first_order_on AS recency,
  %(day)s::date - m.first_order_on AS age, (s.spent / nullif(m.orders - 1, 0))::float8 AS mean
FROM loyalty_metrics m LEFT JOIN (
  SELECT p.customer_id, sum(p.net) AS spent
  FROM ({purchases}) p JOIN loyalty_metrics f ON f.customer_id = p.customer_id AND p.ordered_on > f.first_order_on
  GROUP BY 1) s ON s.customer_id = m.customer_id
WHERE m.orders > 0"""
COUNTS = """
SELECT count(*), count(*) FILTER (WHERE x > 0), max(age), corr(x, mean) FILTER (WHERE x > 0),
  count(*) FILTER (WHERE x > 0 AND coalesce(mean, 0) <= 0)
FROM lifetime_input"""
HISTORIES = """
SELECT x, recency, age, count(*) FROM lifetime_input WHERE customer_id %% %(every)s = 0 GROUP BY 1, 2, 3"""
AMOUNTS = "SELECT x, mean FROM lifetime_input WHERE x > 0 AND customer_id %% %(every)s = 0"
# The same customers as they stood on the last day that the back-test knows, with what they ordered after it.
FORMER = """
SELECT known - 1, order_days[known] - first_order_on, %(cut)s::date - first_order_on, count(*), sum(orders - known)
FROM (SELECT m.orders, m.order_days, m.first_order_on,
    (SELECT count(*) FROM unnest(m.order_days) d WHERE d <= %(cut)s::date)::int AS known
  FROM loyalty_metrics m WHERE m.orders > 0 AND m.first_order_on <= %(cut)s::date AND m.customer_id %% %(every)s = 0) k
GROUP BY 1, 2, 3"""

# What depends on (x, T) alone comes ready from Python; the rest is closed. exp is kept from overflowing.
GONE = """CASE WHEN i.x = 0 THEN 0 ELSE %(a)s / (%(b)s + i.x - 1) * exp(least(700,
    (%(r)s + i.x) * ln((%(alpha)s + i.age / 7.0::float8) / (%(alpha)s + i.recency / 7.0::float8)))) END"""
AMOUNT = """CASE WHEN %(p)s::float8 IS NULL THEN NULL WHEN i.x = 0 THEN %(mean)s::float8
    ELSE %(p)s * (%(gamma)s + i.x * i.mean) / nullif(%(p)s * i.x + %(q)s - 1, 0) END"""
WRITE = f"""
INSERT INTO loyalty_lifetimevalue AS k (customer_id, orders, chance, alive, order_value, value)
SELECT customer_id, round((alive * expected)::numeric, 4)::float8, round((alive * (1 - silent))::numeric, 4)::float8,
  CASE WHEN x > 0 THEN round(alive::numeric, 4)::float8 END, round(amount::numeric, 2),
  round((%(margin)s * amount * alive * discounted)::numeric, 2)
FROM (SELECT i.customer_id, i.x, t.expected, t.discounted, 1 / (1 + {GONE}) AS alive, {AMOUNT} AS amount,
    exp(-(%(r)s + i.x) * ln(1 + %(weeks)s / (%(alpha)s + i.age / 7.0::float8))) AS silent
  FROM lifetime_input i JOIN lifetime_term t ON t.x = i.x AND t.age = i.age
    JOIN loyalty_metrics m ON m.customer_id = i.customer_id) e
ORDER BY customer_id
ON CONFLICT (customer_id) DO UPDATE SET orders = excluded.orders, chance = excluded.chance, alive = excluded.alive,
  order_value = excluded.order_value, value = excluded.value
WHERE (k.orders, k.chance, k.alive, k.order_value, k.value)
  IS DISTINCT FROM (excluded.orders, excluded.chance, excluded.alive, excluded.order_value, excluded.value)"""
FORGET = """
DELETE FROM loyalty_lifetimevalue v WHERE NOT EXISTS (SELECT FROM lifetime_input i WHERE i.customer_id = v.customer_id)"""


@dataclass(frozen=True)
class Shop:
    """What there is to fit on. age: days since the first order; wrong: repeaters whose mean is not above 0."""

    customers: int
    repeaters: int
    age: int
    correlation: float | None
    wrong: int

    @property
    def every(self) -> int:
        return self.customers // SAMPLE + 1


def refit_once_a_day() -> LifetimeFit | None:
    """Fit if everybody was judged today and no fit of today by the rules in force exists. Waits for nothing."""
    if not scoring.judged_today():
        return None
    known = latest()
    if known and known.as_of == scoring.shown_day() and known.rules_version == rules.current().version:
        return None
    return refit()


def latest() -> LifetimeFit | None:
    """The fit in force, shown or not. One query."""
    return next(iter(_fits()), None)


@compiled
def _fits() -> QuerySet[LifetimeFit]:
    return LifetimeFit.objects.order_by("-as_of")[:1]


@transaction.atomic
def refit() -> LifetimeFit | None:
    """Fit, test, and store what is expected of everybody; None if another process is at it. Safe to repeat."""
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return None
        day, in_force = scoring.shown_day(), rules.current()
        shop = _read(cursor, day)
        made = _fitted(cursor, shop, day, in_force)
        # Who is just being erased must not come back: an erasure and the judgement take turns, and so does this.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [scoring.LOCK])
        _store_values(cursor, made)
        LifetimeFit.objects.filter(as_of__gte=day).delete()
        made.took_ms = round((time.monotonic() - started) * 1000)
        made.save()
        return made


def _read(cursor: CursorWrapper, day: date) -> Shop:
    purchases = (metrics.NET_THEN if day < today() else metrics.NET_NOW).format(only="")
    cursor.execute("SET LOCAL work_mem = '64MB'")
    cursor.execute("DROP TABLE IF EXISTS lifetime_input, lifetime_term")
    cursor.execute(INPUT.format(purchases=purchases), {"day": day})
    cursor.execute("ANALYZE lifetime_input")
    cursor.execute(COUNTS)
    customers, repeaters, age, correlation, wrong = cursor.fetchone()
    return Shop(customers, repeaters, age or 0, correlation, wrong)


def _fitted(cursor: CursorWrapper, shop: Shop, day: date, in_force: rules.Rules) -> LifetimeFit:
    made = LifetimeFit(
        as_of=day,
        since=day - timedelta(days=shop.age) if shop.customers else None,
        customers=shop.customers,
        repeaters=shop.repeaters,
        every=shop.every,
        correlation=shop.correlation,
        months=in_force.lifetime_months,
        margin=in_force.margin,
        discount_rate=in_force.discount_rate,
        rules_version=in_force.version,
        computed_at=now(),
    )
    made.hidden = too_little(shop.customers, shop.repeaters, shop.age, _cycle(in_force))
    if not made.hidden:
        model = _fit_purchases(cursor, made)
        if model:
            made.parameters = asdict(model)
            _back_test(cursor, made, day)
    if not made.hidden:
        _fit_amounts(cursor, made, shop)
    return made


def _cycle(in_force: rules.Rules) -> float:
    known = Calibration.objects.filter(pk=1).values_list("days", flat=True).first()
    return known or in_force.default_cycle_days


def too_little(customers: int, repeaters: int, days: int, cycle: float) -> list[Reason]:
    """Why there is not enough to fit on. days: of history; cycle: the shop's base cycle in days."""
    found: list[Reason] = []
    if customers < LEAST_CUSTOMERS:
        found.append({"code": "customers", "n": customers, "least": LEAST_CUSTOMERS})
    if repeaters < LEAST_REPEATERS:
        found.append({"code": "repeaters", "n": repeaters, "least": LEAST_REPEATERS})
    if days < LEAST_CYCLES * cycle:
        found.append({"code": "history", "n": days, "least": LEAST_CYCLES * cycle})
    return found


def _fit_purchases(cursor: CursorWrapper, made: LifetimeFit) -> Model | None:
    cursor.execute(HISTORIES, {"every": made.every})
    try:
        return bgnbd.fit(_expanded(cursor.fetchall()))
    except (ValueError, ArithmeticError):
        made.hidden.append({"code": "no_fit"})
        return None


def _expanded(rows: Sequence[tuple[int, int, int, int]]) -> Counter[History]:
    """Counted histories in weeks."""
    return Counter({(x, recency / 7, age / 7): n for x, recency, age, n in rows})


def _back_test(cursor: CursorWrapper, made: LifetimeFit, day: date) -> None:
    """Fit on the first three quarters of the time and predict the last."""
    assert made.since is not None
    cut = made.since + timedelta(days=int((day - made.since).days * KNOWN_SHARE))
    cursor.execute(FORMER, {"cut": cut, "every": made.every})
    rows = cursor.fetchall()
    histories = _expanded([row[:4] for row in rows])
    customers, repeaters = histories.total(), sum(n for (x, _t, _T), n in histories.items() if x)
    made.test_from, made.test_customers = cut, customers
    # Enough was said of all customers; of a sample the same share must be there.
    lacking = too_little(customers * made.every, repeaters * made.every, (cut - made.since).days, 0)
    if lacking:
        made.hidden += [reason | {"code": f"test_{reason['code']}"} for reason in lacking]
        return
    weeks = (day - cut).days / 7
    try:
        model = bgnbd.fit(histories)
        made.predicted = sum(n * model.purchases(weeks, *history) for history, n in histories.items())
    except (ValueError, ArithmeticError):
        made.hidden.append({"code": "no_fit"})
        return
    made.actual = int(sum(row[4] for row in rows))
    made.hidden += failed(made.predicted, made.actual)


def failed(predicted: float, actual: int) -> list[Reason]:
    """Why a back-test forbids showing the model."""
    if actual and RATIO_BOUNDS[0] <= predicted / actual <= RATIO_BOUNDS[1]:
        return []
    return [{"code": "back_test", "predicted": predicted, "actual": actual}]


def _fit_amounts(cursor: CursorWrapper, made: LifetimeFit, shop: Shop) -> None:
    if shop.correlation is None:
        made.value_hidden.append({"code": "no_correlation"})
    elif abs(shop.correlation) >= MOST_CORRELATION:
        made.value_hidden.append({"code": "correlation", "value": shop.correlation})
    if shop.wrong:
        made.value_hidden.append({"code": "amounts", "n": shop.wrong})
    if made.value_hidden:
        return
    cursor.execute(AMOUNTS, {"every": made.every})
    try:
        spending = gamma_gamma.fit(cursor.fetchall())
    except (ValueError, ArithmeticError):
        made.value_hidden.append({"code": "no_fit"})
        return
    made.spending = asdict(spending)
    if spending.mean is None:
        made.value_hidden.append({"code": "no_mean"})


def _store_values(cursor: CursorWrapper, made: LifetimeFit) -> None:
    """What is expected of everybody, in one statement; of nobody where the model may not be shown."""
    if not made.shown:
        LifetimeValue.objects.all().delete()
        return
    model = Model(**(made.parameters or {}))
    cursor.execute(
        "CREATE TEMP TABLE lifetime_term (x int, age int, expected float8, discounted float8) ON COMMIT DROP"
    )
    cursor.execute("SELECT DISTINCT x, age FROM lifetime_input")
    lines = "".join(_line(model, made, x, age) for x, age in cursor.fetchall())
    cursor.copy_expert("COPY lifetime_term FROM STDIN", StringIO(lines))
    cursor.execute("ANALYZE lifetime_term")
    cursor.execute(FORGET)
    spending = Spending(**made.spending) if made.value_shown and made.spending else None
    amounts = {"p": spending and spending.p, "q": spending and spending.q, "gamma": spending and spending.gamma}
    named = asdict(model) | amounts | {"mean": spending and spending.mean}
    cursor.execute(WRITE, named | {"weeks": made.months * WEEKS_A_MONTH, "margin": made.margin})


def _line(model: Model, made: LifetimeFit, x: int, age: int) -> str:
    """A row of what depends on (x, T) alone: expected purchases of who is alive, and the same discounted by months."""
    expected = model.if_alive(made.months * WEEKS_A_MONTH, x, age / 7)
    discounted = model.discounted(x, age / 7, made.months, WEEKS_A_MONTH, month_rate(made.discount_rate))
    return f"{x}\t{age}\t{expected!r}\t{discounted!r}\n"


def month_rate(year_rate: float) -> float:
    """What a yearly discount rate is in a month."""
    return (1 + year_rate) ** (1 / 12) - 1
