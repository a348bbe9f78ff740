"""Who is surprised today: a day drawn for each person, as far as the budget reaches, and nothing twice.

The day follows from a keyed hash of person and window, so two planners, and a planning repeated, agree, and nobody can
work it out. Who may not get advertising just now (a complaint, the cap) is asked again on every later day of the
window; who may not at all, or belongs to the control group, has a row that says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from campaigns import hold_out, segments, surprises
from campaigns.recipe import Moment, Query, Recipe
from campaigns.recipes.surprise.settings import plan_of
from crm import keyed, permission

FIRST_HOUR, MINUTES = "09:00", 9 * 60

# The first 60 bits of the hash choose the day, others the minute; all of it is the order in which the budget is given.
DUE = """
  SELECT customer.id AS customer_id, drawn.hash AS place,
    'surprise:' || %(audience_window)s || ':' || customer.id AS dedupe_key, 'gift:' || %(audience_gift)s AS cause,
    NULL::bigint AS event_id,
    (%(audience_day)s::date + time '{first_hour}' + make_interval(mins =>
      (get_byte(drawn.hash, 20) * 256 + get_byte(drawn.hash, 21)) %% {minutes})) AT TIME ZONE %(audience_zone)s AS not_before,
    least(%(audience_day)s::date + 2, %(audience_last)s::date + 1)::timestamp AT TIME ZONE %(audience_zone)s AS not_after
  FROM crm_customer customer
  {stages}
  CROSS JOIN LATERAL (
    SELECT sha256(%(audience_key)s::bytea || uuid_send(customer.person_key)) AS hash OFFSET 0) drawn
  WHERE customer.merged_into_id IS NULL AND customer.erased_at IS NULL AND NOT customer.is_placeholder
    AND NOT customer.is_test AND {segment}
    AND %(audience_begun)s::date + (('x' || left(encode(drawn.hash, 'hex'), 15))::bit(60)::bigint
      %% %(audience_days)s)::int <= %(audience_day)s::date
    AND NOT EXISTS (SELECT FROM campaigns_delivery planned
      WHERE planned.campaign_id = %(audience_campaign)s AND planned.dedupe_key = 'surprise:' || %(audience_window)s || ':' || customer.id)
    AND NOT EXISTS (SELECT FROM campaigns_surprisegift had
      WHERE had.customer_id = customer.id AND had.returned_at IS NULL AND (had.gift = %(audience_gift)s
        OR had.words = %(audience_words)s AND had.taken_at > %(audience_day)s::date - interval '12 months'))
"""
# Quiet hours only move a mail, so they are no reason against its day.
CHOSEN = """
SELECT customer_id, dedupe_key, cause, event_id, not_before, not_after FROM (
  SELECT *, sum(CASE WHEN welcome AND NOT held THEN 1 ELSE 0 END) OVER (ORDER BY place, customer_id) AS turn
  FROM (SELECT verdict.*, verdict.allowed OR verdict.code = 'quiet_hours' AS welcome, {held} AS held
        FROM ({verdicts}) verdict) answered
  WHERE welcome OR code = ANY(%(audience_lasting)s)
) ranked
WHERE NOT welcome OR held OR turn <= %(audience_left)s
"""
NOBODY = """SELECT id AS customer_id, '' AS dedupe_key, '' AS cause, NULL::bigint AS event_id, now() AS not_before,
  now() AS not_after FROM crm_customer WHERE false"""
IN_STAGES = """JOIN loyalty_assessment assessment
    ON assessment.customer_id = customer.id AND assessment.stage = ANY(%(audience_stages)s)"""
LASTING = [reason.code for reason in permission.REASONS if reason.lasting and not reason.allowed]


def audience(moment: Moment, recipe: Recipe) -> Query:
    """Whose day has come, in the order of their hash, as many as the budget has left for the days so far."""
    assert moment.day
    plan = plan_of(moment.campaign, moment.day)
    if plan is None:
        return NOBODY, {}
    period = surprises.period_of(plan, moment.day)
    if not (left := surprises.left(plan, period, moment.day)):
        return NOBODY, {}
    window = f"{plan.campaign_id}:{plan.first_day}"
    meant, parameters = segments.audience(moment.campaign) or ("", {})
    due = DUE.format(
        stages=IN_STAGES if moment.campaign.stages else "",
        segment=f"customer.id IN ({meant})" if meant else "true",
        first_hour=FIRST_HOUR,
        minutes=MINUTES,
    )
    person = hold_out.PERSON_OF.format(customer="verdict.customer_id")
    held = hold_out.condition(moment.campaign, recipe, person, "verdict.cause")
    return CHOSEN.format(verdicts=permission.verdicts(f"({due})"), held=held), parameters | {
        "audience_campaign": plan.campaign_id,
        "audience_window": window,
        "audience_key": key(window),
        "audience_gift": plan.gift,
        "audience_words": plan.words,
        "audience_day": moment.day,
        "audience_begun": period.begun_on,
        "audience_last": plan.last_day,
        "audience_days": (plan.last_day - period.begun_on).days + 1,
        "audience_zone": moment.shop.time_zone,
        "audience_stages": moment.campaign.stages,
        "audience_left": left,
        "audience_lasting": LASTING,
    }


def key(window: str) -> bytes:
    """What makes the draw of a window unguessable."""
    return keyed.subkey(keyed.keys()[-1], "surprise") + window.encode()


@contextmanager
def budgeted(moment: Moment) -> Iterator[None]:
    """Around a planning: the budget is held, and what was planned is taken from it."""
    assert moment.day
    with surprises.budgeted(plan_of(moment.campaign, moment.day), moment.day):
        yield
