"""Do bond and lock-in tell who buys again? The weights are our convention, so the shop re-checks them yearly.

Logistic regression of “bought again within two base cycles” on bond and lock-in, of everybody judged as of two base cycles
ago by the rules in force. What goes together need not cause each other: nothing is changed by the result.
"""

from collections.abc import Sequence
from datetime import timedelta
from math import exp

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.days import today
from crm.display import day as day_text
from crm.display import number
from loyalty import logistic, rules, scoring
from loyalty.estimates import NORMAL_95
from loyalty.models import BondCheck, Calibration

EVERY = timedelta(days=365)
AGAIN = timedelta(days=30)  # after a check that had too little
TEN = 10  # points that an effect is told for
LEAST_EACH = 30  # of those who bought and of those who did not: ten for each of the three numbers fitted

ROWS = """
SELECT round(a.bond), round(a.lock_in), count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM unnest(m.order_days) d
    WHERE d > %(since)s::date AND d <= %(since)s::date + %(days)s))
FROM {judged} a JOIN loyalty_metrics m ON m.customer_id = a.customer_id
WHERE a.orders > 0 AND a.bond IS NOT NULL AND a.lock_in IS NOT NULL GROUP BY 1, 2"""


def recheck_once_a_year() -> BondCheck | None:
    """Check again if the last time is a year ago, or a month if it had too little. Safe to repeat.

    None if it is not yet time, and before anybody was judged.
    """
    newest = BondCheck.objects.order_by("-as_of").first()
    known = Calibration.objects.filter(pk=1).first()
    if known is None or known.pinned_on:
        return None
    if newest and newest.as_of > today() - (AGAIN if newest.bond is None else EVERY):
        return None
    return recheck(max(1, round(2 * known.days)))


@transaction.atomic
def recheck(days: int) -> BondCheck:
    """Judge everybody as of `days` ago and see who of them bought since. Replaces a check of today."""
    day = today()
    since = day - timedelta(days=days)
    with scoring.judged_as_of(since) as (_outcome, run), connection.cursor() as cursor:
        cursor.execute(ROWS.format(judged=run.assessments), {"since": since, "days": days})
        rows = [((bond / TEN, lock_in / TEN), n, bought) for bond, lock_in, n, bought in cursor.fetchall()]
    customers, bought = sum(n for _v, n, _b in rows), sum(hits for _v, _n, hits in rows)
    made = BondCheck(
        as_of=day, since=since, days=days, customers=customers, bought=bought, rules_version=rules.current().version
    )
    if min(bought, customers - bought) >= LEAST_EACH:
        _fit(made, rows)
    BondCheck.objects.filter(as_of=day).delete()
    made.save(force_insert=True)
    return made


def _fit(made: BondCheck, rows: Sequence[logistic.Row]) -> None:
    try:
        _intercept, bond, lock_in = logistic.fit(rows)
    except ArithmeticError:
        return
    made.bond, made.bond_error = bond.value, bond.error
    made.lock_in, made.lock_in_error = lock_in.value, lock_in.error


def sentences() -> list[str]:
    """What the latest check found, beside the one before it that could tell anything. Two queries."""
    newest = BondCheck.objects.order_by("-as_of").first()
    if newest is None:
        return [_("Whether bond and lock-in tell who buys again is checked once a year; that was not done yet.")]
    before = BondCheck.objects.filter(as_of__lt=newest.as_of, bond__isnull=False).order_by("-as_of").first()
    found = [_basis(newest), *_found(newest)]
    if before:
        found.append(
            _("The check of %(day)s found %(bond)s times for the bond and %(lock_in)s times for the lock-in.")
            % {"day": day_text(before.as_of), "bond": odds(before.bond), "lock_in": odds(before.lock_in)}
        )
    return found


def _basis(one: BondCheck) -> str:
    return ngettext(
        "Checked on %(day)s: of %(n)s customer with bond and lock-in known on %(since)s, %(bought)s bought within %(days)s"
        " days.",
        "Checked on %(day)s: of %(n)s customers with bond and lock-in known on %(since)s, %(bought)s bought within %(days)s"
        " days.",
        one.customers,
    ) % {
        "day": day_text(one.as_of),
        "since": day_text(one.since),
        "n": number(one.customers),
        "bought": number(one.bought),
        "days": number(one.days),
    }


def _found(one: BondCheck) -> list[str]:
    if one.bond is None or one.bond_error is None or one.lock_in is None or one.lock_in_error is None:
        return [_("That is too little to tell whether the weights are right.")]
    return [
        _("Ten points more of bond go with %(odds)s times the odds of buying again (%(low)s to %(high)s).")
        % _odds_of(one.bond, one.bond_error),
        _("Ten points more of lock-in go with %(odds)s times the odds (%(low)s to %(high)s).")
        % _odds_of(one.lock_in, one.lock_in_error),
        _("What goes together need not cause each other: the weights stay until you change them."),
    ]


def _odds_of(value: float, error: float) -> dict[str, str | None]:
    half = NORMAL_95 * error
    return {"odds": odds(value), "low": odds(value - half), "high": odds(value + half)}


def odds(value: float | None) -> str | None:
    """Times the odds, from a change of their logarithm."""
    return None if value is None else number(exp(value), 2)
