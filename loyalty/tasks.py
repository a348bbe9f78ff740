"""What Celery wakes. The rules are in `loyalty.scoring`."""

from celery import shared_task
from django.db import OperationalError

from loyalty import figures, scoring


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
    refresh_figures.delay()
    return judged


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def refresh_figures() -> int:
    """Compute the stored figures of the insights pages anew."""
    return figures.refresh_all()


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def refresh_wanted_figures() -> int:
    """Compute the figures that somebody waits for."""
    return figures.refresh_wanted()
