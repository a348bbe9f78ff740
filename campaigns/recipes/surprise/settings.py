"""What a shop sets about its surprises: the window, the budget, and what a gift costs."""

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import couponing, surprises
from campaigns.models import Campaign, TemplateVersion
from campaigns.recipe import Setting
from campaigns.surprises import Plan
from crm import display
from crm.models import Shop
from loyalty.models import CouponBatch

MONTHS = Setting(
    "every_months",
    gettext_lazy("Length of a window"),
    "number",
    default=6,
    minimum=1,
    maximum=24,
    unit=gettext_lazy("months"),
    help=gettext_lazy(
        "In each window a person is surprised once at most, on a day that is drawn and that nobody knows."
    ),
)
FROM = Setting(
    "from_day",
    gettext_lazy("First day of a single window"),
    "day",
    default="",
    required=False,
    help=gettext_lazy("With both days set, there is this one window, and the months above do not count."),
)
UNTIL = Setting("until_day", gettext_lazy("Last day of that window"), "day", default="", required=False)
GIFTS = Setting(
    "gifts",
    gettext_lazy("Gifts in a window, at most"),
    "number",
    default=10,
    minimum=0,
    maximum=1_000_000,
    help=gettext_lazy("0 for no limit by number. One of the two limits has to be set."),
)
MONEY = Setting(
    "money",
    gettext_lazy("Money in a window, at most"),
    "number",
    default=0,
    minimum=0,
    maximum=10_000_000,
    help=gettext_lazy("In whole units of the shop's currency; 0 for no limit by money."),
)
COST = Setting(
    "gift_cost",
    gettext_lazy("What one gift costs"),
    "number",
    default=0,
    minimum=0,
    maximum=100_000,
    help=gettext_lazy("A coupon over an amount counts with that amount; set this for every other gift."),
)
ALL = (MONTHS, FROM, UNTIL, GIFTS, MONEY, COST)


def plan_of(campaign: Campaign, day: date) -> Plan | None:
    """What the campaign gives in the window of a day; None where nothing may be given, which `trouble` words."""
    if trouble(campaign, day):
        return None
    version = campaign.template_version
    assert version
    first, last = window(campaign, day)
    words = words_of(version)
    batch = couponing.of_campaign(campaign)
    money = MONEY.of(campaign)
    return Plan(
        campaign_id=campaign.pk,
        first_day=first,
        last_day=last,
        gifts_most=GIFTS.of(campaign) or None,
        money_most=Decimal(money) if money else None,
        cost=cost(campaign, batch),
        gift=f"coupon:{batch.pk}" if batch else f"text:{words}",
        words=words,
    )


def trouble(campaign: Campaign, day: date) -> str:
    """Why no gift can be planned on a day, as a sentence; '' if one can."""
    first, last = window(campaign, day)
    batch = couponing.of_campaign(campaign)
    if campaign.template_version is None:
        return _("There is no text yet.")
    if not first <= day <= last:
        return _("There is no window on this day. Set other days, or leave both empty.")
    if campaign.options.get(couponing.OPTION) and (why := couponing.refusal(batch)):
        return why
    if not GIFTS.of(campaign) and not MONEY.of(campaign):
        return _("Set a limit for the number of gifts or for the money. Without a budget nothing is given.")
    if MONEY.of(campaign) and not cost(campaign, batch):
        return _("Say what one gift costs, or the limit for the money cannot be kept.")
    return ""


def window(campaign: Campaign, day: date) -> tuple[date, date]:
    """First and last day of the window in which a day lies, or of the one window that is set."""
    start, end = FROM.of(campaign), UNTIL.of(campaign)
    if start and end:
        return date.fromisoformat(start), date.fromisoformat(end)
    months = MONTHS.of(campaign)
    number = (day.year * 12 + day.month - 1) // months * months
    return _month(number), _month(number + months) - timedelta(days=1)


def stands(campaign: Campaign, day: date) -> str:
    """What of the budget is given or on its way in the window of a day: totals, and never a name."""
    plan = plan_of(campaign, day)
    if plan is None:
        return ""
    period = surprises.period_of(plan, day)
    said = []
    if plan.gifts_most is not None:
        count = {"n": display.number(period.gifts), "most": display.number(plan.gifts_most)}
        said.append(_("%(n)s of %(most)s gifts") % count)
    else:
        said.append(ngettext("%(n)s gift", "%(n)s gifts", period.gifts) % {"n": display.number(period.gifts)})
    if plan.money_most is not None:
        currency = Shop.current().currency
        sums = {"sum": display.money(period.money, currency), "most": display.money(plan.money_most, currency)}
        said.append(_("%(sum)s of %(most)s") % sums)
    return _("Window from %(first)s to %(last)s. Given or on their way: %(what)s.") % {
        "first": display.day(plan.first_day),
        "last": display.day(plan.last_day),
        "what": ", ".join(said),
    }


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def cost(campaign: Campaign, batch: CouponBatch | None) -> Decimal:
    """What one gift costs, in the shop's currency; 0 where nobody said."""
    if batch and batch.kind == CouponBatch.Kind.AMOUNT and batch.value:
        return batch.value if batch.in_parts else batch.value * batch.uses
    return Decimal(COST.of(campaign))


def words_of(version: TemplateVersion) -> str:
    """Which surprise a text is, as a hash: what its block calls it, or else its words."""
    named = sorted(name.casefold() for block in version.blocks if (name := str(block.get("name") or "").strip()))
    said = named or [block["text"] for block in version.blocks if not block.get("coupon")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
