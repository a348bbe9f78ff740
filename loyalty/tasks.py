"""What Celery wakes. The rules are in `loyalty.scoring`."""

from celery import shared_task
from django.db import OperationalError

from crm import idempotency
from loyalty import bond_check, figures, lifetime_value, months, scoring
from loyalty.coupons import ledger, returns


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def score_changed() -> int:
    """Judge the customers whose facts changed."""
    return scoring.score_changed()


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def score_all_once_a_day() -> int:
    """Judge everybody unless that was done today, in the shop's zone. Time alone changes stages."""
    if scoring.judged_today():
        return 0
    judged = scoring.score_all().judged
    figures.want_all()
    update_months.delay_on_commit(facts=True)
    refit_lifetime_value.delay_on_commit()
    recheck_bond.delay_on_commit()
    refresh_wanted_figures.delay_on_commit()
    return judged


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def refresh_wanted_figures() -> int:
    """Compute the figures that wait for it, for a minute; the next call goes on."""
    return figures.refresh_wanted(seconds=60)


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def update_months(facts: bool = False) -> int:
    """Judge the month ends that are due, for a minute; calls itself again while some are left."""
    done = months.fill(seconds=60, facts=facts)
    if done.left:
        update_months.delay_on_commit(facts=facts)
    return done.judged


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def refit_lifetime_value() -> bool:
    """Fit the model of future purchases anew, once a day after everybody was judged."""
    if lifetime_value.refit_once_a_day() is None:
        return False
    figures.want("lifetime")
    return True


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def recheck_bond() -> bool:
    """See once a year whether bond and lock-in told who bought again."""
    return bond_check.recheck_once_a_year() is not None


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def settle_coupons() -> None:
    """Release reservations that ran out, link redemptions to their purchases, take returns into account."""
    ledger.release_run_out()
    returns.settle()


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def end_coupons() -> None:
    """Enter in the ledger which codes ended, and forget old answers to repeated calls."""
    while ledger.expire():
        pass
    idempotency.forget()
