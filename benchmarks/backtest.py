"""Does the status tell who will buy? Judges a real shop as of a past day and counts who bought in the 13 weeks after it.

    STAMMKUNDE_ONLINE_RETAIL=online-retail.csv.gz python -m benchmarks.backtest [--on 2011-09-09] [--earlier 6]

Works on a PostgreSQL of its own in a throw-away folder (or in STAMMKUNDE_VAR, kept). Prints for the day the share of
buyers in each status who bought again, with its 95 % interval, and the AUC of -ρ: the probability that somebody who
bought stands before somebody who did not, when the smaller overdue ratio comes first (0.5 is chance).

Earlier days, 30 days apart, show from when on the history is long enough: the status “lapsed” begins at ρ above the limit
`at_risk`, so the history must be longer than that many base cycles, or nobody of an ordinary rhythm can have lapsed by
then; and each status must have at least 30 people, or its share says nothing.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

WEEKS = 13
LEAST_PEOPLE = 30
STATUSES = ("active", "reactivated", "overdue", "at_risk", "lapsed")
FALLING = ("active", "overdue", "at_risk", "lapsed")

# Who bought in the weeks after the day. An order is one that counts: paid, of which something was kept.
AFTER = """
SELECT {status} AS status, (%(day)s::date - last_order_on) / expected_interval AS ratio, EXISTS (
    SELECT FROM crm_purchase p WHERE p.customer_id = a.customer_id AND p.status IN ('paid', 'completed') AND p.net > 0
      AND p.ordered_on > %(day)s::date AND p.ordered_on <= %(day)s::date + %(days)s)
FROM loyalty_assessment a WHERE orders > 0"""


@dataclass(frozen=True)
class Outcome:
    """One day. bought: {status: [who bought, of whom]}; auc: None if everybody or nobody bought."""

    day: date
    history: int
    cycle: float
    limit: float
    bought: dict[str, list[int]]
    auc: float | None

    @property
    def reachable(self) -> bool:
        """Whether a customer of the shop's rhythm can have lapsed by then."""
        return self.history > self.limit * self.cycle

    @property
    def filled(self) -> bool:
        return all(self.bought.get(status, [0, 0])[1] >= LEAST_PEOPLE for status in FALLING)

    @property
    def falls(self) -> bool:
        """Whether the share falls from active over overdue and at risk to lapsed."""
        shares = [self.bought[status][0] / self.bought[status][1] for status in FALLING if self.bought.get(status)]
        return all(before > after for before, after in zip(shares, shares[1:], strict=False))


def backtest(day: date) -> Outcome:
    """Judge everybody as of the end of `day` and look at the weeks after it. Leaves the judgement of that day stored."""
    from django.db import connection

    from loyalty import scoring
    from loyalty.status import status_sql

    outcome, _standing = scoring.score_past(day, store=True)
    with connection.cursor() as cursor:
        cursor.execute(AFTER.format(status=status_sql()), {"day": day, "days": WEEKS * 7})
        rows = cursor.fetchall()
        cursor.execute("SELECT %s - min(first_order_on) FROM loyalty_metrics WHERE orders > 0", [day])
        history = cursor.fetchone()[0]
    bought: dict[str, list[int]] = {}
    for status, _ratio, again in rows:
        counted = bought.setdefault(status, [0, 0])
        counted[0] += again
        counted[1] += 1
    scored = [(-float(ratio), again) for _status, ratio, again in rows]
    return Outcome(day, history or 0, outcome.rhythm.days, outcome.rhythm.at_risk, bought, auc(scored))


def auc(scored: list[tuple[float, bool]]) -> float | None:
    """Mann and Whitney's share of pairs in the right order, ties by half. None without both kinds."""
    ranks, place, positives, total = 0.0, 0, 0, 0
    ordered = sorted(scored)
    while place < len(ordered):
        end = place
        while end < len(ordered) and ordered[end][0] == ordered[place][0]:
            end += 1
        hits = sum(again for _score, again in ordered[place:end])
        ranks += hits * (place + 1 + end) / 2
        positives, total, place = positives + hits, end, end
    negatives = total - positives
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives) if positives and negatives else None


def table(tested: Outcome) -> Iterator[str]:
    from loyalty.overview import Share

    yield f"as of {tested.day}: who bought in the {WEEKS} weeks after it"
    for status in STATUSES:
        part, whole = tested.bought.get(status, [0, 0])
        share = Share(part, whole)
        if share.value is None or share.interval is None:
            yield f"  {status:<12} {'nobody':>7}"
            continue
        low, high = share.interval
        yield f"  {status:<12} {share.value:>7.1%}  ({low:.1%} to {high:.1%})  {part:>5,} of {whole:>5,}"
    yield f"  AUC of -rho {'unknown' if tested.auc is None else f'{tested.auc:.3f}'}, falling: {'yes' if tested.falls else 'NO'}"


def line(tested: Outcome) -> str:
    shares = [
        f"{part / whole:>6.1%} {whole:>5,}" if whole else f"{'-':>6} {0:>5}"
        for part, whole in (tested.bought.get(status, [0, 0]) for status in FALLING)
    ]
    verdict = "long enough" if tested.reachable and tested.filled else "too short"
    why = "" if tested.reachable else f" (lapsing needs {tested.limit * tested.cycle:.0f} days)"
    why = why or ("" if tested.filled else f" (a status has fewer than {LEAST_PEOPLE} people)")
    auc_text = "-" if tested.auc is None else f"{tested.auc:.3f}"
    return (
        f"{tested.day}  {tested.history:>4} d  C {tested.cycle:>5.1f}  {'  '.join(shares)}  {auc_text}  {verdict}{why}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", type=date.fromisoformat, default=date(2011, 9, 9))
    parser.add_argument("--earlier", type=int, default=7, help="How many days before it, 30 days apart.")
    options = parser.parse_args()
    file = os.environ.get("STAMMKUNDE_ONLINE_RETAIL", "")
    if not Path(file).is_file():
        parser.error("set STAMMKUNDE_ONLINE_RETAIL to the path of online-retail.csv.gz (UCI, CC BY 4.0)")
    kept = bool(os.environ.get("STAMMKUNDE_VAR"))
    folder = os.environ.get("STAMMKUNDE_VAR") or tempfile.mkdtemp(prefix="stammkunde-benchmark-")
    Path(folder).chmod(0o711)  # the server has a user of its own where we are root
    os.environ |= {"STAMMKUNDE_VAR": folder, "DATABASE_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "config.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    from config import embedded
    from crm.models import Purchase, Shop

    try:
        call_command("migrate", verbosity=0)
        if not Purchase.objects.exists():
            Shop.current()
            Shop.objects.update(currency="GBP", time_zone="Europe/London", language="en")
            call_command("import_purchases", file, profile="online-retail")
        days = [options.on - timedelta(days=30 * back) for back in range(options.earlier, -1, -1)]
        tests = [backtest(day) for day in days]
        print("\n".join(table(tests[-1])))
        print("\nday         history  cycle   active        overdue        at risk        lapsed         AUC")
        print("\n".join(map(line, tests)))
    finally:
        if not kept:
            embedded.discard()


if __name__ == "__main__":
    main()
