"""What stands still: campaigns that stopped by themselves, and mail servers that take nothing. For those who can act.

Derived from the rows of `campaigns.breaker`, so a notice goes when what it tells of is over.
"""

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import breaker, recipes, transport
from campaigns.models import Circuit
from crm import access, display
from crm.models import User
from crm.plugins import Notice

NAMED = 3


def for_staff(user: User | AnonymousUser) -> list[Notice]:
    """Nothing for who has nothing to do with campaigns. Two queries at most."""
    if not access.may(user, "campaigns.view"):
        return []
    stopped = [
        Notice(
            recipes.name_of(campaign),
            why,
            reverse("recipe", args=[campaign.recipe]) if campaign.standing else reverse("mailing", args=[campaign.pk]),
        )
        for campaign, why in breaker.stopped()
    ]
    return [*stopped, *_resting(access.may(user, "settings.manage"))]


def _resting(may_look: bool) -> list[Notice]:
    """may_look: whether the person may see the page of sending, else an administrator has to."""
    circuits = Circuit.objects.filter(transport=transport.current()).exclude(state=Circuit.State.CLOSED)
    rows = list(circuits.order_by("domain"))
    url = reverse("sending") if may_look else ""
    notices = [_server(row, url) for row in rows if not row.domain]
    domains = [row.domain for row in rows if row.domain]
    return notices + ([_domains(domains, url)] if domains else [])


def _server(row: Circuit, url: str) -> Notice:
    said = {"since": display.instant(row.since), "reply": row.reply or _("no answer")}
    text = _("Since %(since)s it does not take them (%(reply)s). All mails wait, and one tries again and again.")
    what_to_do = _("If it lasts, look at the mail server itself.") if url else _("If it lasts, tell an administrator.")
    return Notice(_("The mail server takes no mails"), f"{text % said} {what_to_do}", url, "due")


def _domains(domains: list[str], url: str) -> Notice:
    more = len(domains) - NAMED
    names = ", ".join(domains[:NAMED])
    if more > 0:
        names = _("%(names)s and %(n)s more") % {"names": names, "n": display.number(more)}
    text = _(
        "Their mail server does not take them for now. They wait, one tries again and again, and all others go on."
    )
    what_to_do = (
        _("If it lasts a day, allow fewer mails an hour to them.")
        if url
        else _("If it lasts a day, tell an administrator.")
    )
    return Notice(_("Mails to %(names)s wait") % {"names": names}, f"{text} {what_to_do}", url, "due")
