"""What recipes that run by themselves will do in the days ahead, worked out from their own audiences.

The audience of each day is asked in one statement; who matches on several days counts on the first. Occasions that come
from events, such as a purchase, cannot be known before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.core.cache import cache
from django.db import OperationalError, connection, transaction

from campaigns import freezing, recipes
from campaigns.models import Campaign
from campaigns.recipe import Moment, Occasion, Query, Recipe
from crm.models import Shop

KEPT = timedelta(hours=1)
PATIENCE_MS = 4_000
PARAMETER = re.compile(r"%\((\w+)\)s")
FIRST_OF_EACH = "SELECT DISTINCT ON (dedupe_key) asked.* FROM ({asked}) asked ORDER BY dedupe_key, on_day"
COUNT = """
SELECT day, count(*) FROM (
  SELECT greatest(on_day, (not_before AT TIME ZONE %(forecast_zone)s)::date) AS day FROM decided WHERE refusal = ''
) mails WHERE day BETWEEN %(forecast_first)s AND %(forecast_last)s GROUP BY 1
"""


def by_day(recipe: Recipe, campaign: Campaign, shop: Shop, days: Sequence[date]) -> Query:
    """The audiences of several days as one SELECT: the columns of an audience, and `on_day`."""
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for number, day in enumerate(days):
        audience, asked = recipe.audience(Moment(campaign, shop, day=day))
        names = {name: f"audience_d{number}_{name.removeprefix('audience_')}" for name in asked}
        renamed = PARAMETER.sub(lambda found, names=names: f"%({names.get(found[1], found[1])})s", audience)  # type: ignore[misc]
        parts.append(f"SELECT matching.*, %(audience_on_{number})s::date AS on_day FROM ({renamed}) matching")
        parameters |= {names[name]: value for name, value in asked.items()} | {f"audience_on_{number}": day}
    return " UNION ALL ".join(parts), parameters


def next_of(recipe: Recipe, campaign: Campaign, shop: Shop, customer_id: int, days: Sequence[date]) -> Mapping[str, Any]:
    """The first of these days on which it is a customer's turn: {day, cause}; empty for none."""
    audience, parameters = by_day(recipe, campaign, shop, days)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT on_day, cause FROM ({audience}) asked WHERE customer_id = %(forecast_customer)s ORDER BY 1 LIMIT 1",
            parameters | {"forecast_customer": customer_id},
        )
        found = cursor.fetchone()
    return {"day": found[0], "cause": found[1]} if found else {}


def expected(shop: Shop, first: date, last: date) -> dict[str, dict[date, int] | None]:
    """Mails a day of each calendar recipe that is switched on, from `first` to `last`: those who may get one by now.

    None where counting took too long. One query for all recipes, and one statement for each, kept for an hour.
    """
    found: dict[str, dict[date, int] | None] = {}
    known = {campaign.recipe: campaign for campaign in Campaign.objects.filter(standing=True)}
    for recipe in recipes.of_occasion(Occasion.CALENDAR):
        campaign = known.get(recipe.code) or recipes.standing_campaign(recipe)
        if not campaign.switched_on or recipe.secret or last < first:
            continue
        name = f"campaigns:forecast:{recipe.code}:{first}:{last}:{hash(str(sorted(campaign.options.items())))}"
        kept = cache.get(name, "")
        if kept == "":
            kept = _count(recipe, campaign, shop, first, last)
            cache.set(name, kept, KEPT.total_seconds())
        found[recipe.code] = kept
    return found


def _count(recipe: Recipe, campaign: Campaign, shop: Shop, first: date, last: date) -> dict[date, int] | None:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    asked, parameters = by_day(recipe, campaign, shop, days)

    def whole(_moment: Moment) -> Query:
        return FIRST_OF_EACH.format(asked=asked), parameters

    judged, more = freezing.question(replace(recipe, audience=whole), Moment(campaign, shop), 0)
    limits = {"forecast_first": first, "forecast_last": last, "forecast_zone": shop.time_zone}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
            cursor.execute(judged + COUNT, more | limits)
            return dict(cursor.fetchall())
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") != "57014":
            raise
        return None


def matches(audience: str, parameters: Mapping[str, Any], customer_id: int) -> bool:
    """Whether a customer is in an audience."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM ({audience}) asked WHERE customer_id = %(forecast_customer)s)",
            {**parameters, "forecast_customer": customer_id},
        )
        return bool(cursor.fetchone()[0])
