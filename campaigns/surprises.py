"""The budget of surprises, and who may know of them: nobody by name before the mail has gone.

A gift is taken from its window's budget in the transaction that makes the delivery row: whoever plans holds the
window's row, one conditional UPDATE takes all gifts of the planning at once, and a CHECK refuses what is too much. So
two planners cannot spend the same money. What finally did not go is given back before the next planning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from campaigns.models import Campaign, Delivery, SurprisePeriod

RECIPE = "surprise"
# What has gone, or may have: from then on it is no secret any more.
GONE = ("sent", "unknown")

# Making the row locks it, too, until the planning is committed. A smaller budget cannot undo what is taken.
OPEN = """
INSERT INTO campaigns_surpriseperiod AS period (campaign_id, first_day, last_day, begun_on, gifts_most, money_most)
VALUES (%(campaign)s, %(first)s, %(last)s, %(day)s, %(gifts_most)s, %(money_most)s)
ON CONFLICT (campaign_id, first_day) DO UPDATE SET last_day = excluded.last_day,
  gifts_most = greatest(excluded.gifts_most, CASE WHEN excluded.gifts_most IS NOT NULL THEN period.gifts END),
  money_most = greatest(excluded.money_most, CASE WHEN excluded.money_most IS NOT NULL THEN period.money END)
RETURNING id
"""
GIVE_BACK = """
WITH back AS (
  UPDATE campaigns_surprisegift gift SET returned_at = now() FROM campaigns_delivery delivery
  WHERE gift.period_id = %(period)s AND gift.returned_at IS NULL AND delivery.id = gift.delivery_id
    AND delivery.state IN ('suppressed', 'failed')
  RETURNING gift.cost
), total AS (SELECT count(*) AS gifts, coalesce(sum(cost), 0) AS money FROM back)
UPDATE campaigns_surpriseperiod period SET gifts = period.gifts - total.gifts, money = period.money - total.money
FROM total WHERE period.id = %(period)s AND total.gifts > 0
"""
TAKE = """
INSERT INTO campaigns_surprisegift (period_id, customer_id, delivery_id, gift, words, cost)
SELECT %(period)s, delivery.customer_id, delivery.id, %(gift)s, %(words)s, %(cost)s FROM campaigns_delivery delivery
WHERE delivery.campaign_id = %(campaign)s AND delivery.state = 'planned'
  AND NOT EXISTS (SELECT FROM campaigns_surprisegift known WHERE known.delivery_id = delivery.id)
"""
SPEND = """
UPDATE campaigns_surpriseperiod SET gifts = gifts + %(taken)s, money = money + %(taken)s * %(cost)s
WHERE id = %(period)s AND (gifts_most IS NULL OR gifts + %(taken)s <= gifts_most)
  AND (money_most IS NULL OR money + %(taken)s * %(cost)s <= money_most)
"""


class Overspent(RuntimeError):
    """More gifts were planned than the budget has; the planning is undone as a whole."""


@dataclass(frozen=True)
class Plan:
    """What a campaign gives in the window of a day.

    gifts_most, money_most: the budget, at least one of them set; cost: of one gift, above 0 where money is limited.
    gift: what it is; words: what its mail says, as a hash.
    """

    campaign_id: int
    first_day: date
    last_day: date
    gifts_most: int | None
    money_most: Decimal | None
    cost: Decimal
    gift: str
    words: str

    @property
    def most(self) -> int:
        """How many gifts the budget is good for."""
        by_money = int(self.money_most / self.cost) if self.money_most is not None and self.cost else None
        return min(limit for limit in (self.gifts_most, by_money) if limit is not None)


@contextmanager
def budgeted(plan: Plan | None, day: date) -> Iterator[None]:
    """Around the planning of one day, in its transaction: hold the window's budget, and take from it what was planned.

    Raises Overspent, which undoes the planning.
    """
    if plan is None or not plan.first_day <= day <= plan.last_day:
        yield
        return
    period = _open(plan, day)
    _do(GIVE_BACK, {"period": period})
    yield
    given = {"period": period, "campaign": plan.campaign_id, "gift": plan.gift, "words": plan.words, "cost": plan.cost}
    taken = _do(TAKE, given)
    if taken and not _do(SPEND, given | {"taken": taken}):
        raise Overspent(f"period {period}: {taken} gifts are more than is left")


def _open(plan: Plan, day: date) -> int:
    given: dict[str, Any] = {
        "campaign": plan.campaign_id,
        "first": plan.first_day,
        "last": plan.last_day,
        "day": day,
        "gifts_most": plan.gifts_most,
        "money_most": plan.money_most,
    }
    with connection.cursor() as cursor:
        cursor.execute(OPEN, given)
        return int(cursor.fetchone()[0])


def period_of(plan: Plan, day: date) -> SurprisePeriod:
    """The window as it stands; one that nobody planned yet would begin on this day."""
    known = SurprisePeriod.objects.filter(campaign=plan.campaign_id, first_day=plan.first_day).first()
    return known or SurprisePeriod(
        campaign_id=plan.campaign_id, first_day=plan.first_day, last_day=plan.last_day, begun_on=day
    )


def left(plan: Plan, period: SurprisePeriod, day: date) -> int:
    """How many gifts may be planned now.

    The budget is spread over the window, or the first days would take it all and no day would be as good as another.
    """
    days, gone = (plan.last_day - period.begun_on).days + 1, (day - period.begun_on).days + 1
    if not 0 < gone <= days:
        return 0
    so_far = -(-plan.most * gone // days)
    limits = [so_far - period.gifts]
    if plan.gifts_most is not None:
        limits.append(plan.gifts_most - period.gifts)
    if plan.money_most is not None:
        limits.append(int((plan.money_most - period.money) / plan.cost))
    return max(0, min(limits))


def is_secret(campaign: Campaign) -> bool:
    """Whether pages name a person only when the mail has gone."""
    return campaign.recipe == RECIPE


def told(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Of these mails, those that a page may show by name: a surprise that staff know of is announced by them."""
    return rows.filter(~Q(recipe=RECIPE) | Q(state__in=GONE))


def _do(statement: str, given: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.rowcount
