"""What goes by itself after a time, and who might be erased because nothing has been heard for years.

Each rule is one entry; upper apps add theirs through `Plugin.retention`. `report` only counts; `run` applies. Nobody is
ever erased by a rule: inactive customers are proposed, and a member of staff decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from crm import double_opt_in, plugins, surveys, throttle
from crm.models import (
    Answer,
    AuditEntry,
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    Customer,
    DoubleOptIn,
    ErasureLog,
    Interaction,
    LinkToken,
    PrivacyRequest,
    Purchase,
    Quarantine,
    SealedRecord,
    SurveyInvitation,
    Throttle,
)

Words = str | Promise

QUARANTINE_DAYS = 30
AUDIT_DAYS = 400
PROOF_YEARS = 3
INACTIVE_MONTHS = 36


@dataclass(frozen=True)
class Rule:
    """One rule of retention.

    what, after, why: words for the report; due: the rows whose time is over; apply: does away with them and returns
    how many; since: the field that says how old they are
    """

    code: str
    what: Words
    after: Words
    why: Words
    due: Callable[[], QuerySet[Any]]
    apply: Callable[[QuerySet[Any]], int]
    since: str


@dataclass(frozen=True)
class Finding:
    """A rule with the number of rows that are due, and the oldest of them."""

    rule: Rule
    due: int
    oldest: Any


def rules() -> Sequence[Rule]:
    return (*RULES, *plugins.collect(lambda plugin: plugin.retention()))


def report() -> list[Finding]:
    """What a run would do now; changes nothing. One query a rule."""
    found = []
    for rule in rules():
        rows = rule.due()
        counted = rows.aggregate(oldest=Min(rule.since))
        found.append(Finding(rule, rows.count(), counted["oldest"]))
    return found


def run() -> dict[str, int]:
    """Apply every rule. Returns how many rows each took. Safe to repeat and to run twice at once."""
    return {rule.code: rule.apply(rule.due()) for rule in rules()}


def inactive() -> QuerySet[Customer]:
    """Customers of whom nothing was heard for 36 months: no purchase, contact or answer, and no permission that holds.

    Oldest first. They are proposed for erasure, never erased by themselves.
    """
    edge = now() - timedelta(days=INACTIVE_MONTHS * 365.25 / 12)
    of = OuterRef("pk")
    return (
        Customer.objects.filter(created_at__lt=edge, merged_into=None, erased_at=None, is_test=False)
        .filter(
            ~Exists(Purchase.objects.filter(customer=of, ordered_on__gte=edge.date())),
            ~Exists(Interaction.objects.filter(customer=of, occurred_at__gte=edge)),
            ~Exists(Answer.objects.filter(customer=of, answered_at__gte=edge)),
            ~Exists(ConsentState.objects.filter(customer=of, state=ConsentState.State.GIVEN)),
        )
        .order_by("created_at", "pk")
    )


def deleted(rows: QuerySet[Any]) -> int:
    return rows.delete()[0]


def years_ago(years: int) -> date:
    """The first day of the calendar year that lies `years` full years back: what is older has had its time."""
    return date(now().year - years, 1, 1)


def _refused() -> QuerySet[Any]:
    return Quarantine.objects.filter(received_at__lt=now() - timedelta(days=QUARANTINE_DAYS))


def _unconfirmed() -> QuerySet[Any]:
    return DoubleOptIn.objects.filter(requested_at__lt=now() - double_opt_in.KEPT)


def _links() -> QuerySet[Any]:
    return LinkToken.objects.filter(expires_at__lt=now())


def _invitations() -> QuerySet[Any]:
    return SurveyInvitation.objects.filter(expires_at__lt=now() - surveys.KEPT_AFTER)


def _tries() -> QuerySet[Any]:
    return Throttle.objects.filter(started_at__lt=now() - throttle.KEPT)


def _sealed() -> QuerySet[Any]:
    return SealedRecord.objects.filter(purge_on__lt=now().date())


def _traces() -> QuerySet[Any]:
    """Addresses of computers at declarations that were ended more than three full calendar years ago."""
    ended = ConsentEvent.objects.filter(
        person_key=OuterRef("event__person_key"),
        purpose=OuterRef("event__purpose"),
        channel=OuterRef("event__channel"),
        action__in=[ConsentEvent.Action.WITHDRAWN, ConsentEvent.Action.OBJECTED],
        occurred_at__gte=OuterRef("event__occurred_at"),
        occurred_at__date__lt=years_ago(PROOF_YEARS),
    )
    return ConsentTrace.objects.filter(~Q(ip=None) | ~Q(user_agent="")).filter(Exists(ended))


def _proof() -> QuerySet[Any]:
    return ErasureLog.objects.filter(proof_until__lt=now().date(), person_key__isnull=False)


def _requests() -> QuerySet[Any]:
    return PrivacyRequest.objects.exclude(state="open").filter(closed_at__date__lt=years_ago(PROOF_YEARS))


def _audit() -> QuerySet[Any]:
    return AuditEntry.objects.filter(at__lt=now() - timedelta(days=AUDIT_DAYS))


def _by(function: str) -> Callable[[QuerySet[Any]], int]:
    """Append-only tables are emptied by a function of the owner, which decides for itself what may go."""

    def call(_rows: QuerySet[Any]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT public.{function}()")
            return cursor.fetchone()[0]

    return call


RULES: tuple[Rule, ...] = (
    Rule(
        "quarantine",
        _("Refused rows"),
        _("deleted after 30 days"),
        _("They are kept to be mended, and may hold personal data."),
        _refused,
        deleted,
        "received_at",
    ),
    Rule(
        "double_opt_in",
        _("Mails that asked for a confirmation"),
        _("deleted after 30 days; what was not confirmed expires"),
        _("Whoever did not confirm did not agree; who is known by that alone is deleted."),
        _unconfirmed,
        lambda _rows: double_opt_in.clean_up()["requests"],
        "requested_at",
    ),
    Rule(
        "links",
        _("Personal links in mails"),
        _("deleted when they end"),
        _("They open nothing any more."),
        _links,
        deleted,
        "expires_at",
    ),
    Rule(
        "survey_links",
        _("Links of mails that asked how it was"),
        _("deleted 60 days after the mail"),
        _("They open nothing any more; the answers are kept with the customer."),
        _invitations,
        deleted,
        "expires_at",
    ),
    Rule(
        "tries",
        _("Counters against abuse"),
        _("deleted after a day"),
        _("Their limits have passed."),
        _tries,
        deleted,
        "started_at",
    ),
    Rule(
        "sealed",
        _("Sealed records of erased persons"),
        _("deleted after 8 full calendar years, business letters after 6"),
        _("Bookkeeping no longer asks for them (§ 147 AO, § 14b UStG, § 257 HGB)."),
        _sealed,
        deleted,
        "purge_on",
    ),
    Rule(
        "traces",
        _("IP addresses and browsers of ended consents"),
        _("blanked 3 full calendar years after the end"),
        _("Claims about the consent are barred by then (§§ 195, 199 BGB)."),
        _traces,
        lambda rows: rows.update(ip=None, user_agent=""),
        "event__occurred_at",
    ),
    Rule(
        "proof",
        _("Consent proof of erased persons"),
        _("deleted 3 full calendar years after the erasure (by phone 5)"),
        _("Claims about the consent are barred by then (§§ 195, 199 BGB, § 7a UWG)."),
        _proof,
        _by("f_purge_proof"),
        "erased_at",
    ),
    Rule(
        "requests",
        _("Privacy requests that were answered"),
        _("deleted 3 full calendar years after the answer"),
        _("Nobody can dispute the answer any more."),
        _requests,
        deleted,
        "closed_at",
    ),
    Rule(
        "audit",
        _("Audit entries"),
        _("deleted after 400 days"),
        _("Long enough for a yearly audit."),
        _audit,
        _by("f_purge_audit"),
        "at",
    ),
)
