"""A mailing that invites to a gathering: what, when, where and how to answer stand in the draft."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from campaigns.local_days import written
from campaigns.models import Campaign
from campaigns.recipe import Moment, Occasion, Query, Recipe, Setting
from campaigns.recipes.invitation.texts import BLOCKS, SUBJECT
from campaigns.recipes.newsletter import audience as everybody
from crm.models import Shop

TIMES = [(f"{hour:02}:{minute:02}", f"{hour:02}:{minute:02}") for hour in range(6, 24) for minute in (0, 15, 30, 45)]
TITLE = Setting(
    "gathering_title",
    _("What it is"),
    "text",
    "",
    help=_("As guests would call it, such as Coffee tasting. Who already said yes to it gets no invitation."),
    maximum=120,
    required=False,
    awaited=True,
)
DAY = Setting("gathering_day", _("On which day"), "day", "", required=False, awaited=True)
TIME = Setting("gathering_time", _("When it begins"), "choice", "18:00", choices=TIMES)
PLACE = Setting(
    "gathering_place",
    _("Where"),
    "text",
    "",
    help=_("So that somebody who was never there finds it."),
    required=False,
    awaited=True,
)
UNTIL = Setting(
    "answer_until",
    _("Answer wished by"),
    "day",
    "",
    help=_("Leave it empty if people may just come."),
    required=False,
)
LINK = Setting(
    "answer_link",
    _("Page for answers"),
    "text",
    "",
    help=_("An address that starts with https://. Leave it empty and people answer by mail."),
    required=False,
)
SETTINGS = (TITLE, DAY, TIME, PLACE, UNTIL, LINK)
# Who said yes is in the customer's history (Participation), with the gathering's name.
INVITED = """
SELECT invited.customer_id, invited.dedupe_key, invited.cause, invited.event_id, invited.not_before,
       greatest(least(invited.not_after, %(audience_begins)s::timestamptz), invited.not_before + interval '1 minute')
         AS not_after
FROM ({everybody}) invited
WHERE NOT EXISTS (
  SELECT FROM crm_participation guest WHERE guest.customer_id = invited.customer_id AND guest.kind = 'gathering'
    AND lower(guest.title) = lower(%(audience_title)s) AND %(audience_title)s <> '')
"""


def audience(moment: Moment) -> Query:
    """Whom a newsletter would reach, without those who said yes already. Nobody is invited after it has begun."""
    found, parameters = everybody(moment)
    return INVITED.format(everybody=found), parameters | {
        "audience_title": TITLE.of(moment.campaign).strip(),
        "audience_begins": begins(moment.campaign, moment.shop),
    }


def begins(campaign: Campaign, shop: Shop) -> datetime | None:
    """When the gathering begins; None while its day is not told."""
    day = DAY.of(campaign)
    if not day:
        return None
    hour = time.fromisoformat(TIME.of(campaign))
    return datetime.combine(date.fromisoformat(day), hour, ZoneInfo(shop.time_zone))


def problems(campaign: Campaign, shop: Shop) -> Iterable[str]:
    """What a guest would have to ask, in sentences."""
    begin = begins(campaign, shop)
    if not TITLE.of(campaign).strip():
        yield str(_("Say what you invite to."))
    if begin is None:
        yield str(_("Say on which day it is."))
    elif campaign.send_at and begin <= campaign.send_at:
        yield str(_("It begins before the mail goes. Choose an earlier time for the mail, or a later day."))
    if not PLACE.of(campaign).strip():
        yield str(_("Say where it is."))
    if (until := UNTIL.of(campaign)) and DAY.of(campaign) and until > DAY.of(campaign):
        yield str(_("The answer is wished by a day after the gathering. Choose an earlier one."))
    link = LINK.of(campaign).strip()
    if link and (not link.startswith("https://") or any(character.isspace() for character in link)):
        yield str(_("Write the page for answers with https:// in front, such as https://shop.example/tasting."))


def more_values(detail: Mapping[str, Any], language: str) -> Mapping[str, str]:
    """What the draft says of the gathering, days and times as the language writes them."""
    given = Campaign(options=detail["options"])
    hour = time.fromisoformat(TIME.of(given))
    day, until = DAY.of(given), UNTIL.of(given)
    return {
        "gathering_title": TITLE.of(given).strip(),
        "gathering_day": written(date.fromisoformat(day), language, weekday=True) if day else "",
        "gathering_time": f"{hour:%H:%M} Uhr" if language == "de" else f"{hour:%H:%M}",
        "gathering_place": PLACE.of(given).strip(),
        "answer_until": written(date.fromisoformat(until), language) if until else "",
        "answer_link": LINK.of(given).strip(),
    }


RECIPE = Recipe(
    code="invitation",
    label=_("Invitation"),
    description=_("Invites everybody or chosen stages to a gathering: what, when, where and how to answer."),
    occasion=Occasion.SCHEDULED,
    audience=audience,
    message_class="advertising",
    purpose="newsletter",
    subject=SUBJECT,
    blocks=BLOCKS,
    values={
        "gathering_title": "Kaffeeverkostung",
        "gathering_day": "Freitag, 4. Dezember 2026",
        "gathering_time": "18:30 Uhr",
        "gathering_place": "Laden Ost, Beispielweg 1, 12345 Musterstadt",
        "answer_until": "1. Dezember 2026",
        "answer_link": "",
    },
    more_values=more_values,
    example={
        "options": {
            "gathering_title": "Kaffeeverkostung",
            "gathering_day": "2026-12-04",
            "gathering_time": "18:30",
            "gathering_place": "Laden Ost, Beispielweg 1, 12345 Musterstadt",
            "answer_until": "2026-12-01",
        }
    },
    problems=problems,
    settings=SETTINGS,
    at_most=_("Once for each invitation you send."),
)
