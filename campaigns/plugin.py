"""What campaigns adds to crm's pages, and what it stops when a permission ends."""

import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import (
    breaker,
    gating,
    invariants,
    mail_use,
    news,
    notices,
    pacing,
    personal,
    recipes,
    sending,
    surprises,
    tracking,
    transport,
)
from campaigns.models import Delivery, MailUse
from campaigns.panels import panels
from campaigns.reasons import ICONS, sentence
from campaigns.segments import customer_list as segment_filter
from crm.invariants import Invariant
from crm.models import Customer, Shop, User
from crm.plugins import ListAction, NavEntry, Notice, Panel, Plugin, TimelineEntry
from crm.presence import has
from crm.privacy.registry import Table
from crm.privacy.retention import Rule
from crm.privacy.sections import Section
from crm.worklist import Entry

State = Delivery.State
KIND, USE = "mail", "mail_use"
TOLD = (State.SENT, State.UNKNOWN, State.SUPPRESSED, State.FAILED, State.QUARANTINED)
SENDER_SILENT_S = 60
LATE_S = 120
WAIT_FOR_WIRE_S = 2.0


class CampaignsPlugin(Plugin):
    timeline_kinds: dict[str, str | Promise] = {KIND: gettext_lazy("Mails"), USE: gettext_lazy("Opens and clicks")}
    settings_tabs = (NavEntry(gettext_lazy("Sending"), "sending", "send", "settings.manage", 25),)
    nav = (NavEntry(gettext_lazy("Campaigns"), "campaigns", "send", "campaigns.view", 30),)

    def panels(self, customer: Customer, user: User) -> Iterable[Panel]:
        return panels(customer, user)

    def timeline(self, customer: Customer, kinds: set[str], before: datetime, limit: int) -> Iterable[TimelineEntry]:
        found: list[TimelineEntry] = []
        if not has(customer, Delivery):
            return found
        if KIND in kinds:
            rows = news.with_news(told(customer)).filter(at__lt=before).select_related("campaign")  # type: ignore[misc]
            found += [_entry(row) for row in rows.order_by("-at", "-pk")[:limit]]  # type: ignore[misc]
        if USE in kinds:
            found += [_use(moment) for moment in mail_use.of_person(customer, before, limit)]
        return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]

    def timeline_counts(self, customer: Customer) -> dict[str, int]:
        if not has(customer, Delivery):
            return {}
        return {KIND: told(customer).count(), USE: mail_use.number(customer)}

    def filters(self) -> dict[str, django_filters.Filter]:
        return segment_filter.filters()

    def list_actions(self, user: User) -> Sequence[ListAction]:
        return segment_filter.actions(user)

    def worklist(self, user: User, limit: int) -> Iterable[Entry]:
        return news.to_ask(limit)

    def notices(self, user: User) -> Iterable[Notice]:
        return notices.for_staff(user)

    def greetings(self, day: date, customer_ids: Sequence[int]) -> dict[int, datetime]:
        """Birthday mails of the year that are planned, on their way or sent."""
        keys = [f"birthday:{day.year}:{pk}" for pk in customer_ids]
        going = Delivery.objects.filter(dedupe_key__in=keys).exclude(state__in=[State.SUPPRESSED, State.FAILED])
        return dict(going.annotate(at=Coalesce("settled_at", "not_before")).values_list("customer_id", "at"))

    def on_withdraw(self, customer_id: int, purposes: Sequence[str], channel: str) -> None:
        """Stop this person's advertising for these purposes that has not passed the gate yet.

        With the consent to tracking, what was noted by it goes: nothing else allows to keep it.
        """
        if channel == "email":
            if tracking.PURPOSE in purposes:
                mail_use.forget(customer_id)
            Delivery.objects.filter(
                customer_id=customer_id,
                state__in=[State.PLANNED, State.CLAIMED],
                message_class="advertising",
                purpose__in=purposes,
            ).update(state=State.SUPPRESSED, reason="withdrawn", token=None, lease_until=None, settled_at=now())

    def after_withdraw(self, customer_id: int) -> None:
        """Wait up to 2 s until what has passed the gate is off the wire, so that "done" is true when we say it."""
        end = time.monotonic() + WAIT_FOR_WIRE_S
        on_wire = Delivery.objects.filter(customer_id=customer_id, state=State.SENDING)
        while on_wire.exists() and time.monotonic() < end:
            time.sleep(0.05)

    def invariants(self) -> Iterable[Invariant]:
        return invariants.CHECKS

    def readiness(self) -> Iterable[tuple[str, str]]:
        return [
            ("sender", sender_finding()),
            ("oldest_due", lateness_finding()),
            ("mail_server", breaker.server_finding()),
        ]

    def personal_data(self) -> Sequence[Table]:
        return personal.TABLES

    def export(self, customer: Customer, customer_ids: Sequence[int]) -> Iterable[Section]:
        return personal.mails(customer_ids)

    def letters(self, customer_ids: Sequence[int]) -> Iterable[tuple[datetime, dict[str, Any]]]:
        return personal.letters(customer_ids)

    def erase(self, customer_ids: Sequence[int], shell_id: int) -> int:
        return personal.cut_off(customer_ids, shell_id)

    def retention(self) -> Sequence[Rule]:
        return personal.RULES


def told(customer: Customer) -> QuerySet[Delivery]:
    """The mails that have a place in the timeline, with `at`: sent, refused or in doubt, not what is still to come."""
    at = Coalesce("settled_at", "sending_at", "planned_at")
    return surprises.told(Delivery.objects.filter(customer=customer, state__in=TOLD)).annotate(at=at)


def _entry(row: Delivery) -> TimelineEntry:
    icon, tone = ICONS[State(row.state)]
    titles = {
        State.SENT: _("Mail sent: %(name)s"),
        State.UNKNOWN: _("Unclear whether sent: %(name)s"),
    }
    title = titles.get(State(row.state), _("Mail not sent: %(name)s")) % {"name": recipes.name_of(row.campaign)}
    why = [sentence(row.reason)] if row.reason else []
    told_since, warning = news.of(row)
    tone = "bad" if warning else tone if tone in ("good", "bad") else ""
    notes = why + told_since
    return TimelineEntry(at=row.at, kind=KIND, icon=icon, title=title, notes=notes, tone=tone, warning=warning)  # type: ignore[attr-defined]


def _use(moment: mail_use.Moment) -> TimelineEntry:
    said = _("Mail opened: %(name)s") if moment.kind == MailUse.Kind.OPEN else _("Link clicked: %(name)s")
    notes = [_("probably by a machine")] if moment.machine else []
    if moment.often > 1:
        notes = [ngettext("%(n)s time", "%(n)s times", moment.often) % {"n": moment.often}]
    icon = "mail-opened" if moment.kind == MailUse.Kind.OPEN else "click"
    text = mail_use.short(moment.target) if moment.target else ""
    title = said % {"name": moment.mail}
    return TimelineEntry(at=moment.at, kind=USE, icon=icon, title=title, text=text, notes=notes)


def sender_finding() -> str:
    """How long no sender and no worker has been heard of; "ok" if not long."""
    rows = sending.fetch("SELECT extract(epoch FROM clock_timestamp() - max(at)) FROM campaigns_senderheartbeat", None)
    age = rows[0][0]
    if age is None:
        return "no sender has run yet"
    return "ok" if age <= SENDER_SILENT_S else f"no sender for {int(age)} s"


def lateness_finding() -> str:
    """For how long a mail that might go has been waiting; "ok" if not long."""
    rows = sending.fetch(
        f"""SELECT extract(epoch FROM clock_timestamp() - min(delivery.not_before))
        FROM campaigns_campaign campaign CROSS JOIN LATERAL (
          SELECT greatest(min(not_before), min(planned_at)) AS not_before FROM campaigns_delivery
          WHERE campaign_id = campaign.id AND state = 'planned' AND not_before <= %(late)s AND not_after > now()) delivery
        WHERE {pacing.GOES_NOW}""",
        pacing.parameters(Shop.current(), transport.current()) | {"late": now() - timedelta(seconds=LATE_S)},
    )
    waiting = rows[0][0]
    if waiting is None or waiting <= LATE_S:
        return "ok"
    return f"a mail has waited {int(waiting)} s" + (f" ({why})" if (why := gating.closed()) else "")
