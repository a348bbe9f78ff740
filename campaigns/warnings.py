"""What is unwise about a mailing, though nothing forbids it. One entry of WARNINGS is one warning, in a sentence or two.

Each is asked with an `Outlook`. What follows from the time alone is shown on the calendar, too; what needs a statement
over the whole audience (`costly`) only beside a checked draft, and is kept for ten minutes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.db import connection
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import couponing, freezing, mail_auth, pacing, recipes
from campaigns.checks import Draft
from campaigns.mail_auth_words import said
from campaigns.models import Campaign
from campaigns.recipe import Moment
from crm import display, permission, public_holidays
from crm.models import Shop
from loyalty.coupons import report
from loyalty.models import CouponBatch

KEPT = timedelta(minutes=10)
SHORT_BEFORE = time(7)
# With fewer, even a mail that doubles purchases from 3 to 6 per cent stays within chance (two-sided 5 %, power 50 %).
SMALLEST_GROUP = 125
CLASHES_SHOWN = 3

OVERLAP = """
SELECT other.campaign_id, count(*) FROM decided
JOIN campaigns_delivery other ON other.customer_id = decided.customer_id AND other.campaign_id = ANY(%(others)s)
  AND other.state IN ('planned', 'claimed', 'sending', 'sent', 'unknown')
WHERE refusal = '' GROUP BY 1 ORDER BY 2 DESC
"""
HELD_BACK = """
SELECT code, count(*) FROM verdict WHERE code IN ('frequency_cap', 'open_complaint') GROUP BY 1
"""
USED_UP = """
SELECT count(*) FROM decided JOIN loyalty_couponcustomer counter ON counter.customer_id = decided.customer_id
  AND counter.batch_id = %(batch)s AND counter.used >= counter.most
WHERE refusal = ''
"""
PACE = """
SELECT 60 * count(*) / greatest(extract(epoch FROM max(settled_at) - min(settled_at)), 60)::float
FROM campaigns_delivery WHERE state = 'sent' AND campaign_id = (
  SELECT id FROM campaigns_campaign WHERE NOT standing AND status = 'finished' AND expected_recipients >= 100
  ORDER BY launched_at DESC LIMIT 1)
"""


@dataclass(frozen=True)
class Costly:
    """What needs the whole audience: people who get another mailing too, by campaign; those held back by reason; and
    those who used its coupon as often as it allows."""

    overlaps: dict[int, int] = field(default_factory=dict)
    held_back: dict[str, int] = field(default_factory=dict)
    used_up: int = 0


@dataclass(frozen=True)
class Outlook:
    """A mailing with a time, and what its warnings ask about. `recipients`: mails, None while unknown.

    `load`: mails of all occasions of its day, `capacity`: how many may go that day; both None where nobody counted.
    """

    campaign: Campaign
    shop: Shop
    at: datetime
    recipients: int | None = None
    held_out: int = 0
    costly: Costly | None = None
    load: int | None = None
    capacity: int | None = None
    rate: float | None = None

    @property
    def local(self) -> datetime:
        return self.at.astimezone(ZoneInfo(self.shop.time_zone))

    @property
    def day(self) -> date:
        return self.local.date()


def past(outlook: Outlook) -> Iterable[str]:
    if outlook.at <= now():
        yield _("Its time has passed: it starts as soon as it is launched.")


def holiday(outlook: Outlook) -> Iterable[str]:
    if name := public_holidays.name_of(outlook.shop.holiday_region, outlook.day):
        yield _("It goes on a public holiday: %(name)s.") % {"name": name}


def sunday(outlook: Outlook) -> Iterable[str]:
    if outlook.day.isoweekday() == 7:
        yield _("It goes on a Sunday. Many read such mails as a disturbance.")


def quiet(outlook: Outlook) -> Iterable[str]:
    """Quiet time postpones; very early hours disturb where no quiet time is set."""
    begins, ends, hour = outlook.shop.quiet_from, outlook.shop.quiet_until, outlook.local.time()
    within = begins <= hour < ends if begins < ends else begins != ends and (hour >= begins or hour < ends)
    if within:
        yield _("It is quiet time then: the mails wait until %(time)s.") % {"time": ends.strftime("%H:%M")}
    elif hour < SHORT_BEFORE:
        yield _("It goes before seven in the morning.")


def clocks_change(outlook: Outlook) -> Iterable[str]:
    zone = ZoneInfo(outlook.shop.time_zone)
    begins = datetime.combine(outlook.day, time(), zone)
    if begins.utcoffset() != datetime.combine(outlook.day + timedelta(days=1), time(), zone).utcoffset():
        yield _("The clocks change on this day; look at the hour once more.")


def closed_window(outlook: Outlook) -> Iterable[str]:
    """The time it starts is not one at which its own window lets mails go."""
    campaign, local = outlook.campaign, outlook.local
    if campaign.weekdays and local.isoweekday() not in campaign.weekdays:
        yield _("Its mails do not go on this day of the week; they wait for the next day that you allow.")
    if campaign.window_from and campaign.window_until:
        opens, closes = campaign.window_from, campaign.window_until
        if not opens <= local.time() < closes:
            said = _("Its mails go only from %(start)s to %(end)s; they wait until then.")
            yield said % {"start": opens.strftime("%H:%M"), "end": closes.strftime("%H:%M")}


def short_window(outlook: Outlook) -> Iterable[str]:
    """At the rate of the last large mailing its window is too short for one day."""
    campaign = outlook.campaign
    if not (campaign.window_from and campaign.window_until and outlook.rate and outlook.recipients):
        return
    opens, closes = (datetime.combine(outlook.day, one) for one in (campaign.window_from, campaign.window_until))
    fit = int(outlook.rate * (closes - opens).total_seconds() / 60)
    if fit < outlook.recipients:
        said = _("In its window about %(fit)s mails go a day, at the rate of the last large mailing; it has %(n)s.")
        yield said % {"fit": display.number(fit), "n": display.number(outlook.recipients)}


def sender_limit(outlook: Outlook) -> Iterable[str]:
    if outlook.capacity is None:
        return
    load = max(outlook.load or 0, outlook.recipients or 0)
    if load > outlook.capacity:
        said = _("On this day about %(load)s mails are planned and %(most)s may go; the rest goes later or not at all.")
        yield said % {"load": display.number(load), "most": display.number(outlook.capacity)}


def small_group(outlook: Outlook) -> Iterable[str]:
    if outlook.campaign.hold_out and outlook.recipients is not None and outlook.held_out < SMALLEST_GROUP:
        yield ngettext(
            "The control group has %(n)s person: too few to tell an effect from chance. With %(least)s it says something.",
            "The control group has %(n)s people: too few to tell an effect from chance. With %(least)s it says something.",
            outlook.held_out,
        ) % {"n": display.number(outlook.held_out), "least": display.number(SMALLEST_GROUP)}


def clash(outlook: Outlook) -> Iterable[str]:
    """Others get mail from us within the days over which the frequency cap counts."""
    if outlook.costly is None:
        return
    shown = sorted(outlook.costly.overlaps.items(), key=lambda one: -one[1])[:CLASHES_SHOWN]
    for other in Campaign.objects.filter(pk__in=[pk for pk, _n in shown]).order_by("send_at"):
        n = outlook.costly.overlaps[other.pk]
        yield ngettext(
            "%(n)s of these people also gets “%(name)s” on %(time)s.",
            "%(n)s of these people also get “%(name)s” on %(time)s.",
            n,
        ) % {"n": display.number(n), "name": other.name, "time": display.instant(other.send_at)}


def held_back(outlook: Outlook) -> Iterable[str]:
    """What the gate would refuse at that time, as things stand."""
    refused = outlook.costly.held_back if outlook.costly else {}
    if n := refused.get("frequency_cap"):
        yield ngettext(
            "%(n)s person would not get it, because she had as many mails in 14 days as you allow.",
            "%(n)s people would not get it, because they had as many mails in 14 days as you allow.",
            n,
        ) % {"n": display.number(n)}
    if n := refused.get("open_complaint"):
        yield ngettext(
            "%(n)s person has an open complaint or alert and gets nothing before it is settled.",
            "%(n)s people have an open complaint or alert and get nothing before it is settled.",
            n,
        ) % {"n": display.number(n)}


def coupon(outlook: Outlook) -> Iterable[str]:
    """For whom its coupon would not hold. What can be known for certain is a check (`campaigns.checks.budget`)."""
    if outlook.costly and (n := outlook.costly.used_up):
        yield ngettext(
            "%(n)s person has used its coupon as often as it allows and will not get the mail.",
            "%(n)s people have used its coupon as often as it allows and will not get the mail.",
            n,
        ) % {"n": display.number(n)}
    batch = couponing.of_campaign(outlook.campaign)
    left = report.budget_left(batch) if batch and batch.kind != CouponBatch.Kind.AMOUNT else None
    if left is not None and outlook.recipients:
        yield ngettext(
            "How much its coupon takes off is not known before: %(left)s of the budget are left for %(n)s mail. Once they are"
            " spent, the codes are refused.",
            "How much its coupon takes off is not known before: %(left)s of the budget are left for %(n)s mails. Once they are"
            " spent, the codes are refused.",
            outlook.recipients,
        ) % {"left": display.money(left, outlook.shop.currency), "n": display.number(outlook.recipients)}


def authentication(outlook: Outlook) -> Iterable[str]:
    """What DNS or a probe showed that mailbox providers mark down."""
    if wrong := mail_auth.unwise(mail_auth.known(mail_auth.kept_for(outlook.shop))):
        names = ", ".join(dict.fromkeys(said(one).name for one in wrong))
        yield _("Mail authentication has gaps: %(names)s. An administrator finds what to do in the settings, under Sending.") % {
            "names": names
        }


WARNINGS: Sequence[Callable[[Outlook], Iterable[str]]] = (
    past,
    holiday,
    sunday,
    quiet,
    clocks_change,
    closed_window,
    short_window,
    sender_limit,
    small_group,
    clash,
    held_back,
    coupon,
    authentication,
)


# Those that need nothing but the time and the numbers of its day.
BY_TIME = (past, holiday, sunday, quiet, clocks_change, closed_window, sender_limit)


def of(outlook: Outlook) -> list[str]:
    """Every warning about a mailing, in the order of WARNINGS."""
    return [sentence for warning in WARNINGS for sentence in warning(outlook)]


@dataclass(frozen=True)
class Advice:
    """What is said beside a checked draft: its warnings, and how many the control group has."""

    warnings: list[str]
    held_out: int = 0


def of_draft(draft: Draft, load: int | None = None) -> Advice:
    """Every warning about a checked draft. What needs its whole audience is asked once for each check."""
    campaign = draft.campaign
    if campaign.send_at is None:
        return Advice([])
    name = f"campaigns:costly:{campaign.pk}:{campaign.checked_at and campaign.checked_at.timestamp()}"
    found = cache.get(name)
    if found is None:
        group = draft.audience.held_out if campaign.hold_out else 0
        found = (costly(campaign, draft.shop), rate(), group)
        cache.set(name, found, KEPT.total_seconds())
    whole, pace, held_out = found
    outlook = Outlook(
        campaign,
        draft.shop,
        campaign.send_at,
        recipients=campaign.checked_recipients,
        held_out=held_out,
        costly=whole,
        load=load,
        capacity=pacing.capacity(campaign.send_at.astimezone(ZoneInfo(draft.shop.time_zone)).date()),
        rate=pace,
    )
    return Advice(of(outlook), held_out)


def costly(campaign: Campaign, shop: Shop) -> Costly:
    """Up to three statements over the campaign's audience."""
    assert campaign.send_at is not None
    recipe, moment = recipes.everything()[campaign.recipe], Moment(campaign, shop)
    span = timedelta(days=permission.CAP_DAYS)
    others = list(
        Campaign.objects.filter(standing=False, send_at__range=(campaign.send_at - span, campaign.send_at + span))
        .exclude(pk=campaign.pk)
        .exclude(status__in=[Campaign.Status.CANCELLED, Campaign.Status.DRAFT, Campaign.Status.CHECKED])
        .values_list("pk", flat=True)
    )
    overlaps: dict[int, int] = {}
    used_up, batch = 0, couponing.of_campaign(campaign)
    with connection.cursor() as cursor:
        if others:
            judged, parameters = freezing.question(recipe, moment, 0)
            cursor.execute(judged + OVERLAP, parameters | {"others": others})
            overlaps = dict(cursor.fetchall())
        if batch and batch.per_customer:
            judged, parameters = freezing.question(recipe, moment, 0)
            cursor.execute(judged + USED_UP, parameters | {"batch": batch.pk})
            used_up = cursor.fetchone()[0]
        audience, asked = recipe.audience(moment)
        gate = permission.parameters(recipe.message_class, recipe.purpose, at=campaign.send_at, shop=shop)
        verdict = f"WITH wanted AS ({audience}), verdict AS ({permission.verdicts('wanted')})"
        cursor.execute(verdict + HELD_BACK, {"audience_run": 0} | asked | gate)
        return Costly(overlaps, dict(cursor.fetchall()), used_up)


def rate() -> float | None:
    """Mails a minute of the last finished mailing with at least a hundred recipients; None if there was none."""
    with connection.cursor() as cursor:
        cursor.execute(PACE)
        found: Any = cursor.fetchone()[0]
    return found or None
