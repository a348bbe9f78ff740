"""How fast mails go: send windows, limits by domain, and the warm-up of a new sender. All of it holds for advertising.

- A window closes the queue: outside it nothing of the campaign is claimed.
- A limit is a row with the moment from which the next mail may go (GCRA, with a burst of one minute's mails). The gate
  takes a place by updating it, in its own short transaction. Who finds none is parked: put off to a slot of its own, so
  that waiting costs one look and not a look a second. Slots are a guess; what falls free is filled from the earliest
  slots (`pull_forward`), so a cancelled mailing holds nobody up.
- A warm-up counts the mails of a day. Once they are used up, nothing is claimed until the next.

Mails that people asked for (transactional) never wait for any of it, but take their place in the counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

from django.db import connection

from campaigns import recipes, transport
from campaigns.models import Pace, WarmUp
from crm import days
from crm.models import Shop

# Domains that one provider's mail servers stand behind: they count together.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("gmail.com", "googlemail.com"),
    ("outlook.com", "outlook.de", "hotmail.com", "hotmail.de", "live.com", "live.de", "msn.com"),
    ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de"),
    ("yahoo.com", "yahoo.de", "ymail.com", "aol.com", "aol.de"),
    ("icloud.com", "me.com", "mac.com"),
    ("t-online.de", "magenta.de"),
    ("freenet.de",),
    ("posteo.de", "posteo.net"),
    ("bluewin.ch",),
)
FORECAST_DAYS = 60
PULL_AHEAD = timedelta(seconds=15)

# By the clock on the shop's wall, so that a day of 23 or 25 hours needs no thought. An hour that a spring day leaves
# out never comes; one that an autumn day has twice is open twice.
WINDOW = """(campaign.window_from IS NULL OR (
    ({at} AT TIME ZONE %(zone)s)::time >= campaign.window_from
    AND ({at} AT TIME ZONE %(zone)s)::time < campaign.window_until))
  AND (campaign.weekdays = '{{}}' OR extract(isodow FROM {at} AT TIME ZONE %(zone)s)::int = ANY (campaign.weekdays))"""
RUNS = "campaign.status = 'running' AND (campaign.switched_on OR NOT campaign.standing)"

# A burst of one minute's mails, at least one.
_BURST = "greatest(interval '1 minute' - {step}, interval '0')"
_STEP = "make_interval(secs => 3600.0 / {pace}.per_hour)"
MOST_OF_DAY = """least(warm.ceiling,
    floor(warm.per_day * warm.growth ^ least(greatest(%(day)s::date - warm.started_on, 0), 90)))"""
_ALL_FULL = f"""(EXISTS (SELECT FROM campaigns_pace pace WHERE name = '*'
      AND next_at > statement_timestamp() + {_BURST.format(step=_STEP.format(pace="pace"))})
    OR EXISTS (SELECT FROM campaigns_warmup warm WHERE transport = %(transport)s AND day = %(day)s
      AND used >= {MOST_OF_DAY}))"""
# Which campaigns may send at this moment: parameters as `parameters` gives them.
GOES_NOW = f"""{RUNS} AND {WINDOW.format(at="statement_timestamp()")}
  AND (campaign.recipe = ANY (%(asked_for)s) OR NOT {_ALL_FULL})"""
# Whether the gate has to look at limits at all. Most installations have none, and pay nothing for them.
IN_FORCE = """(SELECT EXISTS (SELECT FROM campaigns_pace) OR EXISTS (SELECT FROM campaigns_warmup)
    OR EXISTS (SELECT FROM campaigns_circuit WHERE state <> 'closed'))"""

# In the gate, between `judged` (one row: the mail, with `first_ruling`) and `ruled` (with `ruling`).
UNPACED = """ruled AS (
  SELECT judged.*, first_ruling AS ruling, later AS until, NULL::timestamptz AS slot, false AS parks, false AS probes
  FROM judged
)"""
PACED = f"""lanes AS MATERIALIZED (
  SELECT pace.name, pace.next_at, pace.parked_until, {_STEP.format(pace="pace")} AS step
  FROM campaigns_pace pace JOIN judged ON judged.first_ruling = 'go'
    AND (judged.domain = ANY (pace.domains) OR pace.name = '*')
  ORDER BY pace.name FOR NO KEY UPDATE OF pace
), warm AS MATERIALIZED (
  SELECT warm.transport, CASE WHEN warm.day = %(day)s THEN warm.used ELSE 0 END AS used, {MOST_OF_DAY} AS most
  FROM campaigns_warmup warm JOIN judged ON judged.first_ruling = 'go'
  WHERE warm.transport = %(transport)s FOR NO KEY UPDATE OF warm
), resting AS MATERIALIZED (
  SELECT circuit.id, circuit.rests_until FROM campaigns_circuit circuit
  JOIN judged ON judged.first_ruling = 'go' AND judged.domain = circuit.domain
  WHERE circuit.transport = %(transport)s AND circuit.domain <> '' AND circuit.state <> 'closed'
  FOR NO KEY UPDATE OF circuit
), room AS (
  SELECT
    coalesce(bool_and(next_at <= statement_timestamp() + {_BURST.format(step="step")}) FILTER (WHERE name = '*'), true)
      AND NOT EXISTS (SELECT FROM warm WHERE used >= most) AS for_all,
    coalesce(bool_and(next_at <= statement_timestamp() + {_BURST.format(step="step")}) FILTER (WHERE name <> '*'), true) AS here,
    max(next_at + 20 * random() * step) FILTER (WHERE name <> '*') AS soon,
    max(greatest(next_at, parked_until + step)) FILTER (WHERE name <> '*') AS slot
  FROM lanes
), paced AS (
  SELECT judged.*, room.soon, room.slot AS last_slot, EXISTS (SELECT FROM resting) AS probes, CASE
      WHEN first_ruling <> 'go' OR message_class = 'transactional' THEN first_ruling
      WHEN NOT room.for_all THEN 'full'
      WHEN EXISTS (SELECT FROM resting WHERE rests_until > statement_timestamp()) THEN 'rest'
      WHEN room.here THEN 'go'
      WHEN judged.run_id IS NULL OR judged.slot_at <= statement_timestamp() THEN 'soon'
      ELSE 'park' END AS pace
  FROM judged CROSS JOIN room
), timed AS (
  SELECT paced.*, CASE pace WHEN 'soon' THEN soon WHEN 'park' THEN last_slot
    WHEN 'rest' THEN (SELECT max(rests_until) FROM resting) + random() * interval '1 minute' END AS wished
  FROM paced
), ruled AS (
  SELECT timed.*, pace = 'park' AS parks, CASE WHEN pace IN ('soon', 'park') THEN wished END AS slot,
    CASE WHEN wished IS NULL THEN later ELSE least(wished, not_after - interval '1 minute') END AS until,
    CASE WHEN wished IS NULL THEN pace WHEN not_after - interval '1 minute' <= statement_timestamp() THEN 'too_slow'
      ELSE 'wait' END AS ruling
  FROM timed
)"""
# In the gate, after `moved`: take the place that the mail was given.
TAKE = """, taken AS (
  UPDATE campaigns_pace pace SET
    next_at = CASE WHEN moved.ruling = 'go' THEN greatest(lanes.next_at, statement_timestamp()) + lanes.step ELSE lanes.next_at END,
    parked_until = CASE WHEN moved.ruling = 'wait' AND moved.parks AND lanes.name <> '*'
      THEN greatest(lanes.parked_until, moved.slot) ELSE lanes.parked_until END
  FROM lanes, moved WHERE pace.name = lanes.name AND (moved.ruling = 'go' OR moved.parks)
), warmed AS (
  UPDATE campaigns_warmup row SET used = warm.used + 1, day = %(day)s
  FROM warm, moved WHERE row.transport = warm.transport AND moved.ruling = 'go'
), probed AS (
  UPDATE campaigns_circuit circuit SET state = 'half_open', rests_until = statement_timestamp() + %(lease)s, changed_at = statement_timestamp()
  FROM resting, moved WHERE circuit.id = resting.id AND moved.ruling = 'go'
)"""

# Slots are a guess of when there will be room. Where there is room now, the earliest of them come at once.
PULL_FORWARD = f"""
WITH first AS MATERIALIZED (
  SELECT parked.id FROM campaigns_pace pace
  CROSS JOIN LATERAL (SELECT {_STEP.format(pace="pace")} AS step) rhythm
  CROSS JOIN LATERAL (
    SELECT delivery.id FROM campaigns_delivery delivery JOIN campaigns_campaign campaign
      ON campaign.id = delivery.campaign_id
    WHERE delivery.state = 'planned' AND delivery.slot_at IS NOT NULL AND delivery.not_before > statement_timestamp()
      AND delivery.domain = ANY (pace.domains) AND {RUNS} AND {WINDOW.format(at="statement_timestamp()")}
    ORDER BY delivery.slot_at
    LIMIT 1 + floor(extract(epoch FROM statement_timestamp() + {_BURST.format(step="step")} + %(ahead)s - pace.next_at)
      / extract(epoch FROM step))::bigint
    FOR UPDATE OF delivery SKIP LOCKED
  ) parked
  WHERE pace.next_at <= statement_timestamp() + {_BURST.format(step="step")}
)
UPDATE campaigns_delivery SET not_before = statement_timestamp(), slot_at = statement_timestamp()
WHERE state = 'planned' AND id IN (SELECT id FROM first);
UPDATE campaigns_pace pace SET parked_until = coalesce((
  SELECT max(slot_at) FROM campaigns_delivery WHERE state = 'planned' AND slot_at > statement_timestamp()
    AND domain = ANY (pace.domains)), statement_timestamp())
WHERE parked_until > statement_timestamp()
"""
# A limit that is gone must leave nobody waiting for its slots.
FREE = """
UPDATE campaigns_delivery SET not_before = statement_timestamp(), slot_at = NULL
WHERE state = 'planned' AND slot_at > statement_timestamp() AND domain = ANY (%(domains)s)
"""


@dataclass(frozen=True)
class Step:
    """One day of a warm-up: so many mails at most."""

    day: date
    most: int


def parameters(shop: Shop, transport_name: str) -> dict[str, Any]:
    """Parameters of GOES_NOW."""
    asked_for = [recipe.code for recipe in recipes.everything().values() if recipe.message_class == "transactional"]
    return {"zone": shop.time_zone, "transport": transport_name, "day": days.today(), "asked_for": asked_for}


def pull_forward() -> None:
    """Fill what limits leave unused right now with the mails that wait longest. Safe to repeat."""
    if Pace.objects.exclude(name=Pace.ALL).exists():
        with connection.cursor() as cursor:
            given: dict[str, Any] = {"zone": Shop.current().time_zone, "ahead": PULL_AHEAD}
            cursor.execute(PULL_FORWARD, given)


def family_of(domain: str) -> list[str]:
    """All domains of the provider behind a domain, always in the same order."""
    return next((list(family) for family in FAMILIES if domain in family), [domain])


def limit(domains: Sequence[str], per_hour: int) -> Pace:
    """Give the mail servers of these domains (none: all advertising) so many mails an hour. Raises ValueError if a
    domain stands in another limit already."""
    name = domains[0] if domains else Pace.ALL
    if taken := Pace.objects.filter(domains__overlap=list(domains)).exclude(name=name).first():
        raise ValueError(taken.name)
    pace, _made = Pace.objects.update_or_create(name=name, defaults={"domains": list(domains), "per_hour": per_hour})
    return pace


def unlimit(name: str) -> None:
    """End a limit; whoever waited for it may go."""
    pace = Pace.objects.filter(name=name).first()
    if pace is not None:
        with connection.cursor() as cursor:
            pace.delete()
            cursor.execute(FREE, {"domains": pace.domains})


def most_of_day(warm_up: WarmUp, day: date) -> int:
    """How many mails of advertising a day of the warm-up takes."""
    steps = min(max((day - warm_up.started_on).days, 0), 90)
    return min(warm_up.ceiling, int(Decimal(warm_up.per_day) * warm_up.growth**steps))


def forecast(warm_up: WarmUp, first: date) -> list[Step]:
    """The days from `first` until the ceiling is reached, that one included; at most 60."""
    following = [first + timedelta(days=n) for n in range(FORECAST_DAYS)]
    growing = list(takewhile(lambda day: most_of_day(warm_up, day) < warm_up.ceiling, following))
    shown = following[: min(len(growing) + 1, FORECAST_DAYS)]
    return [Step(day, most_of_day(warm_up, day)) for day in shown]


def current_warm_up() -> WarmUp | None:
    """The warm-up of the transport that is configured."""
    return WarmUp.objects.filter(transport=transport.current()).first()


def capacity(day: date) -> int | None:
    """How many mails of advertising may go on a day at most, over all campaigns; None without a limit.

    Windows and quiet hours may leave less. Two queries.
    """
    warm_up = current_warm_up()
    overall = Pace.objects.filter(name=Pace.ALL).first()
    limits = [most_of_day(warm_up, day)] if warm_up else []
    limits += [overall.per_hour * 24] if overall else []
    return min(limits) if limits else None
