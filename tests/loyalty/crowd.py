"""Many customers at once: who bought how many days before NOW, written in two statements."""

import random
from collections.abc import Sequence
from datetime import timedelta

from crm.models import Customer, Purchase
from loyalty import scoring
from tests.factories import NOW, SourceFactory

Days = Sequence[int]


def crowd(histories: Sequence[Days], net: Sequence[Sequence[float]] | float = 10, **purchase: object) -> list[Customer]:
    """One customer for each list of days ago. net: of every purchase, or of each."""
    source = SourceFactory()
    made = Customer.objects.bulk_create([Customer(family_name=f"Muster{at}") for at in range(len(histories))])
    rows = []
    for place, (customer, days) in enumerate(zip(made, histories, strict=True)):
        for at, ago in enumerate(days):
            amount = net if isinstance(net, int | float) else net[place][at]
            moment = NOW - timedelta(days=ago)
            rows.append(
                Purchase(
                    source=source, external_id=f"c{customer.pk}-{at}", customer=customer, ordered_at=moment,
                    ordered_on=moment.date(), status="paid", currency="EUR", gross=amount, net=amount, version=moment,
                    **purchase,
                )
            )  # fmt: skip
    Purchase.objects.bulk_create(rows)
    return made


def shoppers(
    customers: int, days: int, seed: int = 1, rate: float = 1 / 30, leaving: float = 0.15, until: int = 0
) -> list[list[int]]:
    """Days ago on which simulated customers bought: they come over `days`, buy at about `rate` a day, and leave for good
    after a purchase with about `leaving`. until: nobody comes anew in the last days."""
    dice, found = random.Random(seed), []
    for _ in range(customers):
        own = dice.gammavariate(1.5, rate / 1.5)
        p = dice.betavariate(4 * leaving, 4 * (1 - leaving))
        at = float(dice.randint(until, days))
        bought = [round(at)]
        while dice.random() >= p or len(bought) == 1:
            at -= dice.expovariate(own)
            if at < 0:
                break
            bought.append(round(at))
        found.append(sorted(set(bought), reverse=True))
    return found


def judged_crowd(*histories: Days, **how: object) -> list[Customer]:
    """The same, judged as of NOW."""
    made = crowd(histories, **how)
    scoring.score_all()
    return made
