"""How long the nightly fit of future purchases takes: reading, both fits, and writing what is expected of everybody.

    python -m benchmarks.lifetime_value [--customers 1000000] [--purchases 10] [--rounds 3]

Works on a PostgreSQL of its own in a throw-away folder (or in STAMMKUNDE_VAR, kept). Compared with the plain index-only
aggregate of the purchases in the same run. The guard rails are lifted: invented purchases follow no model.
"""

import statistics

from benchmarks.scoring import AGGREGATE, main, timed


def measure(rounds: int) -> None:
    from django.db import connection

    from crm.models import Customer, Purchase
    from loyalty import figures, lifetime_value, scoring
    from loyalty.models import LifetimeValue, Metrics

    lifetime_value.RATIO_BOUNDS = (0.0, 1e9)

    def aggregate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
            cursor.execute(AGGREGATE)
            cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")

    print(f"judged in {timed(scoring.score_all):.1f} s")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE loyalty_metrics, loyalty_assessment, crm_purchase")
    found: dict[str, list[float]] = {"aggregate": [], "lifetime value": []}
    for _ in range(rounds):
        found["aggregate"].append(timed(aggregate))
        found["lifetime value"].append(timed(lifetime_value.refit))
    fit = lifetime_value.latest()
    assert fit is not None and fit.shown, fit and fit.hidden
    assert LifetimeValue.objects.count() == Metrics.objects.filter(orders__gt=0).count()
    print(f"{Customer.objects.count():,} customers, {Purchase.objects.count():,} purchases, every {fit.every}. fitted")
    limit = statistics.median(found["aggregate"])
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        print(f"{name:<16} {middle:>8.2f} s  {middle / limit:>7.1f} x the aggregate")
    for name in ("repurchase", "cross_buying", "intervals", "wallet", "rfm", "cohorts", "lifetime", "what_if"):
        print(f"figure {name:<14} {timed(lambda name=name: figures.refresh(name)):>6.2f} s")  # type: ignore[misc]


if __name__ == "__main__":
    main(measure, __doc__ or "", rounds=3)
