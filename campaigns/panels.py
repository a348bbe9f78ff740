"""The campaigns' part of a customer's page: what was mailed, what was not and why, what comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import couponing, mail_use, recipes, surprises
from campaigns.models import Campaign, Delivery
from campaigns.reasons import ICONS, sentence
from crm import access, days, display, permission
from crm.models import Customer, Shop, User
from crm.plugins import Panel
from crm.presence import has, needs
from loyalty.models import Coupon

SHOWN = 8
GREETED_AT = time(9)


@dataclass(frozen=True)
class Mail:
    """One intended mail for a list: when, what, what became of it; `use`: what a person who agreed did with it;
    `code`, `coupon`: the code it brought and what became of that, with its page, for who may see coupons.
    """

    name: str
    at: datetime
    state: str
    answer: str
    icon: str
    tone: str
    campaign_id: int
    use: str = ""
    code: str = ""
    coupon: str = ""
    coupon_url: str = ""


@dataclass(frozen=True)
class Coming:
    """The next greeting: its day (None where the reader may not know the birthday), and whether it may go."""

    name: str
    day: date | None
    allowed: bool
    why: str


def panels(customer: Customer, user: User) -> Iterable[Panel]:
    """Eight queries at most, whatever was mailed."""
    return [Panel("main", "campaigns/panel_mails.html", context(customer, user))]


def context(customer: Customer, user: User) -> dict[str, Any]:
    return {
        "mails": mails(customer, SHOWN, coupons=access.may(user, "coupons.view")),
        "total": surprises.told(Delivery.objects.filter(customer=customer)).count() if has(customer, Delivery) else 0,
        "coming": birthday_greeting(customer, access.may(user, "pii.view")),
    }


@needs(Delivery)
def mails(customer: Customer, limit: int, before: datetime | None = None, *, coupons: bool = False) -> list[Mail]:
    """The customer's mails, sent and not, newest first."""
    rows = (
        surprises.told(Delivery.objects.filter(customer=customer))
        .select_related("campaign")
        .order_by("-planned_at", "-pk")
    )
    if before is not None:
        rows = rows.filter(planned_at__lt=before)
    return mails_of(customer, list(rows[:limit]), coupons)


def mails_of(customer: Customer, rows: Sequence[Delivery], coupons: bool = False) -> list[Mail]:
    """These mails of a customer; what she did with them only while she agrees that it is noted.

    coupons: the reader may see the codes that they brought.
    """
    uses = mail_use.of_mails(customer, [row.pk for row in rows])
    brought = couponing.of_mails([row.pk for row in rows]) if coupons else {}
    return [mail_of(row, uses.get(row.pk), brought.get(row.pk)) for row in rows]


def mail_of(row: Delivery, use: mail_use.Use | None = None, coupon: Coupon | None = None) -> Mail:
    icon, tone = ICONS[Delivery.State(row.state)]
    waits = row.state in (Delivery.State.PLANNED, Delivery.State.CLAIMED)
    at = max(row.not_before, row.planned_at) if waits else row.settled_at or row.sending_at or row.planned_at
    made = Mail(
        recipes.name_of(row.campaign),
        at,
        row.state,
        _answer(row),
        icon,
        tone,
        row.campaign_id,
        _use(use) if use else "",
    )
    if coupon is None:
        return made
    shown, word = couponing.shown(coupon), couponing.standing(coupon)
    return replace(made, code=shown, coupon=word, coupon_url=reverse("coupon", args=[coupon.code]))


def _use(use: mail_use.Use) -> str:
    """Opened when, and how many clicks."""
    said = []
    if use.opened_at:
        said.append(_("opened %(time)s") % {"time": display.instant(use.opened_at)})
    if use.clicks:
        said.append(ngettext("%(n)s click", "%(n)s clicks", use.clicks) % {"n": use.clicks})
    return ", ".join(said) if said else _("opened by a machine only")


def _answer(row: Delivery) -> str:
    if row.state == Delivery.State.SENT:
        return _sent(row)
    said = str(Delivery.State(row.state).label)
    # On its way and afterwards the reason is what allowed it, which does not say where it is.
    why = "" if row.state in (Delivery.State.SENDING, Delivery.State.UNKNOWN) else sentence(row.reason)
    return f"{said}: {why.rstrip('.')}" if why else said


def _sent(row: Delivery) -> str:
    """Sent, and what allowed it."""
    if row.reason == "consent" and row.evidence:
        return _("sent: consent %(number)s") % {"number": row.evidence}
    allowed = {"contract": _("sent: contract"), "existing_customer": _("sent: buyer, § 7(3) UWG")}
    return allowed.get(row.reason, _("sent"))


def birthday_greeting(customer: Customer, sees_birthday: bool) -> Coming | None:
    """The next birthday greeting as things stand now; None without a birthday."""
    if not customer.birth_month or not customer.birth_day:
        return None
    shop, recipe = Shop.current(), recipes.everything()["birthday"]
    campaign = recipes.standing_campaign(recipe)
    zone = ZoneInfo(shop.time_zone)
    day = next_birthday(customer.birth_month, customer.birth_day, days.today(zone), campaign)
    shown = day if sees_birthday else None
    if not campaign.switched_on:
        return Coming(str(recipe.label), shown, False, _("the greeting is switched off"))
    at = max(datetime.combine(day, GREETED_AT, zone), now())
    gate = permission.may_send(customer.pk, recipe.message_class, recipe.purpose, at=at, shop=shop)
    allowed = gate.allowed or gate.code == "quiet_hours"
    return Coming(str(recipe.label), shown, allowed, "" if allowed else gate.detail.rstrip("."))


def next_birthday(month: int, day: int, today: date, campaign: Campaign) -> date:
    """The next day, today included, on which somebody born on this day is greeted; 29 February as the campaign says."""
    for year in (today.year, today.year + 1):
        try:
            kept = date(year, month, day)
        except ValueError:
            kept = date(year, 3, 1) if campaign.options.get("leap_day") == "01-03" else date(year, 2, 28)
        if kept >= today:
            return kept
    raise AssertionError("one of two years has the day still ahead")
